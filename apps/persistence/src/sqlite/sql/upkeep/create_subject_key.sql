-- Purpose: a subject's key, unless it has one or was forgotten.
-- Parameters: ?1 subject, ?2 key, ?3 when.
-- Zero rows: always.
-- Index: primary key of subject_keys.
INSERT INTO subject_keys (subject, key, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (subject) DO NOTHING
