//! `cargo xtask tidy`: what keeps the repository as easy to read as on its first day.
//!
//! Five kinds of check: [`arrows`] between the crates, [`rules`] on source files behind a [`ratchet`], the code and the
//! links in the [`docs`], and the [`proofs`] behind the rules of the engine. [`source`], [`mask`] and [`scan`] read Rust well enough for these rules;
//! they are no parser, and need none.

mod arrows;
mod docs;
mod files;
mod mask;
mod proofs;
mod ratchet;
mod rules;
mod scan;
mod source;

use crate::workspace::{self, Package};

/// Runs all checks, and returns all that is wrong, not just the first.
pub(crate) fn check() -> Result<String, String> {
    let root = workspace::root();
    let packages = workspace::packages()?;
    let sources = source::read(root, &packages)?;
    let documents = docs::read(root)?;

    let mut problems = arrows::check(&packages);
    problems.extend(pure_core(&packages)?);
    let mut offences = rules::in_sources(&sources);
    offences.extend(rules::in_crates(&packages, |path| files::text(&root.join(path)))?);
    problems.extend(ratchet::check(&offences, &files::text(&root.join(ratchet::PATH))?));
    problems.extend(docs::check(root, &documents));
    problems.extend(proofs::check(&files::text(&root.join(proofs::PATH))?, &packages, &sources));

    if problems.is_empty() {
        let (crates, sources, documents) = (packages.len(), sources.len(), documents.len());
        return Ok(format!("tidy: {crates} crates, {sources} source files and {documents} documents are in order."));
    }
    let count = problems.len();
    Err(format!("tidy: {count} problem(s) found. Each line says what to do.\n\n{}", problems.join("\n")))
}

fn pure_core(packages: &[Package]) -> Result<Option<String>, String> {
    let core = packages.iter().find(|package| package.name == arrows::PURE);
    let Some(lib) = core.and_then(|package| package.lib.as_deref()) else {
        return Ok(Some(format!("the workspace has no library `{}`: has it been renamed?", arrows::PURE)));
    };
    let text = files::text(&workspace::root().join(lib))?;
    Ok(arrows::impure(&lib.display().to_string(), &text))
}
