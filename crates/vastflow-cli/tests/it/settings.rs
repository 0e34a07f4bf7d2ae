//! Settings, and where they are from.

use crate::place::Place;
use std::fs;

#[test]
fn doctor_tells_each_setting_with_where_it_is_from() {
    let place = Place::new();
    fs::write(place.path().join("vastflow.toml"), "by = 'bob'\n[worker]\nslots = 7\n").unwrap();
    place.vastflow(&["store", "migrate"]).ok();
    let report = place.vastflow(&["doctor", "-o", "json"]).json();
    let of = |key: &str| {
        let all = report["settings"].as_array().unwrap();
        let row = all.iter().find(|row| row["key"] == key).unwrap().clone();
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("store"), ("sqlite:app.db".into(), "$VASTFLOW_STORE".into()));
    assert_eq!(of("by"), ("bob".into(), "vastflow.toml".into()));
    assert_eq!(of("worker.slots"), ("7".into(), "vastflow.toml".into()));
    assert_eq!(of("output"), ("json".into(), "--output".into()));
    assert_eq!(of("worker.lease"), ("15s".into(), "default".into()));
    assert_eq!(report["ok"], true);
    let text = place.vastflow(&["doctor", "--store", "sqlite:app.db"]).ok();
    assert!(text.contains("--store") && text.contains("nothing is wrong"), "{text}");
}

/// The file that the guide shows is one that works, also where it lies in the working directory.
#[test]
fn the_settings_that_the_guide_shows_are_taken() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/command-line.md");
    let guide = fs::read_to_string(guide).unwrap();
    let shown = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let of_service = shown.replace("# server = ", "server = ").replace("# token_file = ", "token_file = ");
    let of_service = of_service.replace("https://flows.example", "http://127.0.0.1:1");
    assert!(of_service.contains("\nserver = \"http://127.0.0.1:1\"") && of_service.contains("\ntoken_file = "));
    let lines = of_service.lines().filter(|line| !line.starts_with("store = ")).collect::<Vec<_>>().join("\n");
    let place = Place::new();
    fs::write(place.path().join("vastflow.toml"), lines).unwrap();
    fs::write(place.path().join("flows.token"), "vastflow_live_x").unwrap();
    // Nobody listens there; what matters is that it was asked, with the token.
    let complaint = place.vastflow_without_store(&["runs", "ls"]).fails(5);
    assert!(complaint.contains("127.0.0.1:1"), "{complaint}");
}

#[test]
fn settings_that_are_not_known_and_stores_that_are_none_are_refused() {
    let place = Place::new();
    fs::write(place.path().join("other.toml"), "stroe = 'sqlite:a.db'\n").unwrap();
    let complaint = place.vastflow(&["runs", "ls", "--config", "other.toml"]).fails(2);
    assert!(complaint.contains("did you mean \"store\"?"), "{complaint}");
    let complaint = place.vastflow(&["runs", "ls", "--store", "mysql://u:secret@h/db"]).fails(2);
    assert!(complaint.contains("postgres://USER@HOST") && !complaint.contains("secret"), "{complaint}");
    assert!(place.vastflow(&["runs", "ls", "--config", "missing.toml"]).fails(2).contains("missing.toml"));
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking() {
    let place = Place::new();
    for words in [&["runs", "ls"][..], &["runs", "show", "r"], &["runs", "stop", "r"], &["doctor"], &["store", "stats"]]
    {
        let complaint = place.vastflow(words).fails(3);
        assert!(complaint.contains("app.db") && complaint.contains("store migrate"), "{complaint}");
    }
    assert!(!place.path().join("app.db").exists());
    let complaint = place.vastflow(&["runs", "ls", "--store", "redis://127.0.0.1:1/0"]).fails(5);
    assert!(complaint.contains("redis"), "{complaint}");
}

#[test]
fn complaints_are_json_for_those_who_asked_for_it() {
    let place = Place::new();
    place.vastflow(&["store", "migrate"]).ok();
    let complaint = place.vastflow(&["runs", "show", "nobody", "-o", "json"]).fails(3);
    let complaint: serde_json::Value = serde_json::from_str(&complaint).unwrap();
    assert_eq!((&complaint["version"], &complaint["error"]["exit"]), (&1.into(), &3.into()));
    assert_eq!(complaint["error"]["code"], "unknown-run");
}
