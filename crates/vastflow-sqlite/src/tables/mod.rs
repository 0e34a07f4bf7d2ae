//! The tables thread: follows the log and writes it down for people, many batches a transaction.

mod bulk;
mod file;
mod fold;
mod mail;
mod prune;
mod write;

pub(crate) use file::{Opened, check, keep_plans, open};
pub(crate) use mail::Inboxes;
pub(crate) use prune::Victim;

use crate::backlog::{Ask, Synced, Taken};
use crate::fail;
use crate::log::segment;
use crate::shared::Shared;
use fold::Fold;
use rusqlite::{Connection, TransactionBehavior};
use std::path::PathBuf;
use std::sync::Arc;
use vastflow_store::StoreError;

pub(crate) struct Tables {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) watermark: u64,
    pub(crate) inboxes: Inboxes,
}

impl Tables {
    /// Works until nothing comes any more, or something cannot be written.
    pub(crate) fn run(mut self) {
        let mut done = self.drop_segments();
        while let Some(taken) = done.is_ok().then(|| self.shared.backlog.take(self.watermark)).flatten() {
            done = match taken {
                Taken::Batches(batches) => self.follow(&batches),
                Taken::Ask(ask) => self.answer(ask),
            };
        }
        if let Err(why) = done {
            self.shared.poison(&why);
            self.shared.backlog.give_up();
        }
        self.finish();
    }

    fn answer(&mut self, ask: Ask) -> Result<(), StoreError> {
        // Some finished runs may wait to be forgotten.
        self.shared.forget([], self.watermark);
        let answer = self.prune(&ask.prune);
        let done = answer.as_ref().map(drop).map_err(Clone::clone);
        // The one who asked may have gone away.
        let _ = ask.reply.send(answer);
        done
    }

    /// Brings the tables up to date with some batches.
    fn follow(&mut self, batches: &[Synced]) -> Result<(), StoreError> {
        let mut fold = Fold::default();
        for (_, blob) in batches {
            fold.add(blob)?;
        }
        let watermark = batches.last().map_or(self.watermark, |(seq, _)| *seq);
        self.write(&fold, watermark).map_err(|why| fail::sqlite("writing to", &self.store, why))?;
        self.watermark = watermark;
        self.shared.trim(fold.lengths());
        self.shared.forget(fold.finished(), watermark);
        self.drop_segments()
    }

    fn write(&mut self, fold: &Fold<'_>, watermark: u64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write::all(&transaction, fold, &mut self.inboxes, watermark)?;
        transaction.commit()
    }

    /// Removes the segments of the log that are not needed any more.
    fn drop_segments(&self) -> Result<(), StoreError> {
        let passed = self.shared.take_passed(self.watermark);
        if passed.is_empty() {
            return Ok(());
        }
        file::make_durable(&self.connection).map_err(|why| fail::sqlite("syncing", &self.store, why))?;
        passed.iter().for_each(|segment| segment.recycle(&self.store));
        Ok(())
    }

    fn finish(self) {
        // The readers go first, because the last connection to close tidies up.
        self.shared.readers.close();
        if let Err(why) = self.drop_segments() {
            tracing::warn!(%why, "segments of the log stay until the store is opened again");
        }
        segment::remove_spare(&self.store);
        let Tables { connection, store, .. } = self;
        if let Err((_, why)) = connection.close() {
            tracing::warn!(%why, store = %store.display(), "the tables were not closed cleanly; nothing is lost");
        }
    }
}
