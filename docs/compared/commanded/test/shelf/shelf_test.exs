# The read model alone, and the whole of it over an event store in memory.

defmodule ShelfTest do
  use Shelf.StorageCase

  alias Shelf.{App, Items, Listed, Put, PutIn, Take, TakenOut}

  defp project(event, number) do
    :ok = Items.handle(event, %{handler_name: "alone", event_number: number})
  end

  test "a row is kept while its item is in" do
    project(%PutIn{id: "1", name: "Lamp"}, 1)
    assert %Listed{name: "Lamp"} = Shelf.Repo.get(Listed, "1")
    project(%TakenOut{id: "1"}, 2)
    refute Shelf.Repo.get(Listed, "1")
  end

  test "those that are in are listed" do
    :ok = App.dispatch(%Put{id: "1", name: "Lamp"}, consistency: :strong)
    assert [%Listed{id: "1", name: "Lamp"}] = Shelf.list()
    :ok = App.dispatch(%Take{id: "1"}, consistency: :strong)
    assert Shelf.list() == []
  end
end
