//! Inboxes: what waits in them, and how the tables follow. Most messages are delivered before the tables hear of them,
//! so they are never written.

use super::fold::Mail;
use crate::row::Shown;
use rusqlite::{Connection, Result, params};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use vastflow_core::{Codec, Payload};

/// A run and the path of a scope in it.
type Place = (u64, Box<str>);

/// What waits, and what of that the tables do not know yet.
#[derive(Default)]
pub(crate) struct Inboxes {
    waiting: FxHashMap<Place, Inbox>,
    /// Inboxes with messages that are not in the tables.
    news: FxHashSet<Place>,
    /// Messages in the tables that wait no more.
    gone: Vec<(Place, i64)>,
    next: i64,
}

#[derive(Default)]
struct Inbox {
    letters: VecDeque<Letter>,
    /// Their senders and kinds, so that none waits twice.
    known: FxHashSet<(Box<str>, u32)>,
}

struct Letter {
    n: i64,
    source: Box<str>,
    kind: u32,
    /// None when it is in the tables.
    body: Option<Payload>,
}

impl Inboxes {
    /// What waits according to the tables.
    pub(crate) fn load(tables: &Connection) -> Result<Self> {
        let mut inboxes = Inboxes::default();
        let mut select = tables.prepare("SELECT run, path, n, source, kind FROM inbox ORDER BY n")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let place = (row.get::<_, i64>(0)?.cast_unsigned(), row.get_ref(1)?.as_str()?.into());
            let (n, source, kind) = (row.get(2)?, row.get_ref(3)?.as_str()?.into(), row.get(4)?);
            inboxes.waiting.entry(place).or_default().push(Letter { n, source, kind, body: None });
            inboxes.next = n + 1;
        }
        Ok(inboxes)
    }

    /// Follows what happened, in its order.
    pub(super) fn follow(&mut self, mail: &[Mail<'_>]) {
        for one in mail {
            match one {
                Mail::Sent { run, from, to, kind, body } => {
                    let place = (*run, Box::from(*to));
                    let letter = Letter { n: self.next, source: (*from).into(), kind: *kind, body: Some(body.clone()) };
                    self.next += 1;
                    if self.waiting.entry(place.clone()).or_default().push(letter) {
                        self.news.insert(place);
                    }
                }
                Mail::Delivered { run, path, count } => self.delivered((*run, Box::from(*path)), *count),
            }
        }
    }

    fn delivered(&mut self, place: Place, count: u32) {
        let Some(inbox) = self.waiting.get_mut(&place) else { return };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(inbox.letters.len());
        for Letter { n, source, kind, body } in inbox.letters.drain(..count) {
            inbox.known.remove(&(source, kind));
            if body.is_none() {
                self.gone.push((place.clone(), n));
            }
        }
        if inbox.letters.is_empty() {
            self.waiting.remove(&place);
            self.news.remove(&place);
        }
    }

    /// Brings the tables up to date.
    pub(super) fn write(&mut self, tables: &Connection) -> Result<()> {
        for ((run, path), n) in self.gone.drain(..) {
            let mut delete = tables.prepare_cached("DELETE FROM inbox WHERE run = ?1 AND path = ?2 AND n = ?3")?;
            delete.execute(params![run.cast_signed(), path, n])?;
        }
        for place in self.news.drain() {
            let letters = self.waiting.get_mut(&place).into_iter().flat_map(|inbox| &mut inbox.letters);
            for letter in letters {
                let Some(body) = letter.body.take() else { continue };
                let mut insert = tables.prepare_cached(
                    "INSERT INTO inbox(run, path, n, source, kind, body, is_json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?;
                let ((run, path), Letter { n, source, kind, .. }) = (&place, &*letter);
                let is_json = body.codec() == Codec::Json;
                insert.execute(params![run.cast_signed(), path, n, source, kind, Shown(&body), is_json])?;
            }
        }
        Ok(())
    }
}

impl Inbox {
    /// Takes in a message; false when one of its kind and sender waits already.
    fn push(&mut self, letter: Letter) -> bool {
        let is_new = self.known.insert((letter.source.clone(), letter.kind));
        if is_new {
            self.letters.push_back(letter);
        }
        is_new
    }
}
