//! What becomes of all runs: one look at the store for all who listen, and a memory for those who come back.
//!
//! Stores have no log of all runs, so the newest runs and those that were not over are looked at, a few times a second,
//! while somebody listens and something happens. Where nothing did for a while, the store's hints say when to look again.

use crate::auth::random;
use crate::list::each_of;
use crate::problem::Answer;
use crate::show;
use crate::state::App;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use vastflow_api::run::RunRow;
use vastflow_core::{RunId, RunStatus, Seq};
use vastflow_store::{RunQuery, RunRow as StoredRow, Store, StoreError};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// After so many looks that showed nothing new, it is looked less often.
const QUIET: u32 = 8;
/// How often then. Stores hint at new work, and not at the end of a run.
const REST: Duration = Duration::from_millis(750);
/// How many changes are remembered for those who come back.
const REMEMBERED: usize = 4_096;
/// How many runs of each status that go on are followed, the newest first.
const FOLLOWED: usize = 400;
const PAGE: usize = 200;

/// What becomes of all runs.
#[derive(Debug)]
pub(crate) struct Feed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whose numbers these are: another service, or this one after a restart, has others.
    nonce: String,
    told: Mutex<Told>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Told {
    /// The number of the next change.
    next: u64,
    newest: VecDeque<(u64, RunRow)>,
    is_looking: bool,
}

/// A change.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) id: String,
    pub(crate) row: RunRow,
}

/// Somebody who listens.
#[derive(Debug)]
pub(crate) struct Reader {
    inner: Arc<Inner>,
    /// The number of the next change to read.
    next: u64,
    news: watch::Receiver<u64>,
}

impl Default for Feed {
    fn default() -> Self {
        // Without random numbers those who come back read the list again, which does no harm.
        let nonce =
            random::<6>().map(|nonce| nonce.iter().map(|byte| format!("{byte:02x}")).collect()).unwrap_or_default();
        Feed { inner: Arc::new(Inner { nonce, told: Mutex::default(), news: watch::channel(0).0 }) }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, row: RunRow) {
        let mut told = self.lock();
        if told.newest.len() == REMEMBERED {
            told.newest.pop_front();
        }
        let at = told.next;
        told.newest.push_back((at, row));
        told.next += 1;
    }
}

impl Feed {
    /// Listens from now on, or from behind a change; says whether something in between is not known any more.
    pub(crate) async fn read(&self, app: &Arc<App>, after: Option<&str>) -> Answer<(Reader, bool)> {
        let inner = Arc::clone(&self.inner);
        let news = inner.news.subscribe();
        let (from, next, starts) = {
            let mut told = inner.lock();
            let first = told.newest.front().map_or(told.next, |(at, _)| *at);
            let seen =
                after.and_then(|id| id.strip_prefix(inner.nonce.as_str())?.strip_prefix('-')?.parse::<u64>().ok());
            // After a pause in looking, what happened meanwhile is not known.
            let from = seen.map(|seen| seen + 1).filter(|from| (first..=told.next).contains(from) && told.is_looking);
            (from, told.next, !std::mem::replace(&mut told.is_looking, true))
        };
        if starts {
            let mut look = Look::default();
            if let Err(error) = look.first(&**app.engine.store()).await {
                inner.lock().is_looking = false;
                return Err(error.into());
            }
            tokio::spawn(keep_looking(look, Arc::downgrade(app), Arc::clone(&inner)));
        }
        let is_gap = after.is_some() && from.is_none();
        Ok((Reader { inner, next: from.unwrap_or(next), news }, is_gap))
    }
}

impl Reader {
    /// The id of the change before the next.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.inner.nonce, self.next.saturating_sub(1))
    }

    /// The next change. Who is too slow misses some, and sees how those runs stand later.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            self.news.mark_unchanged();
            if let Some(news) = self.take() {
                return news;
            }
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self) -> Option<News> {
        let told = self.inner.lock();
        let (first, _) = told.newest.front()?;
        let at = self.next.max(*first);
        let (_, row) = told.newest.get(usize::try_from(at - first).ok()?)?;
        let news = News { id: format!("{}-{at}", self.inner.nonce), row: row.clone() };
        drop(told);
        self.next = at + 1;
        Some(news)
    }
}

/// What was seen of the runs so far.
#[derive(Debug, Default)]
struct Look {
    /// The newest run; keys begin at 0.
    newest: Option<u64>,
    /// Those that go on: how long their journals were.
    open: FxHashMap<RunId, Seq>,
}

/// Looks at the store while somebody listens.
async fn keep_looking(mut look: Look, app: Weak<App>, inner: Arc<Inner>) {
    let Some(mut hints) = app.upgrade().map(|app| app.engine.store().wakeups()) else { return };
    let mut quiet = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        if quiet > QUIET {
            tokio::select! {
                () = hints.next() => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
        let Some(app) = app.upgrade() else { return };
        {
            let mut told = inner.lock();
            if inner.news.receiver_count() == 0 || app.closing.is_cancelled() {
                told.is_looking = false;
                return;
            }
        }
        match look.again(&**app.engine.store()).await {
            Ok(rows) if rows.is_empty() => quiet += 1,
            Ok(rows) => {
                quiet = 0;
                rows.into_iter().for_each(|row| inner.tell(row));
                inner.news.send_modify(|count| *count += 1);
            }
            Err(error) => tracing::warn!("the runs cannot be looked at: {error}"),
        }
    }
}

impl Look {
    /// What there is now is no news.
    async fn first(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let newest = store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).await?;
        self.newest = newest.rows.first().map(|row| row.key);
        unfinished(store, |row| _ = self.open.insert(row.id, row.len)).await
    }

    /// What is new since the last look, the oldest first.
    async fn again(&mut self, store: &dyn Store) -> Result<Vec<RunRow>, StoreError> {
        let mut changed: Vec<Changed> = self.begun(store).await?;
        let mut open = FxHashMap::default();
        let look = |row: StoredRow| {
            // One that began after the look at those that begin is news of the next look.
            if Some(row.key) > self.newest {
                return;
            }
            if self.open.remove(&row.id).is_none_or(|len| len != row.len) {
                changed.push(Changed::of(&row));
            }
            open.insert(row.id, row.len);
        };
        unfinished(store, look).await?;
        // Those that are not open any more have ended; of others there is not enough room to follow them.
        for id in std::mem::replace(&mut self.open, open).into_keys() {
            changed.extend(store.run(&id).await?.filter(|row| row.summary.status.is_final()).as_ref().map(Changed::of));
        }
        changed.sort_by_key(|change| (change.key, change.len));
        changed.dedup_by_key(|change| change.key);
        Ok(changed.into_iter().map(|change| change.row).collect())
    }

    /// The runs that began since the last look and are over already.
    async fn begun(&mut self, store: &dyn Store) -> Result<Vec<Changed>, StoreError> {
        let (mut seen, mut query) = (0, RunQuery { limit: PAGE, ..RunQuery::default() });
        let (mut newest, mut over) = (self.newest, Vec::new());
        let known = self.newest;
        loop {
            let page = store.runs(&query).await?;
            let is_last = page.rows.last().is_none_or(|row| Some(row.key) <= known);
            for row in page.rows.into_iter().filter(|row| Some(row.key) > known) {
                seen += 1;
                newest = newest.max(Some(row.key));
                match row.summary.status.is_final() {
                    true => over.push(Changed::of(&row)),
                    // It is told of with those that go on.
                    false => _ = self.open.insert(row.id, Seq::ZERO),
                }
            }
            query.before = page.next;
            if is_last || query.before.is_none() || seen >= REMEMBERED {
                break;
            }
        }
        self.newest = newest;
        Ok(over)
    }
}

/// A run that is news.
struct Changed {
    key: u64,
    len: Seq,
    row: RunRow,
}

impl Changed {
    fn of(row: &StoredRow) -> Self {
        Changed { key: row.key, len: row.len, row: show::row(&row.id, &row.summary) }
    }
}

/// The newest runs that go on.
async fn unfinished(store: &dyn Store, mut each: impl FnMut(StoredRow)) -> Result<(), StoreError> {
    for status in RunStatus::ALL.into_iter().filter(|status| !status.is_final()) {
        let query = RunQuery { status: Some(status), ..RunQuery::default() };
        each_of(store, query, FOLLOWED, &mut each).await?;
    }
    Ok(())
}
