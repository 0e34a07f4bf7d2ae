//! Much of something: no call of the server may grow with it.

use crate::races::client;
use crate::support::Place;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::event::Call;
use vastflow_core::{Codec, Event, NodeIx, Payload, Seq};
use vastflow_postgres::PostgresStore;
use vastflow_postgres::tokio_postgres::{Client, Transaction};
use vastflow_store::{Claim, Committed, Control, Counts, Doomed, Message, Prune, RunQuery, Store, StoreError, Turn};
use vastflow_testsuite::Probe;
use vastflow_testsuite::fixture::{self, ALICE, LEASE, Story, T0, after, attempt, inner, root};
use vastflow_testsuite::servers::Postgres;

/// A store with one run, and a look into its tables.
pub(crate) struct Full {
    pub(crate) probe: Probe,
    pub(crate) client: Client,
    pub(crate) schema: String,
}

impl Full {
    pub(crate) async fn new() -> Self {
        let place = Place::fresh();
        let schema = place.schema();
        let probe = Probe::open(Arc::new(place)).await;
        probe.begin("r").await;
        Full { probe, client: client().await, schema }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(&sql.replace("{schema}", &self.schema)).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(&sql.replace("{schema}", &self.schema), &[]).await.unwrap().get(0)
    }

    /// So many tasks like the one that the run has, but for what `columns` say.
    async fn more_tasks(&self, count: usize, columns: &str) {
        let names = "run, scope, task, ticket, due, since, holder, turn, token, plan, priority, class, state";
        let like = names.split(", ").map(|name| {
            let said = columns.split(", ").find_map(|column| column.strip_prefix(&format!("{name} = ")));
            said.unwrap_or(if name == "task" { "task + n" } else { name }).to_owned()
        });
        let like: Vec<String> = like.collect();
        let insert = format!(
            "INSERT INTO {{schema}}.task ({names}) SELECT {} FROM {{schema}}.task, generate_series(1, {count}) n",
            like.join(", ")
        );
        self.run(&insert).await;
    }
}

/// How many rows a session has looked at, since some time before this transaction.
pub(crate) async fn rows_looked_at(transaction: &Transaction<'_>, schema: &str) -> i64 {
    let looked = format!(
        "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables WHERE schemaname = '{schema}'"
    );
    transaction.query_one(&looked, &[]).await.unwrap().get(0)
}

/// Half a million timers that are due together become visible bit by bit, and each claim says that there is more.
#[tokio::test]
async fn very_many_timers_at_once() {
    let full = Full::new().await;
    full.more_tasks(10_000, &format!("state = 0, due = {} - n", T0.millis())).await;
    let ready = "SELECT count(*) FROM {schema}.task WHERE state = 1";
    for wanted in [4_097, 8_193, 10_001] {
        let claims = full.probe.claim_at(T0, 0).await;
        assert_eq!(full.number(ready).await, wanted);
        assert!(claims.more);
        assert_eq!(claims.next_due.is_some_and(|due| due <= T0), wanted < 10_001, "the next look is at once");
    }
    assert_eq!(full.probe.claim_at(T0, 20_000).await.tasks.len(), 10_001, "and none is left out");
}

/// A claim after one whose answer was lost looks at what that gave, not at all that there is.
#[tokio::test]
async fn a_lost_answer_among_many_tasks() {
    let mut full = Full::new().await;
    full.more_tasks(5_000, &format!("state = 2, holder = {}", ALICE.0)).await;
    full.probe.claim_with(Claim { turn: Some(Turn { number: 1, heard: 0 }), ..Claim::new(ALICE, 9, LEASE, T0) }).await;
    let schema = full.schema.clone();
    let transaction = full.client.transaction().await.unwrap();
    let turn =
        format!("SELECT given_back FROM {schema}.take_turn_1({0}, {0}, {1}, 1000, 0, 2, 0)", T0.millis(), ALICE.0);
    let given_back: i64 = transaction.query_one(&turn, &[]).await.unwrap().get(0);
    let looked = format!(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE schemaname = '{schema}' AND relname = 'task'"
    );
    let looked: i64 = transaction.query_one(&looked, &[]).await.unwrap().get(0);
    assert!(given_back == 1 && looked < 100, "{given_back} came back, {looked} rows were looked at");
}

/// However much is submitted at once, each call of the server carries so many commits, and so many bytes, as it can.
#[tokio::test]
async fn a_very_large_batch() {
    let store = Arc::new(PostgresStore::open(&Postgres::shared().fresh_url()).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let probe = Probe::open(Arc::new(Arc::clone(&store) as Arc<dyn Store>)).await;
    let starts = |runs: Range<usize>| runs.map(|run| fixture::start_commit(&format!("r{run}"))).collect::<Vec<_>>();
    let trips = || store.round_trips();
    let before = trips();
    assert_eq!(probe.answers(starts(0..2_000)).await.len(), 2_000);
    assert!(trips() >= before + 4, "2,000 in parts of 512");
    let mut large = starts(2_000..2_030);
    for commit in &mut large {
        let to = commit.scope.clone();
        commit.messages = vec![Message { to, kind: 1, body: Payload::new(Codec::Bytes, vec![7; 1 << 20]) }];
    }
    let before = trips();
    let answers = probe.answers(large).await;
    assert!(answers.iter().all(|answer| matches!(answer, Committed::Done { .. })));
    assert!(trips() >= before + 4, "30 MiB in parts of 8");
}

/// A long journal is read in pages of about 1 MiB or 1,024 commits, and comes whole, or from any place on.
#[tokio::test]
async fn a_long_journal_is_read_in_pages() {
    let store = Arc::new(PostgresStore::open(&Postgres::shared().fresh_url()).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let probe = Probe::open(Arc::new(Arc::clone(&store) as Arc<dyn Store>)).await;
    for (run, count, bytes, pages) in [("many", 1_100, 10, 2), ("large", 20, 300_000, 5)] {
        probe.done(fixture::start_commit(run)).await;
        let begun = probe.row(&fixture::run_id(run)).await.len.0;
        for at in begun..begun + count {
            let mut commit = fixture::commit(&root(run), at);
            let output = Payload::new(Codec::Bytes, vec![7; bytes]);
            commit.events = vec![Event::NodeSucceeded { node: NodeIx(0), output, call: Call::default() }];
            probe.done(commit).await;
        }
        let (before, len) = (store.round_trips(), begun + count);
        let all = store.history(&root(run), Seq::ZERO, usize::MAX).await.unwrap();
        assert!(store.round_trips() - before >= pages, "{} calls", store.round_trips() - before);
        assert!(all.iter().map(|recorded| recorded.seq.0).eq(0..len), "{run}: {} of {len}", all.len());
        for (after, limit) in [(0, 1), (len - 1, 9), (len, 9), (len + 7, 9), (begun + 3, 12), (2, 1_050)] {
            let some = store.history(&root(run), Seq(after), limit).await.unwrap();
            let wanted = all.iter().skip(usize::try_from(after).unwrap()).take(limit);
            assert!(some.iter().eq(wanted), "{run}: {limit} after {after}");
        }
    }
}

/// A run that is deleted while its journal is read in pages is not there: the first pages are not taken for the whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_goes_while_it_is_read() {
    let url = Postgres::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let probe = Probe::open(Arc::new(Arc::clone(&store) as Arc<dyn Store>)).await;
    probe.done(fixture::start_commit("r")).await;
    let begun = probe.row(&fixture::run_id("r")).await.len.0;
    for at in begun..begun + 8 {
        let mut commit = fixture::commit(&root("r"), at);
        let output = Payload::new(Codec::Bytes, vec![7; 1 << 20]);
        commit.events = vec![Event::NodeSucceeded { node: NodeIx(0), output, call: Call::default() }];
        probe.done(commit).await;
    }
    let other = client().await;
    // Each page takes a while.
    let slow = format!(
        "CREATE OR REPLACE FUNCTION {schema}.key_of(name text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
         $$ BEGIN PERFORM pg_sleep(0.2); RETURN name; END $$"
    );
    other.batch_execute(&slow).await.unwrap();
    let before = store.round_trips();
    let read = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.history(&root("r"), Seq::ZERO, usize::MAX).await }
    });
    while store.round_trips() < before + 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!read.is_finished(), "the first of nine pages has come");
    other.batch_execute(&format!("UPDATE {schema}.scope SET control = 4")).await.unwrap();
    let why = read.await.unwrap().unwrap_err();
    assert!(matches!(why, StoreError::NotFound { .. }), "{why}");
    assert_eq!(store.history(&root("r"), Seq::ZERO, usize::MAX).await.unwrap(), [], "and then it has none");
}

/// One claim hands over about 8 MiB of mail, and says that there is more.
#[tokio::test]
async fn very_much_mail() {
    let probe = Probe::open(Arc::new(Place::fresh())).await;
    let mut commit = probe.begin("r").await.finish(attempt(0, 1));
    let letter = |key: usize| Message {
        to: inner("r", &key.to_string()),
        kind: 1,
        body: Payload::new(Codec::Bytes, vec![7; 1 << 20]),
    };
    commit.messages = (0..20).map(letter).collect();
    probe.done(commit).await;
    let mut counts = Vec::new();
    loop {
        let claims = probe.claim_at(T0, 0).await;
        counts.push(claims.tasks.len());
        if counts.iter().sum::<usize>() == 20 {
            break;
        }
        assert!(claims.more);
        assert!(claims.tasks.iter().all(|task| task.messages.len() == 1));
    }
    assert_eq!(counts, [8, 8, 4]);
}

/// A large run is deleted in steps; from the first on nobody sees it or appends to it.
#[tokio::test]
async fn a_large_run_is_deleted_in_steps() {
    let full = Full::new().await;
    let mut story = Story::load(fixture::plan(), "r", &full.probe.history(&root("r")).await);
    for node in 0..3 {
        full.probe.done(story.finish(attempt(node, 1))).await;
    }
    full.run(
        "INSERT INTO {schema}.scope (id, run, name, len)
         SELECT nextval('{schema}.scope_id'), key, 'r/each[' || n || ']', 1 FROM {schema}.run, generate_series(1, 9000) n;
         INSERT INTO {schema}.journal SELECT run, id, 0, 1, 0, gen_random_uuid(), '' FROM {schema}.scope WHERE id <> run",
    )
    .await;
    let ask = Prune { which: Doomed::Runs(vec![fixture::run_id("r")]), limit: 10 };
    let rows = "SELECT (SELECT count(*) FROM {schema}.journal) + (SELECT count(*) FROM {schema}.scope)";
    let (mut before, mut steps) = (full.number(rows).await, 0);
    loop {
        let pruned = full.probe.store().prune(&ask).await.unwrap();
        let left = full.number(rows).await;
        assert!(before - left < 5_000, "{} rows in one step", before - left);
        (before, steps) = (left, steps + 1);
        assert_eq!(pruned.runs, usize::from(!pruned.more));
        if !pruned.more {
            break;
        }
        assert!(full.probe.page(&RunQuery::default()).await.rows.is_empty());
        assert_eq!((full.probe.counts().await, full.probe.history(&root("r")).await), (Counts::default(), Vec::new()));
        let late = full.probe.store().commit(fixture::commit(&root("r"), 4)).await;
        assert!(late.unwrap_err().is_transient(), "it will be gone in a moment");
    }
    assert!(steps >= 5 && before == 0, "{steps} steps, {before} rows left");
    full.probe.begin("r").await;
}

/// What becomes due, or comes back, in a held run is kept back, so that claims do not look at it again and again.
#[tokio::test]
async fn very_many_timers_of_a_held_run() {
    let full = Full::new().await;
    let claimed = full.probe.claim_one().await;
    full.more_tasks(200, &format!("state = 0, holder = NULL, due = {} + n", T0.millis())).await;
    let mut hold = fixture::commit(&root("r"), 1);
    hold.control = Some(Control::Held);
    full.probe.done(hold).await;
    full.probe.release(&[claimed]).await;
    full.probe.claim_at(after(1), 0).await;
    let in_state = |state: u8| format!("SELECT count(*) FROM {{schema}}.task WHERE state = {state}");
    assert_eq!((full.number(&in_state(1)).await, full.number(&in_state(0)).await), (0, 0));
    let mut resume = fixture::commit(&root("r"), 2);
    resume.control = Some(Control::Running);
    full.probe.done(resume).await;
    assert!(full.probe.claim_at(after(1), 1_000).await.tasks.len() > 200);
}

/// However many keys wait in line, and however many runs of a key that has no place are before them, a claim looks at a
/// few, and lets in the first that may.
#[tokio::test]
async fn very_many_keys_in_line() {
    let mut full = Full::new().await;
    full.run(
        "INSERT INTO {schema}.scope (id, run, name, len, control, revision, plan, priority)
         SELECT 1000 + n, 1000 + n, 'in-line-' || n, 1, 0, 0, 1, 0 FROM generate_series(1, 20000) n;
         INSERT INTO {schema}.run (key, flow, plan, run_key, status, started_at)
         SELECT s.id, p.flow, 1, CASE WHEN s.id <= 1600 THEN 'hot' ELSE s.name END, 'running', 0
         FROM {schema}.scope s, {schema}.plan p WHERE s.id > 1000;
         INSERT INTO {schema}.task (run, scope, task, ticket, due, since, token, plan, priority, class, state, lane)
         SELECT key, key, 12::bigint << 59, 100000 + key, 0, 0, 0, 1, 0, 1, 1, run_key FROM {schema}.run WHERE key > 1000",
    )
    .await;
    let schema = full.schema.clone();
    let transaction = full.client.transaction().await.unwrap();
    transaction.batch_execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off").await.unwrap();
    let admit = format!(
        "SELECT a.run FROM {schema}.plan p, {schema}.admit_1('{{}}', '{{2}}', ARRAY[p.flow], '{{1}}') a WHERE p.nr = 1"
    );
    let before = rows_looked_at(&transaction, &schema).await;
    let let_in: Vec<i64> = transaction.query_one(&admit, &[]).await.unwrap().get(0);
    let wanted: Vec<i64> = std::iter::once(1001).chain(1601..1601 + 255).collect();
    assert_eq!(let_in, wanted, "one of the key that all want, and the first of the others");
    let looked = rows_looked_at(&transaction, &schema).await - before;
    assert!(looked < 10_000, "{looked} rows were looked at");
}
