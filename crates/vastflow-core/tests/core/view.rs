//! What people see of a run.

use crate::dsl::{check, plan};
use core::time::Duration;
use vastflow_core::view::{RunView, Span};
use vastflow_core::{RunId, RunStatus, Timestamp};

fn view(text: &str, script: &str) -> String {
    let run = check(text, script);
    let view = RunView::fold(RunId::new("order-1").unwrap(), &run.plan, &run.journal).unwrap();
    assert_eq!(view.status, run.state.status());
    view.to_string()
}

#[test]
fn a_run_in_the_middle_of_its_way() {
    let text = view(
        "get; slow < get retry 3@1s; vm < get river 5@1s; odd < get rescue; gate both < slow, vm; last < both order",
        "
        start
        @1s get (3400ms) done
        slow (250ms) failed no route
        vm (12ms) submitted
        odd (1ms) panicked index out of bounds
        @2s vm (8ms) continue booting
        ",
    );
    let expected = "\
run order-1 of flow: running after 2.0 s
  ✓ get   succeeded      3.4 s
  ▸ slow  retrying    250.0 ms  no route
  ▸ vm    polling      20.0 ms  2 calls  booting
  ▸ odd   rescuing      1.0 ms  panicked: index out of bounds
  · both  waiting
  · last  waiting
";
    assert_eq!(text, expected);
}

#[test]
fn a_run_that_failed_says_why_below_its_nodes() {
    let text = view(
        "a; b < a retry 1; c < b; d",
        "
        start
        a (1ms) done
        b (2ms) failed boom
        d (61s) done
        @90s b (3ms) failed bang
        ",
    );
    let expected = "\
run order-1 of flow: failed after 1 min 30 s
  ✓ a  succeeded     1.0 ms
  ✗ b  failed        5.0 ms  2 calls  bang
  – c  dropped
  ✓ d  succeeded  1 min 1 s
  failed: b: bang
";
    assert_eq!(text, expected);
}

#[test]
fn a_run_that_was_stopped_names_who_and_why() {
    let text = view("a", "start\ncancel by ann because wrong region\nnot_started a");
    assert_eq!(text, "run order-1 of flow: stopped after 0 µs\n  – a  dropped\n  stopped by ann: wrong region\n");
}

#[test]
fn a_run_that_did_not_begin_has_nodes_that_wait() {
    let view = RunView::fold(RunId::new("r").unwrap(), &plan("a"), &[]).unwrap();
    assert_eq!((view.status, view.outcome.clone(), view.took), (RunStatus::Running, None, Duration::ZERO));
    assert_eq!(view.to_string(), "run r of flow: running after 0 µs\n  · a  waiting\n");
}

#[test]
fn a_timer_that_ended_a_node_is_no_call_of_its_handler() {
    let run = check("a timeout 5s", "start\n@5s timer a.deadline");
    let view = RunView::fold(RunId::new("r").unwrap(), &run.plan, &run.journal).unwrap();
    assert_eq!((view.nodes[0].calls, view.nodes[0].busy), (0, Duration::ZERO));
    assert_eq!(view.nodes[0].said.as_deref(), Some("not done within 5s"));
    assert_eq!(view.nodes[0].ended_at.unwrap().millis(), 5_000);
}

#[test]
fn a_journal_of_another_plan_is_refused() {
    let run = check("a; b < a", "start\na done\nb done");
    let other = RunView::fold(RunId::new("r").unwrap(), &plan("a; b"), &run.journal).unwrap_err();
    assert_eq!((other.seq.0, other.event), (0, "RunStarted"));
    assert!(other.state.contains("follows plan"), "{other}");
}

#[test]
fn a_journal_with_a_hole_is_refused() {
    let run = check("a; b < a", "start\na done\nb done");
    let holed = [&run.journal[..1], &run.journal[2..]].concat();
    let refused = RunView::fold(RunId::new("r").unwrap(), &run.plan, &holed).unwrap_err();
    assert_eq!(refused.to_string(), "event 1 (NodeSucceeded) cannot follow: the run is Going and node 1 is waiting");
}

#[test]
fn spans_are_short_in_every_unit() {
    let micros = [0, 999, 1_000, 1_999, 999_999, 1_000_000, 59_999_999, 60_000_000, 3_600_000_000];
    let texts = ["0 µs", "999 µs", "1.0 ms", "1.9 ms", "999.9 ms", "1.0 s", "59.9 s", "1 min 0 s", "60 min 0 s"];
    assert_eq!(micros.map(|n| Span(Duration::from_micros(n)).to_string()), texts);
}

#[test]
fn a_run_that_goes_on_has_taken_until_it_is_looked_at() {
    let view = |script| {
        let run = check("a; b < a", script);
        RunView::fold(RunId::new("order-1").unwrap(), &run.plan, &run.journal)
            .unwrap()
            .at(Timestamp::from_millis(9_000))
    };
    let running = view("start\n@1s a done");
    assert_eq!((running.status, running.took), (RunStatus::Running, Duration::from_secs(9)));
    let stopping = view("start\n@1s cancel by me because enough");
    assert_eq!((stopping.status, stopping.took), (RunStatus::Stopping, Duration::from_secs(9)));
    let ended = view("start\n@1s a failed boom");
    assert_eq!((ended.status, ended.took), (RunStatus::Failed, Duration::from_secs(1)));
}

#[test]
fn a_run_whose_code_is_missing_says_what_it_waits_for() {
    let run = check("a", "start");
    let mut view = RunView::fold(RunId::new("order-1").unwrap(), &run.plan, &run.journal).unwrap();
    view.missing = vec!["node \"a\"".into(), "river \"vm\"".into()];
    let text = view.to_string();
    assert!(text.ends_with("  waits for code that this program lacks: node \"a\", river \"vm\"\n"), "{text}");
}

#[test]
fn a_run_with_all_kinds_of_ends_shows_a_sign_for_each() {
    let text = view(
        "a undo; k undo; b isolated; c < b; d pause; e < a, d, k; f < e",
        "start\na done\nk done\nb failed boom\nd failed why not\nresolve d skip\ne failed bang\nk.undo done\na.undo failed stuck",
    );
    assert_eq!(
        text,
        "run order-1 of flow: needs-attention after 0 µs
  ✓ a  succeeded       0 µs  waits for an operator: undo: stuck
  ↩ k  undone          0 µs
  ✗ b  failed          0 µs  boom
  – c  skipped
  ✓ d  succeeded       0 µs
  ✗ e  failed          0 µs  bang
  · f  waiting
  failed: b: boom
"
    );
}
