-- What query_documents.sql goes through without filters: all documents of the collection. It is put in where it is used, to be counted and
-- gone through by the index alone.
-- No parameters. No row: there are none. Index: documents_pkey.
matches AS NOT MATERIALIZED (
    SELECT d.key FROM {schema}.documents d WHERE d.collection = (SELECT collection FROM named)
)
