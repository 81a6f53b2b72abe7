-- Tells the other processes how far the log goes. It is lost if the server goes down just now, and nobody waits for a disk.
-- Parameters: 1 channel, 2 the log's last position as text. One row, of no interest. Index: none, no table is read.
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)
