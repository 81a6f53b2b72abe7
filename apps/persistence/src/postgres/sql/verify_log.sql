-- Rule: the log has its one row, and whatever it numbers has numbers up to those that it has given out.
-- Parameters: 1 how many findings at most. No row: it holds. Index: streams_pkey and outbox_pkey, read backwards.
SELECT format('the log has %s rows instead of one', count(*)) AS what FROM {schema}.log HAVING count(*) <> 1
UNION ALL
SELECT format('streams got ids up to %s, and there is one with id %s', log.last_stream, last.stream_id)
FROM {schema}.log, (SELECT stream_id FROM {schema}.streams ORDER BY stream_id DESC LIMIT 1) last
WHERE log.last_stream < last.stream_id
UNION ALL
SELECT format('the outbox got numbers up to %s, and there is an entry with number %s', log.last_outbox, last.number)
FROM {schema}.log, (SELECT number FROM {schema}.outbox ORDER BY number DESC LIMIT 1) last
WHERE log.last_outbox < last.number
LIMIT $1
