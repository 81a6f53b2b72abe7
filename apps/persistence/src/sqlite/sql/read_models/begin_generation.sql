-- Purpose: makes a generation. A checkpoint of its name that was none before becomes it; the first one goes on where
--   that stands.
-- Parameters: ?1 checkpoint, ?2 name, ?3 version, ?4 run, ?5 phase, ?6 live_after, ?7 suffix, ?8 collections, ?9
--   indexes and ?10 events that appends may project, each as a JSON list.
-- Zero rows: always.
-- Index: primary key of checkpoints.
INSERT INTO checkpoints (projection, position, name, version, run, phase, live_after, suffix, collections, indexes, inline)
VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (projection) DO UPDATE SET name = excluded.name, version = excluded.version, run = excluded.run,
    phase = excluded.phase, suffix = excluded.suffix, collections = excluded.collections, indexes = excluded.indexes,
    inline = excluded.inline,
    position = CASE excluded.phase WHEN 'serving' THEN position ELSE 0 END,
    live_after = CASE WHEN excluded.phase = 'serving' AND position > 0 THEN position ELSE excluded.live_after END
