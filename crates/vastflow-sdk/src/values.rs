//! The key–value data of a run as one call sees it: what was recorded before it, with its own writes on top.

use crate::data::{Data, DataError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vastflow_core::{Context, Payload, RunId, Writes};

/// What one call sees and writes.
#[derive(Debug, Default)]
pub(crate) struct Values {
    before: Arc<Context>,
    own: Mutex<Own>,
    temporary: Temporary,
}

#[derive(Debug, Default)]
struct Own {
    writes: Writes,
    /// The first value that could not be written; the call fails with it.
    error: Option<DataError>,
}

/// Values that live in this process only and are never recorded: a run's share of a table that all runs of an engine
/// use. Nothing is kept for a run that has none.
#[derive(Clone, Debug, Default)]
pub struct Temporary {
    table: Arc<Mutex<Table>>,
    run: Option<RunId>,
}

type Table = BTreeMap<Option<RunId>, BTreeMap<String, String>>;

impl Temporary {
    /// The values of `run` in the same table.
    #[must_use]
    pub fn of(&self, run: &RunId) -> Self {
        Temporary { table: Arc::clone(&self.table), run: Some(run.clone()) }
    }

    /// Takes over what `other` holds.
    pub fn take_over(&self, other: &Temporary) {
        if let Some(values) = lock(&other.table).remove(&other.run) {
            lock(&self.table).entry(self.run.clone()).or_default().extend(values);
        }
    }

    /// Forgets the values.
    pub fn clear(&self) {
        lock(&self.table).remove(&self.run);
    }

    pub(crate) fn put(&self, key: &str, value: String) {
        lock(&self.table).entry(self.run.clone()).or_default().insert(key.to_owned(), value);
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        lock(&self.table).get(&self.run)?.get(key).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Values {
    pub(crate) fn new(before: Arc<Context>, temporary: Temporary) -> Self {
        Values { before, own: Mutex::default(), temporary }
    }

    pub(crate) fn put(&self, key: &str, value: Result<Payload, DataError>) {
        let mut own = lock(&self.own);
        match value {
            Ok(payload) => own.writes.push((key.into(), Some(payload))),
            Err(error) => drop(own.error.get_or_insert(error)),
        }
    }

    pub(crate) fn del(&self, key: &str) {
        lock(&self.own).writes.push((key.into(), None));
    }

    pub(crate) fn get<T: Data>(&self, key: &str) -> Result<Option<T>, DataError> {
        let own = lock(&self.own).writes.iter().rev().find(|(k, _)| **k == *key).map(|(_, value)| value.clone());
        match own {
            Some(value) => value.as_ref().map(T::decode).transpose(),
            None => self.before.get(key).map(T::decode).transpose(),
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Payload> {
        let mut all: BTreeMap<String, Payload> = self.before.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect();
        for (key, value) in &lock(&self.own).writes {
            match value {
                Some(value) => all.insert(key.to_string(), value.clone()),
                None => all.remove(&**key),
            };
        }
        all
    }

    pub(crate) const fn temporary(&self) -> &Temporary {
        &self.temporary
    }

    /// Takes what was written; an error if some value could not be.
    pub(crate) fn take(&self) -> Result<Writes, DataError> {
        let own = std::mem::take(&mut *lock(&self.own));
        own.error.map_or(Ok(own.writes), Err)
    }
}
