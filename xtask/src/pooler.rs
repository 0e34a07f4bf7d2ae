//! `cargo xtask pooler`: the PostgreSQL store behind PgBouncer, which not every machine has.

use crate::run::{self, Step};

/// What is run there: all that goes by `Place`, and what is about the pooler.
const TESTS: [&str; 11] = [
    "test",
    "-p",
    "vastflow-postgres",
    "--test",
    "it",
    "--",
    "--include-ignored",
    "conformance",
    "differential",
    "faulty",
    "pooled",
];

pub(crate) fn run() -> Result<(), String> {
    run::all(vec![Step::cargo("Behind PgBouncer", &TESTS).env("VASTFLOW_PGBOUNCER", "1")])
}
