//! The dashboard: its checks, its build, and a browser that uses it at real services.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{self, Step};
use crate::workspace;

/// The oldest Node.js that its tools run on. Debian 12 has an older one.
const NODE: (u32, u32) = (20, 19);
/// What brings a newer one as a package of npm, without scripts.
const NODE_PACKAGE: &str = "22";

const PROGRAMS: &[&str] = &["build", "--workspace", "--examples"];

/// What `cargo xtask test` does with it.
pub(crate) fn steps() -> Result<Vec<Step>, String> {
    Ok(vec![
        npm_step("Dashboard: packages", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?,
        npm_step("Dashboard: types, lint, tests", &["run", "check"])?,
        Step::check("Dashboard: build", "npm --prefix dashboard run build", build),
        Step::cargo("Dashboard: services to look at", PROGRAMS),
        npm_step("Dashboard: browser tests", &["run", "browser"])?,
    ])
}

/// `cargo xtask screenshots`: the pictures of the README, made from the real thing.
pub(crate) fn screenshots() -> Result<(), String> {
    let mut steps = vec![
        npm_step("Packages", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?,
        npm_step("Build", &["run", "build"])?,
    ];
    steps.push(Step::cargo("A service to look at", PROGRAMS));
    steps.push(npm_step("Pictures", &["run", "screenshots"])?);
    run::all(steps)
}

fn npm_step(title: &'static str, args: &[&str]) -> Result<Step, String> {
    Ok(Step::command(title, format!("npm --prefix dashboard {}", args.join(" ")), npm(args)?))
}

/// npm in the dashboard's folder, on a Node.js that is new enough.
fn npm(args: &[&str]) -> Result<Command, String> {
    let mut command = Command::new("npm");
    command.args(args).current_dir(workspace::root().join("dashboard"));
    if let Some(dir) = newer_node()? {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(dir).chain(std::env::split_paths(&path));
        let all = std::env::join_paths(all).map_err(|why| format!("xtask: the PATH cannot be extended: {why}."))?;
        command.env("PATH", all);
    }
    Ok(command)
}

/// Where a newer Node.js is, if the one on the path is too old.
fn newer_node() -> Result<Option<PathBuf>, String> {
    let said = Command::new("node").arg("--version").output();
    let version = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    if is_new_enough(&version) {
        return Ok(None);
    }
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("node-linux-{machine}");
    let dir = workspace::root().join("target/node");
    let bin = dir.join("node_modules").join(&package).join("bin");
    if !bin.join("node").is_file() {
        println!("==> Node.js is {:?}; installing {NODE_PACKAGE} into {}", version.trim(), dir.display());
        let mut install = Command::new("npm");
        install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
        run::succeed(install.arg(&dir).arg(format!("{package}@{NODE_PACKAGE}")))?;
    }
    Ok(Some(bin))
}

/// Whether a version, as `node --version` says it, will do.
fn is_new_enough(version: &str) -> bool {
    let mut parts = version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= NODE)
}

/// Builds it, and compares with what was there: that is what is committed, and what programs have in them.
fn build() -> Result<String, String> {
    let dist = workspace::root().join("dashboard/dist");
    let before = files(&dist)?;
    run::succeed(&mut npm(&["run", "build"])?)?;
    let after = files(&dist)?;
    let changed = difference(&before, &after);
    if changed.is_empty() {
        return Ok(format!("dashboard: dist is what its sources give, {} files.", after.len()));
    }
    Err(format!(
        "dashboard: dist was not what its sources give. It was built anew; look at it, and commit it:\n  {}",
        changed.join("\n  ")
    ))
}

/// What is in a folder, by path.
fn files(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        // One that is not there has nothing in it.
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                left.push(path);
            } else {
                let bytes = fs::read(&path).map_err(|why| format!("{} cannot be read: {why}.", path.display()))?;
                found.insert(path, bytes);
            }
        }
    }
    Ok(found)
}

/// The names of what is on one side only, or differs.
fn difference(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let new = after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path);
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    gone.chain(new).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, will_do) in [
            ("v20.19.0\n", true),
            ("v20.18.3\n", false),
            ("v22.1.0", true),
            ("v18.20.4", false),
            ("", false),
            ("no such command", false),
        ] {
            assert_eq!(is_new_enough(version), will_do, "{version:?}");
        }
    }

    #[test]
    fn what_differs_is_named_once() {
        let files = |all: &[(&str, &str)]| -> BTreeMap<PathBuf, Vec<u8>> {
            all.iter().map(|(name, text)| (Path::new("dist").join(name), text.as_bytes().to_vec())).collect()
        };
        let before = files(&[("same.js", "1"), ("other.js", "1"), ("gone.js", "1")]);
        let after = files(&[("same.js", "1"), ("other.js", "2"), ("new.js", "1")]);
        assert_eq!(difference(&before, &after), ["gone.js", "new.js", "other.js"]);
        assert!(difference(&before, &before).is_empty());
    }
}
