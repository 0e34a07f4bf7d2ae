//! An expense that waits for an answer.

use crate::process::{Kill, live, program};
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn a_run_that_waits_is_answered_by_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let asked = live(dir.path(), "approval", &[], &Kill::AtRemark("✓ ask"));
    assert_eq!(
        (asked.code, asked.out.as_slice()),
        (None, &["a hammock for 4900 cents: may we? (expense-1)".to_owned()][..])
    );
    let answered = live(dir.path(), "approval", &["--approve", "expense-1"], &Kill::Never);
    assert_eq!((answered.code, answered.out), (Some(0), vec!["a hammock paid, approved by the-boss".to_owned()]));
    let late = live(dir.path(), "approval", &["--refuse", "expense-1"], &Kill::Never);
    assert!(late.err.iter().any(|line| line == "too late: it succeeded"), "{late:#?}");
    assert_eq!(late.out, ["a hammock paid, approved by the-boss"]);
}

#[test]
fn who_answers_a_run_that_is_not_there_is_told_how_to_begin_one() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "approval", &["--approve", "nosuch"], &Kill::Never);
    let said = life.err.join("\n");
    assert!(
        life.code == Some(1) && said.contains("there is no run \"nosuch\"") && said.contains("--id nosuch"),
        "{said}"
    );
}

#[test]
fn nobody_answers_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "approval", &["--within", "1"], &Kill::Never);
    assert_eq!((life.code, life.out[1].as_str()), (Some(0), "a hammock not paid: nobody did not approve"));
}

#[test]
fn an_answer_can_be_typed() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(program("approval"))
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"what?\nn\n").unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    assert!(String::from_utf8_lossy(&out.stdout).ends_with("a hammock not paid: you did not approve\n"), "{out:?}");
}
