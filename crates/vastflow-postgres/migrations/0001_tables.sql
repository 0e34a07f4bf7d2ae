-- The tables. Times are milliseconds since 1970-01-01 by the server's clock; 0 means at once.

-- One sequence names runs and scopes: a run has the number of its root scope, and numbers rise in the order of starts.
CREATE SEQUENCE {schema}.scope_id;
-- First come, first served.
CREATE SEQUENCE {schema}.ticket;
-- The order in which messages came.
CREATE SEQUENCE {schema}.message_id;

-- What runs follow, for ever.
CREATE TABLE {schema}.plan (
    nr   integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    hash text COLLATE "C" PRIMARY KEY,
    flow text COLLATE "C" NOT NULL,
    body text NOT NULL
);

-- What lists show of a run. The rest is in its journal.
CREATE TABLE {schema}.run (
    key          bigint PRIMARY KEY,
    flow         text COLLATE "C" NOT NULL,
    plan         integer NOT NULL,
    -- Runs of a flow with the same key may be limited in how many are in flight.
    run_key      text COLLATE "C",
    -- As lists show it, or 'deleted': nobody sees it any more, and it goes in steps.
    status       text COLLATE "C" NOT NULL,
    started_at   bigint NOT NULL,
    ended_at     bigint,
    -- A list of objects with one member each, because a label may be there twice.
    labels       jsonb,
    -- A record of the event that ended it, or will.
    outcome      bytea,
    output       bytea,
    output_codec text COLLATE "C"
) WITH (fillfactor = 80);
CREATE INDEX run_of_flow ON {schema}.run (flow, key);
CREATE INDEX run_to_look_at ON {schema}.run (status, key) WHERE status <> 'succeeded';
CREATE INDEX run_under_way ON {schema}.run (flow, run_key) WHERE ended_at IS NULL;
CREATE INDEX run_ended ON {schema}.run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_labels ON {schema}.run USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;

-- The head of every journal: who appends holds its lock. The root's also says what may go on in the run.
CREATE TABLE {schema}.scope (
    id       bigint PRIMARY KEY,
    run      bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    len      bigint NOT NULL DEFAULT 0,
    -- Of roots only. 0 running, 1 held, 2 stopping, 3 killed, 4 about to be deleted.
    control  smallint,
    revision integer,
    plan     integer,
    priority smallint
) WITH (fillfactor = 70);
-- A key of each name that is short enough for an index: keys of items within items may be long.
CREATE FUNCTION {schema}.digest_of(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(sha256(convert_to(name, 'UTF8')), 'hex')
$$;
CREATE FUNCTION {schema}.key_of(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(name) <= 1024 THEN name ELSE {schema}.digest_of(name) END
$$;
CREATE UNIQUE INDEX scope_name ON {schema}.scope ({schema}.key_of(name));
CREATE INDEX scope_inner ON {schema}.scope (run) WHERE id <> run;

-- What happened: one row a commit. Partitions follow the keys of runs.
CREATE TABLE {schema}.journal (
    run    bigint NOT NULL,
    scope  bigint NOT NULL,
    first  bigint NOT NULL,
    count  integer NOT NULL,
    at     bigint NOT NULL,
    op     uuid NOT NULL,
    events bytea NOT NULL,
    PRIMARY KEY (run, scope, first)
) PARTITION BY RANGE (run);

-- What is to be done. Narrow, and gone when it is done.
CREATE TABLE {schema}.task (
    run      bigint NOT NULL,
    scope    bigint NOT NULL,
    -- Kind, node and number of the try in one number: see {schema}.task_name.
    task     bigint NOT NULL,
    ticket   bigint NOT NULL,
    due      bigint NOT NULL,
    -- Since when it can be claimed.
    since    bigint NOT NULL,
    holder   bigint,
    -- By which of its holder's claims it is in hand; 0: by none.
    turn     bigint NOT NULL DEFAULT 0,
    -- The last message that its holder was given.
    upto     bigint,
    token    integer NOT NULL,
    plan     integer NOT NULL,
    priority smallint NOT NULL,
    -- 0 takes nothing of a worker, 1 a place in a window, 2 a slot.
    class    smallint NOT NULL,
    -- 0 later, 1 can be claimed, 2 in the hands of a worker, 3 kept back.
    state    smallint NOT NULL,
    deaths   smallint NOT NULL DEFAULT 0,
    crashes  smallint NOT NULL DEFAULT 0,
    -- The lane of a call; of a run in line, its key.
    lane     text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (run, scope, task)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX task_ready ON {schema}.task (class, lane, priority DESC, ticket) WHERE state = 1 AND deaths < 2 AND class <> 1;
CREATE INDEX task_alone ON {schema}.task (lane, priority DESC, ticket) WHERE state = 1 AND deaths >= 2;
CREATE INDEX task_in_line ON {schema}.task (plan, lane, priority DESC, ticket) WHERE state = 1 AND class = 1;
CREATE INDEX task_admit ON {schema}.task (plan, lane) WHERE state <> 2 AND class = 1;
CREATE INDEX task_in_lane ON {schema}.task (lane) WHERE state = 2 AND class = 2 AND lane <> '';
-- What was handed out, to find what nobody heard of; not what was kept, which is most of what is in hand.
CREATE INDEX task_given ON {schema}.task (holder, turn) WHERE state = 2 AND turn > 0;
CREATE INDEX task_later ON {schema}.task (due) WHERE state = 0;

-- What waits for a scope to hear it.
CREATE TABLE {schema}.inbox (
    scope  bigint NOT NULL,
    id     bigint NOT NULL,
    sender bigint NOT NULL,
    kind   bigint NOT NULL,
    codec  text COLLATE "C" NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (scope, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX inbox_sender ON {schema}.inbox (scope, sender, kind);

-- Who counts as alive.
CREATE TABLE {schema}.worker (
    id       bigint PRIMARY KEY,
    name     text COLLATE "C",
    until    bigint NOT NULL,
    lease    bigint NOT NULL,
    -- The number of its last claim.
    turn     bigint NOT NULL DEFAULT 0,
    -- Its lease was counted anew after a gap in the server's life, once until it is heard of again.
    extended boolean NOT NULL DEFAULT false,
    about    text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- Of each lane with a rate, when its bucket is full again, in microseconds.
CREATE TABLE {schema}.bucket (
    lane    text COLLATE "C" PRIMARY KEY,
    full_at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Who kept a task without counting as alive.
CREATE TABLE {schema}.stranger (
    id bigint PRIMARY KEY
);

-- When the store was last seen at work: one row.
CREATE TABLE {schema}.pulse (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    last     bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO {schema}.pulse (last) VALUES (0);

-- What happened since the store was made: one row, locked last.
CREATE TABLE {schema}.incident (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    -- Tasks taken from workers that were given up.
    taken_over bigint NOT NULL DEFAULT 0,
    -- Commits refused, because who made them did not hold the task any more.
    fenced     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO {schema}.incident DEFAULT VALUES;

-- Which partitions of the journal there are: run keys from one number up to, not including, another.
CREATE TABLE {schema}.journal_part (
    from_key bigint PRIMARY KEY,
    to_key   bigint NOT NULL,
    name     text NOT NULL
);

-- For people: what a task is.
CREATE FUNCTION {schema}.task_name(task bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (ARRAY['attempt', 'poll', 'rescue', 'on_failure', 'finally', 'node-deadline', 'run-deadline', 'deliver',
                  'reduce', 'undo', 'wake', 'grace', 'admit'])[(task >> 59) + 1]
        || ' node ' || ((task >> 32) & 134217727) || ' #' || (task & 4294967295)
$$;

CREATE VIEW {schema}.run_list AS
    SELECT s.name AS id, r.flow, r.status,
           (ARRAY['running', 'held', 'stopping', 'killed'])[s.control + 1] AS control,
           to_timestamp(r.started_at / 1000.0) AS started_at, to_timestamp(r.ended_at / 1000.0) AS ended_at,
           s.len AS events, r.labels,
           CASE WHEN r.output_codec = 'json' THEN convert_from(r.output, 'UTF8') END AS output
    FROM {schema}.run r JOIN {schema}.scope s ON s.id = r.key
    WHERE r.status <> 'deleted'
    ORDER BY r.key DESC;

CREATE VIEW {schema}.queue AS
    SELECT s.name AS scope, {schema}.task_name(t.task) AS task,
           (ARRAY['later', 'ready', 'in hand', 'held'])[t.state + 1] AS state,
           CASE WHEN t.due > 0 THEN to_timestamp(t.due / 1000.0) END AS due,
           w.name AS worker, t.lane, t.priority, t.token AS claims, t.deaths
    FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.scope LEFT JOIN {schema}.worker w ON w.id = t.holder
    ORDER BY t.priority DESC, t.ticket;
