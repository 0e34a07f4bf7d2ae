-- The commit of a batch: one call, one transaction. Functions carry a number, so that programs of this version and of
-- the next can work side by side; a changed function is a new function.

CREATE FUNCTION {schema}.clock() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Where a task stands that nobody holds.
CREATE FUNCTION {schema}.state_of(due bigint, ripe bigint, control smallint) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN due > ripe THEN 0 WHEN control IN (0, 2) THEN 1 ELSE 3 END)::smallint
$$;

-- A run's word changes, under the lock of its root.
CREATE FUNCTION {schema}.control_1(p_run bigint, p_control smallint, p_ripe bigint, p_clock bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.scope SET control = p_control, revision = revision + 1 WHERE id = p_run;
    IF p_control = 2 THEN
        -- What is left to do is mostly not to begin, and that needs no room.
        UPDATE {schema}.task SET lane = '' WHERE run = p_run AND class = 2 AND lane <> '';
    END IF;
    IF p_control IN (0, 2) THEN
        UPDATE {schema}.task t
        SET state = {schema}.state_of(t.due, p_ripe, p_control), ticket = n.ticket,
            since = CASE WHEN t.due > p_ripe THEN t.due ELSE greatest(p_clock, t.due) END
        FROM (SELECT scope, task, nextval('{schema}.ticket') AS ticket
              FROM (SELECT scope, task FROM {schema}.task WHERE run = p_run AND state = 3 ORDER BY ticket FOR UPDATE) h) n
        WHERE t.run = p_run AND t.scope = n.scope AND t.task = n.task;
    ELSE
        UPDATE {schema}.task SET state = 3 WHERE run = p_run AND state = 1;
    END IF;
END
$$;

-- The arrays are parallel: e_ elements, s_ what they settle, o_ what is obsolete, q_ what they queue, m_ messages,
-- r_ runs' summaries; *_el counts elements from 1. Elements that must see one another stand in different waves, of which
-- p_waves gives the last elements. Codes: 0 done, 1 duplicate, 2 conflict, 3 fenced, 4 its run has not begun,
-- 5 its run is being deleted.
CREATE FUNCTION {schema}.commit_1(
    p_clock bigint, p_ripe bigint, p_patience integer, p_waves integer[], p_names text[], p_workers bigint[],
    p_has_inner boolean, p_has_mail boolean, p_has_control boolean,
    e_op uuid[], e_scope text[], e_run text[], e_expected bigint[], e_at bigint[], e_worker bigint[],
    e_control smallint[], e_count integer[], e_events bytea[],
    s_el integer[], s_task bigint[], s_token integer[],
    o_el integer[], o_task bigint[],
    q_el integer[], q_task bigint[], q_class smallint[], q_due bigint[], q_keep smallint[], q_lane text[],
    m_el integer[], m_to text[], m_kind bigint[], m_codec text[], m_body bytea[],
    r_el integer[], r_scope text[], r_flow text[], r_plan text[], r_priority smallint[], r_status text[],
    r_started bigint[], r_ended bigint[], r_key text[], r_labels text[], r_outcome bytea[], r_output bytea[], r_codec text[],
    OUT code smallint[], OUT len bigint[], OUT control smallint[], OUT revision integer[],
    -- Somebody may find something new to claim.
    OUT news boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    v_clock bigint := coalesce(p_clock, {schema}.clock());
    v_ripe bigint := coalesce(p_ripe, p_clock, v_clock);
    v_keys text[] := ARRAY(SELECT {schema}.key_of(n) FROM unnest(p_names) n);
    lo integer := 1;
    hi integer;
    v_code smallint[];
    v_id bigint[];
    v_run bigint[];
    v_len bigint[];
    v_control smallint[];
    v_revision integer[];
    v_plan integer[];
    v_priority smallint[];
    v_fenced integer[];
    c_deliver CONSTANT bigint := 7::bigint << 59;
BEGIN
    -- A lock of somebody's own transaction must not keep strangers waiting for long.
    IF p_patience IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_patience::text, true);
    END IF;
    news := false; code := '{}'; len := '{}'; control := '{}'; revision := '{}';
    FOREACH hi IN ARRAY p_waves LOOP
        -- Heads of runs that begin. The id is free, so nothing can refuse such a commit any more.
        IF r_el IS NOT NULL THEN
            INSERT INTO {schema}.scope (id, run, name, plan, priority, control, revision)
            SELECT n.id, n.id, n.name, n.nr, n.priority, 0, 0
            FROM (SELECT nextval('{schema}.scope_id') AS id, x.*
                  FROM (SELECT r.scope AS name, p.nr, r.priority
                        FROM unnest(r_el, r_scope, r_plan, r_priority) r(el, scope, plan, priority)
                        JOIN {schema}.plan p ON p.hash = r.plan
                        WHERE r.el BETWEEN lo AND hi AND e_expected[r.el] = 0
                          AND NOT coalesce(r.el = ANY(s_el), false)
                          AND NOT EXISTS (SELECT FROM {schema}.scope k WHERE {schema}.key_of(k.name) = {schema}.key_of(r.scope))
                        ORDER BY r.el) x) n
            ON CONFLICT ({schema}.key_of(name)) DO NOTHING;
        END IF;
        -- Heads of inner scopes that are spoken to for the first time.
        IF p_has_inner THEN
            INSERT INTO {schema}.scope (id, run, name)
            SELECT nextval('{schema}.scope_id'), k.run, k.name
            FROM (SELECT DISTINCT x.name, root.id AS run
                  FROM (SELECT e.scope AS name, e.run AS root
                        FROM unnest(e_scope[lo:hi], e_run[lo:hi], e_expected[lo:hi]) e(scope, run, expected)
                        WHERE e.expected = 0 AND e.scope <> e.run
                        UNION ALL
                        SELECT m.to_, split_part(m.to_, '/', 1) FROM unnest(m_el, m_to) m(el, to_)
                        WHERE m.el BETWEEN lo AND hi) x
                  JOIN {schema}.scope root ON {schema}.key_of(root.name) = x.root
                  WHERE NOT EXISTS (SELECT FROM {schema}.scope k WHERE {schema}.key_of(k.name) = {schema}.key_of(x.name))
                  ORDER BY x.name) k
            ON CONFLICT ({schema}.key_of(name)) DO NOTHING;
        END IF;

        -- All heads that matter, locked in the order of their ids.
        WITH locked AS MATERIALIZED (
            SELECT id, run, name, len, control, revision, plan, priority
            FROM {schema}.scope WHERE {schema}.key_of(name) = ANY(v_keys) ORDER BY id FOR NO KEY UPDATE)
        SELECT array_agg(coalesce(s.id, 0) ORDER BY e.at), array_agg(coalesce(r.id, 0) ORDER BY e.at),
               array_agg(coalesce(s.len, 0) ORDER BY e.at),
               array_agg(coalesce(r.control, 0::smallint) ORDER BY e.at), array_agg(coalesce(r.revision, 0) ORDER BY e.at),
               array_agg(coalesce(r.plan, 0) ORDER BY e.at), array_agg(coalesce(r.priority, 0::smallint) ORDER BY e.at)
        INTO v_id, v_run, v_len, v_control, v_revision, v_plan, v_priority
        FROM unnest(e_scope[lo:hi], e_run[lo:hi]) WITH ORDINALITY e(scope, run, at)
        LEFT JOIN locked s ON s.name = e.scope
        LEFT JOIN locked r ON r.name = e.run;

        -- A sweep must see what these workers keep from now on, or not have given them up yet.
        IF p_workers IS NOT NULL THEN
            PERFORM FROM {schema}.worker WHERE id = ANY(p_workers) FOR KEY SHARE;
        END IF;

        v_fenced := NULL;
        IF s_el IS NOT NULL THEN
            WITH held AS MATERIALIZED (
                SELECT s.el
                FROM unnest(s_el, s_task, s_token) s(el, task, token)
                JOIN {schema}.task t ON t.run = v_run[s.el - lo + 1] AND t.scope = v_id[s.el - lo + 1] AND t.task = s.task
                WHERE s.el BETWEEN lo AND hi AND t.token = s.token AND t.holder IS NOT NULL
                ORDER BY t.run, t.scope, t.task
                FOR UPDATE OF t)
            SELECT array_agg(asked.el) INTO v_fenced
            FROM (SELECT s.el, count(*) AS count FROM unnest(s_el) s(el) WHERE s.el BETWEEN lo AND hi GROUP BY s.el) asked
            LEFT JOIN (SELECT el, count(*) AS count FROM held GROUP BY el) found USING (el)
            WHERE found.count IS DISTINCT FROM asked.count;
        END IF;

        v_code := '{}';
        FOR i IN lo..hi LOOP
            -- Only what is rare asks the tables.
            v_code[i - lo + 1] := 0;
            IF v_control[i - lo + 1] = 4 THEN
                v_code[i - lo + 1] := 5;
                v_control[i - lo + 1] := 3;
                CONTINUE;
            END IF;
            IF e_expected[i] < v_len[i - lo + 1] THEN
                IF EXISTS (
                    SELECT FROM {schema}.journal j
                    WHERE j.run = v_run[i - lo + 1] AND j.scope = v_id[i - lo + 1]
                      AND j.first = e_expected[i] AND j.op = e_op[i])
                THEN
                    v_code[i - lo + 1] := 1;
                    CONTINUE;
                END IF;
            END IF;
            IF v_fenced IS NOT NULL AND i = ANY(v_fenced) THEN
                v_code[i - lo + 1] := 3;
            ELSIF e_expected[i] <> v_len[i - lo + 1] THEN
                v_code[i - lo + 1] := 2;
            ELSIF v_run[i - lo + 1] = 0 THEN
                v_code[i - lo + 1] := 4;
            END IF;
        END LOOP;

        IF r_el IS NOT NULL THEN
            INSERT INTO {schema}.run (key, flow, plan, run_key, status, started_at, ended_at, labels, outcome, output, output_codec)
            SELECT v_run[r.el - lo + 1], r.flow, v_plan[r.el - lo + 1], r.key, r.status, r.started, r.ended, r.labels::jsonb,
                   r.outcome, r.output, r.codec
            FROM unnest(r_el, r_flow, r_key, r_status, r_started, r_ended, r_labels, r_outcome, r_output, r_codec)
                 r(el, flow, key, status, started, ended, labels, outcome, output, codec)
            WHERE r.el BETWEEN lo AND hi AND v_code[r.el - lo + 1] = 0 AND e_expected[r.el] = 0;
            UPDATE {schema}.run t
            SET status = r.status, started_at = r.started, ended_at = r.ended, outcome = r.outcome, output = r.output,
                output_codec = r.codec
            FROM unnest(r_el, r_status, r_started, r_ended, r_outcome, r_output, r_codec)
                 r(el, status, started, ended, outcome, output, codec)
            WHERE r.el BETWEEN lo AND hi AND v_code[r.el - lo + 1] = 0 AND e_expected[r.el] > 0
              AND t.key = v_run[r.el - lo + 1];
            -- Who has ended leaves room for those in line.
            news := news OR EXISTS (
                SELECT FROM unnest(r_el, r_ended) r(el, ended)
                WHERE r.el BETWEEN lo AND hi AND v_code[r.el - lo + 1] = 0 AND r.ended IS NOT NULL)
                AND EXISTS (SELECT FROM {schema}.task t WHERE t.state = 1 AND t.class = 1);
        END IF;

        IF p_has_control THEN
            FOR i IN lo..hi LOOP
                IF v_code[i - lo + 1] = 0 AND e_control[i] >= 0 AND e_control[i] <> v_control[i - lo + 1] THEN
                    PERFORM {schema}.control_1(v_run[i - lo + 1], e_control[i], v_ripe, v_clock);
                    v_control[i - lo + 1] := e_control[i];
                    v_revision[i - lo + 1] := v_revision[i - lo + 1] + 1;
                    news := news OR e_control[i] IN (0, 2);
                END IF;
            END LOOP;
        END IF;

        UPDATE {schema}.scope s SET len = s.len + d.count
        FROM unnest(v_id, v_code, e_count[lo:hi]) d(id, code, count)
        WHERE d.code = 0 AND s.id = d.id;

        INSERT INTO {schema}.journal (run, scope, first, count, at, op, events)
        SELECT d.run, d.scope, d.first, d.count, d.at, d.op, d.events
        FROM unnest(v_code, v_run, v_id, e_expected[lo:hi], e_count[lo:hi], e_at[lo:hi], e_op[lo:hi], e_events[lo:hi])
             d(code, run, scope, first, count, at, op, events)
        WHERE d.code = 0;

        -- Messages come in before the inbox lets go of what its owner settles: see the ledger.
        IF m_el IS NOT NULL THEN
            INSERT INTO {schema}.inbox (scope, id, sender, kind, codec, body)
            SELECT n.scope, nextval('{schema}.message_id'), n.sender, n.kind, n.codec, n.body
            FROM (SELECT * FROM (
                    SELECT DISTINCT ON (k.id, v_id[m.el - lo + 1], m.kind)
                           k.id AS scope, v_id[m.el - lo + 1] AS sender, m.kind, m.codec, m.body, m.ord
                    FROM unnest(m_el, m_to, m_kind, m_codec, m_body) WITH ORDINALITY m(el, to_, kind, codec, body, ord)
                    JOIN {schema}.scope k ON {schema}.key_of(k.name) = {schema}.key_of(m.to_)
                    WHERE m.el BETWEEN lo AND hi AND v_code[m.el - lo + 1] = 0
                    ORDER BY k.id, v_id[m.el - lo + 1], m.kind, m.ord) once
                  WHERE NOT EXISTS (SELECT FROM {schema}.inbox i
                                    WHERE i.scope = once.scope AND i.sender = once.sender AND i.kind = once.kind)
                  ORDER BY once.ord) n;
        END IF;
        IF p_has_mail THEN
            DELETE FROM {schema}.inbox i
            USING (SELECT t.scope, t.upto
                   FROM unnest(s_el, s_task) s(el, task)
                   JOIN {schema}.task t
                     ON t.run = v_run[s.el - lo + 1] AND t.scope = v_id[s.el - lo + 1] AND t.task = s.task
                   WHERE s.el BETWEEN lo AND hi AND s.task = c_deliver AND v_code[s.el - lo + 1] = 0) d
            WHERE i.scope = d.scope AND i.id <= d.upto;
        END IF;

        IF s_el IS NOT NULL OR o_el IS NOT NULL THEN
            WITH gone AS (
            DELETE FROM {schema}.task t
            USING (SELECT v_run[x.el - lo + 1] AS run, v_id[x.el - lo + 1] AS scope, x.task
                   FROM (SELECT el, task FROM unnest(s_el, s_task) s(el, task)
                         UNION ALL SELECT el, task FROM unnest(o_el, o_task) o(el, task)) x
                   WHERE x.el BETWEEN lo AND hi AND v_code[x.el - lo + 1] = 0) d
            WHERE t.run = d.run AND t.scope = d.scope AND t.task = d.task
            RETURNING t.class = 2 AND t.state = 2 AND t.lane <> '' AS had_place)
            SELECT news OR coalesce(bool_or(gone.had_place), false) INTO news FROM gone;
        END IF;

        IF q_el IS NOT NULL OR p_has_mail THEN
            WITH put AS (
            INSERT INTO {schema}.task (run, scope, task, ticket, due, since, holder, token, plan, priority, class, state, lane)
            SELECT n.run, n.scope, n.task, CASE WHEN n.kept THEN 0 ELSE nextval('{schema}.ticket') END, n.due,
                   CASE WHEN n.due > v_ripe THEN n.due ELSE greatest(v_clock, n.due) END,
                   CASE WHEN n.kept THEN n.worker END, n.kept::integer, n.plan, n.priority, n.class,
                   CASE WHEN n.kept THEN 2 ELSE {schema}.state_of(n.due, v_ripe, n.control) END, n.lane
            FROM (SELECT * FROM (
                    SELECT q.el, 1 AS place, q.ord, v_run[q.el - lo + 1] AS run, v_id[q.el - lo + 1] AS scope, q.task, q.due,
                           q.class, q.lane, e_worker[q.el] AS worker,
                           v_plan[q.el - lo + 1] AS plan, v_priority[q.el - lo + 1] AS priority,
                           v_control[q.el - lo + 1] AS control,
                           q.keep = 2 OR q.keep = 1 AND v_control[q.el - lo + 1] IN (0, 2) AS kept
                    FROM unnest(q_el, q_task, q_class, q_due, q_keep, q_lane) WITH ORDINALITY
                         q(el, task, class, due, keep, lane, ord)
                    WHERE q.el BETWEEN lo AND hi AND v_code[q.el - lo + 1] = 0
                    UNION ALL
                    -- A scope that has mail has it delivered: one that was written to, or that settled a delivery.
                    SELECT m.el, 0, m.ord, k.run, k.id, c_deliver, 0, 0, '', 0,
                           v_plan[m.el - lo + 1], v_priority[m.el - lo + 1], v_control[m.el - lo + 1], false
                    FROM (SELECT el, to_, ord FROM unnest(m_el, m_to) WITH ORDINALITY m(el, to_, ord)
                          UNION ALL
                          SELECT s.el, e_scope[s.el], 1000000 FROM unnest(s_el, s_task) s(el, task)
                          WHERE s.task = c_deliver) m
                    JOIN {schema}.scope k ON {schema}.key_of(k.name) = {schema}.key_of(m.to_)
                    WHERE p_has_mail AND m.el BETWEEN lo AND hi AND v_code[m.el - lo + 1] = 0
                      AND EXISTS (SELECT FROM {schema}.inbox i WHERE i.scope = k.id)
                  ) x ORDER BY x.el, x.place, x.ord) n
            ON CONFLICT (run, scope, task) DO NOTHING
            RETURNING holder)
            SELECT news OR coalesce(bool_or(put.holder IS NULL), false) INTO news FROM put;
        END IF;

        IF p_workers IS NOT NULL THEN
            INSERT INTO {schema}.stranger (id)
            SELECT DISTINCT e_worker[q.el]
            FROM unnest(q_el, q_keep) q(el, keep)
            WHERE q.el BETWEEN lo AND hi AND v_code[q.el - lo + 1] = 0
              AND (q.keep = 2 OR q.keep = 1 AND v_control[q.el - lo + 1] IN (0, 2))
              AND NOT EXISTS (SELECT FROM {schema}.worker w WHERE w.id = e_worker[q.el])
            ON CONFLICT (id) DO NOTHING;
        END IF;

        code := code || v_code;
        len := len || v_len;
        control := control || v_control;
        revision := revision || v_revision;
        lo := hi + 1;
    END LOOP;
    IF 3 = ANY(code) THEN
        UPDATE {schema}.incident SET fenced = fenced + cardinality(array_positions(code, 3::smallint));
    END IF;
END
$$;
