//! Finding and reading files, with errors that name them.

use std::fs;
use std::path::{Path, PathBuf};

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|why| format!("tidy: cannot read {}: {why}.", path.display()))
}

/// All files below a folder with this extension, sorted. Hidden, built and foreign folders are left out.
pub(crate) fn below(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for path in entries(&dir)? {
            if path.is_dir() && !is_foreign(&path) {
                pending.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let fail = |why| format!("tidy: cannot list {}: {why}.", dir.display());
    let entries = fs::read_dir(dir).map_err(fail)?;
    entries.map(|entry| entry.map(|it| it.path()).map_err(fail)).collect()
}

fn is_foreign(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || matches!(name.as_ref(), "target" | "node_modules")
}

/// A path below the root as documents and reports name it: relative, with slashes.
pub(crate) fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
