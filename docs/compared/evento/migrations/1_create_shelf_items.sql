-- The items that are in, and an index by name.
CREATE TABLE shelf_items (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE INDEX shelf_items_by_name ON shelf_items (name);
