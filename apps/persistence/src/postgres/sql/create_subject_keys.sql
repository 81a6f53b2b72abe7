-- Stores keys for subjects that have none yet and were not forgotten.
-- Parameters, one of each for a subject, sorted by subject: 1 subjects, 2 keys; 3 now.
-- One row for each that is new. Index: subject_keys_pkey.
INSERT INTO {schema}.subject_keys (subject, key, created_at)
SELECT subject, key, $3 FROM unnest($1::text[], $2::bytea[]) AS new (subject, key)
ON CONFLICT (subject) DO NOTHING
RETURNING subject
