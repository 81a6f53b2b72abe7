-- Tells the other processes how far the log goes, or which subscription has changed. It is lost if the server goes down just now, and nobody waits for a disk.
-- Parameters: 1 channel, 2 the log's last position, or the key of a subscription, as text. One row, of no interest. Index: none, no table is read.
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)
