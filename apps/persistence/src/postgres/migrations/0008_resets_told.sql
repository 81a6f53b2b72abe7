-- How many resets of a subscription those who handle its events were told of.

ALTER TABLE {schema}.subscriptions ADD COLUMN resets_told bigint NOT NULL DEFAULT 0;
-- Nobody is told of what was before.
UPDATE {schema}.subscriptions SET resets_told = resets;

-- Gives a subscription another name, with all that belongs to it, and takes every lease away: its epochs are such as no lease of either
-- name had. What it is kept as stays, and what is opened under its old name gets another one. Returns how many dead letters it has, -1 when there is no such subscription, or -2 when another has the new name.
CREATE OR REPLACE FUNCTION {schema}.rename_subscription(p_name text, p_to text) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    first_epoch bigint;
    its_box bigint;
BEGIN
    PERFORM FROM {schema}.subscriptions WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    -- Whoever opens one of the new name at this moment is waited for, or waits.
    INSERT INTO {schema}.subscriptions (name, kept_as, source, stream, start_after, paused, resets, resets_told, created_at, incarnation)
    SELECT p_to, kept_as, source, stream, start_after, paused, resets, resets_told, created_at, incarnation
    FROM {schema}.subscriptions WHERE name = p_name
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN -2;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, NULL);
    SELECT coalesce(max(epoch), 0) + 1 INTO first_epoch FROM {schema}.subscription_partitions WHERE subscription = p_name;
    INSERT INTO {schema}.past_epochs (name, epoch, kept_as) VALUES (p_name, first_epoch, p_name || '@' || first_epoch)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, kept_as = excluded.kept_as;
    SELECT max(epoch) INTO first_epoch FROM {schema}.past_epochs WHERE name IN (p_name, p_to);
    UPDATE {schema}.subscriptions SET incarnation = first_epoch WHERE name = p_to;
    UPDATE {schema}.subscription_partitions
    SET subscription = p_to, epoch = first_epoch, owner = NULL, expires_at = NULL WHERE subscription = p_name;
    DELETE FROM {schema}.subscription_members WHERE subscription = p_name;
    -- Both rows cannot have the box at a time: the new one has had another so far, in which is nothing.
    DELETE FROM {schema}.subscriptions WHERE name = p_name RETURNING box INTO its_box;
    UPDATE {schema}.subscriptions SET box = its_box WHERE name = p_to;
    RETURN (SELECT coalesce(sum(p.letters), 0) FROM {schema}.subscription_partitions p WHERE p.subscription = p_to);
END $$;
