-- A page of the kept notices of a transaction, by the moment they occurred and then by id.
-- Parameters: 1 only those that occurred at this moment or later, 2 and 3 only those behind this moment and id, each or
--   null, 4 how many at most, 5 transaction, 6 only those of this topic, or null. No row: none is
--   left. Index: notices_by_transaction, in order.
SELECT notice_id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data
FROM {schema}.notices
WHERE occurred_at >= coalesce($1::timestamptz, '-infinity')
    AND (occurred_at, notice_id)
        > (coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
    AND transaction_id = $5 AND topic = coalesce($6, topic)
ORDER BY occurred_at, notice_id LIMIT $4
