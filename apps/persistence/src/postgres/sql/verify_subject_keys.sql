-- Rule: a subject of whom an event holds a sealed value has a key, or was forgotten.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other. No row: it
-- holds. Index: events_pkey, archive_pkey; subject_keys_pkey.
SELECT format('event %s at position %s holds personal data of %s, whose key is lost', e.event_id, e.position, e.subject)
    AS what
FROM {schema}.all_events e
WHERE e.position > $2::text::bigint AND e.position <= $3::text::bigint AND e.subject IS NOT NULL
    AND (strpos(e.data::text, '{"$sealed":"') > 0 OR substring(e.bytes FROM 1 FOR 9) = '\x00247365616c656400')
    AND NOT EXISTS (SELECT FROM {schema}.subject_keys k WHERE k.subject = e.subject)
LIMIT $1
