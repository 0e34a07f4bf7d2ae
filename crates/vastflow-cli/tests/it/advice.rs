//! What is said to those who do not know how to go on.

use crate::place::{FIRST, Place, until};
use serde_json::json;
use std::fs;

#[test]
fn doctor_tells_of_runs_that_wait_for_somebody() {
    let place = Place::new();
    place.shop(&["start", "doubtful", "-i", "-1", "--id", "d"]).ok();
    let worker = place.worker();
    let status = || place.vastflow(&["runs", "show", "d", "-o", "json"]).json()["run"]["status"].clone();
    until("somebody has to look", || status() == "needs-attention");
    drop(worker);
    let report = place.vastflow(&["doctor"]);
    assert!(report.out.contains("vastflow runs resolve d NODE retry (or skip, or done)"), "{}", report.out);
    let complaint = report.fails(1);
    assert!(complaint.contains("1 thing is to be looked at") && !complaint.contains("--repair"), "{complaint}");
    place.shop(&["start", "doubtful", "-i", "7", "--id", "e"]).ok();
    place.vastflow(&["runs", "kill", "d", "--yes"]).ok();
    let report = place.vastflow(&["doctor"]);
    assert!(report.err.contains("nobody works on them while this program has the file"), "{report:?}");
    assert!(report.ok().contains("1 unfinished run looked at, nothing is wrong"));
}

#[test]
fn a_serve_that_is_refused_leaves_nothing_behind() {
    let place = Place::new();
    let is_empty = || fs::read_dir(place.path()).unwrap().next().is_none();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(place.shop(&["serve", "--listen", &address]).fails(4).contains(&address));
    assert!(place.vastflow(&["serve"]).fails(4).contains("--read-only"));
    assert!(place.shop(&["serve", "--server-only"]).fails(4).contains("wait for ever"));
    let no_key = ["serve", "--listen", "127.0.0.1:0", "--tls-chain", "no.pem", "--tls-key", "no.key"];
    assert!(place.shop(&no_key).fails(2).contains("cannot read no.pem"));
    assert!(place.shop(&["dev", "--listen", "0.0.0.0:0"]).fails(2).contains("127.0.0.1"));
    let bad = place.shop(&["serve", "--listen", "8080"]).fails(2);
    assert!(bad.contains("\"8080\"") && bad.contains("HOST:PORT") && bad.contains("0.0.0.0:8080"), "{bad}");
    assert!(is_empty(), "{:?}", fs::read_dir(place.path()).unwrap().collect::<Vec<_>>());
}

#[test]
fn the_line_that_is_printed_works_as_it_is() {
    let place = Place::new();
    let notes = place.notes_of(&["serve", "--host", "shop.example"]);
    let line = "curl -H \"Authorization: Bearer $(cat 'vastflow.tokens.first')\" -d '1' http://127.0.0.1:";
    assert!(notes.contains(line) && notes.contains("/flow/double"), "{notes}");
    fs::remove_file(place.path().join(FIRST)).unwrap();
    let notes = place.notes_of(&["serve", "--read-only"]);
    assert!(notes.contains("list the runs: curl -H \"Authorization: Bearer $VASTFLOW_TOKEN\" http://"), "{notes}");
    assert!(!notes.contains("/flow/"), "{notes}");
    let notes = place.notes_of(&["dev"]);
    assert!(notes.contains("start a run: curl -d '1' http://127.0.0.1:"), "{notes}");
}

#[test]
fn who_may_not_see_the_output_is_told_the_id() {
    let place = Place::new();
    let (_serving, url, token) = place.service(&["serve"]);
    fs::write(place.path().join("admin"), token.unwrap()).unwrap();
    let at = |file: &str, words: &[&str]| {
        let words = [words, &["--server", &url, "--token-file", file]].concat();
        place.vastflow_without_store(&words)
    };
    let made = at("admin", &["tokens", "make", "ann", "--scope", "operator"]).ok();
    fs::write(place.path().join("ann"), made).unwrap();
    let said = at("ann", &["start", "double", "-i", "4", "--id", "four", "--wait"]);
    assert_eq!(said.out, "four\n");
    let complaint = said.fails(1);
    assert!(complaint.contains("run four succeeded, but this token may not see its output"), "{complaint}");
    assert!(complaint.contains("payload:read"), "{complaint}");
    let typo = at("ann", &["runs", "ls", "--flow", "dubble"]);
    assert!(typo.err.contains("did you mean \"double\"?"), "{typo:?}");
}

#[test]
fn what_is_not_there_is_told_with_why() {
    let place = Place::new();
    place.shop(&["start", "double", "-i", "4", "--id", "four", "--wait"]).ok();
    place.shop(&["start", "nap", "-i", "4", "--id", "nap"]).ok();
    let logs = place.vastflow(&["runs", "logs", "four"]);
    assert!(logs.err.contains("ctx.log") && logs.code == 0, "{logs:?}");
    let typo = place.vastflow(&["runs", "ls", "--flow", "dubble"]);
    assert!(typo.err.contains("there is no flow \"dubble\"; did you mean \"double\"?"), "{typo:?}");
    assert!(!place.vastflow(&["runs", "ls", "--flow", "nap", "--status", "failed"]).err.contains("no flow"));
    let open = place.vastflow(&["runs", "rm", "nap", "--yes"]).fails(4);
    assert!(open.contains("vastflow runs stop nap; where no worker runs: vastflow runs kill nap"), "{open}");
    assert_eq!(place.vastflow(&["runs", "ls", "--flow", "dubble", "-o", "json"]).json()["runs"], json!([]));
}
