# The words of the shelf: two commands, two events.

defmodule Shelf.Put do
  @enforce_keys [:id]
  defstruct [:id, :name]
end

defmodule Shelf.Take do
  @enforce_keys [:id]
  defstruct [:id]
end

defmodule Shelf.PutIn do
  @derive Jason.Encoder
  defstruct [:id, :name]
end

defmodule Shelf.TakenOut do
  @derive Jason.Encoder
  defstruct [:id]
end
