//! Know your customer: every user of the file that is shipped, undisturbed and killed.

use crate::process::{Kill, live};
use std::time::Duration;

const VERDICTS: [&str; 4] = [
    "Ann: verified, 98 % alike",
    "Bob: only 38 % alike, a person has to look",
    "Cai: asked for another image, there is no face on the card",
    "Dua: verified, 100 % alike",
];

#[test]
fn each_user_gets_a_verdict_and_one_without_an_image_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "kyc", &[], &Kill::Never);
    assert_eq!(life.code, Some(0), "{life:#?}");
    let mut said = life.out.clone();
    said.sort();
    assert_eq!(said, VERDICTS);
    let remarks = life.err.join("\n");
    assert!(remarks.contains("✗ users[u5] failed: get-kyc-image: "), "{remarks}");
    assert!(remarks.contains("users × 5 (1 failed) │"), "{remarks}");
    assert!(remarks.contains("u2  Bob: only"), "{remarks}");
}

#[test]
fn killed_in_the_middle_it_goes_on_and_says_everything() {
    let dir = tempfile::tempdir().unwrap();
    let killed = live(dir.path(), "kyc", &[], &Kill::AtLine(1, Duration::ZERO));
    assert_eq!(killed.code, None, "{killed:#?}");
    let resumed = live(dir.path(), "kyc", &[], &Kill::Never);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    for verdict in VERDICTS {
        let times = killed.out.iter().chain(&resumed.out).filter(|line| *line == verdict).count();
        assert!((1..=2).contains(&times), "{verdict} was said {times} times: {killed:#?} {resumed:#?}");
    }
}

#[test]
fn the_graph_can_be_printed() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "kyc", &["--graph", "mermaid"], &Kill::Never);
    assert_eq!((life.code, life.out[0].as_str()), (Some(0), "flowchart TB"));
    assert!(life.out.iter().any(|line| line.contains("sub-flow verify-image")), "{life:#?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
