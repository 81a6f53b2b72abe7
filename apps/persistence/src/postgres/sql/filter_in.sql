-- A test of an entry in matching_also.sql and met_matches.sql: it has one of these values under an index.
-- Parameters: {index} its name, {values} a list of values; {entry} is the entry. Index: document_index_by_key.
{entry}.index_name = {index} AND {entry}.value = ANY ({values}::bytea[])
