//! Steering and mending runs, one and many.

use crate::place::Place;
use serde_json::json;

#[test]
fn what_a_flow_cannot_read_is_refused_before_anything_starts() {
    let place = Place::new();
    let complaint = place.shop(&["start", "double", "-i", "\"x\""]).fails(2);
    assert!(complaint.contains("takes int, and text was given"), "{complaint}");
    assert!(place.shop(&["start", "double", "-i", "x"]).fails(2).contains("'\"x\"'"));
    place.shop(&["start", "trible", "-i", "1"]).fails(3);
    // The store has learned the flows, so who has no code is told the same.
    assert!(place.vastflow(&["start", "double", "-i", "\"x\""]).fails(2).contains("takes int"));
    let order = place.vastflow(&["start", "order", "-i", r#"{"id":1,"items":[1,"2"]}"#]).fails(2);
    assert!(order.contains(r#"text was given at "/items/1", which takes int; nothing was started"#), "{order}");
    assert!(order.contains("as -i JSON, or -i @FILE"), "{order}");
    assert_eq!(place.vastflow(&["runs", "ls", "-o", "json"]).json()["runs"], json!([]));
}

#[test]
fn a_run_is_started_by_who_has_no_code_and_done_by_who_has() {
    let place = Place::new();
    place.vastflow(&["start", "double", "-i", "4"]).fails(3);
    place.shop(&["start", "double", "-i", "1", "--wait"]).ok();
    let complaint = place.vastflow(&["start", "double", "-i", "4", "--wait"]).fails(4);
    assert!(complaint.contains("no code of its own"), "{complaint}");
    assert_eq!(place.vastflow(&["start", "double", "-i", "4", "--id", "four"]).ok().trim(), "four");
    let check = place.vastflow(&["flows", "check"]).fails(1);
    assert!(check.contains("1 run waits"), "{check}");
    place.shop(&["flows", "check"]).ok();
    let worker = place.worker();
    assert_eq!(place.vastflow(&["runs", "result", "four", "--wait"]).ok(), "8");
    drop(worker);
    assert_eq!(place.vastflow(&["start", "double", "-i", "4", "--id", "four"]).ok().trim(), "four", "the same run");
    place.vastflow(&["start", "double", "-i", "5", "--id", "four"]).fails(4);
}

#[test]
fn pause_resume_stop_and_kill_say_what_they_did() {
    let place = Place::new();
    for id in ["a", "b", "c"] {
        place.shop(&["start", "nap", "-i", "1", "--id", id]).ok();
    }
    let status = |id: &str| place.vastflow(&["runs", "show", id, "-o", "json"]).json()["run"]["status"].clone();
    assert_eq!(place.vastflow(&["runs", "pause", "a", "b", "--why", "lunch"]).ok(), "a\nb\n");
    assert_eq!((status("a"), status("c")), (json!("paused"), json!("running")));
    assert_eq!(place.vastflow(&["runs", "resume", "--all"]).ok().lines().count(), 2);
    assert_eq!(status("a"), "running");
    let tail = place.vastflow(&["runs", "tail", "a", "--no-follow"]).ok();
    assert!(tail.contains("ann paused it: lunch"), "{tail}");
    assert_eq!(place.vastflow(&["runs", "stop", "a", "--by", "eve", "--why", "over"]).ok(), "a\n");
    let shown = place.vastflow(&["runs", "show", "a"]).ok();
    assert!(shown.contains("stopped by eve: over"), "{shown}");
    let complaint = place.vastflow(&["runs", "kill", "b"]).fails(2);
    assert!(complaint.contains("--yes"), "{complaint}");
    assert_eq!(status("b"), "running");
    place.vastflow(&["runs", "kill", "b", "--yes"]).ok();
    assert_eq!(status("b"), "stopped");
    let complaint = place.vastflow(&["runs", "pause", "b"]).fails(4);
    assert!(complaint.contains("is over"), "{complaint}");
    // Of several, those that can be are; the others are told.
    let said = place.vastflow(&["runs", "pause", "b", "c"]);
    assert_eq!((said.code, said.out.as_str()), (4, "c\n"), "{said:?}");
}

#[test]
fn dry_runs_say_what_it_is_about_and_do_nothing() {
    let place = Place::new();
    for id in ["a", "b"] {
        place.shop(&["start", "nap", "-i", "1", "--id", id]).ok();
    }
    place.shop(&["start", "double", "-i", "1", "--wait", "--id", "over"]).ok();
    let fits = |verb: &str| {
        let plan = place.vastflow(&["runs", verb, "--all", "--dry-run", "-o", "json"]).json();
        assert_eq!(plan["dry_run"], true);
        assert_eq!(plan["matched"], plan["runs"].as_array().unwrap().len());
        plan["runs"].clone()
    };
    for (verb, runs) in [
        ("pause", json!(["b", "a"])),
        ("resume", json!([])),
        ("stop", json!(["b", "a"])),
        ("kill", json!(["b", "a"])),
        ("retry", json!([])),
        ("rerun", json!(["over"])),
        ("rm", json!(["over"])),
    ] {
        assert_eq!(fits(verb), runs, "{verb}");
    }
    let said = place.vastflow(&["runs", "stop", "--flow", "nap", "--dry-run"]);
    assert!(said.err.contains("would stop 2 runs; nothing was done") && said.out.contains("nap"), "{said:?}");
    let counts = place.vastflow(&["store", "stats", "-o", "json"]).json();
    assert_eq!((&counts["runs"]["running"], &counts["runs"]["succeeded"]), (&json!(2), &json!(1)));
    assert!(place.vastflow(&["runs", "stop"]).fails(2).contains("--all"));
    assert!(place.vastflow(&["runs", "stop", "a", "--flow", "nap"]).fails(2).contains("not by both"));
}

#[test]
fn runs_that_failed_are_retried_begun_again_forked_and_deleted() {
    let place = Place::new();
    place.failed_order("o");
    assert_eq!(place.vastflow(&["runs", "retry", "o"]).ok(), "o.retry1\n");
    assert_eq!(place.vastflow(&["runs", "retry", "o"]).ok(), "o.retry1\n", "asking again is the same new run");
    let done = place.vastflow(&["runs", "rerun", "o", "-o", "json"]).json();
    assert_eq!(done["runs"], json!([{ "id": "o", "new_id": "o.rerun1" }]));
    let forked = place.vastflow(&["runs", "fork", "o", "--at", "each", "--gives", "[5]", "--new-id", "o5"]).ok();
    assert_eq!(forked, "o5\n");
    assert!(place.vastflow(&["runs", "fork", "o", "--at", "charge"]).fails(4).contains("each"));
    let wrong = place.vastflow(&["runs", "fork", "o", "--at", "items", "--gives", "[1,true]"]).fails(2);
    assert!(wrong.contains(r#"gives [int], and bool was given at "/1""#), "{wrong}");
    let worker = place.worker();
    assert_eq!(place.vastflow(&["runs", "result", "o5", "--wait"]).ok(), "\"shipped\"");
    place.vastflow(&["runs", "result", "o.rerun1", "--wait"]).fails(1);
    drop(worker);
    let shown = place.vastflow(&["runs", "show", "o5"]).ok();
    assert!(shown.contains("from      a fork of o by ann"), "{shown}");
    place.vastflow(&["runs", "rm", "--status", "failed", "--yes"]).ok();
    // What is changed is named whole: "o" is gone, and "o5" must not go instead.
    assert!(place.vastflow(&["runs", "show", "o"]).ok().contains("run o5"));
    let complaint = place.vastflow(&["runs", "rm", "o", "--yes"]).fails(3);
    assert!(complaint.contains("no run \"o\"") && complaint.contains("o5 begins so"), "{complaint}");
    place.vastflow(&["runs", "rm", "o5"]).fails(2);
    assert_eq!(place.vastflow(&["runs", "rm", "o5", "--yes"]).ok(), "o5\n");
    place.vastflow(&["runs", "show", "o5"]).fails(3);
}

#[test]
fn a_signal_reaches_the_node_that_waits_for_it() {
    let place = Place::new();
    place.shop(&["start", "article", "-i", "\"news\"", "--id", "a"]).ok();
    let wrong = place.vastflow(&["runs", "signal", "a", "approved", "-i", "\"yes\""]).fails(2);
    assert!(wrong.contains("carries bool, and text was given; nothing was sent"), "{wrong}");
    let complaint = place.vastflow(&["runs", "signal", "a", "denied"]).fails(3);
    assert!(complaint.contains("\"approved\""), "{complaint}");
    let sent =
        place.vastflow(&["runs", "signal", "a", "approved", "-i", "true", "--signal-id", "s1", "-o", "json"]).json();
    assert_eq!(sent["signal_id"], "s1");
    place.vastflow(&["runs", "signal", "a", "approved", "-i", "true", "--signal-id", "s1"]).ok();
    let worker = place.worker();
    assert_eq!(place.vastflow(&["runs", "result", "a", "--wait"]).ok(), "\"published news\"");
    drop(worker);
    let events = place.vastflow(&["runs", "tail", "a"]).ok();
    assert_eq!(events.matches("signal approved").count(), 1, "{events}");
    place.vastflow(&["runs", "resolve", "a", "write", "skip"]).fails(4);
}
