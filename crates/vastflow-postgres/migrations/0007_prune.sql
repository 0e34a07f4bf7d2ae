-- A deletion locks the heads of runs in the order of their names, as commits do, so that neither waits for the other for
-- ever.
--
-- prune_1 is replaced by itself: the same parameters, the same meaning.

-- Deletes runs that are over. Gives how many are gone, and whether there is more to do. A run that is to go is marked, and
-- from then on nobody sees it or appends to it; what belongs to it goes in steps, so that no call grows with a large run,
-- and the run itself last: until then its id is not free.
CREATE OR REPLACE FUNCTION {schema}.prune_1(
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
    -- Nobody appends to what is locked, so what has no task now stays without one. Commits lock in this order, too.
    SELECT array_agg(x.id) INTO v_doomed
    FROM (SELECT s.id FROM {schema}.scope s WHERE s.id = ANY(v_doomed[1:p_limit])
          ORDER BY {schema}.key_of(s.name) FOR UPDATE) x;
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
