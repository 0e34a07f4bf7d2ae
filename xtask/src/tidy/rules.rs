//! The rules of the house on source files and crates. What breaks one is an [`Offence`]; the
//! [`ratchet`](super::ratchet) decides whether it is an old one.

use std::path::Path;

use super::scan;
use super::source::Source;
use crate::workspace::Package;

// The numbers describe the code that was easiest to read in the repositories we learned from. They are lines
// that almost nothing crosses, not targets.
const MAX_FILE_LINES: usize = 800;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_PARAMETERS: usize = 5;
const MAX_METHODS: usize = 12;
/// `Store` speaks for a whole database, and still has to be served by Redis.
const MAX_STORE_METHODS: usize = 20;

/// The crates whose product is tests: a conformance case fails by panicking.
const MAY_PANIC: &[&str] = &["crates/vastflow-testsuite/"];

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// One place that breaks a rule.
#[derive(Debug)]
pub(crate) struct Offence {
    pub(crate) rule: &'static str,
    /// What breaks it, by a name that survives edits above it: a file, a function, a crate.
    pub(crate) subject: String,
    /// Where it is, what is wrong and what to do.
    pub(crate) message: String,
}

impl Offence {
    fn new(rule: &'static str, subject: String, message: String) -> Self {
        Self { rule, subject, message }
    }
}

/// All offences in source files.
pub(crate) fn in_sources(sources: &[Source]) -> Vec<Offence> {
    const RULES: &[fn(&Source) -> Vec<Offence>] =
        &[long_file, long_functions, many_parameters, wide_traits, panics, markers];
    sources.iter().flat_map(|source| RULES.iter().flat_map(move |rule| rule(source))).collect()
}

/// All offences of crates as a whole.
pub(crate) fn in_crates(
    packages: &[Package],
    read: impl Fn(&Path) -> Result<String, String>,
) -> Result<Vec<Offence>, String> {
    let mut offences = Vec::new();
    for path in packages.iter().filter_map(|package| package.lib.as_deref()) {
        offences.extend(missing_docs(&path.display().to_string(), &read(path)?));
    }
    // A missing file is reported once, by the check of the documents.
    let architecture = read(Path::new(ARCHITECTURE)).unwrap_or_default();
    offences.extend(packages.iter().filter_map(|package| missing_section(package, &architecture)));
    Ok(offences)
}

fn long_file(source: &Source) -> Vec<Offence> {
    let Source { path, product_lines: lines, .. } = source;
    if *lines <= MAX_FILE_LINES {
        return Vec::new();
    }
    let message = format!("{path}: {lines} lines without tests (limit {MAX_FILE_LINES}). Split it by concept.");
    vec![Offence::new("long-file", path.clone(), message)]
}

fn long_functions(source: &Source) -> Vec<Offence> {
    let long = |function: &scan::Function| {
        let lines = scan::lines(&source.product, &function.range);
        let what = format!("`{}` has {lines} lines (limit {MAX_FUNCTION_LINES})", function.name);
        (lines > MAX_FUNCTION_LINES).then(|| format!("{what}. Split it into steps or cases with names."))
    };
    offending_functions(source, "long-function", long)
}

fn many_parameters(source: &Source) -> Vec<Offence> {
    let wide = |function: &scan::Function| {
        let count = function.parameters;
        let what = format!("`{}` has {count} parameters (limit {MAX_PARAMETERS})", function.name);
        (count > MAX_PARAMETERS).then(|| format!("{what}. Make a struct of those that belong together."))
    };
    offending_functions(source, "many-parameters", wide)
}

fn offending_functions(
    source: &Source,
    rule: &'static str,
    judge: impl Fn(&scan::Function) -> Option<String>,
) -> Vec<Offence> {
    let offence = |function: &scan::Function| {
        let message = located(source, function.range.start, &judge(function)?);
        Some(Offence::new(rule, format!("{}::{}", source.path, function.name), message))
    };
    scan::functions(&source.product).iter().filter_map(offence).collect()
}

fn wide_traits(source: &Source) -> Vec<Offence> {
    let offence = |found: scan::Trait| {
        let limit = if found.name == "Store" { MAX_STORE_METHODS } else { MAX_METHODS };
        let (name, count) = (&found.name, found.methods);
        let what = format!("trait `{name}` has {count} methods (limit {limit}). Cut it at what its callers do.");
        let subject = format!("{}::{name}", source.path);
        (count > limit).then(|| Offence::new("wide-trait", subject, located(source, found.start, &what)))
    };
    scan::traits(&source.product).into_iter().filter_map(offence).collect()
}

fn panics(source: &Source) -> Vec<Offence> {
    if MAY_PANIC.iter().any(|dir| source.path.starts_with(dir)) {
        return Vec::new();
    }
    let found = [".unwrap()", ".expect("].into_iter().flat_map(|call| source.product.match_indices(call));
    let offence = |(at, call): (usize, &str)| {
        let what = format!("`{call}` outside of tests. Return an error, or match on what cannot happen.");
        Offence::new("unwrap", source.subject(at), located(source, at, &what))
    };
    found.map(offence).collect()
}

fn markers(source: &Source) -> Vec<Offence> {
    const IN_COMMENTS: &[&str] = &["TODO", "FIXME", "XXX"];
    const IN_CODE: &[&str] = &["todo", "unimplemented", "dbg"];
    let in_comments =
        IN_COMMENTS.iter().flat_map(|word| scan::words(&source.comments, word).map(move |at| (at, *word)));
    let in_code = IN_CODE.iter().flat_map(|word| scan::words(&source.code, word).map(move |at| (at, *word)));
    let calls = in_code.filter(|(at, word)| source.code[at + word.len()..].starts_with('!'));
    let offence = |(at, word): (usize, &str)| {
        let what = format!("`{word}` marks work that is not done. Do it, or open an issue and remove the mark.");
        Offence::new("marker", source.path.clone(), located(source, at, &what))
    };
    in_comments.chain(calls).map(offence).collect()
}

fn missing_docs(path: &str, lib: &str) -> Option<Offence> {
    let documented = lib.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"));
    let message =
        || format!("{path}: does not begin with `//!`. Say why the crate exists, and where to start reading.");
    (!documented).then(|| Offence::new("crate-docs", path.to_owned(), message()))
}

fn missing_section(package: &Package, architecture: &str) -> Option<Offence> {
    let name = package.name.as_str();
    let folder = package.dir.file_name().unwrap_or_default().to_string_lossy();
    let titles = architecture.lines().filter(|line| line.starts_with('#'));
    let mut words = titles.flat_map(|title| title.split(|it: char| !(it.is_alphanumeric() || "-_".contains(it))));
    if words.any(|word| word == name || word == folder) {
        return None;
    }
    let message =
        format!("{ARCHITECTURE}: no heading names `{name}`. Add a section: what it owns, what it knows nothing about.");
    Some(Offence::new("architecture", name.to_owned(), message))
}

fn located(source: &Source, offset: usize, what: &str) -> String {
    format!("{}:{}: {what}", source.path, scan::line(&source.code, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rules say about a file, as `rule subject`.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        check_at("src/a.rs", text, expected);
    }

    #[track_caller]
    fn check_at(path: &str, text: &str, expected: &[&str]) {
        let found = in_sources(&[Source::new(path, text)]);
        let found: Vec<_> = found.iter().map(|it| format!("{} {}", it.rule, it.subject)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_may_be_as_long_as_the_limit_without_its_tests() {
        let product = "const A: u8 = 1;\n".repeat(MAX_FILE_LINES);
        let tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
        check(&format!("{product}{tests}"), &[]);
        check(&format!("{product}const B: u8 = 1;\n{tests}"), &["long-file src/a.rs"]);
    }

    #[test]
    fn a_function_may_be_as_long_as_the_limit() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "    b(\"{\");\n".repeat(lines - 2));
        check(&function(MAX_FUNCTION_LINES), &[]);
        check(&function(MAX_FUNCTION_LINES + 1), &["long-function src/a.rs::a"]);
        check(&format!("#[test]\n{}", function(MAX_FUNCTION_LINES + 1)), &[]);
    }

    #[test]
    fn six_parameters_are_too_many() {
        check("fn a(&self, b: u8, c: u8, d: u8, e: u8, f: u8) {}", &[]);
        check("fn a(b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}", &["many-parameters src/a.rs::a"]);
    }

    #[test]
    fn a_trait_is_small_and_the_store_a_little_larger() {
        let of = |name: &str, methods: usize| format!("trait {name} {{\n{}}}", "    fn a(&self);\n".repeat(methods));
        check(&of("Small", MAX_METHODS), &[]);
        check(&of("Wide", MAX_METHODS + 1), &["wide-trait src/a.rs::Wide"]);
        check(&of("Store", MAX_STORE_METHODS), &[]);
        check(&of("Store", MAX_STORE_METHODS + 1), &["wide-trait src/a.rs::Store"]);
    }

    #[test]
    fn a_panic_is_for_tests() {
        check("fn a() { b().unwrap(); }", &["unwrap src/a.rs::a"]);
        check("fn a() { b().expect(\"c\"); }", &["unwrap src/a.rs::a"]);
        check("/// `b.unwrap()`\nfn a() { b().unwrap_or(1); \".unwrap()\" }", &[]);
        check("#[cfg(test)]\nmod tests { fn a() { b().unwrap(); } }", &[]);
        check_at("crates/vastflow-testsuite/src/a.rs", "fn a() { b().unwrap(); }", &[]);
    }

    #[test]
    fn a_marker_is_found_in_comments_and_calls_also_in_tests() {
        check("// TODO: later", &["marker src/a.rs"]);
        check("fn a() { todo!() }", &["marker src/a.rs"]);
        check("#[cfg(test)]\nmod tests { fn a() { dbg!(1); } }", &["marker src/a.rs"]);
        check("const TODO: &str = \"TODO\"; fn todo() {} // TODOS", &[]);
    }

    #[test]
    fn a_message_says_where() {
        let found = in_sources(&[Source::new("src/a.rs", "\nfn a() {\n    b().unwrap();\n}\n")]);
        assert!(found[0].message.starts_with("src/a.rs:3: `.unwrap()`"), "{}", found[0].message);
    }

    #[test]
    fn a_library_begins_with_its_reason() {
        assert!(missing_docs("lib.rs", "\n//! Why.\n").is_none());
        assert!(missing_docs("lib.rs", "// Why.\n//! Why.\n").is_some());
        assert!(missing_docs("lib.rs", "").is_some());
    }

    #[track_caller]
    fn check_section(dir: &str, name: &str, architecture: &str, named: bool) {
        let package = Package { name: name.to_owned(), dir: dir.into(), lib: None, dependencies: Vec::new() };
        assert_eq!(missing_section(&package, architecture).is_none(), named, "{architecture}");
    }

    #[test]
    fn a_crate_is_named_by_a_heading() {
        check_section("crates/vastflow", "vastflow", "### `crates/vastflow`", true);
        check_section("examples", "vastflow-examples", "## examples/, bench/", true);
        check_section("crates/vastflow", "vastflow", "### `vastflow-core`\nvastflow", false);
        check_section("crates/vastflow", "vastflow", "", false);
    }
}
