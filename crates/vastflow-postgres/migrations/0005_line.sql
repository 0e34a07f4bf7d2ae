-- The line is looked through from its head, and only as far as there is room: what a claim costs does not grow with how
-- many kinds of runs are in it. (A hundred thousand keys in line took a claim seconds.)
--
-- admit_1 is replaced by itself: the same parameters, the same meaning.

CREATE INDEX task_line ON {schema}.task (plan, priority DESC, ticket) WHERE state = 1 AND class = 1;

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
    v_open integer[];
    -- Where the last look ended.
    v_priority smallint := 32767;
    v_ticket bigint := -1;
    v_places text[] := '{}';
    v_full text[] := '{}';
    v_place text;
    v_fits boolean;
    v_most bigint;
    v_seen integer;
    rec record;
    c_most CONSTANT integer := 256;
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

    LOOP
        -- Nobody is looked at whose flow has no room.
        SELECT array_agg(f.plan) INTO v_open FROM unnest(v_plans, v_flows) f(plan, flow)
        WHERE NOT EXISTS (
            SELECT FROM unnest(w_kind, w_flow, w_most, v_flight) w(kind, flow, most, flight)
            WHERE w.flight >= w.most AND (w.kind = 0 OR w.kind = 1 AND w.flow = f.flow));
        EXIT WHEN v_open IS NULL OR cardinality(run) >= c_most;
        v_seen := 0;
        FOR rec IN
            SELECT c.run, c.scope, c.task, c.lane, c.priority, c.ticket, f.flow
            FROM unnest(v_plans, v_flows) f(plan, flow) CROSS JOIN LATERAL (
                SELECT t.run, t.scope, t.task, t.lane, t.priority, t.ticket
                FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.run
                WHERE t.state = 1 AND t.class = 1 AND t.plan = f.plan AND s.control IN (0, 2)
                  AND t.priority <= v_priority AND (t.priority < v_priority OR t.ticket > v_ticket)
                ORDER BY t.priority DESC, t.ticket LIMIT c_most) c
            WHERE f.plan = ANY(v_open)
            ORDER BY c.priority DESC, c.ticket LIMIT c_most
        LOOP
            v_seen := v_seen + 1;
            v_priority := rec.priority;
            v_ticket := rec.ticket;
            v_fits := true;
            FOR i IN 1..coalesce(cardinality(w_kind), 0) LOOP
                v_fits := v_fits AND (w_kind[i] = 2 OR w_kind[i] = 1 AND w_flow[i] <> rec.flow OR v_flight[i] < w_most[i]);
            END LOOP;
            v_place := rec.flow || ' ' || rec.lane;
            CONTINUE WHEN NOT v_fits OR v_place = ANY(v_full);
            SELECT min(w.most) INTO v_most FROM unnest(w_kind, w_flow, w_most) w(kind, flow, most)
            WHERE w.kind = 2 AND w.flow = rec.flow AND rec.lane <> '';
            IF v_most IS NOT NULL
                AND v_most <= {schema}.in_flight_1(rec.flow, rec.lane) + cardinality(array_positions(v_places, v_place))
            THEN
                v_full := v_full || v_place;
                CONTINUE;
            END IF;
            PERFORM FROM {schema}.task t
            WHERE t.run = rec.run AND t.scope = rec.scope AND t.task = rec.task AND t.state = 1 FOR UPDATE SKIP LOCKED;
            CONTINUE WHEN NOT FOUND;
            run := run || rec.run; scope := scope || rec.scope; task := task || rec.task;
            v_places := v_places || v_place;
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
                ORDER BY t.priority DESC, t.ticket LIMIT 1) x
            WHERE w_kind[i] = 0 OR f.flow = w_flow[i]);
    END LOOP;
END
$$;
