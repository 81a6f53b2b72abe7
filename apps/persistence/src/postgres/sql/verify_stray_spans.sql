-- Rule: a span's row is of a span that the log has passed.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every span.
SELECT format('there is a span from position %s, and the log ends at %s', s.first_position, log.position) AS what
FROM {schema}.spans s, {schema}.log
WHERE s.first_position < 1 OR (s.first_position - 1) % 4096 <> 0 OR s.first_position + 4095 > log.position
LIMIT $1
