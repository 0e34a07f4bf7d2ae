//! `cargo xtask test`: everything that must pass before a change is merged.

use crate::run::{self, Step};
use crate::{dashboard, sim, tidy, tools, weight};

/// Makes sure that the needed tools are there, then runs all steps.
pub(crate) fn run() -> Result<(), String> {
    tools::ensure()?;
    let mut steps = vec![
        Step::cargo("Format", &["fmt", "--all", "--check"]),
        Step::cargo("Clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Step::cargo("Tests and doctests", &["test", "--workspace"]),
        sim::step(),
        Step::cargo("Docs", &["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
        Step::check("Tidy", "cargo xtask tidy", tidy::check),
        Step::check("Weight", "cargo xtask weight", weight::check),
    ];
    // Last, because it takes longest.
    steps.extend(dashboard::steps()?);
    run::all(steps)
}
