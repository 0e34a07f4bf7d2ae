//! How much a user takes on by adding `vastflow` to a project.

use std::collections::BTreeSet;

use crate::workspace;

/// People add vastflow to a service that they already build, and pay for every package in build time and in
/// review. Tokio, serde and a bundled SQLite are about half of this; the rest is room for what we need, not
/// for what is handy. Raise it only with a decision record.
const MAX_PACKAGES: usize = 80;

const TREE: &[&str] = &["tree", "-p", "vastflow", "-e", "normal", "--prefix", "none"];

/// Counts the distinct packages that the façade builds with its default features.
pub(crate) fn check() -> Result<String, String> {
    judge(&workspace::cargo_output(TREE)?)
}

fn judge(tree: &str) -> Result<String, String> {
    let packages = distinct(tree);
    if let Some((name, _)) = packages.iter().find(|(name, _)| name.starts_with("opentelemetry")) {
        return Err(format!("weight: {name} is built without the feature otel; put it behind that."));
    }
    let count = packages.len();
    if count <= MAX_PACKAGES {
        return Ok(format!("weight: {count} of at most {MAX_PACKAGES} packages."));
    }
    let list: Vec<_> = packages.into_iter().map(|(name, version)| format!("  {name} {version}")).collect();
    Err(format!(
        "weight: vastflow makes its users build {count} packages; the limit is {MAX_PACKAGES}.\n{}\n\
         `cargo tree -p vastflow -e normal --invert <package>` shows who needs one of them. Drop a dependency, \
         switch off its default features, or put it behind a feature of vastflow.",
        list.join("\n")
    ))
}

/// Name and version only: the rest of a line (a path, a mark for repeated lines) differs for the same package.
fn distinct(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_package_counts_once_and_two_versions_twice() {
        let tree = "vastflow v0.1.0 (/repo)\nserde v1.0.0\nserde v1.0.0 (*)\nsyn v1.0.0\nsyn v2.0.0 (proc-macro)\n";
        assert_eq!(distinct(tree).len(), 4);
    }

    #[test]
    fn traces_are_built_only_by_those_who_ask_for_them() {
        let message = judge("vastflow v0.1.0\nopentelemetry_sdk v0.33.1\n").unwrap_err();
        assert!(message.contains("opentelemetry_sdk"), "{message}");
    }

    #[test]
    fn one_package_too_many_fails_and_is_named() {
        let tree = |count: usize| (0..count).map(|i| format!("part-{i} v1.0.0\n")).collect::<String>();
        assert!(judge(&tree(MAX_PACKAGES)).is_ok());
        let message = judge(&tree(MAX_PACKAGES + 1)).unwrap_err();
        assert!(message.contains("81 packages") && message.contains("part-80"), "{message}");
    }
}
