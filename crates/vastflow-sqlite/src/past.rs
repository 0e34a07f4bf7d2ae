//! Reading the tables: runs that are finished and no longer in memory, or all of them where the memory is another
//! process's.

use crate::row::{self, COLUMNS};
use crate::tables::{check, keep_plans};
use crate::whole::{Read, Reader, Take, Whole};
use crate::{fail, record};
use rusqlite::{Connection, OpenFlags, OptionalExtension, ToSql};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use vastflow_core::{Plan, Recorded, RunId, RunStatus, ScopeId, Seq};
use vastflow_store::{Append, Counts, Filling, RunPage, RunQuery, RunRow, StoreError};

/// Connections that read, as many as are used at once.
pub(crate) struct Readers {
    store: PathBuf,
    /// None once the store is closed.
    idle: Mutex<Option<Vec<Past>>>,
}

impl Readers {
    pub(crate) fn new(store: &Path) -> Self {
        Readers { store: store.to_owned(), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Reads with a connection of its own. Blocks.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Past) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Vec::pop);
        let past = idle.map_or_else(|| Past::open(&self.store), Ok)?;
        let result = read(&past);
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(past);
        }
        result
    }

    /// Closes all connections that are not used, and the others once they are not.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Which runs are looked for in the tables.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// Those that may have left the memory.
    Finished,
    /// All: the memory is another process's.
    All,
}

/// The tables, to read from.
pub(crate) struct Past {
    connection: Connection,
    store: PathBuf,
}

impl Past {
    fn open(store: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let wrap = |why| fail::sqlite("opening", store, why);
        let connection = Connection::open_with_flags(store, flags).map_err(wrap)?;
        keep_plans(&connection).map_err(wrap)?;
        Ok(Past { connection, store: store.to_owned() })
    }

    fn wrap(&self, why: rusqlite::Error) -> StoreError {
        fail::sqlite("reading", &self.store, why)
    }

    /// One run in short.
    pub(crate) fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
        let found = || {
            let mut select = self.connection.prepare_cached(&sql)?;
            select.query_row([id.as_str()], |row| Ok(row::read(row))).optional()
        };
        found().map_err(|why| self.wrap(why))?.transpose()
    }

    fn key(&self, id: &RunId) -> Result<Option<i64>, StoreError> {
        let found = || {
            let mut select = self.connection.prepare_cached("SELECT key FROM runs WHERE id = ?1")?;
            select.query_row([id.as_str()], |row| row.get(0)).optional()
        };
        found().map_err(|why| self.wrap(why))
    }

    /// One run with all that a ledger needs of it.
    pub(crate) fn whole(&self, id: &RunId) -> Result<Option<(RunRow, Whole)>, StoreError> {
        let Some(row) = self.run(id)? else { return Ok(None) };
        let whole = self.take(|reader, take| reader.parts(row.key, id, take))?;
        Ok(Some((row, whole)))
    }

    /// The same of one inner scope of a run that has this key; nothing when there is no such scope.
    pub(crate) fn scope(&self, key: u64, scope: &ScopeId) -> Result<Whole, StoreError> {
        self.take(|reader, take| reader.scope(key, scope, take))
    }

    fn take(&self, read: impl FnOnce(&Reader<'_>, Take<'_>) -> Read<()>) -> Result<Whole, StoreError> {
        let mut whole = Whole::default();
        let mut take = |part| {
            whole.take(part);
            Ok(())
        };
        let done = Reader::new(&self.connection).and_then(|reader| read(&reader, &mut take));
        done.map_err(|why| self.wrap(why))??;
        Ok(whole)
    }

    /// Events of a scope from position `after` on. Reads and decodes no more than that takes.
    pub(crate) fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let Some(key) = self.key(scope.run())? else { return Ok(Vec::new()) };
        let sql = "SELECT events FROM journal WHERE run = ?1 AND path = ?2 AND first >= coalesce(
                     (SELECT max(first) FROM journal WHERE run = ?1 AND path = ?2 AND first <= ?3), 0) ORDER BY first";
        let mut select = self.connection.prepare_cached(sql).map_err(|why| self.wrap(why))?;
        let from = i64::try_from(after.0).unwrap_or(i64::MAX);
        let mut rows = select.query((key, scope.path(), from)).map_err(|why| self.wrap(why))?;
        let mut page = Page { after, limit, events: Vec::new() };
        while page.events.len() < limit
            && let Some(row) = rows.next().map_err(|why| self.wrap(why))?
        {
            let blob = row.get_ref(0).and_then(|blob| Ok(blob.as_blob()?)).map_err(|why| self.wrap(why))?;
            page.read(blob)?;
        }
        Ok(page.events)
    }

    /// Whether the tables are ours, and of a version that is known.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check(&self.connection, &self.store)
    }

    /// All plans, ordered by hash.
    pub(crate) fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        let read = || {
            let mut select = self.connection.prepare_cached("SELECT json FROM plans ORDER BY hash")?;
            select.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()
        };
        let plans = read().map_err(|why| self.wrap(why))?;
        plans.iter().map(|json| Plan::from_json(json).map(Arc::new).map_err(|why| fail::codec(&why))).collect()
    }

    /// How many runs there are of each status.
    pub(crate) fn counts(&self) -> Result<Counts, StoreError> {
        let read = || {
            let mut select = self.connection.prepare_cached("SELECT status, count(*) FROM runs GROUP BY status")?;
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(String, i64)>>>()
        };
        let mut counts = Counts::default();
        for (word, count) in read().map_err(|why| self.wrap(why))? {
            let status = RunStatus::parse(&word).ok_or_else(|| StoreError::corrupt("a status is unknown"))?;
            *counts.of(status) = count.cast_unsigned();
        }
        Ok(counts)
    }

    /// Runs that a query asks for, newest first. Reads no more of them than a page takes, and one.
    pub(crate) fn runs(&self, query: &RunQuery, which: Which) -> Result<RunPage, StoreError> {
        let before = query.before.and_then(|key| i64::try_from(key).ok()).unwrap_or(i64::MAX);
        let limit = i64::try_from(query.page_size()).unwrap_or(i64::MAX).saturating_add(1);
        let mut values: Vec<&dyn ToSql> = vec![&before, &limit];
        let mut sql = format!("SELECT {COLUMNS} FROM runs WHERE key < ?1");
        match (query.status, which) {
            // The memory has those.
            (Some(status), Which::Finished) if !status.is_final() => sql.push_str(" AND false"),
            // The word stands in the text, so that SQLite sees which partial index it fits.
            (Some(status), _) => sql.push_str(&format!(" AND status = '{status}'")),
            (None, Which::Finished) => sql.push_str(" AND status NOT IN ('running', 'stopping')"),
            (None, Which::All) => {}
        }
        let flow = query.flow.as_ref().map(|flow| flow.as_str());
        if let Some(flow) = &flow {
            values.push(flow);
            sql.push_str(&format!(" AND flow = ?{}", values.len()));
        }
        for (key, value) in &query.labels {
            values.extend([key as &dyn ToSql, value]);
            let (key, value) = (values.len() - 1, values.len());
            sql.push_str(&format!(" AND key IN (SELECT run FROM labels WHERE key = ?{key} AND value = ?{value})"));
        }
        sql.push_str(" ORDER BY key DESC LIMIT ?2");
        let mut select = self.connection.prepare_cached(&sql).map_err(|why| self.wrap(why))?;
        let mut rows = select.query(&*values).map_err(|why| self.wrap(why))?;
        let mut filling = Filling::new(query.page_size());
        while !filling.is_done()
            && let Some(row) = rows.next().map_err(|why| self.wrap(why))?
        {
            filling.take(row::read(row)?);
        }
        Ok(filling.page())
    }
}

/// Some events of a journal.
struct Page {
    after: Seq,
    limit: usize,
    events: Vec<Recorded>,
}

impl Page {
    /// Takes what belongs to it out of some appends.
    fn read(&mut self, appends: &[u8]) -> Result<(), StoreError> {
        // The last that begins where the page does, or before.
        let mut before = None;
        for append in record::framed(appends) {
            if self.events.len() >= self.limit {
                return Ok(());
            }
            let append = append?;
            if record::first_of_append(append)? <= self.after {
                before = Some(append);
                continue;
            }
            before.take().map_or(Ok(()), |before| self.take(before))?;
            if self.events.len() >= self.limit {
                return Ok(());
            }
            self.take(append)?;
        }
        before.map_or(Ok(()), |before| self.take(before))
    }

    fn take(&mut self, append: &[u8]) -> Result<(), StoreError> {
        let Append { first, at, events, .. } = record::read_append(append)?;
        let all = (first.0..).map(Seq).zip(events).map(|(seq, event)| Recorded { seq, at, event });
        let left = self.limit.saturating_sub(self.events.len());
        self.events.extend(all.skip_while(|recorded| recorded.seq < self.after).take(left));
        Ok(())
    }
}
