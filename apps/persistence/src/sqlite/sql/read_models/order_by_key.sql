-- Purpose: fragment, the order of a query that names none.
-- Parameters: none.
-- Zero rows: never matters.
-- Index: primary key of documents, when no filter leads.
d.key
