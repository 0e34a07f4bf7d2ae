//! The likeliest mistakes do not compile, and the first lines of what the compiler says name the fix.
#![allow(missing_docs, reason = "tests are named as sentences")]

/// Each `.stderr` was read and agreed to; a new compiler may word its own part differently. Then run with
/// `TRYBUILD=overwrite` and read the difference: the line after `error` must still tell what to do.
#[test]
fn the_likeliest_mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
