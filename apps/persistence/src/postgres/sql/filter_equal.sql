-- A test of an entry in find_documents.sql, matching_also.sql and met_matches.sql: it has this value under an index.
-- Parameters: {index} its name, {value} the value; {entry} is the entry. Index: document_index_pkey.
{entry}.index_name = {index} AND {entry}.value = {value}::bytea
