//! What cargo knows about this workspace: its root, its packages and what each depends on.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that started this process, so that the steps run with the same toolchain, in the root.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs cargo without showing its output, and returns what it wrote to standard output.
pub(crate) fn cargo_output(args: &[&str]) -> Result<String, String> {
    let shown = format!("cargo {}", args.join(" "));
    let output = cargo().args(args).output().map_err(|why| format!("xtask: cannot start `{shown}`: {why}."))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("xtask: `{shown}` failed. Repair what it names, then try again. It said:\n{}", said.trim_end()))
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) dir: PathBuf,
    /// The root file of its library, relative to the root, if it has one.
    pub(crate) lib: Option<PathBuf>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
}

/// Asks cargo for the packages of the workspace, sorted by name.
pub(crate) fn packages() -> Result<Vec<Package>, String> {
    let json = cargo_output(&["metadata", "--format-version", "1", "--no-deps"])?;
    parse(&json, root()).ok_or_else(|| {
        "xtask: the answer of `cargo metadata --format-version 1 --no-deps` has a shape that xtask does not know. \
         Adapt `xtask/src/workspace.rs` to this version of cargo."
            .to_owned()
    })
}

fn parse(json: &str, root: &Path) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_str(json).ok()?;
    let listed = metadata["packages"].as_array()?;
    let mut packages = listed.iter().map(|package| parse_package(package, root)).collect::<Option<Vec<_>>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Some(packages)
}

fn parse_package(package: &Value, root: &Path) -> Option<Package> {
    let manifest = relative(package["manifest_path"].as_str()?, root);
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        dir: manifest.parent()?.to_owned(),
        lib: package["targets"].as_array()?.iter().find(|target| is_lib(target)).and_then(|lib| source(lib, root)),
        dependencies: package["dependencies"].as_array()?.iter().map(parse_dependency).collect::<Option<_>>()?,
    })
}

fn parse_dependency(dependency: &Value) -> Option<Dependency> {
    Some(Dependency { name: dependency["name"].as_str()?.to_owned(), dev: dependency["kind"] == "dev" })
}

fn is_lib(target: &Value) -> bool {
    let kinds = target["kind"].as_array().into_iter().flatten();
    kinds.filter_map(Value::as_str).any(|kind| matches!(kind, "lib" | "rlib" | "proc-macro"))
}

fn source(target: &Value, root: &Path) -> Option<PathBuf> {
    Some(relative(target["src_path"].as_str()?, root))
}

fn relative(path: &str, root: &Path) -> PathBuf {
    let path = Path::new(path);
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"packages": [{
        "name": "vastflow-store",
        "manifest_path": "/repo/crates/vastflow-store/Cargo.toml",
        "targets": [
            {"kind": ["test"], "src_path": "/repo/crates/vastflow-store/tests/all.rs"},
            {"kind": ["lib"], "src_path": "/repo/crates/vastflow-store/src/lib.rs"}
        ],
        "dependencies": [{"name": "vastflow-core", "kind": null}, {"name": "proptest", "kind": "dev"}]
    }]}"#;

    #[test]
    fn reads_what_the_checks_need() {
        let packages = parse(METADATA, Path::new("/repo")).unwrap();
        let store = &packages[0];
        assert_eq!(store.name, "vastflow-store");
        assert_eq!(store.dir, Path::new("crates/vastflow-store"));
        assert_eq!(store.lib.as_deref(), Some(Path::new("crates/vastflow-store/src/lib.rs")));
        let kinds: Vec<_> = store.dependencies.iter().map(|it| (it.name.as_str(), it.dev)).collect();
        assert_eq!(kinds, [("vastflow-core", false), ("proptest", true)]);
    }

    #[test]
    fn an_unknown_shape_is_no_empty_workspace() {
        assert!(parse(r#"{"crates": []}"#, Path::new("/repo")).is_none());
    }
}
