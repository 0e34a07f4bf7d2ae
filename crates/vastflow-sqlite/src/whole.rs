//! A run with all that the tables know of it: how it comes back into memory.

use crate::record;
use crate::row::{self, COLUMNS};
use rusqlite::{Connection, Row};
use vastflow_core::{Codec, Payload, ScopeId};
use vastflow_store::{Append, Ledger, Message, RunRow, StoreError};

/// A run, its journals and its inboxes.
pub(crate) struct Whole {
    pub(crate) row: RunRow,
    appends: Vec<(ScopeId, Append)>,
    mail: Vec<Letter>,
}

/// A row of the inbox.
struct Letter {
    from: ScopeId,
    message: Message,
    is_delivered: bool,
}

/// Reads whole runs from the tables. Its errors are SQLite's and ours: the caller knows the file.
pub(crate) struct Reader<'a> {
    tables: &'a Connection,
    /// Whether any run has an inbox; most stores have none.
    has_mail: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(tables: &'a Connection) -> rusqlite::Result<Self> {
        let has_mail = tables.query_row("SELECT EXISTS (SELECT 1 FROM inbox)", [], |row| row.get(0))?;
        Ok(Reader { tables, has_mail })
    }

    /// Calls `each` with every run that fits the condition, in the order of starts.
    pub(crate) fn each(
        &self,
        condition: &str,
        mut each: impl FnMut(Whole) -> Result<(), StoreError>,
    ) -> rusqlite::Result<Result<(), StoreError>> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE {condition} ORDER BY key");
        let mut select = self.tables.prepare_cached(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let whole = match row::read(row) {
                Ok(row) => self.whole(row)?,
                Err(why) => return Ok(Err(why)),
            };
            if let Err(why) = whole.and_then(&mut each) {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    /// The rest of a run.
    pub(crate) fn whole(&self, row: RunRow) -> rusqlite::Result<Result<Whole, StoreError>> {
        let mail = if self.has_mail { self.mail(&row)? } else { Vec::new() };
        let mut appends = Vec::new();
        let mut select =
            self.tables.prepare_cached("SELECT path, events FROM journal WHERE run = ?1 ORDER BY path, first")?;
        let mut rows = select.query([row.key.cast_signed()])?;
        while let Some(journal) = rows.next()? {
            let scope = ScopeId::from_parts(row.id.clone(), journal.get_ref(0)?.as_str()?);
            for append in record::framed(journal.get_ref(1)?.as_blob()?) {
                match append.and_then(record::read_append) {
                    Ok(append) => appends.push((scope.clone(), append)),
                    Err(why) => return Ok(Err(StoreError::corrupt(format!("journal of {scope}: {why}")))),
                }
            }
        }
        Ok(Ok(Whole { row, appends, mail }))
    }

    fn mail(&self, run: &RunRow) -> rusqlite::Result<Vec<Letter>> {
        // What was delivered comes first: only then is the oldest of what waits the oldest of all.
        let mut select = self.tables.prepare_cached(
            "SELECT path, source, kind, body, is_json, delivered FROM inbox WHERE run = ?1 ORDER BY delivered DESC, n",
        )?;
        let letters = select.query_map([run.key.cast_signed()], |row| letter(row, run))?;
        letters.collect()
    }
}

fn letter(row: &Row<'_>, run: &RunRow) -> rusqlite::Result<Letter> {
    let to = ScopeId::from_parts(run.id.clone(), row.get_ref(0)?.as_str()?);
    let from = ScopeId::from_parts(run.id.clone(), row.get_ref(1)?.as_str()?);
    let codec = if row.get(4)? { Codec::Json } else { Codec::Bytes };
    let body = row.get_ref(3)?.as_bytes_or_null()?.unwrap_or_default();
    let message = Message { to, kind: row.get(2)?, body: Payload::new(codec, body.to_vec()) };
    Ok(Letter { from, message, is_delivered: row.get(5)? })
}

impl Whole {
    /// Puts the run back into a ledger that does not have it.
    pub(crate) fn restore(self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let RunRow { key, id, control, summary, .. } = self.row;
        ledger.restore_run(id, key, summary, control);
        for (scope, append) in self.appends {
            ledger.restore_append(&scope, append)?;
        }
        for Letter { from, message, is_delivered } in self.mail {
            let to = message.to.clone();
            ledger.restore_message(&from, message);
            if is_delivered {
                ledger.restore_delivered(&to, 1);
            }
        }
        Ok(())
    }
}
