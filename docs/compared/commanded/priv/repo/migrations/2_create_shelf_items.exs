# The items that are in, and an index by name.

defmodule Shelf.Repo.Migrations.CreateShelfItems do
  use Ecto.Migration

  def change do
    create table(:shelf_items, primary_key: false) do
      add(:id, :text, primary_key: true)
      add(:name, :text)
    end

    create(index(:shelf_items, [:name]))
  end
end
