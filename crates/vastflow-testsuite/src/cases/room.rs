//! Room: lanes that calls queue in, and windows that runs wait in line for.

use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt, name};
use crate::probe::{ALL, Probe};
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, PlanSpec, Source};
use vastflow_core::run::Input;
use vastflow_core::{Plan, RunInfo, Task, Timestamp};
use vastflow_store::{Claim, Claimed, Claims, Commit, Control, LaneLimit, Rate, WindowOf};

/// Three nodes side by side, two of which queue in the lane `gpu`.
fn lanes() -> Arc<Plan> {
    let mut spec = PlanSpec::new(name("lanes"));
    for (node, lane) in [("a", Some("gpu")), ("b", None), ("c", Some("gpu"))] {
        let mut node = NodeSpec::new(name(node), NodeKind::Task);
        node.inputs.push(EdgeSpec::data(Source::Input));
        node.lane = lane.map(name);
        spec.nodes.push(node);
    }
    Arc::new(Plan::new(spec).expect("a plan"))
}

pub(super) async fn begin_lanes(probe: &Probe) -> Story {
    let plan = lanes();
    probe.begin_with(Story::new(plan, "r")).await
}

fn with_lanes(max: usize, rooms: &[(&str, usize)]) -> Claim {
    let lanes = rooms.iter().map(|(lane, room)| (name(lane), *room)).collect();
    Claim { lanes, ..Claim::new(ALICE, max, LEASE, T0) }
}

fn nodes(claims: &Claims) -> Vec<u32> {
    claims.tasks.iter().filter_map(|claimed| Some(claimed.task.node()?.0)).collect()
}

/// A worker that does not name a lane is not given what queues in it, and is not told that there is more.
pub async fn a_lane_is_served_by_those_who_know_it(probe: Probe) {
    begin_lanes(&probe).await;
    let claims = probe.claim_with(with_lanes(ALL, &[])).await;
    assert_eq!((nodes(&claims), claims.more), (vec![1], false));
    let claims = probe.claim_with(with_lanes(ALL, &[("cpu", 9)])).await;
    assert_eq!((nodes(&claims), claims.more), (vec![], false));
    let claims = probe.claim_with(with_lanes(ALL, &[("gpu", 9)])).await;
    assert_eq!(nodes(&claims), [0, 2]);
    assert!(claims.tasks.iter().all(|claimed| claimed.lane == Some(name("gpu"))));
}

/// A lane gives at most as many as the worker has room for in it. What waits for room is not there to claim.
pub async fn a_lane_gives_as_many_as_it_has_room_for(probe: Probe) {
    begin_lanes(&probe).await;
    let claims = probe.claim_with(with_lanes(ALL, &[("gpu", 1)])).await;
    assert_eq!((nodes(&claims), claims.more), (vec![0, 1], false));
    let claims = probe.claim_with(with_lanes(ALL, &[("gpu", 0)])).await;
    assert_eq!((nodes(&claims), claims.more), (vec![], false));
}

/// What is claimed of lanes counts for the maximum of the claim.
pub async fn lanes_count_for_the_maximum(probe: Probe) {
    begin_lanes(&probe).await;
    let claims = probe.claim_with(with_lanes(2, &[("gpu", 9)])).await;
    assert_eq!((nodes(&claims), claims.more), (vec![0, 1], true));
}

/// A task that is given back queues in its lane again.
pub async fn a_lane_survives_being_given_back(probe: Probe) {
    begin_lanes(&probe).await;
    let claims = probe.claim_with(with_lanes(1, &[("gpu", 9)])).await;
    probe.release(&claims.tasks).await;
    assert_eq!(nodes(&probe.claim_with(with_lanes(ALL, &[])).await), [1]);
    let mut again = nodes(&probe.claim_with(with_lanes(ALL, &[("gpu", 9)])).await);
    again.sort_unstable();
    assert_eq!(again, [0, 2]);
}

/// Begins runs of a flow that wait in line.
async fn line_up(probe: &Probe, flow: &str, runs: &[&str]) -> Vec<Story> {
    let plan = fixture::chain(flow);
    probe.put_plan(&plan).await;
    let mut stories = Vec::new();
    for run in runs {
        let mut story = Story::new(Arc::clone(&plan), run);
        story.queued = true;
        probe.done(story.start()).await;
        stories.push(story);
    }
    stories
}

fn windows(sizes: &[(Option<&str>, usize)]) -> Claim {
    let of = |flow: &Option<&str>| flow.map_or(WindowOf::All, |flow| WindowOf::Flow(name(flow)));
    with_windows(sizes.iter().map(|(flow, size)| (of(flow), *size)))
}

fn with_windows(windows: impl Iterator<Item = (WindowOf, usize)>) -> Claim {
    Claim { windows: windows.collect::<Vec<_>>().into(), ..Claim::new(BOB, ALL, LEASE, T0) }
}

/// Whether somebody stays in line.
fn is_full(claims: &Claims) -> bool {
    claims.windows.iter().any(|window| window.waits)
}

fn let_in(claims: &Claims) -> Vec<&str> {
    let admits = claims.tasks.iter().filter(|claimed| claimed.task == Task::Admit);
    admits.map(|claimed| claimed.scope.run().as_str()).collect()
}

/// The commit with which a run that was let in begins its work.
fn admitted(story: &mut Story, claims: &[Claimed]) -> Commit {
    let claimed = claims.iter().find(|claimed| claimed.scope == story.scope).expect("it was let in");
    let mut commit = story.tell(Input::Admit);
    commit.settle.push((claimed.task, claimed.token));
    commit
}

/// A full window lets nobody in, and the claim says so.
pub async fn a_window_lets_in_as_many_as_it_holds(probe: Probe) {
    let mut stories = line_up(&probe, "f", &["a", "b", "c"]).await;
    let claims = probe.claim_with(windows(&[(Some("f"), 2)])).await;
    assert_eq!((let_in(&claims), is_full(&claims)), (vec!["a", "b"], true));
    for story in &mut stories[..2] {
        probe.done(admitted(story, &claims.tasks)).await;
    }
    let claims = probe.claim_with(windows(&[(Some("f"), 2)])).await;
    assert_eq!((let_in(&claims), is_full(&claims)), (vec![], true));
    let claims = probe.claim_with(windows(&[(Some("f"), 3)])).await;
    assert_eq!((let_in(&claims), is_full(&claims)), (vec!["c"], false));
}

/// The end of a run makes room for the next.
pub async fn what_ends_makes_room(probe: Probe) {
    let mut stories = line_up(&probe, "f", &["a", "b"]).await;
    let claims = probe.claim_with(windows(&[(None, 1)])).await;
    probe.done(admitted(&mut stories[0], &claims.tasks)).await;
    for node in 0..3 {
        assert!(let_in(&probe.claim_with(windows(&[(None, 1)])).await).is_empty());
        probe.done(stories[0].finish(attempt(node, 1))).await;
    }
    assert_eq!(let_in(&probe.claim_with(windows(&[(None, 1)])).await), ["b"]);
}

/// A full window of one flow does not hold back another, unless all together are too many.
pub async fn windows_of_flows_do_not_wait_for_each_other(probe: Probe) {
    line_up(&probe, "f", &["a", "b"]).await;
    line_up(&probe, "g", &["c", "d"]).await;
    let claims = probe.claim_with(windows(&[(Some("f"), 1), (Some("g"), 9), (None, 2)])).await;
    assert_eq!((let_in(&claims), is_full(&claims)), (vec!["a", "c"], true));
}

/// Who came first is let in first.
pub async fn the_line_is_first_come_first_served(probe: Probe) {
    line_up(&probe, "f", &["z", "m", "a"]).await;
    for run in ["z", "m", "a"] {
        let size = ["z", "m", "a"].iter().position(|one| *one == run).expect("it is there") + 1;
        assert_eq!(let_in(&probe.claim_with(windows(&[(None, size)])).await), [run]);
    }
}

/// A run that was let in and has not said so yet takes its place in the window, until its worker is given up.
pub async fn who_is_about_to_begin_counts(probe: Probe) {
    line_up(&probe, "f", &["a", "b"]).await;
    assert_eq!(let_in(&probe.claim_with(windows(&[(None, 1)])).await), ["a"]);
    assert!(let_in(&probe.claim_with(windows(&[(None, 1)])).await).is_empty());
    probe.sweep(after(16)).await;
    let late = Claim { now: after(16), ..windows(&[(None, 1)]) };
    assert_eq!(let_in(&probe.claim_with(late).await).len(), 1);
}

/// Without a window there is no line.
pub async fn without_a_window_all_are_let_in(probe: Probe) {
    line_up(&probe, "f", &["a", "b"]).await;
    assert_eq!(let_in(&probe.claim_with(windows(&[(Some("g"), 0)])).await), ["a", "b"]);
}

/// A run that is held in line takes no place in the window.
pub async fn who_is_held_in_line_takes_no_place(probe: Probe) {
    let mut stories = line_up(&probe, "f", &["a", "b", "c"]).await;
    let claims = probe.claim_with(windows(&[(None, 1)])).await;
    probe.done(admitted(&mut stories[0], &claims.tasks)).await;
    let mut pause = stories[1].tell(Input::Pause { by: "ops".into(), why: "later".into() });
    pause.control = Some(Control::Held);
    probe.done(pause).await;
    for node in 0..3 {
        probe.done(stories[0].finish(attempt(node, 1))).await;
    }
    assert_eq!(let_in(&probe.claim_with(windows(&[(None, 1)])).await), ["c"]);
}

/// What is left to do of a run that is being stopped needs no room in a lane.
pub async fn a_stopping_run_needs_no_lane(probe: Probe) {
    let mut story = begin_lanes(&probe).await;
    let mut cancel = story.tell(Input::Cancel { by: "ops".into(), why: "enough".into() });
    cancel.control = Some(Control::Stopping);
    probe.done(cancel).await;
    let mut left = nodes(&probe.claim_with(with_lanes(ALL, &[])).await);
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2]);
}

/// A run that is stopped in line is not let in any more.
pub async fn a_run_in_line_can_be_stopped(probe: Probe) {
    let mut stories = line_up(&probe, "f", &["a", "b"]).await;
    probe.done(stories[0].tell(Input::Cancel { by: "ops".into(), why: "enough".into() })).await;
    assert_eq!(let_in(&probe.claim_with(windows(&[(None, 9)])).await), ["b"]);
}

/// Lines up runs of the flow `f`, each with its key.
async fn line_up_by_key(probe: &Probe, runs: &[(&str, Option<&str>)]) -> Vec<Story> {
    let mut stories = Vec::new();
    for (run, key) in runs {
        let mut story = Story::new(fixture::chain("f"), run);
        story.info = RunInfo { key: key.map(name), ..RunInfo::default() };
        story.queued = true;
        stories.push(probe.begin_with(story).await);
    }
    stories
}

fn by_key(most: usize) -> Claim {
    with_windows([(WindowOf::KeyOf(name("f")), most)].into_iter())
}

/// Each key has a window for itself; who has none does not wait.
pub async fn keys_do_not_wait_for_each_other(probe: Probe) {
    let runs = [("a", Some("x")), ("b", Some("x")), ("c", Some("y")), ("d", None), ("e", Some("x")), ("f", None)];
    let mut stories = line_up_by_key(&probe, &runs).await;
    let claims = probe.claim_with(by_key(1)).await;
    assert_eq!(let_in(&claims), ["a", "c", "d", "f"]);
    assert!(claims.tasks.iter().all(|claimed| claimed.lane.is_none()), "a key is no lane");
    assert_eq!(claims.windows, [], "of a window by key there is nothing to tell");
    probe.done(admitted(&mut stories[0], &claims.tasks)).await;
    assert_eq!(let_in(&probe.claim_with(by_key(1)).await), [""; 0]);
    for node in 0..3 {
        probe.done(stories[0].finish(attempt(node, 1))).await;
    }
    assert_eq!(let_in(&probe.claim_with(by_key(1)).await), ["b"], "what ends makes room");
    assert_eq!(let_in(&probe.claim_with(by_key(2)).await), ["e"]);
}

/// A window by key and one of the flow both count.
pub async fn windows_by_key_and_of_flows_count_together(probe: Probe) {
    line_up_by_key(&probe, &[("a", Some("x")), ("b", Some("x")), ("c", Some("y")), ("d", Some("z"))]).await;
    let both = [(WindowOf::Flow(name("f")), 2), (WindowOf::KeyOf(name("f")), 1)];
    let claims = probe.claim_with(with_windows(both.into_iter())).await;
    assert_eq!((let_in(&claims), is_full(&claims)), (vec!["a", "c"], true));
    assert_eq!((claims.windows.len(), claims.windows[0].in_flight), (1, 2));
}

/// The calls of a run that was given a lane queue there, unless their node names another.
pub async fn a_run_may_have_a_lane(probe: Probe) {
    let mut story = Story::new(lanes(), "r");
    story.info = RunInfo { lane: Some(name("here")), ..RunInfo::default() };
    probe.begin_with(story).await;
    assert_eq!(nodes(&probe.claim_with(with_lanes(ALL, &[])).await), [0; 0]);
    assert_eq!(nodes(&probe.claim_with(with_lanes(ALL, &[("here", 9)])).await), [1]);
    assert_eq!(nodes(&probe.claim_with(with_lanes(ALL, &[("gpu", 9)])).await), [0, 2]);
}

/// Twenty calls that queue in the lane `gpu`.
pub(super) async fn begin_twenty(probe: &Probe) -> Story {
    let mut story = Story::new(fixture::wide(20), "r");
    story.info = RunInfo { lane: Some(name("gpu")), ..RunInfo::default() };
    probe.begin_with(story).await
}

pub(super) fn limited(now: Timestamp, at_once: Option<usize>, rate: Option<Rate>) -> Claim {
    let limits = vec![LaneLimit { lane: name("gpu"), at_once, rate }].into();
    Claim { limits, now, ..with_lanes(ALL, &[("gpu", 100)]) }
}

/// A limit counts what all workers have in hand, however it came there, and what is answered makes room.
pub async fn a_limit_is_kept_by_all_workers_together(probe: Probe) {
    let mut story = begin_twenty(&probe).await;
    let five = |worker| Claim { worker, ..limited(T0, Some(5), None) };
    let mine = probe.claim_with(Claim { max: 3, ..five(ALICE) }).await;
    assert!(mine.more);
    let theirs = probe.claim_with(five(BOB)).await;
    assert_eq!((mine.tasks.len(), theirs.tasks.len(), theirs.more), (3, 2, false));
    assert_eq!(probe.claim_with(five(ALICE)).await.tasks.len(), 0);
    probe.done(story.answer(&mine.tasks[0])).await;
    probe.release(&mine.tasks[1..2]).await;
    assert_eq!(probe.claim_with(five(BOB)).await.tasks.len(), 2);
    let larger = Claim { worker: BOB, ..limited(T0, Some(7), None) };
    assert_eq!(probe.claim_with(larger).await.tasks.len(), 2, "it is for each claim to say");
}

/// What a dead worker had in hand makes room when it is given up.
pub async fn the_dead_leave_their_lanes(probe: Probe) {
    begin_twenty(&probe).await;
    let claim = |worker, now| Claim { worker, ..limited(now, Some(5), None) };
    assert_eq!(probe.claim_with(claim(ALICE, T0)).await.tasks.len(), 5);
    assert_eq!(probe.claim_with(claim(BOB, after(60))).await.tasks.len(), 0);
    probe.sweep(after(60)).await;
    assert_eq!(probe.claim_with(claim(BOB, after(60))).await.tasks.len(), 5);
}

/// A rate lets as many begin as its bucket holds, then one at a time, and a claim tells when the next may.
pub async fn a_rate_is_kept_by_all_workers_together(probe: Probe) {
    begin_twenty(&probe).await;
    let rate = Rate { burst: 3, every: Duration::from_secs(2) };
    let claim = |worker, seconds| Claim { worker, ..limited(after(seconds), None, Some(rate)) };
    let first = probe.claim_with(claim(ALICE, 0)).await;
    assert_eq!((first.tasks.len(), first.more, first.next_due), (3, false, Some(after(2))));
    let second = probe.claim_with(claim(BOB, 1)).await;
    assert_eq!((second.tasks.len(), second.next_due), (0, Some(after(2))));
    assert_eq!(probe.claim_with(claim(BOB, 5)).await.tasks.len(), 2);
    assert_eq!(probe.claim_with(claim(ALICE, 6)).await.tasks.len(), 1, "what was left over counts");
    probe.release(&first.tasks).await;
    assert_eq!(probe.claim_with(claim(BOB, 7)).await.tasks.len(), 0, "a token is not given back");
    assert_eq!(probe.claim_with(claim(BOB, 600)).await.tasks.len(), 3, "a bucket holds no more than its burst");
    let nothing_waits = Claim { lanes: [(name("gpu"), 0)].into(), ..claim(BOB, 600) };
    assert_eq!(probe.claim_with(nothing_waits).await.tasks.len(), 0);
}

/// What waits for a token is told of only where somebody waits.
pub async fn an_empty_bucket_that_nobody_waits_for_is_no_news(probe: Probe) {
    let mut story = Story::new(fixture::wide(2), "r");
    story.info = RunInfo { lane: Some(name("gpu")), ..RunInfo::default() };
    probe.begin_with(story).await;
    let claims = probe.claim_with(limited(T0, None, Some(Rate { burst: 2, every: LEASE }))).await;
    assert_eq!((claims.tasks.len(), claims.next_due), (2, None));
}
