//! Deleting runs that are over.

use crate::fixture::{self, Story, after, attempt, inner, message, name, root};
use crate::probe::{ALL, Probe};
use vastflow_core::Seq;
use vastflow_store::{Commit, Committed, Doomed, Durability, Keep, Prune, RunQuery};

/// Runs a flow of one node from start to end, each a second after the one before.
async fn finished(probe: &Probe, runs: impl IntoIterator<Item = (&'static str, &'static str, u64)>) {
    for (run, flow, seconds) in runs {
        let mut story = Story::new(fixture::chain(flow), run);
        probe.put_plan(&story.plan).await;
        story.now = after(seconds);
        story.info.labels = vec![("team".into(), "red".into())];
        probe.done(story.start()).await;
        for node in 0..3 {
            probe.done(story.finish(attempt(node, 1))).await;
        }
    }
}

/// Asks until nothing is left to delete; how many went.
async fn prune(probe: &Probe, which: Doomed) -> usize {
    let ask = Prune { which, limit: ALL };
    let mut runs = 0;
    loop {
        let pruned = probe.store().prune(&ask).await.expect("a store that can delete");
        runs += pruned.runs;
        if !pruned.more {
            return runs;
        }
    }
}

fn named(runs: &[&str]) -> Doomed {
    Doomed::Runs(runs.iter().map(|run| fixture::run_id(run)).collect())
}

async fn left(probe: &Probe) -> Vec<String> {
    let rows = probe.page(&RunQuery::default()).await.rows;
    rows.into_iter().rev().map(|row| row.id.to_string()).collect()
}

async fn later(probe: Probe) -> Probe {
    let survives = probe.store().capabilities().durability >= Durability::Synced;
    if survives { probe.reopen().await } else { probe }
}

/// A deleted run is nowhere: not in a list, not by its id, label or journal, and not in the counts.
pub async fn nothing_is_left_of_it(probe: Probe) {
    finished(&probe, [("a", "chain", 0), ("b", "chain", 1)]).await;
    assert_eq!(prune(&probe, named(&["a", "a", "unknown"])).await, 1);
    let mut probe = probe;
    for _ in 0..2 {
        assert_eq!(left(&probe).await, ["b"]);
        assert!(probe.history(&root("a")).await.is_empty());
        assert!(probe.store().run(&fixture::run_id("a")).await.unwrap().is_none());
        assert_eq!(probe.counts().await.succeeded, 1);
        let red = RunQuery { labels: vec![("team".into(), "red".into())], ..RunQuery::default() };
        assert_eq!(probe.page(&red).await.rows.len(), 1);
        assert_eq!(prune(&probe, named(&["a"])).await, 0);
        probe = later(probe).await;
    }
}

/// The id of a deleted run is free: another may have it, and what was of the first is not the second's.
pub async fn its_id_is_free(probe: Probe) {
    let mut probe = probe;
    for round in 0..3 {
        finished(&probe, [("a", "chain", round)]).await;
        probe.done(fixture::commit(&inner("a", "1"), 0)).await;
        assert_eq!(probe.history(&root("a")).await.len(), 5);
        assert_eq!(prune(&probe, named(&["a"])).await, 1);
        probe = later(probe).await;
        assert!(probe.history(&inner("a", "1")).await.is_empty());
    }
    let mut story = probe.begin("a").await;
    probe = later(probe).await;
    probe.done(story.finish(attempt(0, 1))).await;
    assert_eq!(probe.row(story.scope.run()).await.len, Seq(2));
}

/// A run that goes on stays, and so does one in which something is left to do.
pub async fn what_goes_on_stays(probe: Probe) {
    finished(&probe, [("over", "chain", 0)]).await;
    probe.begin("going").await;
    let mut story = Story::new(fixture::plan(), "told");
    probe.done(story.start()).await;
    for node in 0..3 {
        let mut commit = story.finish(attempt(node, 1));
        commit.messages = if node == 2 { vec![message(&inner("told", "1"), 1)] } else { Vec::new() };
        probe.done(commit).await;
    }
    let all = Keep { newest: Some(0), ..Keep::default() };
    assert_eq!(prune(&probe, Doomed::Old(all)).await, 1);
    assert_eq!(prune(&probe, named(&["going", "told"])).await, 0);
    let probe = later(probe).await;
    assert_eq!(left(&probe).await, ["going", "told"]);
    let mut delivery = probe.claim(0).await;
    let claimed = delivery.pop().expect("a delivery");
    let mut settle = fixture::commit(&claimed.scope, 0);
    settle.settle.push((claimed.task, claimed.token));
    probe.done(settle).await;
    assert_eq!(prune(&probe, named(&["going", "told"])).await, 1);
    assert_eq!(left(&probe).await, ["going"]);
}

/// By age: those that ended before a moment go, of one flow, of all, of all but some.
pub async fn the_old_go(probe: Probe) {
    finished(&probe, [("a", "x", 0), ("b", "y", 0), ("c", "x", 5), ("d", "y", 5), ("e", "z", 0)]).await;
    let keep = |flow: Option<&str>, except: &[&str]| {
        let (flow, except) = (flow.map(name), except.iter().copied().map(name).collect());
        Doomed::Old(Keep { flow, except, ended_since: Some(after(5)), newest: None })
    };
    assert_eq!(prune(&probe, keep(Some("x"), &[])).await, 1);
    assert_eq!(left(&probe).await, ["b", "c", "d", "e"]);
    assert_eq!(prune(&probe, keep(None, &["y"])).await, 1);
    assert_eq!(left(&probe).await, ["b", "c", "d"]);
    assert_eq!(prune(&probe, keep(None, &[])).await, 1);
    assert_eq!(left(&probe).await, ["c", "d"]);
    assert_eq!(prune(&probe, keep(None, &[])).await, 0);
}

/// By number: the newest stay, of one flow or of all.
pub async fn too_many_go(probe: Probe) {
    finished(&probe, [("a", "x", 0), ("b", "y", 1), ("c", "x", 2), ("d", "y", 3), ("e", "x", 4)]).await;
    let keep = |flow: Option<&str>, newest| {
        Doomed::Old(Keep { flow: flow.map(name), newest: Some(newest), ..Keep::default() })
    };
    assert_eq!(prune(&probe, keep(Some("x"), 9)).await, 0);
    assert_eq!(prune(&probe, keep(Some("x"), 2)).await, 1);
    assert_eq!(left(&probe).await, ["b", "c", "d", "e"]);
    assert_eq!(prune(&probe, keep(None, 3)).await, 1);
    assert_eq!(left(&probe).await, ["c", "d", "e"]);
    assert_eq!(prune(&probe, keep(None, 0)).await, 3);
    assert!(left(&probe).await.is_empty());
}

/// A call deletes no more than it may, and says whether it should be asked again.
pub async fn a_call_keeps_to_its_limit(probe: Probe) {
    finished(&probe, [("a", "x", 0), ("b", "x", 0), ("c", "x", 0)]).await;
    let which = Doomed::Old(Keep { newest: Some(0), ..Keep::default() });
    let ask = Prune { which, limit: 2 };
    let pruned = probe.store().prune(&ask).await.unwrap();
    assert_eq!((pruned.runs, pruned.more), (2, true));
    assert_eq!(left(&probe).await.len(), 1);
    assert_eq!(probe.store().prune(&ask).await.unwrap().runs, 1);
}

/// A commit that was meant for a deleted run finds none.
pub async fn late_commits_find_nothing(probe: Probe) {
    let mut story = probe.begin("a").await;
    let commits: Vec<Commit> = (0..3).map(|node| story.finish(attempt(node, 1))).collect();
    for commit in &commits {
        probe.done(commit.clone()).await;
    }
    assert_eq!(prune(&probe, named(&["a"])).await, 1);
    let probe = later(probe).await;
    for late in commits {
        probe.refused(late, Committed::Conflict { len: Seq::ZERO }).await;
    }
    probe.begin("a").await;
}
