-- Purpose: a subject's key; null when it was forgotten.
-- Parameters: ?1 subject.
-- Zero rows: it has none yet.
-- Index: primary key of subject_keys.
SELECT key FROM subject_keys WHERE subject = ?1
