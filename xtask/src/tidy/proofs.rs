//! `docs/rules.md`: every rule names tests that fail when it is broken, and every test that is named is there.
//!
//! A test is named as cargo takes it: `vastflow-core::joins::a_test` is `cargo test -p vastflow-core joins::a_test`.

use super::scan;
use super::source::Source;
use crate::workspace::Package;

/// Where the rules stand.
pub(crate) const PATH: &str = "docs/rules.md";

/// Everything that is wrong with the table.
pub(crate) fn check(text: &str, packages: &[Package], sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, rule, tests) in rows(text) {
        if tests.is_empty() {
            problems.push(format!("{PATH}:{number}: the rule `{rule}` names no test. Name one, or write it."));
        }
        let gone = tests.into_iter().filter(|test| !exists(test, packages, sources));
        problems.extend(gone.map(|test| {
            format!("{PATH}:{number}: there is no test `{test}`. Name it as `crate::module::test`, or write it.")
        }));
    }
    if rows(text).next().is_none() {
        problems.push(format!("{PATH}: no rule is found in it. Write one a line, as `| rule | `tests` |`."));
    }
    problems
}

/// The lines of the tables: their number, the rule, and the tests behind it.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let (rule, tests) = line.strip_prefix('|')?.trim_end().strip_suffix('|')?.rsplit_once('|')?;
        let is_head = rule.trim() == "rule" || rule.trim().starts_with("---");
        let tests = tests.split('`').skip(1).step_by(2).collect();
        (!is_head).then_some((at + 1, rule.trim(), tests))
    })
}

fn exists(test: &str, packages: &[Package], sources: &[Source]) -> bool {
    let parts: Vec<&str> = test.split("::").collect();
    let [name, modules @ .., function] = parts.as_slice() else { return false };
    let Some(package) = packages.iter().find(|package| package.name == *name) else { return false };
    let (dir, module) = (format!("{}/", package.dir.display()), modules.join("/"));
    let ends = [format!("/{module}.rs"), format!("/{module}/mod.rs")];
    let is_of = |source: &&Source| {
        source.path.starts_with(&dir) && (ends.iter().any(|end| source.path.ends_with(end)) || module.is_empty())
    };
    sources.iter().filter(is_of).any(|source| has_test(source, function))
}

fn has_test(source: &Source, function: &str) -> bool {
    // What stamps out a test for each store is a test without an attribute.
    let is_case = source.path.contains("/src/cases/");
    let tests = scan::tests(&source.code);
    let is_test = |start: usize| is_case || tests.iter().any(|range| range.contains(&start));
    scan::functions(&source.code).iter().any(|found| found.name == function && is_test(found.range.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dir: &str) -> Package {
        Package { name: name.to_owned(), dir: dir.into(), lib: None, dependencies: Vec::new() }
    }

    #[track_caller]
    fn check_row(tests: &str, expected: &[&str]) {
        let packages = [package("core", "crates/core"), package("suite", "crates/suite")];
        let sources = [
            Source::new("crates/core/tests/it/joins.rs", "#[test]\nfn any() {}\nfn helper() {}\n"),
            Source::new("crates/core/tests/it/sim/mod.rs", "#[test]\nfn seeds() {}\n"),
            Source::new("crates/suite/src/cases/fence.rs", "pub async fn fenced() {}\n"),
        ];
        let text = format!("# Rules\n\n| rule | tests |\n|---|---|\n| a thing holds | {tests} |\n");
        let found = check(&text, &packages, &sources);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(found, expected)| found.contains(expected)), "{found:?}");
    }

    #[test]
    fn tests_that_exist_pass() {
        check_row("`core::joins::any`, `core::sim::seeds`, `suite::cases::fence::fenced`", &[]);
    }

    #[test]
    fn tests_that_do_not_exist_fail() {
        let gone = ["`core::joins::all`", "`core::loops::any`", "`sore::joins::any`", "`any`"];
        check_row(&gone.join(", "), &["joins::all", "loops::any", "sore::joins", "`any`"]);
    }

    #[test]
    fn what_is_no_test_fails() {
        check_row("`core::joins::helper`", &["docs/rules.md:5: there is no test `core::joins::helper`"]);
    }

    #[test]
    fn a_rule_without_a_test_fails() {
        check_row("none yet", &["the rule `a thing holds` names no test"]);
        assert_eq!(check("# Rules\n", &[], &[]).len(), 1);
    }
}
