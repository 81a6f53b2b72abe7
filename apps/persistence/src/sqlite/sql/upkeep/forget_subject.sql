-- Purpose: drops a subject's key, for ever.
-- Parameters: ?1 subject, ?2 when.
-- Zero rows: always.
-- Index: primary key of subject_keys.
INSERT INTO subject_keys (subject, key, created_at, forgotten_at) VALUES (?1, NULL, ?2, ?2)
ON CONFLICT (subject) DO UPDATE SET key = NULL, forgotten_at = excluded.forgotten_at WHERE forgotten_at IS NULL
