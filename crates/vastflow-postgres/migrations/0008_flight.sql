-- What a claim costs does not grow with how many runs wait in line or have not ended: runs in flight stand in an index of
-- their own. (At a hundred thousand unfinished runs a claim counted for some 50 ms.)
--
-- in_flight_1, room_1, line_of_keys_1 and admit_1 are replaced by themselves: the same parameters, the same meaning.

-- In the order in which claims and commits go, and before anything is looked at: older programs may be at work.
LOCK TABLE {schema}.worker, {schema}.scope, {schema}.task, {schema}.run IN ACCESS EXCLUSIVE MODE;

-- Whether it waits in line: it has a task that admits it, and nobody has that in hand.
ALTER TABLE {schema}.run ADD COLUMN waits boolean NOT NULL DEFAULT false;
UPDATE {schema}.run r SET waits = true
WHERE r.ended_at IS NULL AND EXISTS (SELECT FROM {schema}.task t WHERE t.run = r.key AND t.class = 1 AND t.state <> 2);
DROP INDEX {schema}.run_under_way;
CREATE INDEX run_in_flight ON {schema}.run (flow, run_key) WHERE ended_at IS NULL AND NOT waits;
-- Only the counts were made by it.
DROP INDEX {schema}.task_admit;

-- Kept by the tables themselves, so that whatever queues, hands out, takes back or drops such a task need not think of it.
CREATE FUNCTION {schema}.note_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE {schema}.run SET waits = false WHERE key = OLD.run;
    ELSE
        UPDATE {schema}.run SET waits = NEW.state <> 2 WHERE key = NEW.run;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER joins_line AFTER INSERT ON {schema}.task
    FOR EACH ROW WHEN (NEW.class = 1 AND NEW.state <> 2) EXECUTE FUNCTION {schema}.note_waits();
CREATE TRIGGER moves_in_line AFTER UPDATE OF state ON {schema}.task
    FOR EACH ROW WHEN (NEW.class = 1 AND (NEW.state = 2) <> (OLD.state = 2)) EXECUTE FUNCTION {schema}.note_waits();
CREATE TRIGGER leaves_line AFTER DELETE ON {schema}.task
    FOR EACH ROW WHEN (OLD.class = 1 AND OLD.state <> 2) EXECUTE FUNCTION {schema}.note_waits();

-- Runs that have begun their work and have not ended, all but those in line: of a flow, or of all; with a key, or any.
CREATE OR REPLACE FUNCTION {schema}.in_flight_1(p_flow text, p_key text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_flow IS NULL THEN
        RETURN (SELECT count(*) FROM {schema}.run WHERE ended_at IS NULL AND NOT waits);
    ELSIF p_key IS NULL THEN
        RETURN (SELECT count(*) FROM {schema}.run WHERE ended_at IS NULL AND NOT waits AND flow = p_flow);
    END IF;
    RETURN (SELECT count(*) FROM {schema}.run
            WHERE ended_at IS NULL AND NOT waits AND flow = p_flow AND run_key = p_key);
END
$$;

-- How many more runs of a key may begin; none when it is full.
CREATE OR REPLACE FUNCTION {schema}.room_1(p_flow text, p_key text, p_most bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN p_most - (SELECT count(*)
                     FROM (SELECT FROM {schema}.run
                           WHERE ended_at IS NULL AND NOT waits AND flow = p_flow AND run_key = p_key LIMIT p_most) x);
END
$$;

-- The same of one plan whose flow has a window for each key, but only of keys that have room: each key is found by one
-- look at an index, however many runs wait behind it.
CREATE OR REPLACE FUNCTION {schema}.line_of_keys_1(
    p_plan integer, p_flow text, p_most bigint, p_full text[], p_rank integer, p_ticket bigint)
RETURNS TABLE (run bigint, scope bigint, task bigint, lane text, rank integer, ticket bigint, flow text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    c_most CONSTANT integer := 256;
BEGIN
    RETURN QUERY
    WITH RECURSIVE key AS (
        (SELECT t.lane FROM {schema}.task t WHERE t.state = 1 AND t.class = 1 AND t.plan = p_plan ORDER BY t.lane LIMIT 1)
        UNION ALL
        SELECT n.lane FROM key k CROSS JOIN LATERAL (
            SELECT t.lane FROM {schema}.task t
            WHERE t.state = 1 AND t.class = 1 AND t.plan = p_plan AND t.lane > k.lane ORDER BY t.lane LIMIT 1) n),
    free AS MATERIALIZED (
        SELECT k.lane, CASE WHEN k.lane = '' THEN c_most ELSE p_most - f.count END AS room
        FROM key k CROSS JOIN LATERAL (
            SELECT count(*) AS count
            FROM (SELECT FROM {schema}.run r
                  WHERE r.ended_at IS NULL AND NOT r.waits AND r.flow = p_flow AND r.run_key = k.lane LIMIT p_most) x) f
        WHERE (k.lane = '' OR f.count < p_most)
          AND NOT EXISTS (SELECT FROM unnest(p_full) u(place) WHERE u.place = p_flow || ' ' || k.lane)),
    -- Who is among the first is of a key whose first is among the first.
    head AS MATERIALIZED (
        SELECT f.lane, f.room FROM free f CROSS JOIN LATERAL (
            SELECT -t.priority::integer AS rank, t.ticket
            FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.run
            WHERE t.state = 1 AND t.class = 1 AND t.plan = p_plan AND t.lane = f.lane AND s.control IN (0, 2)
              AND (-t.priority::integer, t.ticket) > (p_rank, p_ticket)
            ORDER BY t.priority DESC, t.ticket LIMIT 1) h
        ORDER BY h.rank, h.ticket LIMIT c_most)
    SELECT c.run, c.scope, c.task, h.lane, c.rank, c.ticket, p_flow
    FROM head h CROSS JOIN LATERAL (
        SELECT t.run, t.scope, t.task, -t.priority::integer AS rank, t.ticket
        FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.run
        WHERE t.state = 1 AND t.class = 1 AND t.plan = p_plan AND t.lane = h.lane AND s.control IN (0, 2)
          AND (-t.priority::integer, t.ticket) > (p_rank, p_ticket)
        ORDER BY t.priority DESC, t.ticket LIMIT least(h.room, c_most)) c
    ORDER BY c.rank, c.ticket LIMIT c_most;
END
$$;

-- Runs that wait in line, as far as the windows let them in. Kinds of windows: 0 all runs, 1 those of a flow, 2 those of
-- a flow that have the same key. Who asks with windows asks alone, so that two workers do not fill one place.
CREATE OR REPLACE FUNCTION {schema}.admit_1(
    p_except integer[], w_kind smallint[], w_flow text[], w_most bigint[],
    OUT run bigint[], OUT scope bigint[], OUT task bigint[], OUT in_flight bigint[], OUT waits boolean[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_flight bigint[] := '{}';
    v_plans integer[];
    v_flows text[];
    -- Of the plans whose flows have room: the plan, its flow, and how many of a key may be in flight, if that is limited.
    o_plan integer[];
    o_flow text[];
    o_most bigint[];
    -- Where the last look ended.
    v_rank integer := -40000;
    v_ticket bigint := -1;
    -- The room of each key that was looked at.
    v_places text[] := '{}';
    v_rooms bigint[] := '{}';
    v_place text;
    v_at integer;
    v_fits boolean;
    v_most bigint;
    v_seen integer;
    rec record;
    c_most CONSTANT integer := 256;
    -- So many pages of the line are read as they come, then keys that are full are stepped over.
    c_pages CONSTANT integer := 4;
BEGIN
    IF w_kind IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.admit', 0));
        FOR i IN 1..cardinality(w_kind) LOOP
            v_flight[i] := CASE WHEN w_kind[i] < 2 THEN {schema}.in_flight_1(w_flow[i], NULL) ELSE 0 END;
        END LOOP;
    END IF;
    -- The plans of runs in line, each found by one look at an index.
    WITH RECURSIVE kind AS (
        (SELECT t.plan FROM {schema}.task t WHERE t.state = 1 AND t.class = 1 ORDER BY t.plan LIMIT 1)
        UNION ALL
        SELECT n.plan FROM kind k CROSS JOIN LATERAL (
            SELECT t.plan FROM {schema}.task t WHERE t.state = 1 AND t.class = 1 AND t.plan > k.plan
            ORDER BY t.plan LIMIT 1) n)
    SELECT array_agg(k.plan), array_agg(p.flow) INTO v_plans, v_flows
    FROM kind k JOIN {schema}.plan p ON p.nr = k.plan WHERE k.plan <> ALL(p_except);

    FOR v_page IN 1..c_pages + 1 LOOP
        -- Nobody is looked at whose flow has no room.
        SELECT array_agg(f.plan), array_agg(f.flow), array_agg((
            SELECT min(w.most) FROM unnest(w_kind, w_flow, w_most) w(kind, flow, most) WHERE w.kind = 2 AND w.flow = f.flow))
        INTO o_plan, o_flow, o_most FROM unnest(v_plans, v_flows) f(plan, flow)
        WHERE NOT EXISTS (
            SELECT FROM unnest(w_kind, w_flow, w_most, v_flight) w(kind, flow, most, flight)
            WHERE w.flight >= w.most AND (w.kind = 0 OR w.kind = 1 AND w.flow = f.flow));
        EXIT WHEN o_plan IS NULL OR cardinality(run) >= c_most;
        v_seen := 0;
        FOR rec IN
            SELECT l.* FROM {schema}.line_1(o_plan, o_flow, v_rank, v_ticket) l WHERE v_page <= c_pages
            UNION ALL
            SELECT l.* FROM unnest(o_plan, o_flow, o_most) o(plan, flow, most)
            CROSS JOIN LATERAL {schema}.line_1(ARRAY[o.plan], ARRAY[o.flow], v_rank, v_ticket) l
            WHERE v_page > c_pages AND o.most IS NULL
            UNION ALL
            SELECT l.* FROM unnest(o_plan, o_flow, o_most) o(plan, flow, most)
            CROSS JOIN LATERAL {schema}.line_of_keys_1(o.plan, o.flow, o.most, ARRAY(
                SELECT u.place FROM unnest(v_places, v_rooms) u(place, room) WHERE u.room <= 0), v_rank, v_ticket) l
            WHERE v_page > c_pages AND o.most IS NOT NULL
            ORDER BY rank, ticket
        LOOP
            v_seen := v_seen + 1;
            v_rank := rec.rank;
            v_ticket := rec.ticket;
            v_fits := true;
            FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
                v_fits := v_fits AND (w_kind[i] = 2 OR w_kind[i] = 1 AND w_flow[i] <> rec.flow OR v_flight[i] < w_most[i]);
            END LOOP;
            CONTINUE WHEN NOT v_fits;
            v_most := o_most[array_position(o_flow, rec.flow)];
            v_at := NULL;
            IF v_most IS NOT NULL AND rec.lane <> '' THEN
                v_place := rec.flow || ' ' || rec.lane;
                v_at := array_position(v_places, v_place);
                IF v_at IS NULL THEN
                    v_places := v_places || v_place;
                    v_rooms := v_rooms || {schema}.room_1(rec.flow, rec.lane, v_most);
                    v_at := cardinality(v_places);
                END IF;
                CONTINUE WHEN v_rooms[v_at] <= 0;
            END IF;
            -- The run, too, because that it waits no more is noted there.
            PERFORM FROM {schema}.task t JOIN {schema}.run r ON r.key = t.run
            WHERE t.run = rec.run AND t.scope = rec.scope AND t.task = rec.task AND t.state = 1 FOR UPDATE SKIP LOCKED;
            CONTINUE WHEN NOT FOUND;
            run := run || rec.run; scope := scope || rec.scope; task := task || rec.task;
            IF v_at IS NOT NULL THEN
                v_rooms[v_at] := v_rooms[v_at] - 1;
            END IF;
            FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
                IF w_kind[i] = 0 OR w_kind[i] = 1 AND w_flow[i] = rec.flow THEN
                    v_flight[i] := v_flight[i] + 1;
                END IF;
            END LOOP;
            EXIT WHEN cardinality(run) = c_most;
        END LOOP;
        EXIT WHEN v_seen < c_most;
    END LOOP;

    FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
        CONTINUE WHEN w_kind[i] = 2;
        in_flight := in_flight || v_flight[i];
        waits := waits || EXISTS (
            SELECT FROM unnest(v_plans, v_flows) f(plan, flow) CROSS JOIN LATERAL (
                SELECT FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.run
                WHERE t.state = 1 AND t.class = 1 AND t.plan = f.plan AND s.control IN (0, 2)
                  AND NOT coalesce(t.run = ANY(admit_1.run), false)
                ORDER BY -t.priority::integer, t.ticket LIMIT 1) x
            WHERE w_kind[i] = 0 OR f.flow = w_flow[i]);
    END LOOP;
END
$$;
