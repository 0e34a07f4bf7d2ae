//! Runs as the tables know them: how they come back into memory.

use crate::record;
use crate::row::{self, COLUMNS};
use rusqlite::{Connection, Row};
use rustc_hash::FxHashSet;
use vastflow_core::{Codec, Payload, RunId, ScopeId};
use vastflow_store::{Append, Head, Ledger, Message, RunRow, StoreError};

/// Something of a run.
pub(crate) enum Part {
    /// An append to a journal of a scope that may go on.
    Append(ScopeId, Append),
    /// An inner scope that is over, with nothing left to do in it.
    Over(Box<str>),
    /// A message that waits, and who sent it.
    Letter(ScopeId, Message),
}

/// Takes the parts of a run.
pub(crate) type Take<'a> = &'a mut dyn FnMut(Part) -> Result<(), StoreError>;

/// What SQLite says, and what we say.
pub(crate) type Read<T> = rusqlite::Result<Result<T, StoreError>>;

/// Reads runs from the tables. Its errors are SQLite's and ours: the caller knows the file.
pub(crate) struct Reader<'a> {
    tables: &'a Connection,
    /// Whether any run has mail; most stores have none.
    has_mail: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(tables: &'a Connection) -> rusqlite::Result<Self> {
        let has_mail = tables.query_row("SELECT EXISTS (SELECT 1 FROM inbox)", [], |row| row.get(0))?;
        Ok(Reader { tables, has_mail })
    }

    /// Calls `each` with every run that fits the condition, in the order of starts.
    pub(crate) fn each(&self, condition: &str, mut each: impl FnMut(RunRow) -> Read<()>) -> Read<()> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE {condition} ORDER BY key");
        let mut select = self.tables.prepare_cached(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            match row::read(row) {
                Ok(row) => match each(row)? {
                    Ok(()) => {}
                    wrong => return Ok(wrong),
                },
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(()))
    }

    /// All parts of a run: journals first, then the mail.
    pub(crate) fn parts(&self, key: u64, id: &RunId, take: Take<'_>) -> Read<()> {
        let mail = if self.has_mail { self.mail(key, id)? } else { Vec::new() };
        let busy: FxHashSet<&str> = mail.iter().map(|(_, message)| message.to.path()).collect();
        let mut select = self
            .tables
            .prepare_cached("SELECT path, ended, events FROM journal WHERE run = ?1 ORDER BY path, first")?;
        let mut rows = select.query([key.cast_signed()])?;
        let mut inner: Option<Inner> = None;
        while let Some(row) = rows.next()? {
            let (path, ended) = (row.get_ref(0)?.as_str()?, row.get::<_, Option<bool>>(1)?);
            let events = row.get_ref(2)?.as_blob()?;
            let done = if path.is_empty() {
                appends(&ScopeId::root(id.clone()), events, take)
            } else if let Some(inner) = inner.as_mut().filter(|inner| *inner.path == *path) {
                inner.add(ended, events);
                Ok(())
            } else {
                let before = inner.replace(Inner::new(path, ended, events));
                before.map_or(Ok(()), |before| before.end(id, &busy, take))
            };
            if done.is_err() {
                return Ok(done);
            }
        }
        let last = inner.map_or(Ok(()), |last| last.end(id, &busy, take));
        let letters = || mail.into_iter().try_for_each(|(from, message)| take(Part::Letter(from, message)));
        Ok(last.and_then(|()| letters()))
    }

    /// The journal of one scope.
    pub(crate) fn scope(&self, key: u64, scope: &ScopeId, take: Take<'_>) -> Read<()> {
        let mut select =
            self.tables.prepare_cached("SELECT events FROM journal WHERE run = ?1 AND path = ?2 ORDER BY first")?;
        let mut rows = select.query((key.cast_signed(), scope.path()))?;
        while let Some(row) = rows.next()? {
            let done = appends(scope, row.get_ref(0)?.as_blob()?, take);
            if done.is_err() {
                return Ok(done);
            }
        }
        Ok(Ok(()))
    }

    fn mail(&self, key: u64, id: &RunId) -> rusqlite::Result<Vec<(ScopeId, Message)>> {
        let mut select = self
            .tables
            .prepare_cached("SELECT path, source, kind, body, is_json FROM inbox WHERE run = ?1 ORDER BY path, n")?;
        let letters = select.query_map([key.cast_signed()], |row| letter(row, id))?;
        letters.collect()
    }
}

/// An inner scope that is being read: whether it goes on is known when its last row was seen.
struct Inner {
    path: Box<str>,
    is_over: bool,
    events: Vec<u8>,
}

impl Inner {
    fn new(path: &str, ended: Option<bool>, events: &[u8]) -> Self {
        Inner { path: path.into(), is_over: ended == Some(true), events: events.to_vec() }
    }

    fn add(&mut self, ended: Option<bool>, events: &[u8]) {
        self.is_over = ended.unwrap_or(self.is_over);
        self.events.extend_from_slice(events);
    }

    fn end(self, id: &RunId, busy: &FxHashSet<&str>, take: Take<'_>) -> Result<(), StoreError> {
        if self.is_over && !busy.contains(&*self.path) {
            return take(Part::Over(self.path));
        }
        appends(&ScopeId::from_parts(id.clone(), &self.path), &self.events, take)
    }
}

fn appends(scope: &ScopeId, events: &[u8], take: Take<'_>) -> Result<(), StoreError> {
    let damaged = |why| StoreError::corrupt(format!("journal of {scope}: {why}"));
    for append in record::framed(events) {
        let append = append.and_then(record::read_append).map_err(damaged)?;
        take(Part::Append(scope.clone(), append))?;
    }
    Ok(())
}

fn letter(row: &Row<'_>, run: &RunId) -> rusqlite::Result<(ScopeId, Message)> {
    let to = ScopeId::from_parts(run.clone(), row.get_ref(0)?.as_str()?);
    let from = ScopeId::from_parts(run.clone(), row.get_ref(1)?.as_str()?);
    let codec = if row.get(4)? { Codec::Json } else { Codec::Bytes };
    let body = row.get_ref(3)?.as_bytes_or_null()?.unwrap_or_default();
    Ok((from, Message { to, kind: row.get(2)?, body: Payload::new(codec, body.to_vec()) }))
}

/// A run that is finished, or a scope that has ended, on its way back into memory: what a ledger needs to judge what is
/// said to it.
#[derive(Default)]
pub(crate) struct Whole {
    pub(crate) heads: Vec<(ScopeId, Head)>,
    pub(crate) over: Vec<Box<str>>,
    mail: Vec<(ScopeId, Message)>,
}

impl Whole {
    pub(crate) fn take(&mut self, part: Part) {
        match part {
            Part::Append(scope, append) => self.heads.push((scope, append.head())),
            Part::Over(path) => self.over.push(path),
            Part::Letter(from, message) => self.mail.push((from, message)),
        }
    }

    /// Puts it back into a ledger that does not have it.
    pub(crate) fn restore(self, ledger: &mut Ledger) -> Result<(), StoreError> {
        for (scope, head) in self.heads {
            ledger.restore_past(&scope, head)?;
        }
        self.mail.into_iter().for_each(|(from, message)| ledger.restore_message(&from, message));
        Ok(())
    }
}
