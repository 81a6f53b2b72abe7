-- A test of an entry in matching_also.sql and met_matches.sql: it has a value between two others, both included, under an index.
-- Parameters: {index} its name, {from} and {to} the bounds; {entry} is the entry. Index: document_index_by_key.
{entry}.index_name = {index} AND {entry}.value BETWEEN {from}::bytea AND {to}::bytea
