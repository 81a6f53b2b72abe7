-- Dead letters: parking, settling, and what operators do with them. Whoever changes them holds the lock on the row of their
-- subscription, so the first of each key, and how many a partition has, are what they must be.

-- Marks the first letters of these keys, and no others of them.
CREATE FUNCTION {schema}.mark_first(p_boxes bigint[], p_partitions bigint[], p_keys bigint[]) RETURNS void
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    boxes bigint[];
    places bigint[];
    partitions bigint[];
    keys bigint[];
BEGIN
    SELECT array_agg(box), array_agg(partition), array_agg(key), array_agg(place)
    INTO boxes, partitions, keys, places
    FROM (
        SELECT DISTINCT box, partition, key, (
            SELECT min(l.place) FROM {schema}.letters l
            WHERE l.box = asked.box AND l.partition = asked.partition AND l.key = asked.key
        ) AS place
        FROM unnest(p_boxes, p_partitions, p_keys) AS asked (box, partition, key)
    ) first WHERE place IS NOT NULL;
    UPDATE {schema}.letters l SET head = false
    FROM unnest(boxes, partitions, keys, places) AS first (box, partition, key, place)
    WHERE l.box = first.box AND l.partition = first.partition AND l.key = first.key
        AND l.head AND l.place <> first.place;
    UPDATE {schema}.letters l SET head = true FROM unnest(boxes, places) AS first (box, place)
    WHERE l.box = first.box AND l.place = first.place AND NOT l.head;
END $$;

-- Counts letters that these partitions have lost, one for each time that one is named.
CREATE FUNCTION {schema}.count_lost_letters(p_subscriptions text[], p_partitions bigint[]) RETURNS void
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE {schema}.subscription_partitions p SET letters = p.letters - lost.letters
    FROM (
        SELECT subscription, partition, count(*) AS letters
        FROM unnest(p_subscriptions, p_partitions) AS one (subscription, partition)
        GROUP BY subscription, partition
    ) lost
    WHERE p.subscription = lost.subscription AND p.partition = lost.partition;
END $$;

-- Keeps dead letters, each once; the partitions that were refused.
CREATE FUNCTION {schema}.park_letters(
    p_name text, p_partitions bigint[], p_epochs bigint[], p_places bigint[], p_keys bigint[], p_key_texts text[],
    p_event_ids uuid[], p_positions bigint[], p_event_names text[], p_errors text[], p_attempts bigint[],
    p_first_failed_at timestamptz[], p_last_failed_at timestamptz[]
) RETURNS TABLE (partition bigint) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    its_box bigint;
BEGIN
    SELECT s.box INTO its_box FROM {schema}.subscriptions s WHERE s.name = p_name FOR NO KEY UPDATE;
    PERFORM {schema}.lock_partitions(p_name, p_partitions);
    WITH parked AS (
        INSERT INTO {schema}.letters AS l (box, place, partition, key, key_text, event_id, position,
            event_name, error, attempts, first_failed_at, last_failed_at, parked_at, replay)
        SELECT its_box, one.place, one.partition, one.key, one.key_text, one.event_id, one.position, one.event_name,
            one.error, one.attempts, one.first_failed_at, one.last_failed_at, clock_timestamp(),
            one.place <= p.handled
        FROM unnest(p_partitions, p_epochs, p_places, p_keys, p_key_texts, p_event_ids, p_positions, p_event_names,
            p_errors, p_attempts, p_first_failed_at, p_last_failed_at)
            AS one (partition, epoch, place, key, key_text, event_id, position, event_name,
                error, attempts, first_failed_at, last_failed_at)
        JOIN {schema}.subscription_partitions p
            ON p.subscription = p_name AND p.partition = one.partition AND p.epoch = one.epoch
        ON CONFLICT (box, place) DO NOTHING
        RETURNING l.partition
    ), counted AS (
        SELECT parked.partition, count(*) AS letters FROM parked GROUP BY parked.partition
    )
    UPDATE {schema}.subscription_partitions p SET letters = p.letters + counted.letters FROM counted
    WHERE p.subscription = p_name AND p.partition = counted.partition;
    PERFORM {schema}.mark_first(array_fill(its_box, ARRAY[cardinality(p_keys)]), p_partitions, p_keys);
    RETURN QUERY SELECT * FROM {schema}.refused_partitions(p_name, p_partitions, p_epochs);
END $$;

-- Records what became of dead letters. A row with a key for each key that has none any more, and one without for each partition
-- that was refused. A letter that has failed this way already is left alone: somebody may have asked for it anew since.
CREATE FUNCTION {schema}.settle_letters(
    p_name text, p_partitions bigint[], p_epochs bigint[], p_places bigint[], p_keys bigint[], p_done boolean[],
    p_errors text[], p_attempts bigint[], p_first_failed_at timestamptz[], p_last_failed_at timestamptz[]
) RETURNS TABLE (partition bigint, key bigint) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    its_box bigint;
    refused bigint[];
    lost bigint[];
BEGIN
    SELECT s.box INTO its_box FROM {schema}.subscriptions s WHERE s.name = p_name FOR NO KEY UPDATE;
    PERFORM {schema}.lock_partitions(p_name, p_partitions);
    WITH gone AS (
        DELETE FROM {schema}.letters l
        USING unnest(p_partitions, p_epochs, p_places, p_done) AS one (partition, epoch, place, done),
            {schema}.subscription_partitions p
        WHERE p.subscription = p_name AND p.partition = one.partition AND p.epoch = one.epoch AND one.done
            AND l.box = its_box AND l.place = one.place AND l.partition = one.partition
        RETURNING l.partition
    )
    SELECT array_agg(gone.partition) INTO lost FROM gone;
    UPDATE {schema}.letters l SET retry = false, error = one.error, attempts = one.attempts,
        first_failed_at = one.first_failed_at, last_failed_at = one.last_failed_at
    FROM unnest(p_partitions, p_epochs, p_places, p_done, p_errors, p_attempts, p_first_failed_at, p_last_failed_at)
        AS one (partition, epoch, place, done, error, attempts, first_failed_at, last_failed_at),
        {schema}.subscription_partitions p
    WHERE p.subscription = p_name AND p.partition = one.partition AND p.epoch = one.epoch AND NOT one.done
        AND l.box = its_box AND l.place = one.place AND l.partition = one.partition
        AND (l.error, l.attempts, l.first_failed_at, l.last_failed_at)
            IS DISTINCT FROM (one.error, one.attempts, one.first_failed_at, one.last_failed_at);
    IF cardinality(lost) > 0 THEN
        PERFORM {schema}.count_lost_letters(array_fill(p_name, ARRAY[cardinality(lost)]), lost);
        PERFORM {schema}.mark_first(array_fill(its_box, ARRAY[cardinality(p_keys)]), p_partitions, p_keys);
    END IF;
    refused := ARRAY(SELECT * FROM {schema}.refused_partitions(p_name, p_partitions, p_epochs));
    RETURN QUERY
    SELECT DISTINCT one.partition, one.key FROM unnest(p_partitions, p_epochs, p_keys) AS one (partition, epoch, key)
    WHERE EXISTS (
        SELECT FROM {schema}.subscription_partitions p
        WHERE p.subscription = p_name AND p.partition = one.partition AND p.epoch = one.epoch
    ) AND NOT EXISTS (
        SELECT FROM {schema}.letters l
        WHERE l.box = its_box AND l.partition = one.partition AND l.key = one.key
    )
    ORDER BY 1, 2;
    RETURN QUERY SELECT number, NULL::bigint FROM unnest(refused) AS number;
END $$;

-- Which letters are meant, sorted: see LetterFilter for p_subscription to p_asked, of which null does not restrict. Only those
-- behind p_behind, and so many at most. Each subscription is looked through by itself,
-- and planned for what is restricted, so that it goes through the index that serves that; those without letters are passed over.
CREATE FUNCTION {schema}.meant_letters(
    p_subscription text, p_place bigint, p_key text, p_event_name text, p_after bigint, p_through bigint, p_error text,
    p_failed boolean, p_asked boolean, p_behind text, p_behind_place bigint, p_limit bigint
) RETURNS TABLE (subscription text, box bigint, place bigint) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    wanted bigint := p_limit;
    found_here bigint;
    one record;
BEGIN
    FOR one IN
        SELECT s.name, s.box FROM {schema}.subscriptions s
        WHERE (p_subscription IS NULL OR s.name = p_subscription) AND (p_behind IS NULL OR s.name >= p_behind)
            AND EXISTS (SELECT FROM {schema}.subscription_partitions p WHERE p.subscription = s.name AND p.letters > 0)
        ORDER BY s.name
    LOOP
        RETURN QUERY
        SELECT one.name, l.box, l.place FROM {schema}.letters l
        WHERE l.box = one.box
            AND (p_place IS NULL OR l.place = p_place)
            AND (p_key IS NULL OR l.key_text = p_key)
            AND (p_event_name IS NULL OR l.event_name = p_event_name)
            AND (p_after IS NULL OR l.place > p_after)
            AND (p_through IS NULL OR l.place <= p_through)
            AND (p_error IS NULL OR strpos(l.error, p_error) > 0)
            AND (p_failed IS NULL OR (l.error IS NOT NULL) = p_failed)
            AND (p_behind IS NULL OR one.name > p_behind OR l.place > p_behind_place)
            AND (p_asked IS NULL OR l.retry = p_asked)
        ORDER BY l.place LIMIT wanted;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        wanted := wanted - found_here;
        EXIT WHEN wanted <= 0;
    END LOOP;
END $$;

-- Locks the subscription that is named, and these, in order. Returns 0, or -1 when the one that is named is not there, or -2 when it
-- has no letter at the place that is named.
CREATE FUNCTION {schema}.lock_letters(p_subscription text, p_place bigint, p_subscriptions text[]) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
BEGIN
    PERFORM FROM {schema}.subscriptions s WHERE s.name = ANY (array_append(p_subscriptions, p_subscription))
    ORDER BY s.name FOR NO KEY UPDATE;
    RETURN CASE
        WHEN p_subscription IS NULL THEN 0
        WHEN NOT EXISTS (SELECT FROM {schema}.subscriptions s WHERE s.name = p_subscription) THEN -1
        WHEN p_place IS NOT NULL AND NOT EXISTS (
            SELECT FROM {schema}.subscriptions s JOIN {schema}.letters l ON l.box = s.box AND l.place = p_place
            WHERE s.name = p_subscription
        ) THEN -2
        ELSE 0
    END;
END $$;

-- Asks for letters to be tried again that were found before the log's lock was taken, in their order; each with those before it under
-- the same key, the oldest first, so that whatever the limit leaves out comes behind what it does not. Returns how many were not
-- asked for before, or as lock_letters does.
CREATE FUNCTION {schema}.retry_letters(
    p_subscription text, p_place bigint, p_subscriptions text[], p_places bigint[], p_limit bigint
) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    answer bigint := {schema}.lock_letters(p_subscription, p_place, p_subscriptions);
    asked bigint;
    meant record;
BEGIN
    IF answer <> 0 THEN
        RETURN answer;
    END IF;
    FOR meant IN
        SELECT l.box, l.partition, l.key, l.place
        FROM unnest(p_subscriptions, p_places) WITH ORDINALITY AS found (subscription, place, number)
        JOIN {schema}.subscriptions s ON s.name = found.subscription
        JOIN {schema}.letters l ON l.box = s.box AND l.place = found.place
        WHERE NOT l.retry ORDER BY found.number
    LOOP
        EXIT WHEN answer >= p_limit;
        UPDATE {schema}.letters l SET retry = true
        WHERE l.box = meant.box AND l.place = ANY (ARRAY(
            SELECT m.place FROM {schema}.letters m
            WHERE m.box = meant.box AND m.partition = meant.partition AND m.key = meant.key
                AND m.place <= meant.place AND NOT m.retry
            ORDER BY m.place LIMIT p_limit - answer
        ));
        GET DIAGNOSTICS asked = ROW_COUNT;
        answer := answer + asked;
    END LOOP;
    RETURN answer;
END $$;

-- Takes back that letters were asked for that were found before the log's lock was taken. Returns how many, or as lock_letters does.
CREATE FUNCTION {schema}.cancel_retries(
    p_subscription text, p_place bigint, p_subscriptions text[], p_places bigint[]
) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    answer bigint := {schema}.lock_letters(p_subscription, p_place, p_subscriptions);
BEGIN
    IF answer <> 0 THEN
        RETURN answer;
    END IF;
    UPDATE {schema}.letters l SET retry = false
    FROM unnest(p_subscriptions, p_places) AS found (subscription, place)
    JOIN {schema}.subscriptions s ON s.name = found.subscription
    WHERE l.box = s.box AND l.place = found.place AND l.retry;
    GET DIAGNOSTICS answer = ROW_COUNT;
    RETURN answer;
END $$;

-- Removes letters that were found before the log's lock was taken, but for those whose failure is another one by now. Returns how
-- many, or as lock_letters does.
CREATE FUNCTION {schema}.discard_letters(
    p_subscription text, p_place bigint, p_error text, p_failed boolean, p_subscriptions text[], p_places bigint[]
) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    answer bigint := {schema}.lock_letters(p_subscription, p_place, p_subscriptions);
    names text[];
    boxes bigint[];
    partitions bigint[];
    keys bigint[];
    places bigint[];
BEGIN
    IF answer <> 0 THEN
        RETURN answer;
    END IF;
    SELECT array_agg(s.name), array_agg(m.box), array_agg(m.partition), array_agg(m.key), array_agg(m.place)
    INTO names, boxes, partitions, keys, places
    FROM unnest(p_subscriptions, p_places) AS found (subscription, place)
    JOIN {schema}.subscriptions s ON s.name = found.subscription
    JOIN {schema}.letters m ON m.box = s.box AND m.place = found.place
    WHERE (p_error IS NULL OR strpos(m.error, p_error) > 0) AND (p_failed IS NULL OR (m.error IS NOT NULL) = p_failed);
    PERFORM FROM {schema}.subscription_partitions p
    WHERE (p.subscription, p.partition) IN (SELECT * FROM unnest(names, partitions))
    ORDER BY p.subscription, p.partition FOR NO KEY UPDATE;
    DELETE FROM {schema}.letters l USING unnest(boxes, places) AS meant (box, place)
    WHERE l.box = meant.box AND l.place = meant.place;
    GET DIAGNOSTICS answer = ROW_COUNT;
    PERFORM {schema}.count_lost_letters(names, partitions);
    PERFORM {schema}.mark_first(boxes, partitions, keys);
    RETURN answer;
END $$;

-- Replaces what is handed to the handler instead of the event's data; null takes it back. Returns 1, or as lock_letters does.
CREATE FUNCTION {schema}.edit_letter(p_subscription text, p_place bigint, p_data json) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    answer bigint := {schema}.lock_letters(p_subscription, p_place, '{}');
BEGIN
    IF answer = 0 THEN
        UPDATE {schema}.letters l SET edited = p_data FROM {schema}.subscriptions s
        WHERE s.name = p_subscription AND l.box = s.box AND l.place = p_place;
        answer := 1;
    END IF;
    RETURN answer;
END $$;

-- Removes some of what is in lost boxes, by box and place, and boxes in which nothing is left; passes over boxes that somebody else is
-- emptying. Returns how many letters: fewer than the limit when that was all. What a crash leaves is found the next time.
CREATE FUNCTION {schema}.sweep_letters(p_limit bigint) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    lost bigint;
    removed bigint := 0;
    of_one bigint;
BEGIN
    FOR lost IN SELECT b.box FROM {schema}.lost_boxes b ORDER BY b.box LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
        DELETE FROM {schema}.letters l WHERE l.box = lost AND l.place = ANY (ARRAY(
            SELECT m.place FROM {schema}.letters m WHERE m.box = lost ORDER BY m.place LIMIT p_limit - removed
        ));
        GET DIAGNOSTICS of_one = ROW_COUNT;
        removed := removed + of_one;
        EXIT WHEN removed >= p_limit;
        DELETE FROM {schema}.lost_boxes b WHERE b.box = lost;
    END LOOP;
    RETURN removed;
END $$;
