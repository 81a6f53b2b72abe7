# What runs: the event store, the application with its router, the database of the read model, and a tree of them.

defmodule Shelf.EventStore do
  use EventStore, otp_app: :shelf
end

defmodule Shelf.Router do
  use Commanded.Commands.Router

  identify(Shelf.Item, by: :id, prefix: "shelf_item-")
  dispatch([Shelf.Put, Shelf.Take], to: Shelf.Item)
end

defmodule Shelf.App do
  use Commanded.Application,
    otp_app: :shelf,
    event_store: [
      adapter: Commanded.EventStore.Adapters.EventStore,
      event_store: Shelf.EventStore
    ]

  router(Shelf.Router)
end

defmodule Shelf.Repo do
  use Ecto.Repo, otp_app: :shelf, adapter: Ecto.Adapters.Postgres
end

defmodule Shelf.Application do
  use Application

  def start(_type, _args) do
    children = [Shelf.Repo, Shelf.App, Shelf.Items]
    Supervisor.start_link(children, strategy: :one_for_one, name: Shelf.Supervisor)
  end
end
