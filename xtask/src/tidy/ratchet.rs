//! The list of old offenders: a new one fails, and one that is cured must leave, so the list only shrinks.

use std::collections::BTreeSet;

use super::rules::Offence;

/// The list, relative to the root.
pub(crate) const PATH: &str = "xtask/src/tidy/ratchet.txt";

/// New offences, and entries of the list that offend no more.
pub(crate) fn check(offences: &[Offence], list: &str) -> Vec<String> {
    let old = entries(list);
    let offending: BTreeSet<String> = offences.iter().map(entry).collect();
    let new = offences.iter().filter(|offence| !old.contains(entry(offence).as_str()));
    let cured = old.iter().filter(|line| !offending.contains(**line));
    new.map(|offence| format!("{} [{}]", offence.message, offence.rule))
        .chain(cured.map(|line| format!("{PATH}: `{line}` offends no more (or is misspelt). Delete the line.")))
        .collect()
}

fn entries(list: &str) -> BTreeSet<&str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn entry(offence: &Offence) -> String {
    format!("{} {}", offence.rule, offence.subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offence(subject: &str) -> Offence {
        Offence { rule: "unwrap", subject: subject.to_owned(), message: format!("{subject}: do something") }
    }

    #[test]
    fn a_new_offender_fails() {
        let found = check(&[offence("a.rs::b")], "# only a comment\n");
        assert_eq!(found, ["a.rs::b: do something [unwrap]"]);
    }

    #[test]
    fn an_old_offender_passes() {
        assert!(check(&[offence("a.rs::b")], "# old\n\nunwrap a.rs::b\n").is_empty());
    }

    #[test]
    fn a_cured_offender_must_leave_the_list() {
        let found = check(&[], "unwrap a.rs::b\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`unwrap a.rs::b`") && found[0].contains("Delete"), "{}", found[0]);
    }
}
