//! How failed attempts are tried again.

use crate::dsl::check;
use core::time::Duration;
use std::collections::BTreeSet;
use vastflow_core::retry::{RetryPolicy, jitter, run_seed};
use vastflow_core::{Hook, NodeIx, RunId, Task, Timestamp};

#[test]
fn without_a_policy_the_first_failure_is_the_last() {
    check(
        "a",
        "
        start
        a failed boom
          NodeFailed a: boom; RunEnded failed: a: boom
        ? nodes
          a failed
        ? status
          failed
        ",
    );
}

#[test]
fn case_43_a_node_that_fails_twice_and_then_succeeds_is_called_three_times_and_its_neighbours_once() {
    let run = check(
        "node1; node2 < node1 retry 3@1s; node3 < node2",
        "
        start x
        node1 done
        @1s node2 failed one
          AttemptFailed node2 until 2s: one
          queue node2#2 @2s
        ? nodes
          node1 succeeded, node2 retrying, node3 waiting
        @2s node2 panicked two
          AttemptFailed node2 until 3s: panicked: two
          queue node2#3 @3s
        @4s node2 done
          NodeSucceeded node2 = node2(node1(x))
          queue node3#1
        node3 done
        ? status
          succeeded
        ",
    );
    let calls = |node| run.journal.iter().filter(|r| r.event.node() == Some(NodeIx(node))).count();
    assert_eq!([calls(0), calls(1), calls(2)], [1, 3, 1]);
}

#[test]
fn the_state_knows_from_when_on_its_tasks_are_visible() {
    let run = check("a retry 1@2s; b < a", "start\n@1s a failed boom");
    let attempt = |node, attempt| run.state.due(Task::Attempt { node: NodeIx(node), attempt });
    assert_eq!(attempt(0, 2), Some(Timestamp::from_millis(3_000)));
    assert_eq!((attempt(0, 1), attempt(1, 1)), (None, None));
    let run = check("a; finally retry 1@2s", "start\na done\n@1s finally failed boom");
    let hook = |attempt| run.state.due(Task::Hook { hook: Hook::Finally, attempt });
    assert_eq!((hook(1), hook(2)), (None, Some(Timestamp::from_millis(3_000))));
}

#[test]
fn three_retries_are_four_calls_and_the_last_failure_counts() {
    check(
        "a retry 3",
        "
        start
        a failed 1
        a failed 2
        a timed_out 3
        a panicked x
          NodeFailed a: panicked: x; RunEnded failed: a: panicked: x
        ",
    );
}

#[test]
fn case_09_a_panic_fails_the_step_and_its_text_is_kept() {
    check("r river 3@1s; finally", "start\nr panicked x\n  NodeFailed r: panicked: x\n  queue finally#1");
}

#[test]
fn a_fatal_failure_skips_the_retries() {
    check("a retry 9@1s", "start\na fatal wrong\n  NodeFailed a: wrong; RunEnded failed: a: wrong");
}

#[test]
fn exponential_waits_double_up_to_the_longest() {
    check(
        "a retry 9@1s doubling longest 3s",
        "
        start
        a failed boom
          AttemptFailed a until 1s: boom
          queue a#2 @1s
        @10s a failed boom
          AttemptFailed a until 12s: boom
          queue a#3 @12s
        @20s a failed boom
          AttemptFailed a until 23s: boom
          queue a#4 @23s
        @30s a failed boom
          AttemptFailed a until 33s: boom
          queue a#5 @33s
        ",
    );
}

#[test]
fn jitter_shortens_each_wait_in_its_own_way_and_always_in_the_same_way() {
    let play = || check("a retry 1@1s jitter 50; b retry 1@1s jitter 50", "start\na failed boom\nb failed boom");
    let one = play();
    let dues: BTreeSet<_> = one.queue.values().copied().collect();
    assert_eq!(dues.len(), 2, "two nodes that failed together do not come back together");
    assert!(dues.iter().all(|due| (500..=1_000).contains(&due.millis())), "{dues:?}");
    assert_eq!(one.queue, play().queue);
}

#[test]
fn jitter_differs_from_run_to_run_node_to_node_and_try_to_try() {
    let seed = |run: &str| run_seed(&RunId::new(run).unwrap());
    let runs: BTreeSet<_> = (0..100).map(|n| jitter(seed(&format!("run-{n}")), Some(NodeIx(0)), 1)).collect();
    let nodes: BTreeSet<_> = (0..100).map(|n| jitter(seed("run"), Some(NodeIx(n)), 1)).collect();
    let tries: BTreeSet<_> = (0..100).map(|n| jitter(seed("run"), None, n)).collect();
    assert_eq!([runs.len(), nodes.len(), tries.len()], [100; 3]);
    assert_eq!(seed("run"), 0x2acd_4eca, "FNV-1a of \"run\"; runs in flight count on it");
}

#[test]
fn a_policy_waits_as_long_as_it_says_and_no_longer_than_its_longest() {
    let secs = Duration::from_secs;
    let cases = [
        (RetryPolicy::times(0), [None, None, None]),
        (RetryPolicy::times(2), [Some(secs(0)), Some(secs(0)), None]),
        (RetryPolicy::times(2).every(secs(3)), [Some(secs(3)), Some(secs(3)), None]),
        (RetryPolicy::times(9).exponential(secs(3)), [Some(secs(3)), Some(secs(6)), Some(secs(12))]),
        (
            RetryPolicy::times(9).exponential(secs(3)).max_interval(secs(5)),
            [Some(secs(3)), Some(secs(5)), Some(secs(5))],
        ),
        (RetryPolicy::times(9).exponential(secs(3)).every(secs(1)), [Some(secs(1)); 3]),
        (RetryPolicy::times(9).every(secs(10_000)), [Some(secs(3_600)); 3]),
    ];
    for (policy, waits) in cases {
        assert_eq!([policy.wait(1, 0), policy.wait(2, 0), policy.wait(3, 0)], waits, "{policy:?}");
    }
}

#[test]
fn jitter_takes_off_at_most_its_share() {
    let wait =
        |percent, seed| RetryPolicy::times(1).every(Duration::from_secs(1)).jitter(percent).wait(1, seed).unwrap();
    assert_eq!(wait(50, 0), Duration::from_secs(1));
    assert_eq!(wait(50, 500), Duration::from_millis(750));
    assert!(wait(100, 999) <= Duration::from_millis(1) && wait(255, 999) == wait(100, 999));
}
