//! What every verb says of itself is in `tests/it/help/`, and changes there with it: run with `UPDATE_HELP=1` to write it.

use crate::place::Place;
use std::fmt::Write as _;
use std::path::Path;

const VERBS: &[&[&str]] = &[
    &[],
    &["start"],
    &["runs"],
    &["runs", "ls"],
    &["runs", "show"],
    &["runs", "tail"],
    &["runs", "logs"],
    &["runs", "result"],
    &["runs", "signal"],
    &["runs", "pause"],
    &["runs", "resume"],
    &["runs", "stop"],
    &["runs", "kill"],
    &["runs", "retry"],
    &["runs", "rerun"],
    &["runs", "fork"],
    &["runs", "resolve"],
    &["runs", "rm"],
    &["flows"],
    &["flows", "ls"],
    &["flows", "show"],
    &["flows", "graph"],
    &["flows", "check"],
    &["workers"],
    &["queues"],
    &["worker"],
    &["dev"],
    &["serve"],
    &["tokens"],
    &["tokens", "ls"],
    &["tokens", "make"],
    &["tokens", "revoke"],
    &["doctor"],
    &["store"],
    &["store", "migrate"],
    &["store", "copy"],
    &["store", "backup"],
    &["store", "stats"],
    &["store", "verify"],
    &["completions"],
];

#[test]
fn what_every_verb_says_of_itself_is_what_was_agreed_on() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    let mut differ = String::new();
    for verb in VERBS {
        let said = place.vastflow(&[*verb, &["--help"]].concat()).ok();
        assert!(!said.contains('\u{1b}'), "colours where nobody sees them: {verb:?}");
        let name = if verb.is_empty() { "vastflow".to_owned() } else { verb.join("-") };
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_HELP").is_some() {
            std::fs::write(&path, &said).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&*said) {
            let _ = writeln!(differ, "{}:\n{said}", path.display());
        }
    }
    assert!(differ.is_empty(), "look at these, then write them with UPDATE_HELP=1\n{differ}");
}

/// No verb is left out of the list above.
#[test]
fn all_verbs_are_in_the_list() {
    let place = Place::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(verb) = open.pop() {
        let words: Vec<&str> = verb.iter().map(String::as_str).collect();
        assert!(VERBS.contains(&&*words), "{words:?} is not in the list");
        let help = place.vastflow(&[&*words, &["--help"]].concat()).ok();
        let commands = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or("");
        let inner = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = inner.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        open.extend(names.map(|name| [verb.clone(), vec![name.to_owned()]].concat()));
    }
}

#[test]
fn completions_are_there_for_three_shells() {
    let place = Place::new();
    for (shell, says) in [("bash", "_vastflow()"), ("zsh", "#compdef vastflow"), ("fish", "complete -c vastflow")] {
        let script = place.vastflow(&["completions", shell]).ok();
        assert!(script.contains(says) && script.contains("doctor"), "{shell}: {script}");
    }
    assert!(place.shop(&["completions", "bash"]).ok().contains("_shop()"), "a program completes its own name");
    place.vastflow(&["completions", "tcsh"]).fails(2);
}

#[test]
fn what_is_not_understood_is_told_with_what_was_meant() {
    let place = Place::new();
    assert!(place.vastflow(&["rnus"]).fails(2).contains("runs"));
    assert!(place.vastflow(&["runs", "ls", "--flwo", "x"]).fails(2).contains("--flow"));
    assert!(place.vastflow(&["runs", "ls", "--status", "ended"]).fails(2).contains("succeeded"));
    assert!(place.vastflow(&[]).fails(2).contains("Usage"));
}
