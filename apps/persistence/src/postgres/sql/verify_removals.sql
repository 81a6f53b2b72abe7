-- What removals that are under way have taken so far: events, and versions of streams. The audit tells of it when they are through.
-- No parameters. Always one row. Index: none, the table holds no more rows than streams are being removed.
SELECT least(coalesce(sum(events), 0), 9223372036854775807)::bigint AS events,
    least(coalesce(sum(events + links), 0), 9223372036854775807)::bigint AS versions
FROM {schema}.removals
