//! A line in which most wait behind keys that are full: a claim steps over those.

use crate::large::{Full, rows_looked_at};

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
    // Some three a key for those that are full, of 40,000 that wait and have begun.
    assert!(looked < 80_000, "{looked} rows were looked at");
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
