-- Commits again: most batches change nothing but runs that nobody else is at, and need not be looked at so closely.
--
-- commit_1 is replaced by commit_2, which locks heads in the order of their names, as commit_plain_1 does. No program that
-- was released calls it.

-- The same in another language: an SQL function is parsed anew by each statement that writes to its index, in vain.
CREATE OR REPLACE FUNCTION {schema}.digest_of(name text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN encode(sha256(convert_to(name, 'UTF8')), 'hex');
END
$$;

DROP FUNCTION {schema}.commit_1;

-- The arrays are parallel: e_ elements, s_ what they settle, o_ what is obsolete, q_ what they queue, m_ messages,
-- r_ runs' summaries; *_el counts elements from 1. Elements that must see one another stand in different waves, of which
-- p_waves gives the last elements. Codes: 0 done, 1 duplicate, 2 conflict, 3 fenced, 4 its run has not begun,
-- 5 its run is being deleted.
CREATE FUNCTION {schema}.commit_2(
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
    v_alive integer;
    c_deliver CONSTANT bigint := 7::bigint << 59;
    c_soon CONSTANT bigint := 2000;
BEGIN
    -- A lock of somebody's own transaction must not keep strangers waiting for long.
    IF p_patience IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_patience::text, true);
    END IF;
    -- A sweep must see what these workers keep from now on, or not have given them up yet.
    IF p_workers IS NOT NULL THEN
        PERFORM FROM {schema}.worker WHERE id = ANY(p_workers) FOR KEY SHARE;
        GET DIAGNOSTICS v_alive = ROW_COUNT;
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

        -- All heads that matter, locked in the order of their names.
        WITH locked AS MATERIALIZED (
            SELECT id, run, name, len, control, revision, plan, priority
            FROM {schema}.scope WHERE {schema}.key_of(name) = ANY(v_keys) ORDER BY {schema}.key_of(name) FOR NO KEY UPDATE)
        SELECT array_agg(h.id), array_agg(h.run), array_agg(h.len), array_agg(h.control), array_agg(h.revision),
               array_agg(h.plan), array_agg(h.priority)
        INTO v_id, v_run, v_len, v_control, v_revision, v_plan, v_priority
        FROM (SELECT coalesce(s.id, 0) AS id, coalesce(r.id, 0) AS run, coalesce(s.len, 0) AS len,
                     coalesce(r.control, 0::smallint) AS control, coalesce(r.revision, 0) AS revision,
                     coalesce(r.plan, 0) AS plan, coalesce(r.priority, 0::smallint) AS priority
              FROM unnest(e_scope[lo:hi], e_run[lo:hi]) WITH ORDINALITY e(scope, run, at)
              LEFT JOIN locked s ON s.name = e.scope
              LEFT JOIN locked r ON r.name = e.run
              ORDER BY e.at) h;

        -- What goes, locked in the order of the key. One that is settled counts once up and, if it is there, once down.
        v_fenced := NULL;
        IF s_el IS NOT NULL OR o_el IS NOT NULL THEN
            WITH held AS MATERIALIZED (
                SELECT x.el, x.token IS NOT NULL AS is_settled
                FROM (SELECT el, task, token FROM unnest(s_el, s_task, s_token) s(el, task, token)
                      UNION ALL SELECT el, task, NULL FROM unnest(o_el, o_task) o(el, task)) x
                JOIN {schema}.task t ON t.run = v_run[x.el - lo + 1] AND t.scope = v_id[x.el - lo + 1] AND t.task = x.task
                WHERE x.el BETWEEN lo AND hi AND (x.token IS NULL OR t.token = x.token AND t.holder IS NOT NULL)
                ORDER BY t.run, t.scope, t.task
                FOR UPDATE OF t)
            SELECT array_agg(missing.el) INTO v_fenced
            FROM (SELECT c.el
                  FROM (SELECT s.el, 1 AS one FROM unnest(s_el) s(el) WHERE s.el BETWEEN lo AND hi
                        UNION ALL SELECT h.el, -1 FROM held h WHERE h.is_settled) c
                  GROUP BY c.el HAVING sum(c.one) > 0) missing;
        END IF;

        -- Only what is rare asks the journal.
        SELECT array_agg(d.code) INTO v_code
        FROM (SELECT (CASE
                  WHEN e.control = 4 THEN 5
                  WHEN e.expected < e.len AND EXISTS (
                      SELECT FROM {schema}.journal j
                      WHERE j.run = e.run AND j.scope = e.id AND j.first = e.expected AND j.op = e.op) THEN 1
                  WHEN e.el = ANY(v_fenced) THEN 3
                  WHEN e.expected <> e.len THEN 2
                  WHEN e.run = 0 THEN 4
                  ELSE 0 END)::smallint AS code
              FROM unnest(v_id, v_run, v_len, v_control, e_expected[lo:hi], e_op[lo:hi]) WITH ORDINALITY
                   x(id, run, len, control, expected, op, at)
              CROSS JOIN LATERAL (SELECT x.*, x.at + lo - 1 AS el) e
              ORDER BY x.at) d;
        v_control := array_replace(v_control, 4::smallint, 3::smallint);

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
            -- What is due much later is met by the looks that claimers take anyway.
            RETURNING holder IS NULL AND due <= v_ripe + c_soon AS is_news)
            SELECT news OR coalesce(bool_or(put.is_news), false) INTO news FROM put;
        END IF;

        IF v_alive < cardinality(p_workers) THEN
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

-- Commits of root scopes that neither write to others nor change a control word, each of another run: the first of them
-- begin runs (as many as there are b_), the others go on with theirs, in the order of their names. This only writes, and
-- what it writes to tells whether all is as it was expected. If it is not (a run is there already, a journal has another
-- length, a task is in other hands, a worker is not known to live), nothing happens, and commit_2 has to find out
-- what: is_done is false when that was seen early, or the call fails with VF001 or a key that is there already.
--
-- The arrays are parallel: e_ elements, b_ runs that begin, u_ what becomes of a run, s_ what is settled, o_ what is
-- obsolete, q_ what is queued; *_el counts elements from 1.
CREATE FUNCTION {schema}.commit_plain_1(
    p_clock bigint, p_ripe bigint, p_patience integer, p_workers bigint[], p_plans text[],
    e_scope text[], e_expected bigint[], e_at bigint[], e_op uuid[], e_worker bigint[], e_count integer[], e_events bytea[],
    b_flow text[], b_plan integer[], b_priority smallint[], b_status text[], b_started bigint[], b_ended bigint[],
    b_key text[], b_labels text[], b_outcome bytea[], b_output bytea[], b_codec text[],
    u_el integer[], u_status text[], u_started bigint[], u_ended bigint[], u_outcome bytea[], u_output bytea[], u_codec text[],
    s_el integer[], s_task bigint[], s_token integer[],
    o_el integer[], o_task bigint[],
    q_el integer[], q_task bigint[], q_class smallint[], q_due bigint[], q_keep smallint[], q_lane text[],
    OUT is_done boolean, OUT control smallint[], OUT revision integer[], OUT news boolean)
LANGUAGE plpgsql
-- Whatever the server guesses of how much there is: each row is found by its key, one after the other.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_clock bigint := coalesce(p_clock, {schema}.clock());
    v_ripe bigint := coalesce(p_ripe, p_clock, v_clock);
    v_starts integer := coalesce(cardinality(b_plan), 0);
    v_plans integer[];
    v_id bigint[];
    v_plan integer[];
    v_priority smallint[];
    v_count integer;
    c_soon CONSTANT bigint := 2000;
BEGIN
    PERFORM set_config('lock_timeout', p_patience::text, true);
    is_done := false;
    news := false;
    -- A sweep must see what these workers keep from now on, or not have given them up yet.
    IF p_workers IS NOT NULL THEN
        PERFORM FROM {schema}.worker w WHERE w.id = ANY(p_workers) FOR KEY SHARE;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count < cardinality(p_workers) THEN
            RETURN;
        END IF;
    END IF;

    IF v_starts > 0 THEN
        IF EXISTS (SELECT FROM {schema}.scope s WHERE {schema}.key_of(s.name) = ANY(e_scope[:v_starts])) THEN
            RETURN;
        END IF;
        SELECT array_agg(p.nr ORDER BY h.at) INTO v_plans
        FROM unnest(p_plans) WITH ORDINALITY h(hash, at) JOIN {schema}.plan p ON p.hash = h.hash;
        IF v_plans IS NULL OR cardinality(v_plans) < cardinality(p_plans) THEN
            RETURN;
        END IF;
        v_priority := b_priority;
        SELECT array_agg(nextval('{schema}.scope_id')), array_agg(v_plans[b.plan]), array_agg(0::smallint), array_agg(0)
        INTO v_id, v_plan, control, revision FROM unnest(b_plan) b(plan);
        INSERT INTO {schema}.scope (id, run, name, len, control, revision, plan, priority)
        SELECT b.id, b.id, b.name, b.count, 0, 0, b.plan, b.priority
        FROM unnest(v_id, e_scope[:v_starts], e_count[:v_starts], v_plan, b_priority) b(id, name, count, plan, priority);
        INSERT INTO {schema}.run (key, flow, plan, run_key, status, started_at, ended_at, labels, outcome, output, output_codec)
        SELECT b.id, b.flow, b.plan, b.key, b.status, b.started, b.ended, b.labels::jsonb, b.outcome, b.output, b.codec
        FROM unnest(v_id, b_flow, v_plan, b_key, b_status, b_started, b_ended, b_labels, b_outcome, b_output, b_codec)
             b(id, flow, plan, key, status, started, ended, labels, outcome, output, codec);
    END IF;
    IF cardinality(e_scope) > v_starts THEN
        WITH moved AS (
            UPDATE {schema}.scope s SET len = s.len + e.count
            FROM unnest(e_scope[v_starts + 1:], e_expected[v_starts + 1:], e_count[v_starts + 1:])
                 WITH ORDINALITY e(name, expected, count, at)
            WHERE {schema}.key_of(s.name) = e.name AND s.len = e.expected AND s.control IN (0, 2)
            RETURNING e.at, s.id, s.plan, s.priority, s.control AS word, s.revision AS words)
        SELECT v_id || array_agg(m.id), v_plan || array_agg(m.plan), v_priority || array_agg(m.priority),
               control || array_agg(m.word), revision || array_agg(m.words)
        INTO v_id, v_plan, v_priority, control, revision
        FROM (SELECT * FROM moved ORDER BY at) m;
        IF v_id IS NULL OR cardinality(v_id) < cardinality(e_scope) THEN
            RAISE 'a journal is not as it was expected' USING ERRCODE = 'VF001';
        END IF;
    END IF;

    INSERT INTO {schema}.journal (run, scope, first, count, at, op, events)
    SELECT d.id, d.id, d.first, d.count, d.at, d.op, d.events
    FROM unnest(v_id, e_expected, e_count, e_at, e_op, e_events) d(id, first, count, at, op, events);

    IF s_el IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM {schema}.task t
            USING (SELECT v_id[s.el] AS run, s.task, s.token FROM unnest(s_el, s_task, s_token) s(el, task, token)
                   ORDER BY v_id[s.el], s.task) d
            WHERE t.run = d.run AND t.scope = d.run AND t.task = d.task AND t.token = d.token AND t.holder IS NOT NULL
            RETURNING t.class = 2 AND t.lane <> '' AS had_place)
        SELECT count(*), coalesce(bool_or(g.had_place), false) INTO v_count, news FROM gone g;
        IF v_count < cardinality(s_el) THEN
            RAISE 'a task is not in the hands that settle it' USING ERRCODE = 'VF001';
        END IF;
    END IF;
    IF o_el IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM {schema}.task t
            USING (SELECT v_id[o.el] AS run, o.task FROM unnest(o_el, o_task) o(el, task) ORDER BY v_id[o.el], o.task) d
            WHERE t.run = d.run AND t.scope = d.run AND t.task = d.task
            RETURNING t.class = 2 AND t.state = 2 AND t.lane <> '' AS had_place)
        SELECT news OR coalesce(bool_or(g.had_place), false) INTO news FROM gone g;
    END IF;
    IF q_el IS NOT NULL THEN
        INSERT INTO {schema}.task (run, scope, task, ticket, due, since, holder, token, plan, priority, class, state, lane)
        SELECT v_id[q.el], v_id[q.el], q.task, CASE WHEN q.keep > 0 THEN 0 ELSE nextval('{schema}.ticket') END, q.due,
               CASE WHEN q.due > v_ripe THEN q.due ELSE greatest(v_clock, q.due) END,
               CASE WHEN q.keep > 0 THEN e_worker[q.el] END, least(q.keep, 1), v_plan[q.el], v_priority[q.el], q.class,
               CASE WHEN q.keep > 0 THEN 2 ELSE {schema}.state_of(q.due, v_ripe, 0::smallint) END, q.lane
        FROM unnest(q_el, q_task, q_class, q_due, q_keep, q_lane) q(el, task, class, due, keep, lane);
        -- What is due much later is met by the looks that claimers take anyway.
        news := news OR EXISTS (SELECT FROM unnest(q_keep, q_due) q(keep, due) WHERE q.keep = 0 AND q.due <= v_ripe + c_soon);
    END IF;

    IF u_el IS NOT NULL THEN
        UPDATE {schema}.run r
        SET status = u.status, started_at = u.started, ended_at = u.ended, outcome = u.outcome, output = u.output,
            output_codec = u.codec
        FROM unnest(u_el, u_status, u_started, u_ended, u_outcome, u_output, u_codec)
             u(el, status, started, ended, outcome, output, codec)
        WHERE r.key = v_id[u.el];
    END IF;
    -- Who has ended leaves room for those in line.
    IF num_nonnulls(VARIADIC b_ended || u_ended) > 0 THEN
        news := news OR EXISTS (SELECT FROM {schema}.task t WHERE t.state = 1 AND t.class = 1);
    END IF;
    is_done := true;
END
$$;
