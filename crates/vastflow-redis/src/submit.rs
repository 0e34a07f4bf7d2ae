//! Committing: what is waiting goes out as one step, while the step before is on its way.

use crate::element::{Columns, Element};
use crate::link::Link;
use crate::record;
use crate::script;
use crate::service::closed;
use serde::Deserialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use vastflow_core::Seq;
use vastflow_store::{Answer, Commit, Committed, ControlWord, Reply, StoreError};

/// The most steps that are on their way at once: one that the server works on, and one that it finds when it is done.
const AHEAD: usize = 2;
/// The most commits of one step, and the most bytes of several: the server does nothing else meanwhile, and reads all of
/// them before it begins.
const MOST: usize = 512;
const MOST_BYTES: usize = 8 << 20;

type Outcome = Result<Committed, StoreError>;

/// Commits that wait for a step of their own.
#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    idle: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<Job>,
    on_their_way: usize,
}

/// A batch of somebody, who is answered whatever happens to it.
struct Job {
    batch: Vec<Commit>,
    reply: Option<Reply>,
}

impl Job {
    fn answer(&mut self, outcomes: impl Iterator<Item = Outcome>) {
        let Some(reply) = self.reply.take() else { return };
        let batch = std::mem::take(&mut self.batch);
        let taken = |(mut commit, outcome): (Commit, Outcome)| {
            if let Ok(Committed::Done { .. }) = outcome {
                // They are the store's now.
                (commit.events, commit.messages) = (Vec::new(), Vec::new());
            }
            (commit, outcome)
        };
        let answer: Answer = batch.into_iter().zip(outcomes).map(taken).collect();
        // It must not panic; one that does must not leave others without their answers.
        if catch_unwind(AssertUnwindSafe(|| reply(answer))).is_err() {
            tracing::error!("who made a commit panicked when it was answered");
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let lost = || StoreError::unavailable("the store was closed before the Redis server had answered");
        self.answer(std::iter::repeat_with(|| Err(lost())));
    }
}

/// What the script answers: most commits are done while nothing is asked of their runs, and are only counted. All others
/// are told, each with its number, from 1 on.
#[derive(Deserialize)]
struct Answers {
    done: usize,
    others: Vec<(usize, String, u64, u32)>,
}

impl Answers {
    /// One for each of so many commits.
    fn read(self, count: usize) -> Result<Vec<Outcome>, StoreError> {
        let as_usual = Committed::Done { control: ControlWord::default() };
        let mut outcomes: Vec<Outcome> = (0..count).map(|_| Ok(as_usual)).collect();
        let told = self.done + self.others.len();
        for (number, word, value, revision) in self.others {
            let place = number.checked_sub(1).and_then(|place| outcomes.get_mut(place)).ok_or_else(wrong_count)?;
            *place = read(&word, value, revision);
        }
        if told == count { Ok(outcomes) } else { Err(wrong_count()) }
    }
}

/// One who sends. When it is dropped while something may wait, nobody may be left who would send that.
struct Sender<'a> {
    outbox: &'a Outbox,
    is_done: bool,
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        let left = if self.is_done { Vec::new() } else { self.outbox.abandon() };
        drop(left);
        self.outbox.idle.notify_waiters();
    }
}

impl Outbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch; it goes out at once, or with others when there is room.
    pub(crate) fn submit(self: &Arc<Self>, link: &Arc<Link>, batch: Vec<Commit>, reply: Reply) {
        if link.is_closed() {
            return reply(batch.into_iter().map(|commit| (commit, Err(closed()))).collect());
        }
        let mut inner = self.lock();
        inner.waiting.push(Job { batch, reply: Some(reply) });
        if inner.on_their_way == AHEAD {
            return;
        }
        inner.on_their_way += 1;
        drop(inner);
        let (outbox, link) = (Arc::clone(self), Arc::clone(link));
        link.runtime.clone().spawn(async move { outbox.send_all(&link).await });
    }

    /// Sends until nothing waits.
    async fn send_all(&self, link: &Arc<Link>) {
        let mut sender = Sender { outbox: self, is_done: false };
        // Who submits one commit mostly submits another at once: they go together.
        tokio::task::yield_now().await;
        while let Some(jobs) = self.next() {
            send(link, jobs).await;
        }
        sender.is_done = true;
    }

    /// What goes next. None when nothing waits: then whoever asked sends no more.
    fn next(&self) -> Option<Vec<Job>> {
        let mut inner = self.lock();
        if inner.waiting.is_empty() {
            inner.on_their_way -= 1;
            return None;
        }
        Some(take(&mut inner.waiting))
    }

    /// One who sent is gone; gives what nobody sends any more.
    fn abandon(&self) -> Vec<Job> {
        let mut inner = self.lock();
        inner.on_their_way -= 1;
        if inner.on_their_way == 0 { std::mem::take(&mut inner.waiting) } else { Vec::new() }
    }

    /// Waits until all that was submitted is answered.
    pub(crate) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            if self.lock().on_their_way == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Batches for one step, oldest first; at least one.
fn take(waiting: &mut Vec<Job>) -> Vec<Job> {
    let mut size = 0;
    let count = waiting.iter().take_while(|job| {
        size += job.batch.len();
        size <= MOST
    });
    let count = count.count().max(1).min(waiting.len());
    waiting.drain(..count).collect()
}

/// Sends batches, and tells each its answers.
async fn send(link: &Arc<Link>, mut jobs: Vec<Job>) {
    let commits: Vec<&Commit> = jobs.iter().flat_map(|job| &job.batch).collect();
    let mut outcomes = commit(link, &commits).await.into_iter();
    for job in &mut jobs {
        let count = job.batch.len();
        job.answer(outcomes.by_ref().take(count));
    }
}

/// What becomes of each commit, in order: one step, or several one after the other when they are too much for one. After
/// a step that was not answered none is tried.
async fn commit(link: &Arc<Link>, commits: &[&Commit]) -> Vec<Outcome> {
    let elements: Vec<_> = commits.iter().map(|commit| Element::of(commit, link.is_virtual())).collect();
    let mut elements = elements.into_iter().peekable();
    let (mut outcomes, mut failed) = (Vec::with_capacity(commits.len()), None);
    while elements.peek().is_some() {
        let (mut piece, mut forms, mut bytes) = (Vec::new(), Vec::new(), 0);
        let has_room = |piece: &[Element<'_>], bytes: usize, next: &Element<'_>| {
            piece.is_empty() || piece.len() < MOST && bytes + next.size() <= MOST_BYTES
        };
        while let Some(next) = elements.next_if(|next| next.as_ref().map_or(true, |next| has_room(&piece, bytes, next)))
        {
            forms.push(next.map(|element| {
                bytes += element.size();
                piece.push(element);
            }));
        }
        let told = match &failed {
            Some(error) => Err(StoreError::clone(error)),
            None if piece.is_empty() => Ok(Vec::new()),
            None => step(link, piece).await,
        };
        failed = told.as_ref().err().cloned();
        let mut told = told.map(Vec::into_iter);
        outcomes.extend(forms.into_iter().map(|form| {
            form.and_then(|()| match &mut told {
                Ok(answers) => answers.next().unwrap_or_else(|| Err(wrong_count())),
                Err(error) => Err(error.clone()),
            })
        }));
    }
    outcomes
}

async fn step(link: &Arc<Link>, commits: Vec<Element<'_>>) -> Result<Vec<Outcome>, StoreError> {
    let count = commits.len();
    let told: Answers = link.step(script::COMMIT, "commit", &Columns::of(commits)).await?;
    told.read(count)
}

fn wrong_count() -> StoreError {
    StoreError::corrupt("commits were not answered one by one")
}

fn read(word: &str, number: u64, revision: u32) -> Outcome {
    let control = || record::word(u8::try_from(number).unwrap_or(u8::MAX), revision);
    match word {
        "done" => Ok(Committed::Done { control: control() }),
        "duplicate" => Ok(Committed::Duplicate { control: control() }),
        "conflict" => Ok(Committed::Conflict { len: Seq(number) }),
        "fenced" => Ok(Committed::Fenced),
        "no run" => Err(StoreError::Invalid("it belongs to a run that has not begun".into())),
        "no plan" => Err(StoreError::Invalid("its run follows a plan that was never put into the store".into())),
        other => Err(StoreError::corrupt(format!("a commit was answered {other:?}"))),
    }
}
