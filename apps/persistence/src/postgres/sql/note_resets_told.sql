-- Notes how many resets of a subscription were told, never fewer than before nor more than there were. Writes only what is news.
-- Parameters: 1 subscription, 2 which one of its name, 3 how many.
-- A row with how many are noted then; none when there is no such subscription, or another one of that name. Index: subscriptions_pkey.
WITH news AS (
    UPDATE {schema}.subscriptions SET resets_told = least(resets, $3)
    WHERE name = $1 AND incarnation = $2 AND resets_told < least(resets, $3)
)
SELECT greatest(resets_told, least(resets, $3)) AS resets_told FROM {schema}.subscriptions WHERE name = $1 AND incarnation = $2
