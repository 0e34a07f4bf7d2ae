-- Claiming work and staying alive. None of these functions waits for a task that somebody else has locked, but for the
-- sweep and the release, which lock in the order of the key as the commit does.

-- A worker lives and claims; what was given by claims whose answers it did not hear goes back. False when its next claim
-- came before this one. Claims of one worker follow one another, even when the connection of one is long gone: each locks
-- the worker's row. Who does not number them and said so within a sixth of the lease leaves the row as it is.
CREATE FUNCTION {schema}.take_turn_1(
    p_now bigint, p_told bigint, p_worker bigint, p_lease bigint, p_slack bigint, p_turn bigint, p_heard bigint,
    OUT is_mine boolean, OUT given_back bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_run bigint[];
    v_scope bigint[];
    v_task bigint[];
BEGIN
    is_mine := true;
    given_back := 0;
    IF p_turn IS NULL AND p_slack > 0 AND EXISTS (
        SELECT FROM {schema}.worker w WHERE w.id = p_worker AND w.until >= p_now + p_lease - p_slack AND w.lease = p_lease)
    THEN
        RETURN;
    END IF;
    INSERT INTO {schema}.worker AS w (id, until, lease, turn) VALUES (p_worker, p_now + p_lease, p_lease, coalesce(p_turn, 0))
    ON CONFLICT (id) DO UPDATE
    -- By the time after it has waited for the row, or it would shorten what a sign of life gave meanwhile.
    SET until = coalesce(p_told, {schema}.clock()) + p_lease, lease = p_lease, turn = coalesce(p_turn, w.turn),
        extended = false
    WHERE p_turn IS NULL OR p_turn > w.turn;
    IF NOT FOUND THEN
        is_mine := false;
        RETURN;
    END IF;
    IF p_heard < p_turn - 1 THEN
        WITH unheard AS (
            SELECT t.run, t.scope, t.task FROM {schema}.task t
            WHERE t.state = 2 AND t.holder = p_worker AND t.turn > p_heard AND t.turn > 0
            ORDER BY t.run, t.scope, t.task
            FOR UPDATE OF t),
        placed AS (SELECT u.*, nextval('{schema}.ticket') AS ticket FROM (SELECT * FROM unheard ORDER BY run, scope, task) u),
        back AS (
            UPDATE {schema}.task t
            SET holder = NULL, ticket = p.ticket, state = CASE WHEN t.due > p_now THEN 0 ELSE 1 END,
                since = greatest(p_now, t.due)
            FROM placed p WHERE t.run = p.run AND t.scope = p.scope AND t.task = p.task
            RETURNING t.run, t.scope, t.task)
        SELECT array_agg(b.run), array_agg(b.scope), array_agg(b.task) INTO v_run, v_scope, v_task FROM back b;
        given_back := coalesce(cardinality(v_run), 0);
        PERFORM {schema}.keep_back_1(v_run, v_scope, v_task);
    END IF;
END
$$;

-- Leases are judged by time in which the server was at work. After a gap of half a lease or more, leases that had not
-- ended before it are counted anew, once; but not that of a dead worker whose name another has taken. Who need not wait
-- passes over what another is just doing.
CREATE FUNCTION {schema}.at_work_1(p_clock bigint, p_waits boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_last bigint;
BEGIN
    IF p_waits THEN
        SELECT last INTO v_last FROM {schema}.pulse FOR UPDATE;
    ELSE
        SELECT last INTO v_last FROM {schema}.pulse FOR UPDATE SKIP LOCKED;
    END IF;
    IF p_clock - v_last >= 200 THEN
        UPDATE {schema}.worker w SET until = p_clock + lease, extended = true
        WHERE NOT extended AND until > v_last AND until < p_clock + lease AND lease <= 2 * (p_clock - v_last)
          AND NOT EXISTS (SELECT FROM {schema}.worker o WHERE o.name = w.name AND o.id <> w.id AND o.until > p_clock);
        UPDATE {schema}.pulse SET last = p_clock;
    END IF;
END
$$;

-- A sign of life. One that is known and lives under its name waits for nobody but its own claim; who is new, or was given
-- up, or takes a name, waits for all who do so, so that no two have one name. A crash that takes a sign of life back does
-- no harm: nobody waits for the disk.
CREATE FUNCTION {schema}.heartbeat_1(
    p_now bigint, p_worker bigint, p_name text, p_about text, p_lease bigint,
    OUT now bigint, OUT was_lost boolean, OUT has_others boolean, OUT other text)
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE {schema}.worker w
    SET until = coalesce(p_now, {schema}.clock()) + p_lease, lease = p_lease, about = p_about, extended = false
    WHERE w.id = p_worker AND w.name IS NOT DISTINCT FROM p_name AND w.until > coalesce(p_now, {schema}.clock())
      AND NOT EXISTS (SELECT FROM {schema}.worker o
                      WHERE o.name = p_name AND o.id <> p_worker AND o.until > coalesce(p_now, {schema}.clock()));
    was_lost := NOT FOUND;
    IF was_lost THEN
        PERFORM FROM {schema}.pulse FOR UPDATE;
        now := coalesce(p_now, {schema}.clock());
        IF p_name IS NOT NULL THEN
            SELECT w.about INTO other FROM {schema}.worker w
            WHERE w.name = p_name AND w.id <> p_worker AND w.until > heartbeat_1.now LIMIT 1;
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
        was_lost := NOT EXISTS (SELECT FROM {schema}.worker w WHERE w.id = p_worker);
        INSERT INTO {schema}.worker AS w (id, name, until, lease, about)
        VALUES (p_worker, p_name, heartbeat_1.now + p_lease, p_lease, p_about)
        ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, until = excluded.until, lease = excluded.lease, about = excluded.about, extended = false;
    END IF;
    now := coalesce(p_now, {schema}.clock());
    IF p_now IS NULL THEN
        PERFORM {schema}.at_work_1(now, false);
    END IF;
    has_others := EXISTS (SELECT FROM {schema}.worker w WHERE w.id <> p_worker);
END
$$;

-- Of tasks that have just become claimable, keeps back those of held runs: each claim would look at them again. Who marks
-- them must hold the lock of the root's head, or a resume that goes on at the same time passes them over; where somebody
-- else has it, they stay as they are, as the word is read where tasks are claimed, too.
CREATE FUNCTION {schema}.keep_back_1(p_run bigint[], p_scope bigint[], p_task bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_held bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.scope r WHERE r.id = ANY(p_run) AND r.control NOT IN (0, 2)) THEN
        RETURN;
    END IF;
    SELECT array_agg(x.id) INTO v_held
    FROM (SELECT r.id FROM {schema}.scope r WHERE r.id = ANY(p_run) AND r.control NOT IN (0, 2)
          FOR NO KEY UPDATE SKIP LOCKED) x;
    UPDATE {schema}.task t SET state = 3
    FROM unnest(p_run, p_scope, p_task) p(run, scope, task)
    WHERE p.run = ANY(v_held) AND t.run = p.run AND t.scope = p.scope AND t.task = p.task AND t.state = 1;
END
$$;

-- What is due becomes claimable, the oldest first and so many at once that a claim stays short; whether there is more.
CREATE FUNCTION {schema}.ripen_1(p_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_run bigint[];
    v_scope bigint[];
    v_task bigint[];
    c_most CONSTANT bigint := 4096;
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.task WHERE state = 0 AND due <= p_now) THEN
        RETURN false;
    END IF;
    WITH ripe AS (
        SELECT t.run, t.scope, t.task FROM {schema}.task t WHERE t.state = 0 AND t.due <= p_now
        ORDER BY t.due LIMIT c_most FOR UPDATE OF t SKIP LOCKED),
    changed AS (
        UPDATE {schema}.task t SET state = 1
        FROM ripe WHERE t.run = ripe.run AND t.scope = ripe.scope AND t.task = ripe.task
        RETURNING t.run, t.scope, t.task)
    SELECT array_agg(c.run), array_agg(c.scope), array_agg(c.task) INTO v_run, v_scope, v_task FROM changed c;
    PERFORM {schema}.keep_back_1(v_run, v_scope, v_task);
    RETURN coalesce(cardinality(v_run), 0) = c_most;
END
$$;

-- Runs that have begun their work and have not ended, all but those in line: of a flow, or of all; with a key, or any.
CREATE FUNCTION {schema}.in_flight_1(p_flow text, p_key text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_flow IS NULL THEN
        RETURN (SELECT count(*) FROM {schema}.run WHERE ended_at IS NULL)
             - (SELECT count(*) FROM {schema}.task WHERE class = 1 AND state <> 2);
    ELSIF p_key IS NULL THEN
        RETURN (SELECT count(*) FROM {schema}.run WHERE ended_at IS NULL AND flow = p_flow)
             - (SELECT count(*) FROM {schema}.plan p JOIN {schema}.task t ON t.plan = p.nr
                WHERE t.class = 1 AND t.state <> 2 AND p.flow = p_flow);
    END IF;
    RETURN (SELECT count(*) FROM {schema}.run WHERE ended_at IS NULL AND flow = p_flow AND run_key = p_key)
         - (SELECT count(*) FROM {schema}.plan p JOIN {schema}.task t ON t.plan = p.nr AND t.lane = p_key
            WHERE t.class = 1 AND t.state <> 2 AND p.flow = p_flow);
END
$$;

-- Hands out tasks: timers and deliveries, then runs that wait in line as far as the windows let them in, then calls.
CREATE FUNCTION {schema}.claim_1(
    p_now bigint, p_worker bigint, p_lease bigint, p_max integer, p_alone boolean, p_except text[],
    p_lanes text[], p_rooms integer[], l_lane text[], l_at_once bigint[], l_burst bigint[], l_every bigint[],
    w_kind smallint[], w_flow text[], w_most bigint[], p_turn bigint, p_heard bigint,
    OUT scope text[], OUT task bigint[], OUT token integer[], OUT lane text[], OUT crashes smallint[], OUT plan text[],
    OUT len bigint[], OUT control smallint[], OUT revision integer[],
    OUT m_at integer[], OUT m_from text[], OUT m_kind bigint[], OUT m_codec text[], OUT m_body bytea[],
    OUT more boolean, OUT next_due bigint, OUT alone_waits boolean, OUT in_flight bigint[], OUT waits boolean[],
    OUT is_over boolean, OUT given_back bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    v_now bigint := coalesce(p_now, {schema}.clock());
    v_except integer[] := '{}';
    v_lanes text[] := ARRAY[''] || p_lanes;
    v_rooms bigint[] := p_rooms;
    v_run bigint[];
    v_scope bigint[];
    v_task bigint[];
    w_run bigint[];
    w_scope bigint[];
    w_task bigint[];
    v_ripens boolean;
    v_rest boolean := false;
    v_upto bigint[];
    v_internal integer;
    v_calls integer;
    c_deliver CONSTANT bigint := 7::bigint << 59;
BEGIN
    SELECT NOT x.is_mine, x.given_back INTO is_over, given_back
    FROM {schema}.take_turn_1(
        v_now, p_now, p_worker, p_lease, CASE WHEN p_now IS NULL THEN p_lease / 6 ELSE 0 END, p_turn, p_heard) x;
    IF is_over THEN
        RETURN;
    END IF;
    v_ripens := {schema}.ripen_1(v_now);
    IF p_except IS NOT NULL THEN
        v_except := ARRAY(SELECT p.nr FROM {schema}.plan p WHERE p.hash = ANY(p_except));
    END IF;

    SELECT array_agg(x.run), array_agg(x.scope), array_agg(x.task) INTO v_run, v_scope, v_task
    FROM (SELECT t.run, t.scope, t.task
          FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
          WHERE t.state = 1 AND t.deaths < 2 AND t.class = 0 AND t.lane = '' AND t.plan <> ALL(v_except)
            AND r.control IN (0, 2)
          ORDER BY t.priority DESC, t.ticket LIMIT 1024 FOR UPDATE OF t SKIP LOCKED) x;
    v_internal := coalesce(cardinality(v_run), 0);
    IF c_deliver = ANY(v_task) THEN
        -- A delivery is given the oldest messages, at most 512, and after the first only what has 1 MiB together. All
        -- together have about 8 MiB: whose turn then is comes with the next claim.
        SELECT array_agg(x.run ORDER BY x.ord), array_agg(x.scope ORDER BY x.ord), array_agg(x.task ORDER BY x.ord),
               array_agg(x.upto ORDER BY x.ord)
        INTO v_run, v_scope, v_task, v_upto
        FROM (SELECT d.*, m.upto, sum(m.bytes) OVER (ORDER BY d.ord) - m.bytes AS before
              FROM unnest(v_run, v_scope, v_task) WITH ORDINALITY d(run, scope, task, ord)
              CROSS JOIN LATERAL (
                  SELECT max(i.id) AS upto, max(i.sum) AS bytes
                  FROM (SELECT o.id, row_number() OVER (ORDER BY o.id) AS at,
                               sum(octet_length(o.body)) OVER (ORDER BY o.id) AS sum
                        FROM (SELECT id, body FROM {schema}.inbox
                              WHERE d.task = c_deliver AND inbox.scope = d.scope ORDER BY id LIMIT 512) o) i
                  WHERE i.at = 1 OR i.sum <= 1048576) m) x
        WHERE coalesce(x.before, 0) < 8388608;
        v_rest := v_internal > cardinality(v_run);
    END IF;

    SELECT a.run, a.scope, a.task, a.in_flight, a.waits INTO w_run, w_scope, w_task, in_flight, waits
    FROM {schema}.admit_1(v_except, w_kind, w_flow, w_most) a;
    v_run := v_run || w_run; v_scope := v_scope || w_scope; v_task := v_task || w_task;

    IF l_lane IS NOT NULL THEN
        v_rooms := {schema}.rooms_1(v_now, p_lanes, p_rooms, l_lane, l_at_once, l_burst, l_every);
    END IF;
    IF p_alone THEN
        SELECT array_agg(x.run), array_agg(x.scope), array_agg(x.task) INTO w_run, w_scope, w_task
        FROM (SELECT t.run, t.scope, t.task
              FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
              WHERE t.state = 1 AND t.deaths >= 2 AND t.plan <> ALL(v_except) AND r.control IN (0, 2)
                AND (t.lane = '' OR EXISTS (SELECT FROM unnest(p_lanes, v_rooms) l(lane, room)
                                            WHERE l.lane = t.lane AND l.room > 0))
              ORDER BY t.priority DESC, t.ticket LIMIT least(p_max, 1) FOR UPDATE OF t SKIP LOCKED) x;
    ELSE
        SELECT array_agg(x.run), array_agg(x.scope), array_agg(x.task) INTO w_run, w_scope, w_task
        FROM (SELECT c.run, c.scope, c.task
              FROM unnest(v_lanes, ARRAY[p_max::bigint] || v_rooms) l(lane, room)
              CROSS JOIN LATERAL (
                  SELECT t.run, t.scope, t.task, t.priority, t.ticket
                  FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
                  WHERE t.state = 1 AND t.deaths < 2 AND t.class = 2 AND t.lane = l.lane AND t.plan <> ALL(v_except)
                    AND r.control IN (0, 2)
                  ORDER BY t.priority DESC, t.ticket LIMIT least(l.room, p_max) FOR UPDATE OF t SKIP LOCKED) c
              ORDER BY c.priority DESC, c.ticket LIMIT p_max) x;
    END IF;
    v_calls := coalesce(cardinality(w_run), 0);
    v_run := v_run || w_run; v_scope := v_scope || w_scope; v_task := v_task || w_task;

    IF v_run IS NULL THEN
        -- Nothing is promised, so nobody needs to wait for the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSE
        WITH taken AS (
            UPDATE {schema}.task t
            SET holder = p_worker, turn = coalesce(p_turn, 0), state = 2, token = t.token + 1,
                upto = p.upto
            FROM unnest(v_run, v_scope, v_task, v_upto) WITH ORDINALITY p(run, scope, task, upto, ord)
            WHERE t.run = p.run AND t.scope = p.scope AND t.task = p.task
            RETURNING t.run, t.scope, t.task, t.token, t.lane, t.crashes, t.plan, p.ord)
        SELECT array_agg(s.name ORDER BY x.ord), array_agg(x.task ORDER BY x.ord), array_agg(x.token ORDER BY x.ord),
               array_agg(x.lane ORDER BY x.ord), array_agg(x.crashes ORDER BY x.ord), array_agg(p.hash ORDER BY x.ord),
               array_agg(s.len ORDER BY x.ord), array_agg(r.control ORDER BY x.ord), array_agg(r.revision ORDER BY x.ord)
        INTO scope, task, token, lane, crashes, plan, len, control, revision
        FROM taken x
        JOIN {schema}.scope s ON s.id = x.scope
        JOIN {schema}.scope r ON r.id = x.run
        JOIN {schema}.plan p ON p.nr = x.plan;
        IF c_deliver = ANY(v_task) THEN
            SELECT array_agg(x.at), array_agg(x.name), array_agg(x.kind), array_agg(x.codec), array_agg(x.body)
            INTO m_at, m_from, m_kind, m_codec, m_body
            FROM (SELECT d.ord::integer AS at, s.name, i.kind, i.codec, i.body
                  FROM unnest(v_run, v_scope, v_task, v_upto) WITH ORDINALITY d(run, scope, task, upto, ord)
                  JOIN {schema}.inbox i ON i.scope = d.scope AND i.id <= d.upto
                  JOIN {schema}.scope s ON s.id = i.sender
                  WHERE d.task = c_deliver
                  ORDER BY d.ord, i.id) x;
        END IF;
    END IF;

    SELECT ARRAY[''] || array_agg(l.lane) INTO v_lanes
    FROM unnest(p_lanes, v_rooms) l(lane, room)
    WHERE l.room > (SELECT count(*) FROM unnest(claim_1.lane) u(lane) WHERE u.lane = l.lane);
    alone_waits := EXISTS (
        SELECT FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
        WHERE t.state = 1 AND t.deaths >= 2 AND t.plan <> ALL(v_except) AND t.lane = ANY(v_lanes) AND r.control IN (0, 2));
    IF p_alone THEN
        more := alone_waits;
    ELSE
        more := v_internal >= 1024 OR v_rest OR v_calls >= p_max AND EXISTS (
            SELECT FROM unnest(v_lanes) l(lane)
            CROSS JOIN LATERAL (
                SELECT FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
                WHERE t.state = 1 AND t.deaths < 2 AND t.class = 2 AND t.lane = l.lane AND t.plan <> ALL(v_except)
                  AND r.control IN (0, 2) LIMIT 1) x);
    END IF;
    more := more OR v_ripens;
    SELECT t.due INTO next_due FROM {schema}.task t WHERE t.state = 0 ORDER BY t.due LIMIT 1;
    IF l_lane IS NOT NULL THEN
        next_due := least(next_due, {schema}.spend_1(v_now, claim_1.lane, v_except, l_lane, l_burst, l_every));
    END IF;
END
$$;

-- The room in each lane: the least of what the worker and the limits leave. Who asks for a lane with a limit asks alone.
CREATE FUNCTION {schema}.rooms_1(
    p_now bigint, p_lanes text[], p_rooms integer[], l_lane text[], l_at_once bigint[], l_burst bigint[], l_every bigint[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_rooms bigint[] := p_rooms;
    v_now bigint := p_now * 1000;
    v_full_at bigint;
BEGIN
    INSERT INTO {schema}.bucket (lane)
    SELECT l.lane FROM (SELECT DISTINCT lane FROM unnest(l_lane) u(lane) ORDER BY lane) l
    WHERE NOT EXISTS (SELECT FROM {schema}.bucket b WHERE b.lane = l.lane)
    ON CONFLICT (lane) DO NOTHING;
    PERFORM FROM (SELECT FROM {schema}.bucket b WHERE b.lane = ANY(l_lane) ORDER BY b.lane FOR UPDATE) locked;
    FOR i IN 1..cardinality(p_lanes) LOOP
        FOR j IN 1..cardinality(l_lane) LOOP
            CONTINUE WHEN l_lane[j] <> p_lanes[i];
            IF l_at_once[j] IS NOT NULL THEN
                v_rooms[i] := least(v_rooms[i], l_at_once[j] - (
                    SELECT count(*) FROM {schema}.task t
                    WHERE t.state = 2 AND t.class = 2 AND t.lane <> '' AND t.lane = l_lane[j]));
            END IF;
            IF l_every[j] IS NOT NULL THEN
                SELECT b.full_at INTO v_full_at FROM {schema}.bucket b WHERE b.lane = l_lane[j];
                v_rooms[i] := least(v_rooms[i],
                    greatest(v_now + l_every[j] * l_burst[j] - greatest(v_full_at, v_now), 0) / l_every[j]);
            END IF;
        END LOOP;
        v_rooms[i] := greatest(v_rooms[i], 0);
    END LOOP;
    RETURN v_rooms;
END
$$;

-- Takes what was handed out from the buckets. Gives when the next call may begin, of those that wait for that.
CREATE FUNCTION {schema}.spend_1(
    p_now bigint, p_given text[], p_except integer[], l_lane text[], l_burst bigint[], l_every bigint[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := p_now * 1000;
    v_given bigint;
    v_full_at bigint;
    v_next bigint;
BEGIN
    FOR j IN 1..cardinality(l_lane) LOOP
        CONTINUE WHEN l_every[j] IS NULL;
        v_given := (SELECT count(*) FROM unnest(p_given) g(lane) WHERE g.lane = l_lane[j]);
        SELECT b.full_at INTO v_full_at FROM {schema}.bucket b WHERE b.lane = l_lane[j];
        IF v_given > 0 THEN
            v_full_at := greatest(v_full_at, v_now) + l_every[j] * v_given;
            UPDATE {schema}.bucket SET full_at = v_full_at WHERE lane = l_lane[j];
        END IF;
        IF v_now + l_every[j] * l_burst[j] - greatest(v_full_at, v_now) < l_every[j] AND EXISTS (
            SELECT FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run
            WHERE t.state = 1 AND t.class = 2 AND t.lane = l_lane[j] AND t.plan <> ALL(p_except) AND r.control IN (0, 2))
        THEN
            -- Rounded up, so that nobody comes too early.
            v_next := least(v_next, (v_full_at - l_every[j] * (l_burst[j] - 1) + 999) / 1000);
        END IF;
    END LOOP;
    RETURN v_next;
END
$$;

-- Runs that wait in line, as far as the windows let them in. Kinds of windows: 0 all runs, 1 those of a flow, 2 those of
-- a flow that have the same key. Who asks with windows asks alone, so that two workers do not fill one place.
CREATE FUNCTION {schema}.admit_1(
    p_except integer[], w_kind smallint[], w_flow text[], w_most bigint[],
    OUT run bigint[], OUT scope bigint[], OUT task bigint[], OUT in_flight bigint[], OUT waits boolean[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_flight bigint[] := '{}';
    v_places text[] := '{}';
    v_place text;
    v_fits boolean;
    rec record;
BEGIN
    IF w_kind IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.admit', 0));
        FOR i IN 1..cardinality(w_kind) LOOP
            v_flight[i] := CASE WHEN w_kind[i] < 2 THEN {schema}.in_flight_1(w_flow[i], NULL) ELSE 0 END;
        END LOOP;
    END IF;
    FOR rec IN
        -- The kinds of runs in line, each found by one look at an index, and the best of each as far as there is room.
        WITH RECURSIVE kind AS (
            (SELECT t.plan, t.lane FROM {schema}.task t WHERE t.state = 1 AND t.class = 1 ORDER BY t.plan, t.lane LIMIT 1)
            UNION ALL
            SELECT n.plan, n.lane FROM kind k CROSS JOIN LATERAL (
                SELECT t.plan, t.lane FROM {schema}.task t
                WHERE t.state = 1 AND t.class = 1 AND (t.plan, t.lane) > (k.plan, k.lane)
                ORDER BY t.plan, t.lane LIMIT 1) n),
        room AS MATERIALIZED (
            SELECT k.plan, k.lane, p.flow,
                   (SELECT min(w.most - w.flight) FROM unnest(w_kind, w_flow, w_most, v_flight) w(kind, flow, most, flight)
                    WHERE w.kind = 0 OR w.kind = 1 AND w.flow = p.flow) AS whole,
                   (SELECT w.most - {schema}.in_flight_1(p.flow, k.lane) FROM unnest(w_kind, w_flow, w_most) w(kind, flow, most)
                    WHERE w.kind = 2 AND w.flow = p.flow AND k.lane <> '' ORDER BY w.most LIMIT 1) AS of_key
            FROM kind k JOIN {schema}.plan p ON p.nr = k.plan
            WHERE k.plan <> ALL(p_except))
        SELECT c.run, c.scope, c.task, r.flow, r.lane, r.of_key
        FROM room r CROSS JOIN LATERAL (
            SELECT t.run, t.scope, t.task, t.priority, t.ticket
            FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.run
            WHERE t.state = 1 AND t.class = 1 AND t.plan = r.plan AND t.lane = r.lane AND s.control IN (0, 2)
            ORDER BY t.priority DESC, t.ticket LIMIT greatest(least(r.whole, r.of_key, 256), 0)
            FOR UPDATE OF t SKIP LOCKED) c
        ORDER BY c.priority DESC, c.ticket
    LOOP
        v_place := rec.flow || ' ' || rec.lane;
        v_fits := rec.of_key IS NULL
            OR rec.of_key > (SELECT count(*) FROM unnest(v_places) u(place) WHERE u.place = v_place);
        FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
            v_fits := v_fits AND (w_kind[i] = 2 OR w_kind[i] = 1 AND w_flow[i] <> rec.flow OR v_flight[i] < w_most[i]);
        END LOOP;
        CONTINUE WHEN NOT v_fits;
        run := run || rec.run; scope := scope || rec.scope; task := task || rec.task;
        v_places := v_places || v_place;
        FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
            IF w_kind[i] = 0 OR w_kind[i] = 1 AND w_flow[i] = rec.flow THEN
                v_flight[i] := v_flight[i] + 1;
            END IF;
        END LOOP;
        EXIT WHEN cardinality(run) = 256;
    END LOOP;
    FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
        CONTINUE WHEN w_kind[i] = 2;
        in_flight := in_flight || v_flight[i];
        waits := waits || EXISTS (
            SELECT FROM {schema}.task t JOIN {schema}.plan p ON p.nr = t.plan JOIN {schema}.scope r ON r.id = t.run
            WHERE t.state = 1 AND t.class = 1 AND t.plan <> ALL(p_except) AND r.control IN (0, 2)
              AND (w_kind[i] = 0 OR p.flow = w_flow[i]) AND NOT coalesce(t.run = ANY(admit_1.run), false));
    END LOOP;
END
$$;

-- Tasks that were claimed and not begun go back; what is not the caller's any more is passed over.
CREATE FUNCTION {schema}.release_1(p_clock bigint, p_ripe bigint, p_scope text[], p_task bigint[], p_token integer[])
RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_clock bigint := coalesce(p_clock, {schema}.clock());
    v_ripe bigint := coalesce(p_ripe, p_clock, v_clock);
    v_run bigint[];
    v_scope bigint[];
    v_task bigint[];
BEGIN
    WITH mine AS (
        SELECT t.run, t.scope, t.task, l.ord
        FROM unnest(p_scope, p_task, p_token) WITH ORDINALITY l(name, task, token, ord)
        JOIN {schema}.scope s ON {schema}.key_of(s.name) = {schema}.key_of(l.name)
        JOIN {schema}.task t ON t.run = s.run AND t.scope = s.id AND t.task = l.task
        WHERE t.token = l.token AND t.holder IS NOT NULL
        ORDER BY t.run, t.scope, t.task
        FOR UPDATE OF t),
    placed AS (SELECT m.*, nextval('{schema}.ticket') AS ticket FROM (SELECT * FROM mine ORDER BY ord) m),
    back AS (
        UPDATE {schema}.task t
        SET holder = NULL, ticket = p.ticket, state = CASE WHEN t.due > v_ripe THEN 0 ELSE 1 END,
            since = CASE WHEN t.due > v_ripe THEN t.due ELSE greatest(v_clock, t.due) END
        FROM placed p WHERE t.run = p.run AND t.scope = p.scope AND t.task = p.task
        RETURNING t.run, t.scope, t.task)
    SELECT array_agg(b.run), array_agg(b.scope), array_agg(b.task) INTO v_run, v_scope, v_task FROM back b;
    PERFORM {schema}.keep_back_1(v_run, v_scope, v_task);
    RETURN coalesce(cardinality(v_run), 0);
END
$$;

-- Gives up workers whose lease has ended.
CREATE FUNCTION {schema}.sweep_1(p_now bigint, p_ripe bigint, p_limit bigint, OUT workers bigint, OUT tasks bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now bigint := coalesce(p_now, {schema}.clock());
    v_ripe bigint := coalesce(p_ripe, p_now, v_now);
    v_dead bigint[];
    v_run bigint[];
    v_scope bigint[];
    v_task bigint[];
BEGIN
    -- One sweep at a time.
    IF p_now IS NULL THEN
        PERFORM {schema}.at_work_1(v_now, true);
    ELSE
        PERFORM FROM {schema}.pulse FOR UPDATE;
    END IF;
    DELETE FROM {schema}.stranger s USING {schema}.worker w WHERE w.id = s.id;
    SELECT array_agg(x.id) INTO v_dead
    FROM (SELECT w.id FROM {schema}.worker w WHERE w.until <= v_now ORDER BY w.id LIMIT p_limit FOR UPDATE) x;
    SELECT v_dead || array_agg(x.id) INTO v_dead
    FROM (SELECT s.id FROM {schema}.stranger s ORDER BY s.id LIMIT p_limit - coalesce(cardinality(v_dead), 0) FOR UPDATE) x;
    workers := coalesce(cardinality(v_dead), 0);
    tasks := 0;
    IF workers = 0 THEN
        PERFORM set_config('synchronous_commit', 'off', true);
        RETURN;
    END IF;
    WITH lost AS (
        SELECT t.run, t.scope, t.task, t.class, t.holder,
               -- Who said that it goes was not killed by what it had in hand.
               t.class = 2 AND NOT EXISTS (SELECT FROM {schema}.worker w WHERE w.id = t.holder AND w.lease = 0) AS suspect
        FROM {schema}.task t
        WHERE t.holder = ANY(v_dead)
        ORDER BY t.run, t.scope, t.task
        FOR UPDATE OF t),
    calls AS (SELECT holder, count(*) AS count FROM lost WHERE class = 2 GROUP BY holder),
    placed AS (
        SELECT l.*, coalesce(c.count, 0) AS calls, nextval('{schema}.ticket') AS ticket
        FROM (SELECT * FROM lost ORDER BY run, scope, task) l LEFT JOIN calls c ON c.holder = l.holder),
    back AS (
    UPDATE {schema}.task t
    SET holder = NULL, ticket = p.ticket, state = CASE WHEN t.due > v_ripe THEN 0 ELSE 1 END,
        since = CASE WHEN t.due > v_ripe THEN t.due ELSE greatest(v_now, t.due) END,
        deaths = CASE WHEN p.suspect THEN least(t.deaths + 1, 255) ELSE t.deaths END,
        crashes = CASE WHEN p.suspect AND p.calls = 1 THEN least(t.crashes + 1, 255) ELSE t.crashes END
    FROM placed p WHERE t.run = p.run AND t.scope = p.scope AND t.task = p.task
    RETURNING t.run, t.scope, t.task)
    SELECT array_agg(b.run), array_agg(b.scope), array_agg(b.task) INTO v_run, v_scope, v_task FROM back b;
    tasks := coalesce(cardinality(v_run), 0);
    PERFORM {schema}.keep_back_1(v_run, v_scope, v_task);
    DELETE FROM {schema}.worker WHERE id = ANY(v_dead);
    DELETE FROM {schema}.stranger WHERE id = ANY(v_dead);
    UPDATE {schema}.incident SET taken_over = taken_over + sweep_1.tasks WHERE sweep_1.tasks > 0;
END
$$;

-- Deletes runs that are over. Gives how many are gone, and whether there is more to do. A run that is to go is marked, and
-- from then on nobody sees it or appends to it; what belongs to it goes in steps, so that no call grows with a large run,
-- and the run itself last: until then its id is not free.
CREATE FUNCTION {schema}.prune_1(
    p_ids text[], p_flow text, p_except text[], p_since bigint, p_newest bigint, p_limit bigint,
    OUT runs bigint, OUT more boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_key bigint;
    v_doomed bigint[];
    v_count bigint;
    c_step CONSTANT bigint := 4096;
BEGIN
    IF p_ids IS NOT NULL THEN
        SELECT array_agg(x.key) INTO v_doomed
        FROM (SELECT r.key FROM {schema}.scope s JOIN {schema}.run r ON r.key = s.id
              WHERE {schema}.key_of(s.name) = ANY(p_ids) AND r.ended_at IS NOT NULL AND r.status <> 'deleted'
                AND NOT EXISTS (SELECT FROM {schema}.task t WHERE t.run = r.key)
              ORDER BY r.key LIMIT p_limit + 1) x;
    ELSE
        IF p_newest IS NOT NULL THEN
            SELECT r.key INTO v_key FROM {schema}.run r
            WHERE (p_flow IS NULL OR r.flow = p_flow) AND r.flow <> ALL(p_except) AND r.status <> 'deleted'
            ORDER BY r.key DESC OFFSET p_newest LIMIT 1;
        END IF;
        SELECT array_agg(x.key) INTO v_doomed
        FROM (SELECT r.key FROM {schema}.run r
              WHERE (p_flow IS NULL OR r.flow = p_flow) AND r.flow <> ALL(p_except) AND r.ended_at IS NOT NULL
                AND (r.ended_at < p_since OR r.key <= v_key) AND r.status <> 'deleted'
                AND NOT EXISTS (SELECT FROM {schema}.task t WHERE t.run = r.key)
              ORDER BY r.key LIMIT p_limit + 1) x;
    END IF;
    more := coalesce(cardinality(v_doomed), 0) > p_limit;
    -- Nobody appends to what is locked, so what has no task now stays without one.
    SELECT array_agg(x.id) INTO v_doomed
    FROM (SELECT s.id FROM {schema}.scope s WHERE s.id = ANY(v_doomed[1:p_limit]) ORDER BY s.id FOR UPDATE) x;
    WITH gone AS (
        UPDATE {schema}.run r SET status = 'deleted'
        WHERE r.key = ANY(v_doomed) AND r.ended_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM {schema}.task t WHERE t.run = r.key)
        RETURNING r.key)
    UPDATE {schema}.scope s SET control = 4 FROM gone WHERE s.id = gone.key;

    -- What was marked, now or before. One call at a time: the next finds what this one leaves.
    runs := 0;
    SELECT array_agg(x.id) INTO v_doomed
    FROM (SELECT s.id FROM {schema}.run r JOIN {schema}.scope s ON s.id = r.key
          WHERE r.status = 'deleted' ORDER BY r.key LIMIT p_limit FOR UPDATE OF s SKIP LOCKED) x;
    IF v_doomed IS NULL THEN
        RETURN;
    END IF;
    -- How a run began stays until the end: lists read it there.
    DELETE FROM {schema}.journal j
    USING (SELECT x.run, x.scope, x.first
           FROM (SELECT l.run, l.scope, l.first, sum(octet_length(l.events)) OVER (ORDER BY l.run, l.scope, l.first) AS bytes,
                        row_number() OVER (ORDER BY l.run, l.scope, l.first) AS at
                 FROM (SELECT run, scope, first, events FROM {schema}.journal
                       WHERE run = ANY(v_doomed) AND NOT (scope = run AND first = 0) LIMIT c_step) l) x
           WHERE x.at = 1 OR x.bytes <= 67108864) d
    WHERE j.run = d.run AND j.scope = d.scope AND j.first = d.first;
    IF EXISTS (SELECT FROM {schema}.journal WHERE run = ANY(v_doomed) AND NOT (scope = run AND first = 0)) THEN
        more := true;
        RETURN;
    END IF;
    WITH inner_scopes AS (
        DELETE FROM {schema}.scope s
        USING (SELECT id FROM {schema}.scope WHERE run = ANY(v_doomed) AND id <> run LIMIT c_step) d
        WHERE s.id = d.id
        RETURNING s.id),
    mail AS (DELETE FROM {schema}.inbox i USING inner_scopes s WHERE i.scope = s.id)
    SELECT count(*) INTO v_count FROM inner_scopes;
    IF v_count = c_step THEN
        more := true;
        RETURN;
    END IF;
    DELETE FROM {schema}.inbox WHERE scope = ANY(v_doomed);
    DELETE FROM {schema}.journal WHERE run = ANY(v_doomed);
    DELETE FROM {schema}.scope WHERE id = ANY(v_doomed);
    DELETE FROM {schema}.run WHERE key = ANY(v_doomed);
    runs := cardinality(v_doomed);
    more := more OR EXISTS (SELECT FROM {schema}.run WHERE status = 'deleted');
END
$$;
