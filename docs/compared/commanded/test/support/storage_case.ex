# Begins each test with nothing stored. `config/test.exs` names the event store in memory.

defmodule Shelf.StorageCase do
  use ExUnit.CaseTemplate

  setup do
    {:ok, _apps} = Application.ensure_all_started(:shelf)
    Shelf.Repo.query!("TRUNCATE projection_versions, shelf_items")
    on_exit(fn -> :ok = Application.stop(:shelf) end)
  end
end
