//! Which calls were in hand when the process died: a call that ends its process each time must not do so for ever.
//!
//! What is in hand is not durable here, and costs nothing therefore: a store of one process has all of it back when it is
//! opened again. Only after a death is it written down which of the calls that were left are handed out, so that the next
//! death convicts the right ones. They go to a file beside the store, a line each, without a sync: what kills a process
//! leaves the system's memory alone. While that file is there, what is left at an opening is watched; it goes when a process
//! has handed out all of that and ends well, or when nothing is left.

use crate::{fail, lock};
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vastflow_core::{ScopeId, Task};
use vastflow_store::{Blame, Claimed, Ledger, StoreError};

/// The calls that are to be written down when they are handed out.
#[derive(Default)]
pub(crate) struct Suspects {
    /// Fingerprints of the calls. That two have the same does no harm: one line more is written.
    watched: FxHashSet<u64>,
    /// Somebody had deaths to its name when the store was opened.
    is_kept: bool,
    /// Calls were handed out to somebody who does not want to know.
    is_unwatched: bool,
    file: Option<Arc<File>>,
    path: PathBuf,
}

/// A line of the file: what is known against a call.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    scope: Cow<'a, str>,
    task: Task,
    deaths: u8,
    crashes: u8,
    /// The last process had it in hand, at some time.
    handed: bool,
}

/// Lines to be written.
pub(crate) struct Marks {
    file: Arc<File>,
    text: Vec<u8>,
}

impl Marks {
    /// Writes them. When that fails, a death counts for less than it might; the call goes on.
    pub(crate) fn write(&self) {
        if let Err(why) = (&*self.file).write_all(&self.text) {
            tracing::warn!(%why, "it is not written down which calls are handed out, should they end this process");
        }
    }
}

impl Suspects {
    /// Takes up what the last process wrote; `has_died` says how it ended. The ledger hears of the calls that have deaths
    /// to their name.
    pub(crate) fn load(store: &Path, has_died: bool, ledger: &mut Ledger) -> Result<Self, StoreError> {
        let path = lock::beside(store, ".suspects");
        let text = match std::fs::read(&path) {
            Ok(text) => Some(text),
            Err(why) if why.kind() == ErrorKind::NotFound => None,
            Err(why) => return Err(fail::io("reading", &path, why)),
        };
        if !has_died && text.is_none() {
            return Ok(Suspects::default());
        }
        let left: BTreeSet<(ScopeId, Task)> = ledger.queued_calls().collect();
        let mut known = read(text.as_deref().unwrap_or_default());
        known.retain(|call, _| left.contains(call));
        // Two that were to be alone were not: each in an engine of its own, or one after the other.
        let alone = known.values().filter(|(blame, was_handed)| *was_handed && blame.is_suspect()).count() == 1;
        let mut kept = Vec::new();
        for ((scope, task), (blame, was_handed)) in known {
            let is_guilty = has_died && was_handed;
            let blame = if is_guilty { blame.again(alone && blame.is_suspect()) } else { blame };
            if blame.deaths > 0 && ledger.blame(&scope, task, blame) {
                push(&mut kept, (&scope, task), (blame, false))?;
            }
        }
        let watched: FxHashSet<u64> = left.iter().map(|(scope, task)| mark_of(scope, *task)).collect();
        if watched.is_empty() {
            let removed = if text.is_some() { std::fs::remove_file(&path) } else { Ok(()) };
            removed.map_err(|why| fail::io("removing", &path, why))?;
            return Ok(Suspects::default());
        }
        let file = replace(&path, &kept).map_err(|why| fail::io("writing", &path, why))?;
        Ok(Suspects { watched, is_kept: !kept.is_empty(), is_unwatched: false, file: Some(Arc::new(file)), path })
    }

    /// What is to be written before these are handed out; mostly nothing. `watch` says that somebody wants to know.
    pub(crate) fn note(&mut self, tasks: &[Claimed], watch: bool) -> Result<Option<Marks>, StoreError> {
        if !watch {
            self.is_unwatched |= !tasks.is_empty();
            return Ok(None);
        }
        let Some(file) = self.file.as_ref().filter(|_| !self.watched.is_empty()) else { return Ok(None) };
        let mut text = Vec::new();
        for Claimed { scope, task, .. } in tasks {
            if self.watched.remove(&mark_of(scope, *task)) {
                push(&mut text, (scope, *task), (Blame::default(), true))?;
            }
        }
        Ok((!text.is_empty()).then(|| Marks { file: Arc::clone(file), text }))
    }

    /// The process ends well. The file that is to go then: whoever was watched was handed out, and nobody died of it.
    pub(crate) fn done_with(&mut self) -> Option<PathBuf> {
        let is_over = (self.watched.is_empty() || self.is_unwatched) && !self.is_kept;
        self.file.take().filter(|_| is_over).map(|_| std::mem::take(&mut self.path))
    }
}

/// What the lines say of each call. One that cannot be read was cut by a power failure, which no call is to blame for.
fn read(text: &[u8]) -> BTreeMap<(ScopeId, Task), (Blame, bool)> {
    let mut known: BTreeMap<_, (Blame, bool)> = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok()) {
        let Ok(scope) = line.scope.parse() else { continue };
        let (blame, was_handed) = known.entry((scope, line.task)).or_default();
        blame.deaths = blame.deaths.max(line.deaths);
        blame.crashes = blame.crashes.max(line.crashes);
        *was_handed |= line.handed;
    }
    known
}

fn push(text: &mut Vec<u8>, (scope, task): (&ScopeId, Task), known: (Blame, bool)) -> Result<(), StoreError> {
    let (Blame { deaths, crashes }, handed) = known;
    let line = Line { scope: scope.to_string().into(), task, deaths, crashes, handed };
    let wrote = serde_json::to_writer(&mut *text, &line);
    text.push(b'\n');
    wrote.map_err(|why| StoreError::Invalid(format!("a line about {scope} cannot be written: {why}")))
}

/// Puts another file in the place of the one that is there, and gives it, to be appended to.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<File> {
    let new = lock::beside(path, "-new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)?;
    OpenOptions::new().append(true).open(path)
}

fn mark_of(scope: &ScopeId, task: Task) -> u64 {
    FxBuildHasher.hash_one((scope, task))
}
