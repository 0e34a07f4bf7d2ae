//! Looking at runs and flows.

use crate::place::{Place, until};

#[test]
fn a_run_is_started_waited_for_and_looked_at() {
    let place = Place::new();
    assert_eq!(place.shop(&["start", "double", "-i", "21", "--wait", "--id", "first"]).ok(), "42");
    let list = place.vastflow(&["runs", "ls"]).ok();
    assert!(list.contains("first") && list.contains("double") && list.contains("succeeded"), "{list}");
    assert!(!list.contains('\u{1b}'), "no colours where nobody sees them");
    assert_eq!(place.vastflow(&["runs", "result", "first"]).ok(), "42");
    let result = place.vastflow(&["runs", "result", "first", "-o", "json"]).json();
    assert_eq!((&result["output"], &result["run"]["id"]), (&42.into(), &"first".into()));
    let tail = place.vastflow(&["runs", "tail", "first"]).ok();
    assert!(tail.lines().next().unwrap().ends_with("▸ double started"), "{tail}");
    assert!(tail.lines().last().unwrap().contains("● succeeded"), "{tail}");
    let tail = place.vastflow(&["runs", "tail", "first", "-o", "json"]).ok();
    let events: Vec<serde_json::Value> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (events.len(), &events[1]["event"]["kind"], &events[1]["event"]["node"]),
        (3, &"NodeSucceeded".into(), &"double".into())
    );
}

#[test]
fn a_failed_run_is_shown_with_its_failure_first() {
    let place = Place::new();
    place.failed_order("order-7");
    let shown = place.vastflow(&["runs", "show", "order-7"]).ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("✗ run order-7 of order: failed after"), "{shown}");
    assert_eq!(lines[2], "  each[1]/charge failed after 3 calls", "{shown}");
    assert!(lines[3].contains("card declined for item -2"), "{shown}");
    assert!(lines[4..7].contains(&"  next: vastflow runs retry order-7"), "{shown}");
    assert!(shown.contains("labels    customer=4711"), "{shown}");
    assert!(shown.contains("  3  ✗ each × 3 (1 failed)"), "{shown}");
    assert!(shown.contains("       [1] failed"), "{shown}");
    assert!(shown.contains("timeline") && shown.contains("│"), "{shown}");
    let view = place.vastflow(&["runs", "show", "order-7", "-o", "json"]).json();
    assert_eq!(view["run"]["failure"]["node"], "each");
    assert_eq!(view["view"]["nodes"][2]["inner"]["failed"], 1);
    let inner = place.vastflow(&["runs", "show", "order-7", "--within", "each[1]"]).ok();
    assert!(inner.starts_with("✗ each[1] of run order-7 of order: failed"), "{inner}");
    place.vastflow(&["runs", "show", "order-7", "--within", "each[9]"]).fails(3);
    let result = place.vastflow(&["runs", "result", "order-7"]).fails(1);
    assert!(result.contains("card declined") && result.contains("runs retry order-7"), "{result}");
}

#[test]
fn ids_may_be_cut_short_and_lists_be_narrowed_and_paged() {
    let place = Place::new();
    for id in ["alpha-1", "alpha-2", "beta-1"] {
        place.shop(&["start", "double", "-i", "1", "--wait", "--id", id, "--label", &format!("is={id}")]).ok();
    }
    place.failed_order("gamma");
    assert_eq!(place.vastflow(&["runs", "result", "b"]).ok(), "2");
    let complaint = place.vastflow(&["runs", "result", "alpha"]).fails(4);
    assert!(complaint.contains("not clear") && complaint.contains("alpha-1"), "{complaint}");
    place.vastflow(&["runs", "result", "delta"]).fails(3);
    let ids = |words: &[&str]| -> Vec<String> {
        let list = place.vastflow(&[&["runs", "ls", "-o", "json"], words].concat()).json();
        list["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), ["gamma", "beta-1", "alpha-2", "alpha-1"]);
    assert_eq!(ids(&["--flow", "double", "-n", "2"]), ["beta-1", "alpha-2"]);
    assert_eq!(ids(&["--status", "failed"]), ["gamma"]);
    assert_eq!(ids(&["--status", "failed", "--status", "succeeded", "--label", "is=alpha-1"]), ["alpha-1"]);
    assert_eq!(ids(&["--older", "1d"]), Vec::<String>::new());
    let page = place.vastflow(&["runs", "ls", "-o", "json", "-n", "2"]).json();
    let next = page["next"].as_u64().unwrap().to_string();
    assert_eq!(ids(&["--before", &next]), ["alpha-2", "alpha-1"]);
    // Verbs may be cut short, too.
    assert!(place.vastflow(&["r", "l"]).ok().contains("gamma"));
}

#[test]
fn flows_are_listed_shown_and_drawn_with_and_without_a_store() {
    let place = Place::new();
    place.failed_order("r");
    let flows = place.vastflow(&["flows", "ls", "-o", "json"]).json();
    let names: Vec<&str> =
        flows["flows"].as_array().unwrap().iter().map(|flow| flow["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["article", "chatter", "double", "doubtful", "nap", "order"]);
    let shown = place.vastflow(&["flows", "show", "order"]).ok();
    assert!(shown.contains("  3  each   ← items  for each"), "{shown}");
    assert!(shown.contains("charge   ← reserve"), "{shown}");
    assert!(place.shop(&["flows", "show", "order"]).ok().contains("takes {id: int, items: [int]}"));
    assert!(place.vastflow(&["flows", "graph", "order", "--as", "dot"]).ok().starts_with("digraph"));
    assert!(place.vastflow(&["flows", "graph", "order", "--as", "mermaid"]).ok().contains("flowchart"));
    let complaint = place.vastflow(&["flows", "show", "oder"]).fails(3);
    assert!(complaint.contains("did you mean \"order\"?"), "{complaint}");
}

#[test]
fn a_store_that_a_worker_has_open_can_be_looked_at_and_not_changed() {
    let place = Place::new();
    place.shop(&["start", "nap", "-i", "1", "--id", "sleeper"]).ok();
    let worker = place.worker();
    until("the worker has the store", || place.vastflow(&["runs", "ls"]).err.contains("has the store open"));
    let complaint = place.vastflow(&["runs", "stop", "sleeper"]).fails(4);
    assert!(complaint.contains("in use by process") && complaint.contains("looking"), "{complaint}");
    let said = place.vastflow(&["runs", "ls"]);
    assert!(said.err.contains("has the store open") && said.out.contains("sleeper"), "{said:?}");
    assert!(place.vastflow(&["runs", "show", "sleeper"]).ok().contains("sleeping"));
    place.vastflow(&["queues"]).fails(4);
    drop(worker);
    until("the worker has let go", || place.vastflow(&["runs", "stop", "sleeper"]).code == 0);
    until("it stopped", || place.vastflow(&["runs", "show", "sleeper"]).out.contains("stopped"));
}
