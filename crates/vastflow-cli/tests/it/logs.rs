//! What the calls of a run said, at a store and at a service.

use crate::place::{FIRST, Place, until};
use std::io::{BufRead as _, BufReader};

/// Starts a run that says so many lines and waits then.
fn chatter(place: &Place, id: &str, lines: &str, more: &[&str]) {
    place.vastflow(&[&["start", "chatter", "--id", id, "-i", lines], more].concat()).ok();
}

fn ends(place: &Place, id: &str, more: &[&str]) {
    place.vastflow(&[&["runs", "signal", id, "enough", "-i", "true"], more].concat()).ok();
}

#[test]
fn what_was_said_is_printed_by_node_and_what_was_not_kept_is_counted() {
    let place = Place::new();
    let (_serving, url, _) = place.service(&["serve"]);
    let at = ["--server", &url, "--token-file", FIRST];
    // One call keeps its last 500 lines.
    chatter(&place, "r", "503", &at);
    ends(&place, "r", &at);
    place.vastflow(&[&["runs", "result", "r", "--wait"], &at[..]].concat()).ok();
    let check = |more: &[&str]| {
        let logs = |words: &[&str]| place.vastflow(&[&["runs", "logs"], words, more].concat());
        let all = logs(&["r"]);
        assert!(all.err.contains("3 lines more were said and not kept"), "{}", all.err);
        let lines: Vec<&str> = all.out.lines().collect();
        assert_eq!(lines.len(), 501);
        assert!(lines[0].starts_with("talk #1 +") && lines[0].ends_with("info line 3"), "{}", lines[0]);
        let close = logs(&["r", "--node", "close"]);
        assert!(close.out.ends_with("that was all\n") && close.out.lines().count() == 1, "{}", close.out);
        assert!(!close.err.contains("not kept"), "nothing of that node was dropped: {}", close.err);
        let none = logs(&["r", "--node", "enough"]);
        assert_eq!(none.out, "");
        assert!(none.err.contains("nothing was said"), "{}", none.err);
        let rows = logs(&["r", "--node", "close", "-o", "json"]).json();
        assert_eq!((&rows["line"]["node"], &rows["line"]["text"]), (&"close".into(), &"that was all".into()));
        assert!(logs(&["nobody"]).fails(3).contains("there is no run"));
        assert!(logs(&["r", "--within", "each[1]"]).fails(3).contains("each[1]"));
        // Of a run that is over all is there: nothing is waited for.
        assert_eq!(logs(&["r", "--follow"]).ok().lines().count(), 501);
    };
    check(&at);
    // Without a service the tables tell it, which follow a moment later what was answered.
    until("the tables have all of it", || place.vastflow(&["runs", "logs", "r"]).out.lines().count() == 501);
    check(&[]);
}

/// Follows the logs of a run whose first lines are there, and lets it end.
fn follow(more: &[&str], place: &Place, at: &[&str]) {
    chatter(place, "r", "2", at);
    let is_told = || place.vastflow(&[&["runs", "logs", "r"], more].concat()).out.contains("line 1");
    until("what it said is told", is_told);
    let words = [&["runs", "logs", "r", "--follow"], more].concat();
    let mut child = place.start(&words);
    let mut lines = BufReader::new(child.out()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().ends_with("line 0") && lines.next().unwrap().ends_with("line 1"));
    ends(place, "r", at);
    assert!(lines.next().unwrap().ends_with("that was all"));
    assert_eq!(lines.next(), None, "it ends with the run");
    until("it has ended", || child.has_ended());
}

#[test]
fn logs_are_followed_until_the_run_ends_at_a_service() {
    let place = Place::new();
    let (_serving, url, _) = place.service(&["serve"]);
    let at = ["--server", &url, "--token-file", FIRST];
    follow(&at, &place, &at);
}

#[test]
fn logs_are_followed_until_the_run_ends_at_a_store_that_another_process_has() {
    let place = Place::new();
    let (_serving, url, _) = place.service(&["serve"]);
    follow(&[], &place, &["--server", &url, "--token-file", FIRST]);
}
