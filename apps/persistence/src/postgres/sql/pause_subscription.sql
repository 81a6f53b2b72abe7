-- Pauses a subscription or lets it go on.
-- Parameters: 1 name, 2 whether it is paused from now on.
-- Always one row: 0, or -1 when there is no such subscription. Index: subscriptions_pkey.
SELECT {schema}.pause_subscription($1, $2) AS letters
