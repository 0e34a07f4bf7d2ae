//! The dependency arrows of ARCHITECTURE.md: which crate may know which.
//!
//! Only what a user builds is checked; dev-dependencies are free.

use crate::workspace::Package;

/// The crate that knows nothing of the outside world.
pub(crate) const PURE: &str = "vastflow-core";

/// What a crate may depend on inside the workspace.
enum May {
    Know(&'static [&'static str]),
    KnowAll,
}

/// One line a crate. A new crate is added here in the commit that makes it.
const ARROWS: &[(&str, May)] = &[
    ("vastflow-core", May::Know(&[])),
    ("vastflow-store", May::Know(&["vastflow-core"])),
    ("vastflow-sdk", May::Know(&["vastflow-core"])),
    ("vastflow-sqlite", May::Know(&["vastflow-core", "vastflow-store"])),
    ("vastflow-redis", May::Know(&["vastflow-core", "vastflow-store"])),
    ("vastflow-postgres", May::Know(&["vastflow-core", "vastflow-store"])),
    ("vastflow-testsuite", May::Know(&["vastflow-core", "vastflow-store"])),
    ("vastflow-worker", May::Know(&["vastflow-core", "vastflow-store", "vastflow-sdk"])),
    ("vastflow-testing", May::Know(&["vastflow-core", "vastflow-sdk", "vastflow-worker"])),
    ("vastflow-callback", May::Know(&["vastflow-core", "vastflow-sdk", "vastflow-worker"])),
    ("vastflow-otel", May::Know(&["vastflow-core", "vastflow-worker"])),
    ("vastflow-api", May::Know(&[])),
    (
        "vastflow-open",
        May::Know(&["vastflow-store", "vastflow-worker", "vastflow-sqlite", "vastflow-redis", "vastflow-postgres"]),
    ),
    ("vastflow-client", May::Know(&["vastflow-api"])),
    ("vastflow-cli", May::KnowAll),
    (
        "vastflow-server",
        May::Know(&[
            "vastflow-api",
            "vastflow-callback",
            "vastflow-core",
            "vastflow-store",
            "vastflow-sdk",
            "vastflow-worker",
        ]),
    ),
    ("vastflow", May::KnowAll),
    ("vastflow-examples", May::KnowAll),
    ("vastflow-bench", May::KnowAll),
    ("xtask", May::Know(&[])),
];

/// A package from outside that is kept out of some crates.
struct Fence {
    package: &'static str,
    who: Who,
    why: &'static str,
}

enum Who {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

const FENCES: &[Fence] = &[
    Fence {
        package: "rusqlite",
        who: Who::Only(&["vastflow-sqlite", "vastflow-bench"]),
        why: "only the SQLite store names its driver; the bench measures the driver alone, as a baseline",
    },
    Fence {
        package: "redis",
        who: Who::Only(&["vastflow-redis", "vastflow-bench"]),
        why: "only the Redis store names its driver; the bench measures the server alone, as a baseline",
    },
    Fence {
        package: "tokio-postgres",
        who: Who::Only(&["vastflow-postgres", "vastflow-bench"]),
        why: "only the PostgreSQL store names its driver; the bench measures the driver alone, as a baseline",
    },
    Fence {
        package: "tokio",
        who: Who::AllBut(&["vastflow-core", "vastflow-sdk"]),
        why: "the core is pure, and a flow is written without choosing a runtime",
    },
    Fence {
        package: "tokio-util",
        who: Who::AllBut(&["vastflow-core"]),
        why: "the core is pure: nothing in it is async or cancelled",
    },
    Fence {
        package: "futures-core",
        who: Who::AllBut(&["vastflow-core"]),
        why: "the core is pure: nothing in it is async",
    },
];

impl Fence {
    fn allows(&self, crate_name: &str) -> bool {
        match self.who {
            Who::Only(names) => names.contains(&crate_name),
            Who::AllBut(names) => !names.contains(&crate_name),
        }
    }
}

/// Every dependency that the tables do not allow.
pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    packages.iter().flat_map(|package| [inside(package, &names), outside(package)].concat()).collect()
}

/// Dependencies of a crate on other crates of the workspace.
fn inside(package: &Package, workspace: &[&str]) -> Vec<String> {
    let name = package.name.as_str();
    let known = match ARROWS.iter().find(|(row, _)| *row == name) {
        Some((_, May::KnowAll)) => return Vec::new(),
        Some((_, May::Know(known))) => *known,
        None => {
            return vec![format!(
                "{name}: no row in the table of arrows. Say in `ARROWS` (xtask/src/tidy/arrows.rs) what it may know."
            )];
        }
    };
    used(package)
        .filter(|used| workspace.contains(used) && !known.contains(used))
        .map(|used| {
            format!(
                "{name}: depends on {used}, against the arrows (it may know: {}). Move the code, or change `ARROWS` \
                 in xtask/src/tidy/arrows.rs with a decision record.",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )
        })
        .collect()
}

/// Dependencies of a crate on fenced packages from outside.
fn outside(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    used(package)
        .filter_map(|used| FENCES.iter().find(|fence| fence.package == used))
        .filter(|fence| !fence.allows(name))
        .map(|fence| format!("{name}: may not depend on {}: {}. Remove it.", fence.package, fence.why))
        .collect()
}

fn used(package: &Package) -> impl Iterator<Item = &str> {
    package.dependencies.iter().filter(|dependency| !dependency.dev).map(|dependency| dependency.name.as_str())
}

/// The compiler keeps I/O, clocks and threads out of the core, as long as the core does not link std.
pub(crate) fn impure(path: &str, lib: &str) -> Option<String> {
    let pure = lib.lines().any(|line| line.trim_end() == "#![no_std]");
    (!pure).then(|| format!("{path}: the line `#![no_std]` is missing, which keeps {PURE} pure. Add it."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies.iter().map(|&(name, dev)| Dependency { name: name.to_owned(), dev });
        Package { name: name.to_owned(), dir: name.into(), lib: None, dependencies: dependencies.collect() }
    }

    /// Checks one crate in a workspace that has all crates of the table.
    fn problems(name: &str, dependencies: &[&str]) -> Vec<String> {
        let dependencies: Vec<_> = dependencies.iter().map(|name| (*name, false)).collect();
        let mut packages: Vec<_> = ARROWS.iter().map(|(row, _)| package(row, &[])).collect();
        packages.retain(|package| package.name != name);
        packages.push(package(name, &dependencies));
        check(&packages)
    }

    #[test]
    fn allowed_arrows_pass() {
        assert!(problems("vastflow-worker", &["vastflow-core", "vastflow-store", "vastflow-sdk", "tokio"]).is_empty());
        assert!(problems("vastflow", &["vastflow-worker", "vastflow-sqlite"]).is_empty());
        assert!(problems("vastflow-sqlite", &["vastflow-store", "rusqlite"]).is_empty());
        assert!(problems("vastflow-sdk", &["vastflow-core", "tokio-util", "futures-core"]).is_empty());
    }

    #[test]
    fn an_arrow_against_the_flow_fails() {
        let found = problems("vastflow-core", &["vastflow-store"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("vastflow-core: depends on vastflow-store"), "{}", found[0]);
    }

    #[test]
    fn a_backend_that_knows_another_fails() {
        assert_eq!(problems("vastflow-testsuite", &["vastflow-sqlite"]).len(), 1);
    }

    #[test]
    fn a_driver_outside_of_its_store_fails() {
        assert_eq!(problems("vastflow-worker", &["rusqlite"]).len(), 1);
        assert_eq!(problems("vastflow", &["rusqlite"]).len(), 1);
        assert!(problems("vastflow-bench", &["rusqlite"]).is_empty());
    }

    #[test]
    fn a_runtime_in_the_core_or_the_sdk_fails() {
        assert_eq!(problems("vastflow-core", &["tokio", "tokio-util", "futures-core"]).len(), 3);
        assert_eq!(problems("vastflow-sdk", &["tokio"]).len(), 1);
    }

    #[test]
    fn dev_dependencies_are_free() {
        let packages = [package("vastflow-core", &[("vastflow-store", true), ("tokio", true)])];
        assert!(check(&packages).is_empty());
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        let found = problems("vastflow-mystery", &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("ARROWS"), "{}", found[0]);
    }

    #[test]
    fn a_core_that_links_std_fails() {
        assert!(impure("lib.rs", "//! Pure.\n#![no_std]\n").is_none());
        assert!(impure("lib.rs", "//! Says `#![no_std]`.\n").is_some());
        assert!(impure("lib.rs", "// #![no_std]\n").is_some());
    }
}
