//! The Rust files of the workspace, read once and made ready for the rules.

use std::path::Path;

use super::{files, mask, scan};
use crate::workspace::Package;

/// One Rust file. All texts have the same lines and offsets; what is left out is blank.
pub(crate) struct Source {
    /// Relative to the root, with slashes.
    pub(crate) path: String,
    pub(crate) comments: String,
    /// Code without comments and literals.
    pub(crate) code: String,
    /// The same without tests.
    pub(crate) product: String,
    /// The number of lines outside of tests.
    pub(crate) product_lines: usize,
}

/// Reads all Rust files of all packages.
pub(crate) fn read(root: &Path, packages: &[Package]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for package in packages {
        for path in files::below(&root.join(&package.dir), "rs")? {
            sources.push(Source::new(&files::shown(root, &path), &files::text(&path)?));
        }
    }
    Ok(sources)
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mask::Masked { code, comments } = mask::mask(text);
        let tests =
            if is_test_file(path, &code) { std::iter::once(0..code.len()).collect() } else { scan::tests(&code) };
        let test_lines: usize = tests.iter().map(|range| scan::lines(&code, range)).sum();
        let mut product = code.clone();
        for range in tests {
            product.replace_range(range.clone(), &blank(&code[range]));
        }
        let product_lines = text.lines().count().saturating_sub(test_lines);
        Self { path: path.to_owned(), comments, code, product, product_lines }
    }

    /// The name of an offender in a report and in the ratchet: the file, and the function if it is in one.
    pub(crate) fn subject(&self, offset: usize) -> String {
        let functions = scan::functions(&self.product);
        let innermost = functions.iter().rfind(|function| function.range.contains(&offset));
        innermost.map_or_else(|| self.path.clone(), |function| format!("{}::{}", self.path, function.name))
    }
}

fn is_test_file(path: &str, code: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    parts.any(|dir| dir == "tests")
        || name == "tests.rs"
        || name.ends_with("_tests.rs")
        || code.contains("#![cfg(test)]")
}

fn blank(code: &str) -> String {
    code.chars().map(|it| if it == '\n' { it } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_no_product() {
        let source = Source::new("src/a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
        assert_eq!(source.product.trim(), "fn a() {}");
        assert_eq!(source.product_lines, 2);
        assert_eq!(source.code.len(), source.product.len());
    }

    #[test]
    fn a_test_file_has_no_product() {
        for path in ["crates/a/tests/ui/b.rs", "crates/a/src/tests.rs", "crates/a/src/b_tests.rs"] {
            assert_eq!(Source::new(path, "fn a() {}\n").product.trim(), "", "{path}");
        }
        assert_eq!(Source::new("xtask/src/test.rs", "fn a() {}\n").product.trim(), "fn a() {}");
    }

    #[test]
    fn the_subject_is_the_innermost_function() {
        let source = Source::new("a.rs", "const A: u8 = 1;\nfn b() { fn c() { 1 } 2 }\n");
        let at = |text: &str| source.product.find(text).unwrap();
        assert_eq!(source.subject(at("const")), "a.rs");
        assert_eq!(source.subject(at("1 }")), "a.rs::c");
        assert_eq!(source.subject(at("2 }")), "a.rs::b");
    }
}
