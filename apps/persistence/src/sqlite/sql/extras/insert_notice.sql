-- Purpose: keeps a notice, unless it is kept already.
-- Parameters: ?1 id, ?2 topic, ?3 transaction_id or null, ?4 source or null, ?5 initialized_at or null, ?6 occurred_at,
--   ?7 expires_at or null, ?8 data.
-- Zero rows: always; no row changes when it is kept already.
-- Index: the unique one on notices.id, and the others of notices.
INSERT INTO notices (id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO NOTHING
