# The rules, without a store.

defmodule Shelf.ItemTest do
  use ExUnit.Case, async: true

  alias Shelf.{Item, Put, PutIn, Take, TakenOut}

  defp decide(events, command) do
    events |> Enum.reduce(%Item{}, &Item.apply(&2, &1)) |> Item.execute(command)
  end

  defp put(name), do: %Put{id: "1", name: name}

  @was_put_in %PutIn{id: "1", name: "Lamp"}

  test "an item is put in once" do
    assert decide([], put("Lamp")) == @was_put_in
    assert decide([], put(" ")) == {:error, :name_is_blank}
    assert decide([@was_put_in], put("Lamp")) == {:error, :is_in}
  end

  test "what is in can be taken out" do
    assert decide([@was_put_in], %Take{id: "1"}) == %TakenOut{id: "1"}
    assert decide([], %Take{id: "1"}) == {:error, :is_not_in}
  end
end
