-- Drops a subject's key, under the log's row lock.
-- Parameters: 1 subject, 2 now.
-- Always one row: how many events and links went. Index: subject_keys_pkey.
SELECT events, links FROM {schema}.forget_subject($1, $2)
