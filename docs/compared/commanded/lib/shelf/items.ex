# The read model: a table of the items that are in, who keeps it, and the query.

defmodule Shelf.Listed do
  use Ecto.Schema

  @primary_key {:id, :string, autogenerate: false}
  schema "shelf_items" do
    field(:name, :string)
  end
end

defmodule Shelf.Items do
  use Commanded.Projections.Ecto,
    application: Shelf.App,
    repo: Shelf.Repo,
    name: "shelf.items",
    consistency: :strong

  alias Shelf.{Listed, PutIn, TakenOut}

  project(%PutIn{id: id, name: name}, fn multi ->
    Ecto.Multi.insert(multi, :listed, %Listed{id: id, name: name})
  end)

  project(%TakenOut{id: id}, fn multi ->
    Ecto.Multi.delete_all(multi, :listed, from(l in Listed, where: l.id == ^id))
  end)
end

defmodule Shelf do
  import Ecto.Query

  @listed_max 100

  def list do
    Shelf.Repo.all(from(l in Shelf.Listed, order_by: l.name, limit: @listed_max))
  end
end
