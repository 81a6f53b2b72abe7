-- A test of an entry in matching_documents.sql and matching_also.sql: it has one of these values under an index.
-- Parameters: {index} its name, {values} a list of values; {entry} is the entry. Index: document_index_pkey.
{entry}.index_name = {index} AND {entry}.value = ANY ({values}::bytea[])
