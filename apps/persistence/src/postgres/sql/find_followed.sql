-- What a subscription follows, and where that ends now.
-- Parameters: 1 name.
-- A row, its stream null when it follows the log; none when there is no such subscription. Index: subscriptions_pkey, streams_name_key.
SELECT s.stream, {schema}.current_place(s.stream) AS place FROM {schema}.subscriptions s WHERE s.name = $1
