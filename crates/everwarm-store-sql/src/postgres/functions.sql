-- The reading of a shard, and the markers of tags in their order; those of a suspension that is over have an epoch and no number. It
-- is complete if each tag has a marker of the shard's epoch that is kept for so long, and no suspension of it is over.
CREATE OR REPLACE FUNCTION %read%(of_space bytea, of_tags bytea[], needed timestamptz)
RETURNS TABLE (at_epoch bigint, at_number bigint, mark_epochs bigint[], mark_numbers bigint[], is_complete boolean)
LANGUAGE sql STABLE AS $body$
    SELECT s.epoch, s.number, marks.epochs, marks.numbers, s.epoch IS NOT NULL AND marks.are_complete
    FROM (VALUES (1)) AS one LEFT JOIN %shards% s ON s.space = of_space
    CROSS JOIN LATERAL (
        SELECT
            array_agg(CASE WHEN m.suspended_until IS NULL THEN m.epoch ELSE s.epoch END ORDER BY wanted.place) AS epochs,
            array_agg(CASE
                WHEN m.suspended_until IS NULL THEN m.number
                WHEN m.suspended_until > statement_timestamp() THEN s.number + 1
            END ORDER BY wanted.place) AS numbers,
            coalesce(bool_and(coalesce(
                m.epoch = s.epoch AND m.until >= needed
                AND (m.suspended_until IS NULL OR m.suspended_until > statement_timestamp()), false)), true) AS are_complete
        FROM unnest(of_tags) WITH ORDINALITY AS wanted (tag, place)
        -- One look into the index for each tag, however many markers the namespace has.
        LEFT JOIN LATERAL (
            SELECT * FROM %markers% k WHERE k.space = of_space AND k.tag = wanted.tag OFFSET 0
        ) AS m ON true
    ) AS marks
$body$;

-- Locks a shard against invalidations until the transaction ends, and makes it and the markers of tags where they are missing.
CREATE OR REPLACE FUNCTION %hold%(of_space bytea, of_tags bytea[], keep interval, fresh bigint)
RETURNS TABLE (at_epoch bigint, at_number bigint, mark_epochs bigint[], mark_numbers bigint[])
LANGUAGE plpgsql AS $body$
#variable_conflict use_column
DECLARE
    needed timestamptz := coalesce(statement_timestamp() + keep, 'infinity');
    is_over boolean := EXISTS (
        SELECT FROM %markers% m
        WHERE m.space = of_space AND m.tag = ANY (of_tags) AND m.suspended_until <= statement_timestamp()
    );
    now_epoch bigint;
    now_number bigint;
    reading record;
BEGIN
    LOOP
        -- Who will write to the row takes it for itself at once: two who share it would wait for each other.
        IF is_over THEN
            SELECT epoch, number INTO now_epoch, now_number FROM %shards% WHERE space = of_space FOR UPDATE;
        ELSE
            SELECT epoch, number INTO now_epoch, now_number FROM %shards% WHERE space = of_space FOR SHARE;
        END IF;
        EXIT WHEN FOUND;
        INSERT INTO %shards% (space, epoch, number) VALUES (of_space, fresh, 0) ON CONFLICT DO NOTHING;
    END LOOP;
    IF is_over THEN
        -- What began while it lasted stays out.
        UPDATE %shards% SET number = number + 1 WHERE space = of_space RETURNING number INTO now_number;
        UPDATE %markers% SET epoch = now_epoch, number = now_number, suspended_until = NULL, suspended_by = 0
        WHERE space = of_space AND tag = ANY (of_tags) AND suspended_until <= statement_timestamp();
    END IF;
    SELECT * INTO reading FROM %read%(of_space, of_tags, needed);
    IF NOT reading.is_complete THEN
        -- Kept for longer than was asked for, so that it is not written each time.
        INSERT INTO %markers% AS m (space, tag, epoch, number, until)
        SELECT of_space, wanted.tag, now_epoch, now_number,
            coalesce(statement_timestamp() + 2 * keep + interval '1 minute', 'infinity')
        FROM (SELECT DISTINCT unnest(of_tags) AS tag ORDER BY 1) AS wanted
        ON CONFLICT (space, tag) DO UPDATE SET
            number = CASE WHEN m.epoch = excluded.epoch THEN m.number ELSE excluded.number END,
            epoch = excluded.epoch,
            until = greatest(m.until, excluded.until)
        WHERE m.epoch <> excluded.epoch OR m.until < needed;
        SELECT * INTO reading FROM %read%(of_space, of_tags, needed);
    END IF;
    RETURN QUERY SELECT reading.at_epoch, reading.at_number, reading.mark_epochs, reading.mark_numbers;
END
$body$;

-- The stamps of what begins now, and the markers of its tags, which are made where they are missing.
CREATE OR REPLACE FUNCTION %begin%(of_space bytea, of_tags bytea[], keep interval, fresh bigint)
RETURNS TABLE (at_epoch bigint, at_number bigint, mark_epochs bigint[], mark_numbers bigint[])
LANGUAGE plpgsql AS $body$
DECLARE
    reading record;
BEGIN
    SELECT * INTO reading FROM %read%(of_space, of_tags, coalesce(statement_timestamp() + keep, 'infinity'));
    IF reading.is_complete THEN
        RETURN QUERY SELECT reading.at_epoch, reading.at_number, reading.mark_epochs, reading.mark_numbers;
    ELSE
        RETURN QUERY SELECT * FROM %hold%(of_space, of_tags, keep, fresh);
    END IF;
END
$body$;

-- Stores what was computed: 0 if it did, 1 if its lease is not there any more, 2 if its stamps do not cover the markers of its tags.
CREATE OR REPLACE FUNCTION %settle%(
    of_name bytea, new_bytes bytea, new_version bigint, ttl interval, token bigint,
    of_space bytea, of_tags bytea[], fresh bigint, stamp_epochs bigint[], stamp_numbers bigint[], channel text, freed text
)
RETURNS integer LANGUAGE plpgsql AS $body$
#variable_conflict use_column
DECLARE
    new_until timestamptz := coalesce(statement_timestamp() + ttl, 'infinity');
    is_covered boolean;
    is_waited boolean;
BEGIN
    SELECT coalesce(bool_and(EXISTS (
        SELECT FROM unnest(stamp_epochs, stamp_numbers) AS stamp (epoch, number)
        WHERE stamp.epoch = mark.epoch AND mark.number <= stamp.number
    )), true) INTO is_covered
    FROM %hold%(of_space, of_tags, ttl, fresh) AS reading,
        unnest(reading.mark_epochs, reading.mark_numbers) AS mark (epoch, number);
    IF NOT is_covered THEN
        RETURN 2;
    END IF;
    IF token IS NULL THEN
        INSERT INTO %entries% (name, bytes, version, until) VALUES (of_name, new_bytes, new_version, new_until)
        ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, version = excluded.version, until = excluded.until;
        RETURN 0;
    END IF;
    UPDATE %entries%
    SET bytes = new_bytes, version = new_version, until = new_until, lease_token = NULL, lease_until = NULL
    WHERE name = of_name AND lease_token = token AND lease_until > statement_timestamp()
    RETURNING lease_waited INTO is_waited;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    IF is_waited THEN
        PERFORM pg_notify(channel, freed);
    END IF;
    RETURN 0;
END
$body$;

-- Invalidates tags and tells of it. With a span it suspends them for so long, too; or it ends one suspension of each.
CREATE OR REPLACE FUNCTION %strike%(
    of_space bytea, of_tags bytea[], fresh bigint, span interval, resumes boolean, channel text, told text[]
)
RETURNS TABLE (at_epoch bigint, at_number bigint, mark_epochs bigint[], mark_numbers bigint[])
LANGUAGE plpgsql AS $body$
#variable_conflict use_column
DECLARE
    now_epoch bigint;
    now_number bigint;
    span_until timestamptz := statement_timestamp() + span;
BEGIN
    LOOP
        UPDATE %shards% SET number = number + 1 WHERE space = of_space RETURNING epoch, number INTO now_epoch, now_number;
        EXIT WHEN FOUND;
        INSERT INTO %shards% (space, epoch, number) VALUES (of_space, fresh, 0) ON CONFLICT DO NOTHING;
    END LOOP;
    -- One that nobody named before need not be kept: no entry carries it.
    INSERT INTO %markers% AS m (space, tag, epoch, number, until, suspended_until, suspended_by)
    SELECT of_space, wanted.tag, now_epoch, now_number, statement_timestamp(), span_until,
        CASE WHEN span IS NULL THEN 0 ELSE 1 END
    FROM (SELECT DISTINCT unnest(of_tags) AS tag ORDER BY 1) AS wanted
    ON CONFLICT (space, tag) DO UPDATE SET
        epoch = excluded.epoch,
        number = excluded.number,
        suspended_until = CASE
            WHEN span IS NOT NULL THEN greatest(excluded.suspended_until, m.suspended_until)
            WHEN m.suspended_until <= statement_timestamp() OR (resumes AND m.suspended_by <= 1) THEN NULL
            ELSE m.suspended_until
        END,
        suspended_by = CASE
            WHEN m.suspended_until IS NULL OR m.suspended_until <= statement_timestamp() THEN excluded.suspended_by
            WHEN span IS NOT NULL THEN m.suspended_by + 1
            WHEN resumes THEN m.suspended_by - 1
            ELSE m.suspended_by
        END;
    PERFORM pg_notify(channel, message.text || ' ' || reading.mark_epochs[message.place] || ' '
        || reading.mark_numbers[message.place])
    FROM %read%(of_space, of_tags, '-infinity') AS reading, unnest(told) WITH ORDINALITY AS message (text, place);
    RETURN QUERY SELECT reading.at_epoch, reading.at_number, reading.mark_epochs, reading.mark_numbers
    FROM %read%(of_space, of_tags, '-infinity') AS reading;
END
$body$;

-- Lets markers go that no entry needs any more; how many.
CREATE OR REPLACE FUNCTION %sweep%()
RETURNS bigint LANGUAGE plpgsql AS $body$
#variable_conflict use_column
DECLARE
    of_space bytea;
    now_number bigint;
    gone bigint;
BEGIN
    FOR of_space IN SELECT DISTINCT space FROM %markers% WHERE suspended_until <= statement_timestamp() ORDER BY space LOOP
        -- Who finds no marker is given the shard's number: it has to be later than what began under the suspension.
        UPDATE %shards% SET number = number + 1 WHERE space = of_space RETURNING number INTO now_number;
        UPDATE %markers% SET number = now_number, suspended_until = NULL, suspended_by = 0
        WHERE space = of_space AND suspended_until <= statement_timestamp() AND now_number IS NOT NULL;
    END LOOP;
    DELETE FROM %markers% WHERE until <= statement_timestamp() AND suspended_until IS NULL;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$body$;
