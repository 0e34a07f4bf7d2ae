//! A trip, booked and taken back.

use crate::process::{Kill, live};
use std::time::Duration;

#[test]
fn a_trip_is_booked_once() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "trip", &[], &Kill::Never);
    assert_eq!(life.code, Some(0), "{life:#?}");
    let steps: Vec<&str> = life.out.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(steps, ["hotel", "flight", "car", "payment"]);
}

#[test]
fn what_was_booked_is_cancelled_in_reverse_when_a_step_fails() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "trip", &["--fail-at", "car"], &Kill::Never);
    assert_eq!(life.code, Some(0), "{life:#?}");
    assert_eq!(life.out[2..], ["flight-4711 cancelled", "hotel-4711 cancelled"]);
    let remarks = life.err.join("\n");
    assert!(remarks.contains("undone, in this order: flight, hotel"), "{remarks}");
    assert!(remarks.contains("✗ car failed: there is no car in Lima any more"), "{remarks}");
}

#[test]
fn killed_while_it_undoes_it_goes_on_undoing() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--fail-at", "payment"];
    let killed = live(dir.path(), "trip", &args, &Kill::AtLine(4, Duration::from_millis(100)));
    // The first was cancelled, and on a busy machine the second.
    let cancelled = killed.out.iter().filter(|line| line.ends_with(" cancelled")).count();
    assert!(killed.code.is_none() && (1..=2).contains(&cancelled), "{killed:#?}");
    let resumed = live(dir.path(), "trip", &args, &Kill::Never);
    assert_eq!(resumed.out.last().map(String::as_str), Some("hotel-4711 cancelled"), "{resumed:#?}");
    assert!(!resumed.out.iter().any(|line| line.contains("booked")), "{resumed:#?}");
}

#[test]
fn an_unknown_step_is_refused_with_those_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "trip", &["--fail-at", "train"], &Kill::Never);
    assert_eq!(life.code, Some(1));
    assert_eq!(life.err[0], "error: there is no step train; there are hotel, flight, car, payment");
}
