//! Batches that are in nobody's way, when somebody is in theirs after all.

use crate::races::client;
use crate::support::Place;
use std::sync::Arc;
use std::time::Duration;
use vastflow_postgres::tokio_postgres::{Client, Transaction};
use vastflow_store::{Commit, Committed, Control};
use vastflow_testsuite::fixture::{self, Story, T0, attempt, root};
use vastflow_testsuite::{Probe, TaskView};

/// A store, and another session that does something in a transaction.
struct Rig {
    probe: Probe,
    other: Client,
    schema: String,
}

impl Rig {
    async fn new() -> Self {
        let place = Place::fresh();
        let schema = place.schema();
        Rig { probe: Probe::open(Arc::new(place)).await, other: client().await, schema }
    }

    /// The answer to a commit that waits until the other session has committed what `sql` does.
    async fn beside(&mut self, sql: &str, commit: Commit) -> Committed {
        let sql = sql.replace("{schema}", &self.schema);
        let other: Transaction<'_> = self.other.transaction().await.unwrap();
        other.batch_execute(&sql).await.unwrap();
        let (committed, answer) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                other.commit().await
            },
            self.probe.ask(commit)
        );
        committed.unwrap();
        answer
    }
}

/// A run is held while a commit waits for it: what that queues is held.
#[tokio::test]
async fn a_word_that_changes_while_a_commit_waits_is_read() {
    let mut rig = Rig::new().await;
    let mut story = rig.probe.begin("r").await;
    let hold = format!("SELECT {{schema}}.control_1(key, 1::smallint, {0}, {0}) FROM {{schema}}.run", T0.millis());
    let answer = rig.beside(&hold, story.finish(attempt(0, 1))).await;
    assert!(matches!(answer, Committed::Done { control } if control.control == Control::Held), "{answer:?}");
    assert!(rig.probe.claim(9).await.is_empty(), "nothing of a held run is handed out");
    let task = rig.probe.task(&root("r"), attempt(1, 1)).await;
    assert!(matches!(task, Some(TaskView { .. })), "and it is there: {task:?}");
}

/// The journal grows while a commit waits for it: that is a conflict, and nothing of it is written.
#[tokio::test]
async fn a_journal_that_grows_while_a_commit_waits_is_a_conflict() {
    let mut rig = Rig::new().await;
    let mut story = rig.probe.begin("r").await;
    let before = rig.probe.tasks(&root("r")).await;
    let answer = rig.beside("UPDATE {schema}.scope SET len = len + 1", story.finish(attempt(0, 1))).await;
    assert!(matches!(answer, Committed::Conflict { .. }), "{answer:?}");
    assert_eq!(rig.probe.tasks(&root("r")).await, before);
}

/// A task changes hands while a commit that settles it waits: it is fenced, and nothing of it is written, nor of
/// what came with it taken back.
#[tokio::test]
async fn a_task_that_changes_hands_while_a_commit_waits_is_a_fence() {
    let mut rig = Rig::new().await;
    let mut story = rig.probe.begin("r").await;
    let claimed = rig.probe.claim_one().await;
    let history = rig.probe.history(&root("r")).await;
    let answer = rig.beside("UPDATE {schema}.task SET token = token + 1", story.answer(&claimed)).await;
    assert_eq!(answer, Committed::Fenced);
    assert_eq!(rig.probe.history(&root("r")).await, history);
    assert_eq!(rig.probe.fleet().await.fenced, 1, "and it is counted");
}

/// A run begins while another start of it waits: one of them has begun it.
#[tokio::test]
async fn a_run_that_begins_while_its_start_waits_is_there() {
    let mut rig = Rig::new().await;
    rig.probe.begin("other").await;
    let begin = "INSERT INTO {schema}.scope (id, run, name, len, control, revision, plan, priority)
                 SELECT n, n, 'r', 2, 0, 0, 1, 0 FROM nextval('{schema}.scope_id') n";
    let answer = rig.beside(begin, fixture::start_commit("r")).await;
    assert!(matches!(answer, Committed::Conflict { len } if len.0 == 2), "{answer:?}");
}

/// What is in nobody's way asks for no closer look, and what is in somebody's does.
#[tokio::test]
async fn only_what_is_in_the_way_is_looked_at_closely() {
    let rig = Rig::new().await;
    rig.probe.begin("b").await;
    let answers = rig.probe.answers(["a", "b", "c"].map(fixture::start_commit).into()).await;
    assert!(matches!(answers[..], [Committed::Done { .. }, Committed::Conflict { .. }, Committed::Done { .. }]));
    rig.other.batch_execute(&format!("DROP FUNCTION {}.commit_2", rig.schema)).await.unwrap();
    let answers = rig.probe.answers(["d", "e"].map(fixture::start_commit).into()).await;
    assert!(answers.iter().all(|answer| matches!(answer, Committed::Done { .. })));
    let answers = rig.probe.batch(["f", "b", "g"].map(fixture::start_commit).into()).await;
    assert!(answers.iter().all(|(_, answer)| answer.is_err()), "there is nobody to look: {answers:?}");
}

/// Whatever order a batch is written in, its runs begin, and its tasks queue, in the order in which they were submitted.
#[tokio::test]
async fn a_batch_keeps_its_order() {
    let rig = Rig::new().await;
    let names = ["m", "z", "a", "k"];
    let mut stories: Vec<Story> = Vec::new();
    for name in names {
        stories.push(rig.probe.begin(name).await);
    }
    let mut batch: Vec<Commit> = stories.iter_mut().map(|story| story.finish(attempt(0, 1))).collect();
    batch.extend(["y", "b"].map(fixture::start_commit));
    assert_eq!(rig.probe.answers(batch).await.len(), 6);
    let claimed = rig.probe.claim(9).await;
    let order: Vec<String> = claimed.iter().map(|task| task.scope.to_string()).collect();
    assert_eq!(order, ["m", "z", "a", "k", "y", "b"]);
    let keys = [rig.probe.row(&fixture::run_id("y")).await.key, rig.probe.row(&fixture::run_id("b")).await.key];
    assert!(keys[0] < keys[1], "{keys:?}");
}
