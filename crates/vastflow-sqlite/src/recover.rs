//! Opening: unfinished runs from the tables, then the log's tail, then the queue from what the runs say.

use crate::backlog::Synced;
use crate::log::segment::{self, Passed};
use crate::record::{Entered, Entry};
use crate::scopes::PastScopes;
use crate::shared::fingerprint;
use crate::tables::Opened;
use crate::whole::{Part, Reader};
use crate::{batch, fail};
use rusqlite::{Connection, Row};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{Plan, RunId, RunStatus, ScopeId};
use vastflow_store::{ControlWord, Counts, Ledger, RunRow, StoreError};

/// What the disk remembers.
pub(crate) struct Recovered {
    pub(crate) ledger: Ledger,
    pub(crate) retained: FxHashSet<u64>,
    /// Fingerprints that two ids have.
    pub(crate) doubles: FxHashSet<u64>,
    /// Batches that the tables do not have.
    pub(crate) tail: Vec<Synced>,
    pub(crate) passed: Vec<Passed>,
    /// The place of the last batch.
    pub(crate) last: u64,
    /// The finished runs of which only the tables know.
    pub(crate) past: Counts,
    /// The inner scopes of which only the tables know.
    pub(crate) past_scopes: PastScopes,
    /// Finished runs that are in the tables and in memory again, because something is left to do for them.
    pub(crate) reloaded: Vec<u64>,
}

/// Reads what the disk remembers.
pub(crate) fn recover(store: &Path, opened: &Opened) -> Result<Recovered, StoreError> {
    let mut recovery = Recovery {
        store,
        tables: &opened.connection,
        ledger: Ledger::default(),
        runs: BTreeMap::new(),
        past: opened.finished,
        past_scopes: PastScopes::default(),
        reloaded: Vec::new(),
    };
    recovery.plans()?;
    recovery.runs()?;
    let (mut retained, mut doubles) = recovery.ids()?;
    let mut tail = Vec::new();
    let passed = segment::read_tail(store, opened.id, opened.watermark, |seq, blob| {
        recovery.replay(&blob, (&mut retained, &mut doubles)).map_err(|why| in_batch(seq, why))?;
        tail.push((seq, blob));
        Ok(())
    })?;
    let last = tail.last().map_or(opened.watermark, |(seq, _)| *seq);
    recovery.requeue()?;
    let Recovery { ledger, past, past_scopes, reloaded, .. } = recovery;
    Ok(Recovered { ledger, retained, doubles, tail, passed, last, past, past_scopes, reloaded })
}

/// Fingerprints of ids, and those that two of them have.
type Known<'a> = (&'a mut FxHashSet<u64>, &'a mut FxHashSet<u64>);

fn note(id: &str, (retained, doubles): Known<'_>) {
    let fingerprint = fingerprint(id);
    if !retained.insert(fingerprint) {
        doubles.insert(fingerprint);
    }
}

fn in_batch(seq: u64, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { why, source } => StoreError::Corrupt { why: format!("batch {seq}: {why}"), source },
        other => other,
    }
}

struct Recovery<'a> {
    store: &'a Path,
    tables: &'a Connection,
    ledger: Ledger,
    /// The runs in the ledger, by key.
    runs: BTreeMap<u64, RunId>,
    past: Counts,
    past_scopes: PastScopes,
    reloaded: Vec<u64>,
}

impl Recovery<'_> {
    fn wrap(&self, why: rusqlite::Error) -> StoreError {
        fail::sqlite("reading", self.store, why)
    }

    /// Calls `each` with every row.
    fn rows(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&mut Self, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let tables = self.tables;
        let mut select = tables.prepare(sql).map_err(|why| self.wrap(why))?;
        let mut rows = select.query([]).map_err(|why| self.wrap(why))?;
        while let Some(row) = rows.next().map_err(|why| self.wrap(why))? {
            each(self, row)?;
        }
        Ok(())
    }

    fn plans(&mut self) -> Result<(), StoreError> {
        self.rows("SELECT json FROM plans", |this, row| {
            let json: String = row.get(0).map_err(|why| this.wrap(why))?;
            this.plan(&json)
        })
    }

    fn plan(&mut self, json: &str) -> Result<(), StoreError> {
        let plan = Plan::from_json(json).map_err(|why| StoreError::corrupt(format!("a plan cannot be read: {why}")))?;
        self.ledger.put_plan(Arc::new(plan));
        Ok(())
    }

    /// Unfinished runs, and finished ones in which messages still wait.
    fn runs(&mut self) -> Result<(), StoreError> {
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_final()) {
            self.load(&format!("status = '{status}'"))?;
        }
        let mut waiting = Vec::new();
        self.rows("SELECT DISTINCT run FROM inbox", |this, row| {
            waiting.push(row.get::<_, i64>(0).map_err(|why| this.wrap(why))?.cast_unsigned());
            Ok(())
        })?;
        waiting.into_iter().try_for_each(|key| self.known(key).map(drop))?;
        let highest = self.tables.query_row(
            "SELECT max(max(value), coalesce((SELECT max(key) FROM runs), -1)) FROM meta WHERE key = 'pruned'",
            [],
            |row| row.get::<_, Option<i64>>(0),
        );
        if let Some(highest) = highest.map_err(|why| self.wrap(why))? {
            self.ledger.begin_keys_at((highest + 1).cast_unsigned());
        }
        Ok(())
    }

    /// Brings runs back from the tables.
    fn load(&mut self, condition: &str) -> Result<(), StoreError> {
        let Recovery { store, tables, ledger, runs, past_scopes, .. } = self;
        let load = Reader::new(tables).and_then(|reader| {
            reader.each(condition, |RunRow { key, id, control, summary, .. }| {
                runs.insert(key, id.clone());
                ledger.restore_run(id.clone(), key, summary, control);
                reader.parts(key, &id, &mut |part| match part {
                    Part::Append(scope, append) => ledger.fold_past(&scope, &append),
                    Part::Over(path) => {
                        past_scopes.insert(key, &path);
                        Ok(())
                    }
                    Part::Letter(from, message) => {
                        ledger.restore_message(&from, message);
                        Ok(())
                    }
                })
            })
        });
        load.map_err(|why| fail::sqlite("reading", store, why))?
    }

    /// An inner scope that had ended is in memory again, if it is there at all, because a commit in the log is about it.
    fn recall(&mut self, key: u64, scope: &ScopeId) -> Result<(), StoreError> {
        let Recovery { store, tables, ledger, past_scopes, .. } = self;
        if !past_scopes.may_have(key, scope) || ledger.has_scope(scope) {
            return Ok(());
        }
        let load = Reader::new(tables).and_then(|reader| {
            reader.scope(key, scope, &mut |part| match part {
                Part::Append(scope, append) => ledger.fold_past(&scope, &append),
                _ => Ok(()),
            })
        });
        load.map_err(|why| fail::sqlite("reading", store, why))?
    }

    /// The id of a run that a commit in the log goes on with. It may be one that is finished in the tables.
    fn known(&mut self, key: u64) -> Result<RunId, StoreError> {
        if !self.runs.contains_key(&key) {
            self.load(&format!("key = {key}"))?;
            if let Some((_, status)) = self.runs.get(&key).and_then(|id| self.ledger.standing(id)) {
                *self.past.of(status) -= 1;
                self.reloaded.push(key);
            }
        }
        let unknown = || StoreError::corrupt(format!("a commit of the run with key {key}, of which nothing is known"));
        self.runs.get(&key).cloned().ok_or_else(unknown)
    }

    fn begin(&mut self, key: u64, id: RunId, summary: RunSummary, control: ControlWord) {
        self.runs.insert(key, id.clone());
        self.ledger.restore_run(id, key, summary, control);
    }

    /// Fingerprints of all ids in the tables.
    fn ids(&mut self) -> Result<(FxHashSet<u64>, FxHashSet<u64>), StoreError> {
        let (mut retained, mut doubles) = (FxHashSet::default(), FxHashSet::default());
        self.rows("SELECT id FROM runs ORDER BY id", |this, row| {
            let id = row.get_ref(0).and_then(|id| Ok(id.as_str()?)).map_err(|why| this.wrap(why))?;
            note(id, (&mut retained, &mut doubles));
            Ok(())
        })?;
        Ok((retained, doubles))
    }

    /// Takes in a batch of the log.
    fn replay(&mut self, blob: &[u8], known: Known<'_>) -> Result<(), StoreError> {
        for record in batch::open(blob)? {
            match Entry::read(record?)? {
                Entry::Plan(json) => self.plan(json)?,
                Entry::Commit(commit) => self.commit(*commit, (&mut *known.0, &mut *known.1))?,
            }
        }
        Ok(())
    }

    fn commit(&mut self, commit: Entered<'_>, known: Known<'_>) -> Result<(), StoreError> {
        let key = commit.head.key;
        if let Some(id) = &commit.run {
            let missing = || StoreError::corrupt(format!("run {id} begins without saying how"));
            let summary = commit.summary.as_ref().ok_or_else(missing)?.whole()?;
            note(id, known);
            self.begin(key, id.clone(), summary, ControlWord::default());
        }
        let id = self.known(key)?;
        let scope = ScopeId::from_parts(id.clone(), commit.path);
        self.recall(key, &scope)?;
        for message in commit.messages(&id) {
            self.recall(key, &message.to)?;
            self.ledger.restore_message(&scope, message);
        }
        let delivered = usize::try_from(commit.head.delivered).unwrap_or(usize::MAX);
        self.ledger.restore_delivered(&scope, delivered);
        if let Some(word) = commit.head.control() {
            self.ledger.restore_control(&id, word.control);
        }
        self.ledger.restore_append(&scope, commit.append)
    }

    /// Derives the queue, in the order of starts.
    fn requeue(&mut self) -> Result<(), StoreError> {
        self.runs.values().try_for_each(|id| self.ledger.requeue(id))
    }
}
