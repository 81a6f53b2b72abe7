-- How many leases of a partition ran out and were taken over since its checkpoint moved, and what their owners had begun.

ALTER TABLE {schema}.subscription_partitions
    ADD COLUMN abandoned bigint NOT NULL DEFAULT 0,
    -- As JSON, how often by place.
    ADD COLUMN begun text;

-- It tells of both.
DROP FUNCTION {schema}.keep_leases(text, bigint, uuid, bigint, boolean, bigint[], bigint[], bigint[], bigint[], bigint[]);
-- Gives back, renews and claims leases, and counts the node as a member or, when it leaves, no longer: then nothing is its own
-- either. How all partitions stand then. No row: there is no such subscription, or another one of that name.
CREATE FUNCTION {schema}.keep_leases(
    p_name text, p_incarnation bigint, p_node uuid, p_lease_ms bigint, p_leave boolean, p_release bigint[], p_release_epochs bigint[],
    p_hold bigint[], p_hold_epochs bigint[], p_claim bigint[]
) RETURNS TABLE (
    paused boolean, resets bigint, members bigint, partition bigint, epoch bigint, owner uuid, checkpoint bigint,
    handled bigint, letters bigint, due boolean, abandoned bigint, begun text
) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    is_paused boolean;
    times_reset bigint;
    its_box bigint;
    moment timestamptz;
    until timestamptz;
BEGIN
    SELECT s.paused, s.resets, s.box INTO is_paused, times_reset, its_box FROM {schema}.subscriptions s
    WHERE s.name = p_name AND s.incarnation = p_incarnation FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, CASE WHEN NOT p_leave THEN p_release || p_hold || p_claim END);
    -- Whoever waited for the locks counts from then on.
    moment := clock_timestamp();
    until := moment + p_lease_ms * interval '1 millisecond';
    DELETE FROM {schema}.subscription_members m
    WHERE m.subscription = p_name AND (m.expires_at <= moment OR p_leave AND m.node = p_node);
    IF NOT p_leave THEN
        INSERT INTO {schema}.subscription_members (subscription, node, expires_at) VALUES (p_name, p_node, until)
        ON CONFLICT (subscription, node) DO UPDATE SET expires_at = excluded.expires_at;
    END IF;
    UPDATE {schema}.subscription_partitions p SET owner = NULL, expires_at = NULL
    FROM unnest(p_release, p_release_epochs) AS lease (partition, epoch)
    WHERE p.subscription = p_name AND p.partition = lease.partition AND p.epoch = lease.epoch AND p.owner = p_node;
    IF p_leave THEN
        UPDATE {schema}.subscription_partitions p SET owner = NULL, expires_at = NULL
        WHERE p.subscription = p_name AND p.owner = p_node;
    END IF;
    UPDATE {schema}.subscription_partitions p SET expires_at = until
    FROM unnest(p_hold, p_hold_epochs) AS lease (partition, epoch)
    WHERE p.subscription = p_name AND p.partition = lease.partition AND p.epoch = lease.epoch AND p.owner = p_node;
    -- Who gave it back has ended what it began.
    UPDATE {schema}.subscription_partitions p SET epoch = p.epoch + 1, owner = p_node, expires_at = until,
        abandoned = CASE WHEN p.owner IS NULL THEN 0 ELSE p.abandoned + 1 END, begun = CASE WHEN p.owner IS NOT NULL THEN p.begun END
    WHERE p.subscription = p_name AND p.partition = ANY (p_claim) AND (p.owner IS NULL OR p.expires_at <= moment);
    RETURN QUERY
    SELECT is_paused, times_reset,
        (SELECT count(*) FROM {schema}.subscription_members m WHERE m.subscription = p_name), p.partition, p.epoch,
        CASE WHEN p.expires_at > moment THEN p.owner END, p.checkpoint, p.handled, p.letters,
        p.letters > 0 AND EXISTS (
            SELECT FROM {schema}.letters l WHERE l.box = its_box AND l.partition = p.partition
                AND l.head AND (l.retry OR l.error IS NULL)
        ), p.abandoned, p.begun
    FROM {schema}.subscription_partitions p WHERE p.subscription = p_name ORDER BY p.partition;
END $$;

-- Moves checkpoints forward; the partitions that were refused.
CREATE OR REPLACE FUNCTION {schema}.save_subscription_checkpoints(
    p_name text, p_partitions bigint[], p_epochs bigint[], p_places bigint[]
) RETURNS TABLE (partition bigint) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.lock_partitions(p_name, p_partitions);
    UPDATE {schema}.subscription_partitions p
    SET checkpoint = asked.place, handled = greatest(p.handled, asked.place), abandoned = 0
    FROM (
        SELECT partition, epoch, max(place) AS place
        FROM unnest(p_partitions, p_epochs, p_places) AS one (partition, epoch, place) GROUP BY partition, epoch
    ) asked
    WHERE p.subscription = p_name AND p.partition = asked.partition AND p.epoch = asked.epoch
        AND p.checkpoint < asked.place;
    RETURN QUERY SELECT * FROM {schema}.refused_partitions(p_name, p_partitions, p_epochs);
END $$;
