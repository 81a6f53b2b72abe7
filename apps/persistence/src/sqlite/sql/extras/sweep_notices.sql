-- Purpose: removes kept notices that have expired.
-- Parameters: ?1 now.
-- Zero rows: always.
-- Index: notices_by_expiry.
DELETE FROM notices WHERE expires_at <= ?1
