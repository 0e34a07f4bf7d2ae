//! The house tools of vastflow, run as `cargo xtask <command>`.
//!
//! `test` is the one command that says whether the repository is good; `tidy` and `weight` are two of its
//! steps that can be repeated alone. Nothing here is part of the product, and nothing here is a shell script.
//! Start reading at [`test::run`].

#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod dashboard;
mod pooler;
mod run;
mod sim;
mod soak;
mod test;
mod tidy;
mod tools;
mod weight;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
The house tools of vastflow.

Usage: cargo xtask <command>

Commands:
  test     Run everything that must pass before a change is merged:
           format, clippy, tests and doctests, docs, tidy, weight,
           and the dashboard: its checks, its build, browser tests.
           Installs missing Debian packages as root or when CI is set.
  tidy     Check the dependency arrows between crates, the ratchets
           on size and panics, the code in the README, links, and that
           every rule of docs/rules.md has the tests that it names.
  sim      Play random plans against an evaluator of its own; see
           `cargo xtask sim --help`.
  pooler   Hold the PostgreSQL store to the rules that every store keeps,
           behind a PgBouncer in transaction mode (Debian: pgbouncer).
  screenshots
           Make the pictures of the README from the dashboard.
  soak     Hold a service under load for minutes, with 10,000 idle connections,
           and see that its memory stays flat; `cargo xtask soak --help`.
  weight   Check how many packages the vastflow crate makes its users build.
  help     Show this text (also -h, --help).

Each command exits with 0 when all is well, and with 1 otherwise.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["help"] => help(),
        ["sim", ref asked @ ..] => sim::run(asked),
        ["soak", ref asked @ ..] => soak::run(asked),
        _ if words.iter().any(|word| matches!(*word, "-h" | "--help")) => help(),
        ["pooler"] => pooler::run(),
        ["test"] => test::run(),
        ["tidy"] => report(tidy::check()?),
        ["screenshots"] => dashboard::screenshots(),
        ["weight"] => report(weight::check()?),
        _ => Err(format!("xtask: `{}` is not a command. `cargo xtask --help` lists them.", words.join(" "))),
    }
}

fn help() -> Result<(), String> {
    print!("{HELP}");
    Ok(())
}

fn report(summary: String) -> Result<(), String> {
    println!("{summary}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_names_the_help() {
        let args = ["test".to_owned(), "--fast".to_owned()];
        let message = dispatch(&args).unwrap_err();
        assert!(message.contains("`test --fast`") && message.contains("--help"), "{message}");
    }
}
