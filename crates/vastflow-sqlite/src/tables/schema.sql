-- The tables of a vastflow store. They follow the engine by a fraction of a second; until then the log files beside
-- this one hold the truth. Read them as you like while the engine runs:
--
--   sqlite3 app.db "SELECT * FROM run_list LIMIT 20"
--   sqlite3 app.db "SELECT first, what FROM journal WHERE run = (SELECT key FROM runs WHERE id = 'order-4711')"
--
-- Do not write to them while the engine runs, and do not keep a write transaction open: the engine would wait for it.
-- Payloads have no column type, so that SQLite leaves them as they are (it would make the text 7.0 a number).
-- Times are milliseconds since 1970 in UTC; the view run_list shows them as text.

-- format: the version of this layout. id: a random number by which the log files are known to be of this store.
-- watermark: the last batch of the log that is in these tables. succeeded, failed, stopped: how many runs of that status
-- there are. syncs: how often a part of the log was let go.
-- pruned: the highest key of a run that was deleted, so that none gets it again.
CREATE TABLE meta(
    key         TEXT PRIMARY KEY,
    value       INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO meta(key, value) VALUES ('watermark', 0), ('succeeded', 0), ('failed', 0), ('stopped', 0), ('pruned', -1),
       ('format', 2), ('id', random());

-- The structure of every flow that ever ran here, as JSON.
CREATE TABLE plans(
    hash        TEXT PRIMARY KEY,
    flow        TEXT NOT NULL,
    json        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs(
    key         INTEGER PRIMARY KEY,        -- the order of starts
    id          TEXT NOT NULL UNIQUE,
    flow        TEXT NOT NULL,
    plan        TEXT NOT NULL,              -- plans.hash
    status      TEXT NOT NULL,              -- queued, running, paused, needs-attention, stopping, succeeded, failed, stopped
    control     TEXT NOT NULL,              -- running, held, stopping, killed
    revision    INTEGER NOT NULL,           -- how often control was changed
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    events      INTEGER NOT NULL,           -- the length of its journal, without inner scopes
    input,                                  -- JSON as text, other bytes as a blob
    output,
    error       TEXT,                       -- why it failed or was stopped
    labels      TEXT,                       -- a JSON object
    start_rest  BLOB NOT NULL,              -- what the engine needs besides, in postcard's format
    end_rest    BLOB NOT NULL
);

CREATE INDEX runs_by_flow ON runs(flow);
-- Most runs succeed, and are found by their key; the others are looked for.
CREATE INDEX runs_by_status ON runs(status)
    WHERE status = 'queued' OR status = 'running' OR status = 'paused' OR status = 'needs-attention' OR status = 'stopping'
        OR status = 'failed' OR status = 'stopped';

CREATE INDEX runs_by_end ON runs(ended_at) WHERE ended_at IS NOT NULL;

-- Runs that were deleted, whose journals are being deleted too.
CREATE TABLE pruned(
    run         INTEGER PRIMARY KEY
);

CREATE TABLE labels(
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    run         INTEGER NOT NULL,           -- runs.key
    PRIMARY KEY (key, value, run)
) WITHOUT ROWID;

-- What happened, a row for each scope of a run and each time the tables were brought up to date.
CREATE TABLE journal(
    run         INTEGER NOT NULL,           -- runs.key
    path        TEXT NOT NULL,              -- the scope inside the run; empty for the run itself
    first       INTEGER NOT NULL,           -- how many events of the scope come before
    at          INTEGER NOT NULL,           -- when the first of them was recorded
    what        TEXT NOT NULL,              -- the kinds of the events
    ended       INTEGER,                    -- 1 when the scope is over after them, 0 when it was opened again
    events      BLOB NOT NULL,              -- the events, in the engine's format
    PRIMARY KEY (run, path, first)
) WITHOUT ROWID;

-- Messages between the scopes of a run that wait to be delivered. Most are delivered before they would be written.
CREATE TABLE inbox(
    run         INTEGER NOT NULL,           -- runs.key
    path        TEXT NOT NULL,              -- to which scope
    n           INTEGER NOT NULL,           -- the order in which they came
    source      TEXT NOT NULL,              -- from which scope
    kind        INTEGER NOT NULL,
    body,                                   -- JSON as text, other bytes as a blob
    is_json     INTEGER NOT NULL,
    PRIMARY KEY (run, path, n)
) WITHOUT ROWID;

CREATE VIEW run_list AS
SELECT id, flow, status, control,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch') AS started,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') AS ended,
       ended_at - started_at AS took_ms,
       input, output, error, labels
FROM runs ORDER BY key DESC;
