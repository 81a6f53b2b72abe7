-- How many leases of a partition ran out and were taken over since its checkpoint moved, and what their owners had begun: as JSON, how often by
-- place.

ALTER TABLE subscription_partitions ADD COLUMN abandoned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription_partitions ADD COLUMN begun TEXT;
