-- Purpose: how many letters are meant. {index} and {meant} are put in.
-- Parameters: those of the conditions.
-- Zero rows: never.
-- Index: as of list_letters; it looks at every letter that this leads to.
SELECT count(*)
FROM subscriptions s CROSS JOIN letters l INDEXED BY {index} ON l.box = s.box
WHERE true
    {meant}
