//! The tools outside of cargo that the tests need, and how they get onto a Debian machine.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{run, workspace};

/// A command that a step needs. To need another one, add a line to [`NEEDED`].
struct Tool {
    command: &'static str,
    /// The Debian packages that bring it, separated by spaces.
    packages: &'static str,
    why: &'static str,
}

const NEEDED: &[Tool] = &[
    // libc6-dev is named because gcc only recommends it, and recommended packages are not installed.
    Tool { command: "cc", packages: "gcc libc6-dev", why: "compiles the bundled SQLite" },
    // The fonts are what its pages are drawn with.
    Tool {
        command: "chromium",
        packages: "chromium fonts-dejavu-core",
        why: "tests look at the dashboard in a browser",
    },
    Tool { command: "curl", packages: "curl", why: "a test asks the example service as its first lines show" },
    Tool { command: "node", packages: "nodejs", why: "builds the dashboard" },
    Tool { command: "npm", packages: "npm", why: "fetches what the dashboard is built with" },
    // The server's own programs are not on the PATH of Debian; this one comes with them.
    Tool { command: "pg_ctlcluster", packages: "postgresql", why: "tests start PostgreSQL servers of their own" },
    Tool { command: "redis-server", packages: "redis-server", why: "tests start Redis servers of their own" },
    Tool { command: "sqlite3", packages: "sqlite3", why: "a test opens the tables as a user would" },
];

const APT_UPDATE: &str = "apt-get update";
const APT_INSTALL: &str = "apt-get install -y --no-install-recommends";

/// Makes sure that all needed tools are there: installs what is missing where that is ours to do (as root, or
/// when `CI` is set), and says what to type where it is not.
pub(crate) fn ensure() -> Result<(), String> {
    component("fmt", "rustfmt")?;
    component("clippy", "clippy")?;
    let missing = missing(on_path);
    if missing.is_empty() {
        return Ok(());
    }
    let root = is_root();
    if (!root && std::env::var_os("CI").is_none()) || !on_path("apt-get") {
        return Err(by_hand(&missing));
    }
    install(&missing, root).map_err(|why| format!("{why}\n{}", by_hand(&missing)))
}

/// The parts of the Rust toolchain come from rustup, not from Debian.
fn component(subcommand: &str, name: &str) -> Result<(), String> {
    let mut probe = workspace::cargo();
    probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    match probe.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "xtask: `cargo {subcommand}` does not work, so a step of the test would fail. Install it with:\n\n    \
             rustup component add {name}\n"
        )),
    }
}

fn missing(present: impl Fn(&str) -> bool) -> Vec<&'static Tool> {
    NEEDED.iter().filter(|tool| !present(tool.command)).collect()
}

fn on_path(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(command).is_file())
}

/// Std has no `geteuid`, and one question is not worth a dependency.
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|answer| answer.stdout.trim_ascii() == b"0")
}

fn install(missing: &[&Tool], root: bool) -> Result<(), String> {
    println!("==> Installing {} with apt-get", packages(missing));
    apt(APT_UPDATE, root)?;
    apt(&format!("{APT_INSTALL} {}", packages(missing)), root)?;
    let absent = self::missing(on_path);
    if absent.is_empty() {
        return Ok(());
    }
    Err(format!("xtask: apt-get succeeded, but {} is still not on the PATH.", names(&absent)))
}

fn apt(line: &str, root: bool) -> Result<(), String> {
    // `env` and not `Command::env`, because sudo drops the environment.
    let sudo = if root { "" } else { "sudo -n " };
    let line = format!("{sudo}env DEBIAN_FRONTEND=noninteractive {line}");
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    run::succeed(command.args(words).current_dir(Path::new("/"))).map_err(|why| format!("xtask: {line}\n{why}"))
}

fn by_hand(missing: &[&Tool]) -> String {
    let reasons: Vec<_> = missing.iter().map(|tool| format!("  {:<13} {}", tool.command, tool.why)).collect();
    format!(
        "xtask: the tests need a command that is not on the PATH:\n{}\n\nOn Debian or Ubuntu, run this line, then \
         try again (elsewhere, install the same packages in your system's way):\n\n    \
         sudo {APT_UPDATE} && sudo {APT_INSTALL} {}\n",
        reasons.join("\n"),
        packages(missing)
    )
}

fn packages(tools: &[&Tool]) -> String {
    tools.iter().map(|tool| tool.packages).collect::<Vec<_>>().join(" ")
}

fn names(tools: &[&Tool]) -> String {
    tools.iter().map(|tool| tool.command).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_present_is_not_missing() {
        assert!(missing(|_| true).is_empty());
        assert_eq!(
            names(&missing(|command| command == "cc")),
            "chromium, curl, node, npm, pg_ctlcluster, redis-server, sqlite3"
        );
    }

    #[test]
    fn the_message_is_a_line_to_paste() {
        let message = by_hand(&missing(|_| false));
        let line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev chromium \
                    fonts-dejavu-core curl nodejs npm postgresql redis-server sqlite3\n";
        assert!(message.contains(line), "{message}");
        assert!(message.contains("compiles the bundled SQLite"), "{message}");
    }

    #[test]
    fn looks_for_commands_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-command-anywhere"));
    }
}
