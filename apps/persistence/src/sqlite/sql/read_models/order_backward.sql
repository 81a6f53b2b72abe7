-- Purpose: fragment, sorts by an index; documents without an entry come last, equal ones are sorted by key.
-- Parameters: ?1 collection, {index} the index.
-- Zero rows: of the inner query, an empty list: null, which sorts before all values.
-- Index: document_index_by_key.
(SELECT min(i.value) FROM document_index AS i
 WHERE i.collection = ?1 AND i.key = d.key AND i.index_name = {index}) DESC, d.key
