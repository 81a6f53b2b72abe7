-- Ends the connections of one application, whatever they are doing.
-- Parameter: 1 the application's name.
-- One row for each connection that was told to end; none when it has no connections.
-- Index: none; a view of the server's memory.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()
