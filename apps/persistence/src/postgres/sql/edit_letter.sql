-- Replaces what is handed to the handler instead of an event's data.
-- Parameters: 1 subscription, 2 place, 3 the new data, or null for the event's own.
-- Always one row: 1, or -1 when there is no such subscription, -2 no such letter. Index: letters_pkey.
SELECT {schema}.edit_letter($1, $2, $3) AS letters
