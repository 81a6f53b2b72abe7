-- The keys of subjects.
-- Parameters: 1 subjects. One without a row was never heard of; one whose key is null was forgotten.
-- Index: subject_keys_pkey.
SELECT subject, key FROM {schema}.subject_keys WHERE subject = ANY ($1)
