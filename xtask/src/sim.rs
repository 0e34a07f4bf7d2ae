//! `cargo xtask sim`: random plans, played against an evaluator of its own. The work is a test of `vastflow-core`; this
//! builds it, says how much is to be played, and lets its words through.

use crate::run::{self, Step};
use crate::workspace;

const HELP: &str = "\
Plays random plans, with crashes, repetitions and failures at any moment, and compares what comes
of each with what a plain evaluation of the plan gives. The laws of the core are checked after every
step. Seeds that fail are written into crates/vastflow-core/tests/core/sim/seeds.txt, which every run
plays first; commit the file with what mends them.

Usage: cargo xtask sim [--plans N] [--seed S] [--minutes M]
       cargo xtask sim --planted

  --plans N     How many plans (10000). More than 20000 are played by an optimised build.
  --seed S      The first seed (0); each plan has the next one. The same seed is the same plan.
  --minutes M   Stop after so long, however many were played.
  --planted     Plant bugs, one after the other, and see that each of them is found.
";

/// How many plans are played when nobody says.
const PLANS: u64 = 10_000;
/// From so many on an optimised build is worth its time.
const MANY: u64 = 20_000;
const TEST: &str = "sim::every_seed_gives_what_a_plain_evaluation_gives";
const PLANTED: &str = "sim::planted::every_planted_bug_is_found";

/// What is asked for.
#[derive(Debug, PartialEq)]
struct Asked {
    plans: u64,
    seed: u64,
    minutes: Option<u64>,
}

/// Runs the command with these words behind it.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    match words {
        [] => play(&Asked { plans: PLANS, seed: 0, minutes: None }),
        ["-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        ["--planted"] => run::succeed(workspace::cargo().args(test_args(false, PLANTED))),
        words => play(&parse(words)?),
    }
}

/// What of it stands in the test command: with what the tests before it have built.
pub(crate) fn step() -> Step {
    let step = Step::cargo("Simulation", &test_args(false, TEST));
    step.env("VASTFLOW_SIM_PLANS", &PLANS.to_string())
}

fn play(asked: &Asked) -> Result<(), String> {
    let is_many = asked.plans > MANY || asked.minutes.is_some();
    let mut cargo = workspace::cargo();
    cargo.args(test_args(is_many, TEST));
    cargo.env("VASTFLOW_SIM_PLANS", asked.plans.to_string()).env("VASTFLOW_SIM_SEED", asked.seed.to_string());
    if let Some(minutes) = asked.minutes {
        cargo.env("VASTFLOW_SIM_MINUTES", minutes.to_string());
    }
    run::succeed(&mut cargo)
}

fn test_args(optimised: bool, test: &'static str) -> Vec<&'static str> {
    let profile = if optimised { ["--profile", "sim"].as_slice() } else { &[] };
    let what = ["-p", "vastflow-core", "--test", "core", "--", "--exact", test, "--nocapture"];
    ["test", "--quiet"].iter().chain(profile).chain(&what).copied().collect()
}

fn parse(words: &[&str]) -> Result<Asked, String> {
    let (mut plans, mut seed, mut minutes) = (None, None, None);
    let unknown = |word: &str| format!("xtask: sim has no `{word}`. `cargo xtask sim --help` lists what it has.");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let into = match *word {
            "--plans" => &mut plans,
            "--seed" => &mut seed,
            "--minutes" => &mut minutes,
            other => return Err(unknown(other)),
        };
        let value = words.next().ok_or_else(|| format!("xtask: a number must follow `{word}`."))?;
        let number = value.parse().map_err(|_| format!("xtask: `{value}` behind `{word}` is no number."))?;
        *into = Some(number);
    }
    // Whoever says how long means as many as fit.
    let plans = plans.unwrap_or(if minutes.is_some() { u64::MAX } else { PLANS });
    Ok(Asked { plans, seed: seed.unwrap_or(0), minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_in_any_order() {
        let asked = Asked { plans: 7, seed: 9, minutes: None };
        assert_eq!(parse(&["--seed", "9", "--plans", "7"]), Ok(asked));
        assert_eq!(parse(&["--minutes", "3"]), Ok(Asked { plans: u64::MAX, seed: 0, minutes: Some(3) }));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(parse(&["--plan", "7"]).unwrap_err().contains("`--plan`"));
        assert!(parse(&["--plans"]).unwrap_err().contains("must follow `--plans`"));
        assert!(parse(&["--plans", "many"]).unwrap_err().contains("`many` behind `--plans`"));
    }

    #[test]
    fn many_plans_are_played_by_an_optimised_build() {
        assert!(test_args(true, TEST).windows(2).any(|pair| pair == ["--profile", "sim"]));
        assert!(!test_args(false, TEST).contains(&"--profile"));
    }
}
