//! Committing: what is waiting goes out as one step, while the step before is on its way.

use crate::element::Element;
use crate::link::Link;
use crate::record;
use crate::script;
use crate::service::closed;
use crate::wire::told;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use vastflow_core::Seq;
use vastflow_store::{Answer, Commit, Committed, Reply, StoreError};

/// The most steps that are on their way at once: one that the server works on, and one that it finds when it is done.
const AHEAD: usize = 2;
/// The most commits of one step: the server does nothing else meanwhile.
const MOST: usize = 512;

/// Commits that wait for a step of their own.
#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    idle: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<(Vec<Commit>, Reply)>,
    on_their_way: usize,
}

told! {
    struct Ask<'a> {
        commits: Vec<Element<'a>>,
    }
}

#[derive(Deserialize)]
struct Answers {
    answers: Vec<(String, u64, u32)>,
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
        inner.waiting.push((batch, reply));
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
        loop {
            let batches = {
                let mut inner = self.lock();
                let batches = take(&mut inner.waiting);
                if batches.is_empty() {
                    inner.on_their_way -= 1;
                    self.idle.notify_waiters();
                    return;
                }
                batches
            };
            send(link, batches).await;
        }
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

/// Batches for one step, oldest first.
fn take(waiting: &mut Vec<(Vec<Commit>, Reply)>) -> Vec<(Vec<Commit>, Reply)> {
    let mut size = 0;
    let count = waiting.iter().take_while(|(batch, _)| {
        size += batch.len();
        size <= MOST
    });
    let count = count.count().max(1).min(waiting.len());
    waiting.drain(..count).collect()
}

/// Sends batches as one step, and tells each its answers.
async fn send(link: &Arc<Link>, batches: Vec<(Vec<Commit>, Reply)>) {
    let (mut commits, mut replies) = (Vec::new(), Vec::with_capacity(batches.len()));
    for (batch, reply) in batches {
        replies.push((batch.len(), reply));
        commits.extend(batch);
    }
    let mut answer = commit(link, commits).await.into_iter();
    for (count, reply) in replies {
        reply(answer.by_ref().take(count).collect());
    }
}

/// One step: every commit with its answer, in order.
async fn commit(link: &Arc<Link>, commits: Vec<Commit>) -> Answer {
    let mut elements = Vec::with_capacity(commits.len());
    let forms: Vec<Result<(), StoreError>> = commits
        .iter()
        .map(|commit| Element::of(commit, link.is_virtual()).map(|element| elements.push(element)))
        .collect();
    let asked = elements.len();
    let told: Result<Answers, StoreError> = match asked {
        0 => Ok(Answers { answers: Vec::new() }),
        _ => link.step(script::COMMIT, "commit", &Ask { commits: elements }).await,
    };
    let mut told = told.map(|told| told.answers.into_iter());
    let each = commits.into_iter().zip(forms).map(|(mut commit, form)| {
        let answer = form.and_then(|()| match &mut told {
            Ok(answers) => answers.next().map_or_else(|| Err(no_answer()), |answer| read(&answer)),
            Err(error) => Err(error.clone()),
        });
        if let (Ok(Committed::Done { .. }), commit) = (&answer, &mut commit) {
            // They are the store's now.
            (commit.events, commit.messages) = (Vec::new(), Vec::new());
        }
        (commit, answer)
    });
    each.collect()
}

fn no_answer() -> StoreError {
    StoreError::corrupt("a commit was not answered")
}

fn read((word, number, revision): &(String, u64, u32)) -> Result<Committed, StoreError> {
    let control = || record::word(u8::try_from(*number).unwrap_or(u8::MAX), *revision);
    match word.as_str() {
        "done" => Ok(Committed::Done { control: control() }),
        "duplicate" => Ok(Committed::Duplicate { control: control() }),
        "conflict" => Ok(Committed::Conflict { len: Seq(*number) }),
        "fenced" => Ok(Committed::Fenced),
        "no run" => Err(StoreError::Invalid("it belongs to a run that has not begun".into())),
        "no plan" => Err(StoreError::Invalid("its run follows a plan that was never put into the store".into())),
        other => Err(StoreError::corrupt(format!("a commit was answered {other:?}"))),
    }
}
