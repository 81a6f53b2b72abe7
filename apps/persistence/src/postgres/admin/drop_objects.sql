-- Purpose: removes things of one kind, unless something else depends on them.
-- Parameters: none; {kind} is what they are, {objects} their identities.
-- Zero rows: always.
-- Index: none.
DROP {kind} {objects} RESTRICT
