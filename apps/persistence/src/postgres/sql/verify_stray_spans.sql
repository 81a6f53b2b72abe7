-- Rule: a span's row is of a span that the log has passed.
-- Parameters: 1 how many findings at most, 2 and 3 the first positions of spans to look at, behind the one up to the other. No
-- row: it holds. Index: spans_pkey.
SELECT format('there is a span from position %s, and the log ends at %s', s.first_position, log.position) AS what
FROM {schema}.spans s, {schema}.log
WHERE s.first_position > $2::text::bigint AND s.first_position <= $3::text::bigint
    AND (s.first_position < 1 OR (s.first_position - 1) % 4096 <> 0 OR s.first_position + 4095 > log.position)
LIMIT $1
