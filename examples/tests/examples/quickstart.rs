//! The README's program.

use crate::process::{Kill, Life, live};

const SAYS: &str = "parcel 7 is on its way, with receipt 7";

fn run(dir: &std::path::Path, kill: &Kill) -> Life {
    live(dir, "quickstart", &[], kill)
}

fn remark<'a>(life: &'a Life, start: &str) -> &'a str {
    life.err.iter().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start:?} in {life:#?}"))
}

#[test]
fn it_is_short() {
    let lines = include_str!("../../quickstart.rs").lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
}

#[test]
fn killed_and_resumed_it_keeps_what_was_done_and_a_later_run_joins() {
    let dir = tempfile::tempdir().unwrap();
    let killed = run(dir.path(), &Kill::AtRemark("↻ charge"));
    assert_eq!((killed.code, killed.out.len()), (None, 0), "{killed:#?}");

    let resumed = run(dir.path(), &Kill::Never);
    assert_eq!((resumed.code, resumed.out[0].as_str()), (Some(0), SAYS), "{resumed:#?}");
    let took =
        resumed.out[1].strip_prefix("run order-7 of order: succeeded after ").and_then(|took| took.split('.').next());
    assert!(took.is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds >= 4)), "{resumed:#?}");
    let charge = resumed.out.iter().find(|line| line.contains("✓ charge")).unwrap();
    assert!(charge.contains("2 calls"), "the first attempt was not forgotten: {resumed:#?}");

    // Nothing is done again: all took as long as it did.
    let joined = run(dir.path(), &Kill::Never);
    assert_eq!(joined.out, resumed.out);
    for start in ["✓ pack", "✓ charge", "✓ ship", "● succeeded"] {
        assert_eq!(remark(&joined, start), remark(&resumed, start));
    }
}
