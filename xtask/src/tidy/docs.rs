//! Documents that cannot go stale in silence: code in them is a real file, and links to files lead somewhere.
//!
//! A code block is bound to a file by a comment on the line before it: `<!-- code: examples/quickstart.rs -->`.

use std::path::Path;

use super::files;

/// Documents that a visitor looks for.
const EXPECTED: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// One Markdown file.
pub(crate) struct Document {
    /// Relative to the root, with slashes.
    path: String,
    text: String,
}

/// Reads the documents that are there: the expected ones, and all below `docs`.
pub(crate) fn read(root: &Path) -> Result<Vec<Document>, String> {
    let mut paths: Vec<_> = EXPECTED.iter().map(|name| root.join(name)).filter(|path| path.exists()).collect();
    paths.extend(files::below(&root.join("docs"), "md")?);
    paths.iter().map(|path| Ok(Document { path: files::shown(root, path), text: files::text(path)? })).collect()
}

/// Everything that is stale in the documents.
pub(crate) fn check(root: &Path, documents: &[Document]) -> Vec<String> {
    let absent = EXPECTED.iter().filter(|name| !documents.iter().any(|document| document.path == **name));
    let mut problems: Vec<_> = absent.map(|name| format!("{name}: does not exist. Write it.")).collect();
    for document in documents {
        problems.extend(stale_code(document, |path| files::text(&root.join(path)).ok()));
        problems.extend(dead_links(document, |path| root.join(path).exists()));
    }
    problems
}

/// A document in pieces: lines of prose, and code blocks.
enum Part<'a> {
    Prose { line: usize, text: &'a str },
    Code { info: &'a str, body: String },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, text)) = lines.next() {
        match fence(text) {
            None => parts.push(Part::Prose { line: index + 1, text }),
            Some((ticks, info)) => {
                let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| !closes(line, ticks));
                parts.push(Part::Code { info, body: inside.map(|line| format!("{line}\n")).collect() });
            }
        }
    }
    parts
}

/// The number of ticks and the language of a line that opens a code block.
fn fence(line: &str) -> Option<(usize, &str)> {
    let line = line.trim();
    let info = line.trim_start_matches('`');
    let ticks = line.len() - info.len();
    (ticks >= 3 && !info.contains('`')).then(|| (ticks, info.trim()))
}

fn closes(line: &str, ticks: usize) -> bool {
    fence(line).is_some_and(|(count, info)| count >= ticks && info.is_empty())
}

/// Code blocks that differ from the file they are bound to.
fn stale_code(document: &Document, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let parts = parts(&document.text);
    let stale = |(index, part): (usize, &Part<'_>)| {
        let Part::Prose { line, text } = part else { return None };
        let path = bound_file(text)?;
        let why = differs(path, parts.get(index + 1), &read)?;
        Some(format!("{}:{line}: {why}", document.path))
    };
    parts.iter().enumerate().filter_map(stale).collect()
}

fn bound_file(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("<!-- code:")?.strip_suffix("-->")?.trim())
}

fn differs(path: &str, next: Option<&Part<'_>>, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let Some(Part::Code { info, body }) = next else {
        return Some(format!("no code block follows the marker for {path}. Put one right after it."));
    };
    if info.split(',').next() != Some("rust") {
        return Some(format!("the code block for {path} is not marked as `rust`. Open it with ```rust."));
    }
    let Some(file) = read(path) else {
        return Some(format!("{path} cannot be read. Correct the path in the marker, from the root."));
    };
    (file != *body).then(|| {
        let line = first_difference(&file, body);
        format!("the code block differs from {path}, first in its line {line}. Copy the file into the block.")
    })
}

fn first_difference(file: &str, block: &str) -> usize {
    file.lines().zip(block.lines()).take_while(|(a, b)| a == b).count() + 1
}

/// Links to files that are not there.
fn dead_links(document: &Document, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut dead = Vec::new();
    for part in parts(&document.text) {
        let Part::Prose { line, text } = part else { continue };
        for target in local_targets(&without_code(text)) {
            if !exists(&from_root(&document.path, target)) {
                let path = &document.path;
                dead.push(format!("{path}:{line}: the link to `{target}` leads nowhere. Correct or remove it."));
            }
        }
    }
    dead
}

/// Blanks `inline code`, in which a link is only an example.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Targets of `[text](target)` and `[name]: target` that are files, without titles and anchors.
fn local_targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_definition = line.starts_with('[') && !line.starts_with("[^");
    let definition = line.split_once("]:").filter(|_| is_definition).map(|(_, target)| target);
    inline.chain(definition).filter_map(local_file).collect()
}

fn local_file(target: &str) -> Option<&str> {
    let target = target.split_whitespace().next()?.trim_matches(['<', '>']);
    let foreign = target.contains("://") || target.starts_with("mailto:");
    let path = target.split('#').next().filter(|path| !path.is_empty())?;
    (!foreign).then_some(path)
}

/// A target as a path from the root. A leading slash means the root, as on GitHub.
fn from_root(document: &str, target: &str) -> String {
    match (target.strip_prefix('/'), document.rsplit_once('/')) {
        (Some(path), _) => path.to_owned(),
        (None, Some((folder, _))) => format!("{folder}/{target}"),
        (None, None) => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! Hello.\n\nfn main() {}\n";

    fn readme(text: &str) -> Document {
        Document { path: "README.md".to_owned(), text: text.to_owned() }
    }

    /// What is said about a README, when only `examples/hello.rs` exists.
    fn problems(text: &str) -> Vec<String> {
        stale_code(&readme(text), |path| (path == "examples/hello.rs").then(|| FILE.to_owned()))
    }

    #[track_caller]
    fn check_stale(text: &str, expected: &str) {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
    }

    #[test]
    fn a_block_that_equals_its_file_passes() {
        let text = format!("Intro.\n\n<!-- code: examples/hello.rs -->\n```rust\n{FILE}```\n\nMore.\n");
        assert_eq!(problems(&text), Vec::<String>::new());
    }

    #[test]
    fn a_block_that_differs_fails_with_the_line() {
        let text = "<!-- code: examples/hello.rs -->\n```rust\n//! Hello.\n\nfn main() { }\n```\n";
        check_stale(text, "README.md:1: the code block differs from examples/hello.rs, first in its line 3");
    }

    #[test]
    fn a_block_that_lacks_the_end_fails() {
        check_stale("<!-- code: examples/hello.rs -->\n```rust\n//! Hello.\n\n```\n", "first in its line 3");
    }

    #[test]
    fn a_marker_without_its_block_fails() {
        check_stale("<!-- code: examples/hello.rs -->\n", "no code block follows");
        check_stale("<!-- code: examples/hello.rs -->\nText.\n```rust\n```\n", "no code block follows");
        check_stale("<!-- code: examples/hello.rs -->\n```sh\nls\n```\n", "not marked as `rust`");
    }

    #[test]
    fn a_marker_for_a_file_that_is_gone_fails() {
        check_stale("<!-- code: examples/gone.rs -->\n```rust\n```\n", "examples/gone.rs cannot be read");
    }

    #[test]
    fn a_marker_inside_of_a_block_is_text() {
        assert!(problems("````md\n<!-- code: examples/gone.rs -->\n```rust\n```\n````\n").is_empty());
    }

    /// The targets of a document in `docs/guide` that do not exist.
    #[track_caller]
    fn check_links(text: &str, dead: &[&str]) {
        let document = Document { path: "docs/guide/start.md".to_owned(), text: text.to_owned() };
        let known = ["docs/guide/next.md", "docs/guide/../../README.md", "README.md"];
        let found = dead_links(&document, |path| known.contains(&path));
        let expected: Vec<_> = dead.iter().map(|target| format!("`{target}` leads nowhere")).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(&expected).all(|(found, expected)| found.contains(expected)), "{found:?}");
    }

    #[test]
    fn links_to_files_that_exist_pass() {
        check_links("[a](next.md) and [b](../../README.md#usage), [c](/README.md \"Title\")", &[]);
        check_links("[a]: next.md\n[^1]: A note about nothing.md", &[]);
    }

    #[test]
    fn links_to_files_that_do_not_exist_fail() {
        check_links("[a](next.md), [b](gone.md#part) and ![c](gone.png)", &["gone.md", "gone.png"]);
        check_links("[a]: gone.md", &["gone.md"]);
    }

    #[test]
    fn links_to_the_web_and_examples_of_links_are_left_alone() {
        check_links("[a](https://example.org/gone.md) [b](#part) [c](mailto:a@example.org) `[d](gone.md)`", &[]);
        check_links("```md\n[a](gone.md)\n```\n", &[]);
    }
}
