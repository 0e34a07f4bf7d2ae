//! A line in which most wait behind keys that are full: a claim steps over those.

use crate::large::{Full, rows_looked_at};
use vastflow_core::Task;
use vastflow_store::{Claim, Commit, Control, WindowOf};
use vastflow_testsuite::fixture::{self, ALICE, LEASE, Story, T0};

/// So many runs, from key 1001 on, of which the first have begun and the others wait in line. `key` and `priority` say of
/// the n-th what they are.
async fn queue(full: &Full, count: u32, begun: u32, key: &str, priority: &str) {
    let sql = format!(
        "INSERT INTO {{schema}}.scope (id, run, name, len, control, revision, plan, priority)
         SELECT 1000 + n, 1000 + n, 'in-line-' || n, 1, 0, 0, 1, {priority} FROM generate_series(1, {count}) n;
         INSERT INTO {{schema}}.run (key, flow, plan, run_key, status, started_at)
         SELECT 1000 + n, p.flow, 1, {key}, 'running', 0 FROM {{schema}}.plan p, generate_series(1, {count}) n;
         INSERT INTO {{schema}}.task (run, scope, task, ticket, due, since, token, plan, priority, class, state, lane)
         SELECT r.key, r.key, 12::bigint << 59, 100000 + r.key, 0, 0, 0, 1, s.priority, 1, 1, coalesce(r.run_key, '')
         FROM {{schema}}.run r JOIN {{schema}}.scope s ON s.id = r.key WHERE r.key > 1000 + {begun}"
    );
    full.run(&sql).await;
}

/// Which runs are let in, with a window of so many for each key and, if it has one, for the flow; and at how many rows a
/// claim looked for that.
async fn let_in(full: &mut Full, of_key: i64, of_flow: Option<i64>) -> (Vec<i64>, i64) {
    let schema = full.schema.clone();
    let transaction = full.client.transaction().await.unwrap();
    // As a claim has it.
    let set = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL plan_cache_mode = force_generic_plan";
    transaction.batch_execute(set).await.unwrap();
    let windows = match of_flow {
        Some(of_flow) => format!("'{{2, 1}}', ARRAY[p.flow, p.flow], '{{{of_key}, {of_flow}}}'"),
        None => format!("'{{2}}', ARRAY[p.flow], '{{{of_key}}}'"),
    };
    let admit = format!("SELECT a.run FROM {schema}.plan p, {schema}.admit_1('{{}}', {windows}) a WHERE p.nr = 1");
    let before = rows_looked_at(&transaction, &schema).await;
    let runs: Option<Vec<i64>> = transaction.query_one(&admit, &[]).await.unwrap().get(0);
    (runs.unwrap_or_default(), rows_looked_at(&transaction, &schema).await - before)
}

/// Ten thousand keys, each with one run begun and three in line, and behind them all a few that may begin.
#[tokio::test]
async fn every_key_is_full_but_the_last() {
    let mut full = Full::new().await;
    // The last five: another key twice, one without a key, a third key, and one more of a full key.
    let key = "CASE WHEN n <= 40000 THEN 'k' || n % 10000 ELSE (ARRAY['x', 'x', NULL, 'y', 'k7'])[n - 40000] END";
    let priority = "CASE WHEN n <= 40000 THEN 9 WHEN n = 40004 THEN 5 ELSE 1 END";
    queue(&full, 40_005, 10_000, key, priority).await;
    let (runs, looked) = let_in(&mut full, 1, None).await;
    assert_eq!(runs, [41_004, 41_001, 41_003], "by priority, then as they came, one of a key");
    // Some a key for those that are full, of 40,000 that wait and have begun.
    assert!(looked < 60_000, "{looked} rows were looked at");
    // One other run of the flow has begun, too.
    let (runs, _) = let_in(&mut full, 1, Some(10_003)).await;
    assert_eq!(runs, [41_004, 41_001], "the flow's window has two places");
    let (runs, _) = let_in(&mut full, 2, None).await;
    assert!(runs.iter().copied().eq(11_001..11_257), "no more than a claim gives, the first of the line");
}

/// One key has a hundred thousand runs in line, and the run of another waits behind them.
#[tokio::test]
async fn very_many_of_one_key() {
    let mut full = Full::new().await;
    queue(&full, 100_002, 1, "CASE WHEN n = 100002 THEN 'other' ELSE 'hot' END", "0").await;
    let (runs, looked) = let_in(&mut full, 1, None).await;
    assert_eq!(runs, [101_002]);
    assert!(looked < 5_000, "{looked} rows were looked at");
    // A key with room is counted once, not for each run that is let in.
    let (runs, looked) = let_in(&mut full, 100, None).await;
    assert!(runs.iter().copied().eq((1_002..1_101).chain([101_002])), "{runs:?}");
    assert!(looked < 500_000, "{looked} rows were looked at");
}

/// A window counts what is in flight, not what has not ended or waits.
#[tokio::test]
async fn very_many_that_wait_for_a_window() {
    let mut full = Full::new().await;
    queue(&full, 50_000, 3, "NULL", "0").await;
    // Three and the one that was there from the beginning are in flight.
    let (runs, looked) = let_in(&mut full, 1, Some(6)).await;
    assert_eq!(runs, [1_004, 1_005]);
    assert!(looked < 3_000, "{looked} rows were looked at");
    let (runs, looked) = let_in(&mut full, 1, Some(4)).await;
    assert!(runs.is_empty() && looked < 100, "{runs:?}, {looked} rows were looked at");
}

/// The runs of which the tables say otherwise than their tasks whether they wait in line.
const WRONG: &str = "SELECT count(*) FROM {schema}.run r WHERE r.waits <> EXISTS (
    SELECT FROM {schema}.task t WHERE t.run = r.key AND t.class = 1 AND t.state <> 2)";
const WAIT: &str = "SELECT count(*) FROM {schema}.run WHERE waits";

async fn expect(full: &Full, wait: i64, what: &str) {
    assert_eq!((full.number(WAIT).await, full.number(WRONG).await), (wait, 0), "{what}");
}

fn window(most: usize) -> Claim {
    Claim { windows: vec![(WindowOf::All, most)].into(), ..Claim::new(ALICE, 0, LEASE, T0) }
}

/// Whatever becomes of who waits in line, the tables know.
#[tokio::test]
async fn who_waits_is_noted() {
    let full = Full::new().await;
    let probe = &full.probe;
    let mut stories: Vec<Story> = (0..6).map(|run| Story::new(fixture::plan(), &format!("q{run}"))).collect();
    for story in &mut stories {
        story.queued = true;
        probe.done(story.start()).await;
    }
    expect(&full, 6, "all are in line").await;
    // The one that was there before is in flight, too.
    let inside = probe.claim_with(window(4)).await.tasks;
    assert_eq!(inside.len(), 3);
    expect(&full, 3, "three are let in").await;
    probe.release(&inside[..1]).await;
    expect(&full, 4, "one was given back").await;
    probe.done(stories[1].answer(&inside[1])).await;
    expect(&full, 4, "one goes on").await;
    let hold = Commit { control: Some(Control::Held), ..fixture::commit(&stories[5].scope, stories[5].state.len().0) };
    probe.done(hold).await;
    expect(&full, 4, "one is held, and is in line still").await;
    probe.done(stories[4].finish(Task::Admit)).await;
    expect(&full, 3, "one goes on without having been let in").await;
    probe.sweep(T0.plus(LEASE * 2)).await;
    expect(&full, 4, "one that was let in was in dead hands").await;
    let windows = probe.claim_with(window(9)).await.windows;
    assert_eq!(windows[0].in_flight, 6, "all but the one that is held");
    expect(&full, 1, "the one that is held").await;
}

/// Tables that an older version made, with runs in line and in flight.
#[tokio::test]
async fn who_waits_is_noted_in_older_tables() {
    let mut full = Full::new().await;
    full.run(
        "DROP FUNCTION {schema}.note_waits() CASCADE; DROP INDEX {schema}.run_in_flight;
         ALTER TABLE {schema}.run DROP COLUMN waits;
         CREATE INDEX run_under_way ON {schema}.run (flow, run_key, key) WHERE ended_at IS NULL;
         CREATE INDEX task_admit ON {schema}.task (plan, lane) WHERE state <> 2 AND class = 1;
         DELETE FROM {schema}.migration WHERE version = 8",
    )
    .await;
    queue(&full, 50, 20, "NULL", "0").await;
    full.probe = full.probe.reopen().await;
    expect(&full, 30, "as they stood").await;
    assert_eq!(full.probe.claim_with(window(31)).await.tasks.len(), 10, "there are 21 in flight");
    expect(&full, 20, "and it is kept from now on").await;
}
