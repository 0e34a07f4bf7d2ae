//! Running steps: a heading before each, its duration after it, and a stop at the first that fails.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::workspace;

/// One step: a command, or a check that is a function of this program.
pub(crate) struct Step {
    title: &'static str,
    /// The command that repeats this step alone, as a user would type it.
    repeat: String,
    work: Work,
}

enum Work {
    Command(Command),
    Check(fn() -> Result<String, String>),
}

impl Step {
    /// A step that is `cargo` with these arguments.
    pub(crate) fn cargo(title: &'static str, args: &[&str]) -> Self {
        let mut command = workspace::cargo();
        command.args(args);
        Self { title, repeat: format!("cargo {}", args.join(" ")), work: Work::Command(command) }
    }

    /// A step that is another command; `repeat` is what a user would type.
    pub(crate) const fn command(title: &'static str, repeat: String, command: Command) -> Self {
        Self { title, repeat, work: Work::Command(command) }
    }

    /// A step that is a function; `repeat` is the command that calls it alone.
    pub(crate) fn check(title: &'static str, repeat: &str, check: fn() -> Result<String, String>) -> Self {
        Self { title, repeat: repeat.to_owned(), work: Work::Check(check) }
    }

    /// Sets a variable in the environment of a command.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        if let Work::Command(command) = &mut self.work {
            command.env(name, value);
            self.repeat = format!("{name}=\"{value}\" {}", self.repeat);
        }
        self
    }

    fn work(&mut self) -> Result<(), String> {
        match &mut self.work {
            Work::Command(command) => succeed(command),
            Work::Check(check) => check().map(|summary| println!("{summary}")),
        }
    }
}

/// Runs a command with its output in plain sight; anything but success is an error that says how it ended.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` ended with {status}; its output is above.")),
        Err(why) => Err(format!("`{program}` could not be started: {why}.")),
    }
}

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn all(mut steps: Vec<Step>) -> Result<(), String> {
    let started = Instant::now();
    let count = steps.len();
    for (index, step) in steps.iter_mut().enumerate() {
        let number = index + 1;
        println!("\n==> [{number}/{count}] {}: {}", step.title, step.repeat);
        one(step).map_err(|why| format!("\nxtask: step {number} of {count} failed: {}\n{why}", step.title))?;
    }
    println!("\nAll {count} steps passed in {}.", shown(started.elapsed()));
    Ok(())
}

fn one(step: &mut Step) -> Result<(), String> {
    let started = Instant::now();
    let result = step.work();
    let took = shown(started.elapsed());
    match result {
        Ok(()) => {
            println!("    passed in {took}");
            Ok(())
        }
        Err(why) => Err(format!("{why}\n\nIt took {took}. Repeat only this step with:\n\n    {}\n", step.repeat)),
    }
}

fn shown(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 60 {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Result<String, String> {
        Ok("looked at 3 things".to_owned())
    }

    fn broken() -> Result<String, String> {
        Err("the third thing is wrong".to_owned())
    }

    #[test]
    fn a_failure_names_the_step_the_cause_and_the_command() {
        let steps = vec![Step::check("First", "cargo xtask first", fine), Step::check("Second", "again", broken)];
        let message = all(steps).unwrap_err();
        for part in ["step 2 of 2", "Second", "the third thing is wrong", "    again\n"] {
            assert!(message.contains(part), "`{part}` is missing in: {message}");
        }
    }

    #[test]
    fn nothing_runs_after_a_failure() {
        let never = || unreachable!("ran after a failure");
        all(vec![Step::check("First", "first", broken), Step::check("Second", "second", never)]).unwrap_err();
    }

    #[test]
    fn an_environment_is_part_of_the_command_to_repeat() {
        let step = Step::cargo("Docs", &["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.repeat, "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }

    #[test]
    fn a_command_that_fails_says_how() {
        let message = succeed(&mut Command::new("false")).unwrap_err();
        assert!(message.contains("exit status: 1"), "{message}");
        let message = succeed(&mut Command::new("no-such-command-anywhere")).unwrap_err();
        assert!(message.contains("could not be started"), "{message}");
    }

    #[test]
    fn long_durations_are_shown_in_minutes() {
        assert_eq!(shown(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(shown(Duration::from_secs(125)), "2 min 5 s");
    }
}
