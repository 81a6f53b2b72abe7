# What decisions about an item rest on, and the decisions.

defmodule Shelf.Item do
  alias Shelf.{Item, Put, PutIn, Take, TakenOut}

  defstruct is_in: false

  def execute(%Item{is_in: is_in}, %Put{id: id, name: name}) do
    cond do
      String.trim(name) == "" -> {:error, :name_is_blank}
      is_in -> {:error, :is_in}
      true -> %PutIn{id: id, name: name}
    end
  end

  def execute(%Item{is_in: true}, %Take{id: id}), do: %TakenOut{id: id}
  def execute(%Item{}, %Take{}), do: {:error, :is_not_in}

  def apply(%Item{} = item, %PutIn{}), do: %Item{item | is_in: true}
  def apply(%Item{} = item, %TakenOut{}), do: %Item{item | is_in: false}
end
