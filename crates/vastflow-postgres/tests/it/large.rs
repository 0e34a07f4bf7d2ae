//! Much of something: no call of the server may grow with it.

use crate::races::client;
use crate::support::Place;
use std::ops::Range;
use std::sync::Arc;
use vastflow_core::{Codec, Payload};
use vastflow_postgres::PostgresStore;
use vastflow_postgres::tokio_postgres::Client;
use vastflow_store::{Claim, Committed, Message, Store, Turn};
use vastflow_testsuite::Probe;
use vastflow_testsuite::fixture::{self, ALICE, LEASE, T0};
use vastflow_testsuite::servers::Postgres;

/// A store with one run, and a look into its tables.
struct Full {
    probe: Probe,
    client: Client,
    schema: String,
}

impl Full {
    async fn new() -> Self {
        let place = Place::fresh();
        let schema = place.schema();
        let probe = Probe::open(Arc::new(place)).await;
        probe.begin("r").await;
        Full { probe, client: client().await, schema }
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(&sql.replace("{schema}", &self.schema)).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
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
