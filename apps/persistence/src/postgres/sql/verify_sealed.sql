-- An event with sealed values of each subject, the first of these positions, and its key, for trying the one on the other.
-- Parameters: 1 and 2 the positions to look at, behind the one up to the other. No row: nothing is sealed there, or only of subjects
-- who have no key. Index: events_pkey, archive_pkey; subject_keys_pkey.
SELECT DISTINCT ON (e.subject) e.subject, e.position, e.event_id, e.data, e.bytes, k.key
FROM {schema}.all_events e JOIN {schema}.subject_keys k ON k.subject = e.subject
WHERE e.position > $1::text::bigint AND e.position <= $2::text::bigint AND k.key IS NOT NULL
    AND (strpos(e.data::text, '{"$sealed":"') > 0 OR substring(e.bytes FROM 1 FOR 9) = '\x00247365616c656400')
ORDER BY e.subject, e.position
