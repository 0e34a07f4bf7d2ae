//! A PostgreSQL server for tests that are no Rust programs: prints its URL, and is gone when its standard input ends.
//!
//! ```sh
//! cargo run -p vastflow-testsuite --example postgres
//! ```

#![allow(clippy::print_stdout, reason = "its URL is what it says")]

use std::io::Read;
use vastflow_testsuite::servers::Postgres;

fn main() -> std::io::Result<()> {
    // The tests are about what people see, not about power cuts.
    let server = Postgres::start(false);
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}
