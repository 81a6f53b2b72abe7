-- Purpose: lets what follows in this transaction past the triggers that keep events as they are.
-- Parameters: none.
-- Zero rows: always.
-- Index: primary key of upkeep.
INSERT INTO upkeep (id, until) VALUES (1, 2)
