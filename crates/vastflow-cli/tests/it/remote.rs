//! The verbs at a service give what they give at a store.

use crate::place::{FIRST, Place, until};
use serde_json::{Value, json};

/// What a verb says at the store, before anybody serves it, and at the service then.
fn same(place: &Place, verbs: &[&[&str]]) {
    let at_store: Vec<_> = verbs.iter().map(|words| place.vastflow(words)).collect();
    let (_serving, url, token) = place.service(&["serve"]);
    std::fs::write(place.path().join("token"), token.unwrap()).unwrap();
    for (words, expected) in verbs.iter().zip(at_store) {
        let words = [words, &["--server", &url, "--token-file", "token"][..]].concat();
        let said = place.vastflow(&words);
        assert_eq!((said.out, said.code), (expected.out, expected.code), "{words:?}: {}", said.err);
        assert_eq!(last(&said.err), last(&expected.err), "{words:?}");
    }
}

/// The complaint, without notes about where it was looked.
fn last(err: &str) -> Option<&str> {
    err.lines().rev().find(|line| line.starts_with("error"))
}

#[test]
fn looking_is_the_same_at_a_store_and_at_a_service() {
    let place = Place::new();
    place.failed_order("o1");
    place.shop(&["start", "double", "--id", "d1", "-i", "21", "--wait"]).ok();
    place.shop(&["start", "article", "--id", "a1", "-i", "\"news\""]).ok();
    place.vastflow(&["runs", "stop", "a1", "--why", "old"]).ok();
    same(
        &place,
        &[
            &["runs", "ls", "-o", "json", "--status", "failed", "--status", "succeeded"],
            &["runs", "ls", "-o", "json", "--flow", "order", "--label", "customer=4711"],
            &["runs", "ls", "-o", "json", "--status", "succeeded", "--from", "2020-01-01", "--to", "2100-01-01T12:00"],
            &["runs", "ls", "-o", "json", "--to", "2020-01-01"],
            &["runs", "ls", "-o", "json", "--flow", "double", "-n", "1"],
            &["runs", "show", "o1", "-o", "json"],
            &["runs", "show", "o1"],
            &["runs", "show", "o1", "--within", "each[1]"],
            &["runs", "show", "o1", "-o", "json", "--within", "each[1]"],
            &["runs", "show", "d1"],
            &["runs", "show", "nobody"],
            &["runs", "result", "d1"],
            &["runs", "result", "d1", "-o", "json"],
            &["runs", "result", "o1"],
            &["runs", "result", "o1", "-o", "json"],
            &["runs", "tail", "o1", "--no-follow"],
            &["runs", "logs", "o1"],
            &["runs", "logs", "o1", "-o", "json"],
            &["runs", "tail", "o1", "--no-follow", "-o", "json"],
            &["runs", "tail", "o1", "--no-follow", "--within", "each[1]"],
            &["runs", "retry", "--flow", "order", "--status", "failed", "--dry-run", "-o", "json"],
            &["runs", "rm", "d", "--dry-run", "-o", "json"],
            &["flows", "graph", "order"],
            &["flows", "graph", "order", "-o", "json"],
            &["flows", "graph", "ordre"],
        ],
    );
}

/// An answer without its values. A service gives each run that it starts a trace.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(key, _)| *key != "trace").map(|(key, value)| (key.clone(), shape(value))).collect()
        }
        Value::Array(items) => items.iter().map(shape).take(1).collect(),
        _ => Value::Null,
    }
}

#[test]
fn what_is_changed_at_a_service_is_told_as_at_a_store() {
    let (store, place) = (Place::new(), Place::new());
    let (_serving, url, _) = place.service(&["dev"]);
    let at = |words: &[&str]| place.vastflow(&[words, &["--server", &url]].concat());
    let check = |words: &[&str]| {
        let words = [words, &["-o", "json"]].concat();
        let (there, here) = (at(&words), store.shop(&words));
        assert_eq!(there.code, here.code, "{words:?}: {} {}", there.err, here.err);
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        assert_eq!(shape(&parse(&there.out)), shape(&parse(&here.out)), "{words:?}");
    };
    // At the store nobody works; at the service a worker does. Both wait for the signal.
    for id in ["a1", "a2", "a3"] {
        check(&["start", "article", "--id", id, "-i", "\"news\"", "--label", "desk=sports"]);
    }
    check(&["runs", "pause", "a1", "--why", "lunch"]);
    check(&["runs", "resume", "a1"]);
    check(&["runs", "signal", "a1", "approved", "-i", "true", "--signal-id", "s1"]);
    assert_eq!(at(&["runs", "result", "a1", "--wait"]).ok(), "\"published news\"");
    check(&["runs", "kill", "a2", "--yes", "--why", "over"]);
    check(&["runs", "rerun", "a2"]);
    check(&["runs", "retry", "a2"]);
    check(&["runs", "kill", "a3", "nobody", "--yes"]);
    check(&["runs", "stop", "--label", "desk=tennis", "--yes"]);
    check(&["runs", "rm", "a2", "--yes"]);
    assert_eq!(at(&["runs", "show", "a2"]).code, 4, "a2.rerun1 and a2.retry1 begin so");
    assert_eq!(at(&["runs", "show", "a2.re", "-o", "json"]).code, 4);
    assert_eq!(at(&["runs", "show", "a2.rer", "-o", "json"]).json()["run"]["id"], "a2.rerun1");
    assert_eq!(at(&["start", "double", "--id", "d1", "-i", "21", "--wait"]).ok(), "42");
    let forked = at(&["runs", "fork", "d1", "--at", "double", "-i", "4", "--new-id", "d2", "-o", "json"]).json();
    assert_eq!(forked["run"]["origin"]["verb"], "fork");
    assert_eq!(at(&["runs", "result", "d2", "--wait"]).ok(), "8");
    assert!(at(&["workers", "-o", "json"]).json()["workers"].as_array().unwrap().len() == 1);
    assert_eq!(at(&["queues", "-o", "json"]).json()["queues"], json!([]));
    assert!(at(&["flows", "ls"]).ok().contains("article"));
}

#[test]
fn what_only_a_store_can_do_says_so() {
    let place = Place::new();
    let (_serving, url, _) = place.service(&["dev"]);
    for words in [&["doctor"][..], &["store", "stats"], &["worker"], &["flows", "check"]] {
        let complaint = place.shop(&[words, &["--server", &url]].concat()).fails(2);
        assert!(complaint.contains("--store URL"), "{complaint}");
    }
    place.vastflow(&["runs", "kill", "r", "--by", "ann", "--yes", "--server", &url]).fails(2);
    let both = place.vastflow(&["runs", "ls", "--server", &url, "--store", "sqlite:app.db"]).fails(2);
    assert!(both.contains("which of them is meant"), "{both}");
    let nobody = place.vastflow(&["runs", "ls", "--server", "http://127.0.0.1:9"]).fails(5);
    assert!(nobody.contains("--server"), "{nobody}");
}

#[test]
fn the_service_and_the_token_may_stand_in_the_settings() {
    let place = Place::new();
    let (_serving, url, token) = place.service(&["serve"]);
    place.vastflow(&["runs", "ls", "--server", &url]).fails(1);
    place.vastflow(&["runs", "ls", "--server", &url, "--token-file", "none"]).fails(2);
    // What is far away gets none in clear text.
    let far = ["runs", "ls", "--server", "http://flows.invalid", "--token-file", FIRST];
    let told = place.vastflow(&far).fails(2);
    assert!(told.contains("in clear text") && told.contains("--insecure-http"), "{told}");
    std::fs::write(place.path().join("vastflow.toml"), format!("token = '{}'\n", token.unwrap())).unwrap();
    place.vastflow(&["runs", "ls", "--server", &url]).ok();
    let made = place.vastflow(&["tokens", "make", "ann", "--scope", "viewer", "--server", &url, "-o", "json"]).json();
    until("the token is listed", || place.vastflow(&["tokens", "ls", "--server", &url]).ok().contains("ann"));
    place.vastflow(&["tokens", "revoke", made["row"]["id"].as_str().unwrap(), "--server", &url]).ok();
    place.vastflow(&["tokens", "revoke", "nobody", "--server", &url]).fails(3);
}
