//! Commits on their way: gathered while others are under way, sent as one batch, answered one by one.

use crate::batch::{Batch, control_word};
use crate::connect::Parameter;
use crate::fail::Kind;
use crate::hints::jitter;
use crate::shared::{Shared, closed};
use crate::upkeep;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use vastflow_core::{RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{Answer, Commit, Committed, ControlWord, Reply, StoreError};

/// The most elements that go in one call.
const MOST: usize = 512;
/// How often a batch is sent again that another transaction was in the way of.
const TRIES: usize = 5;

type Outcome = Result<Committed, StoreError>;

/// What became of a batch.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) each: Vec<Outcome>,
    /// Somebody may find something new to claim.
    news: bool,
}

impl Outcomes {
    fn failed(commits: &[&Commit], error: &StoreError) -> Self {
        Outcomes { each: commits.iter().map(|_| Err(error.clone())).collect(), news: false }
    }
}

/// A batch of somebody, who is answered whatever happens to it.
pub(crate) struct Job {
    batch: Vec<Commit>,
    reply: Option<Reply>,
}

impl Job {
    pub(crate) fn new(batch: Vec<Commit>, reply: Reply) -> Self {
        Job { batch, reply: Some(reply) }
    }

    fn answer(&mut self, outcomes: Vec<Outcome>) {
        let Some(reply) = self.reply.take() else { return };
        let batch = std::mem::take(&mut self.batch);
        let taken = |(mut commit, outcome): (Commit, Outcome)| {
            if let Ok(Committed::Done { .. }) = outcome {
                commit.events.clear();
                commit.messages.clear();
            }
            (commit, outcome)
        };
        let answer: Answer = batch.into_iter().zip(outcomes).map(taken).collect();
        reply(answer);
    }

    fn runs(&self) -> impl Iterator<Item = &RunId> {
        self.batch.iter().map(|commit| commit.scope.run())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let outcomes = self.batch.iter().map(|_| Err(closed())).collect();
        self.answer(outcomes);
    }
}

/// Sends what is submitted, for as long as the store is open.
pub(crate) async fn dispatch(shared: Arc<Shared>, mut jobs: UnboundedReceiver<Job>) {
    let mut line = Line::default();
    let mut calls: JoinSet<Vec<RunId>> = JoinSet::new();
    let mut is_open = true;
    while is_open || !calls.is_empty() {
        tokio::select! {
            job = jobs.recv(), if is_open => match job {
                Some(job) => line.waiting.push_back(job),
                None => is_open = false,
            },
            Some(done) = calls.join_next() => {
                done.unwrap_or_default().iter().for_each(|run| { line.under_way.remove(run); });
            }
        }
        while let Ok(job) = jobs.try_recv() {
            line.waiting.push_back(job);
        }
        while calls.len() < shared.options.writers {
            let next = line.next();
            if next.is_empty() {
                break;
            }
            calls.spawn(send(Arc::clone(&shared), next));
        }
    }
}

/// What waits to be sent, and the runs of what is under way.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    under_way: FxHashSet<RunId>,
}

impl Line {
    /// The next jobs that go together. A run's commits stay in order: none passes another that is under way or waits.
    fn next(&mut self) -> Vec<Job> {
        let mut next: Vec<Job> = Vec::new();
        let mut size = 0;
        let mut scopes: FxHashSet<ScopeId> = FxHashSet::default();
        let mut behind: FxHashSet<RunId> = FxHashSet::default();
        let mut rest = VecDeque::new();
        for job in std::mem::take(&mut self.waiting) {
            let fits = size == 0 || size + job.batch.len() <= MOST;
            let is_free = job.runs().all(|run| !self.under_way.contains(run) && !behind.contains(run));
            if fits && is_free && job.batch.iter().all(|commit| !scopes.contains(&commit.scope)) {
                size += job.batch.len();
                scopes.extend(job.batch.iter().map(|commit| commit.scope.clone()));
                next.push(job);
            } else {
                behind.extend(job.runs().cloned());
                rest.push_back(job);
            }
        }
        self.waiting = rest;
        self.under_way.extend(next.iter().flat_map(Job::runs).cloned());
        next
    }
}

/// Sends jobs as one batch and answers them; gives the runs that are free again.
async fn send(shared: Arc<Shared>, mut jobs: Vec<Job>) -> Vec<RunId> {
    let commits: Vec<&Commit> = jobs.iter().flat_map(|job| &job.batch).collect();
    let Outcomes { each: outcomes, news } = commit(&shared, &commits).await;
    if news {
        shared.hints.everywhere();
    }
    let runs = jobs.iter().flat_map(Job::runs).cloned().collect();
    let mut outcomes = outcomes.into_iter();
    for job in &mut jobs {
        let own = outcomes.by_ref().take(job.batch.len()).collect();
        job.answer(own);
    }
    runs
}

/// The answers to commits, each of another scope.
async fn commit(shared: &Shared, commits: &[&Commit]) -> Outcomes {
    let mut outcomes: Vec<Option<Outcome>> = commits.iter().map(|commit| commit.check().err().map(Err)).collect();
    let well_formed: Vec<usize> = (0..commits.len()).filter(|at| outcomes[*at].is_none()).collect();
    let mut news = false;
    if !well_formed.is_empty() {
        let asked: Vec<&Commit> = well_formed.iter().map(|at| commits[*at]).collect();
        let answered = whole(shared, &asked).await;
        news = answered.news;
        for (at, outcome) in well_formed.into_iter().zip(answered.each) {
            outcomes[at] = Some(outcome);
        }
    }
    let each = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(closed_answer)).collect();
    Outcomes { each, news }
}

/// All in one call; and when something in one of them cannot be kept, each in its own, so that only that one is refused.
async fn whole(shared: &Shared, commits: &[&Commit]) -> Outcomes {
    match call(shared, commits).await {
        Ok(outcomes) => outcomes,
        Err(StoreError::Invalid(_)) if commits.len() > 1 => {
            let mut all = Outcomes::default();
            for commit in commits {
                let one = [*commit];
                let answered = call(shared, &one).await.unwrap_or_else(|error| Outcomes::failed(&one, &error));
                all.each.extend(answered.each);
                all.news |= answered.news;
            }
            all
        }
        Err(error) => Outcomes::failed(commits, &error),
    }
}

const DOING: &str = "committing";

async fn call(shared: &Shared, commits: &[&Commit]) -> Result<Outcomes, StoreError> {
    let batch = Batch::new(commits)?;
    let now = commits.iter().map(|commit| commit.at).max().unwrap_or(Timestamp::ZERO);
    let clock = shared.hear(now);
    let mut with: Vec<Parameter<'_>> = vec![(&clock.heard, Type::INT8), (&clock.ripe, Type::INT8)];
    with.extend(batch.parameters());
    for attempt in 1.. {
        shared.open()?;
        let failed = match shared.connections.lend().await?.try_rows(&shared.sql.commit, &with).await {
            Ok(rows) => return outcomes(commits, &rows),
            Err(failed) => failed,
        };
        match failed.kind() {
            _ if attempt >= TRIES => return Err(failed.into_error(DOING)),
            Kind::Again => tokio::time::sleep(jitter(Duration::from_millis(4 << attempt))).await,
            Kind::NoPartition => upkeep::partitions(shared).await?,
            _ => return Err(failed.into_error(DOING)),
        }
    }
    Err(closed())
}

/// The answer to a commit that got none.
pub(crate) fn closed_answer() -> Outcome {
    Err(closed())
}

/// Reads the answers of the server's function.
pub(crate) fn outcomes(commits: &[&Commit], rows: &[Row]) -> Result<Outcomes, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::corrupt("no answer to a commit"))?;
    let unread = |error| StoreError::corrupt(format!("the answer to a commit cannot be read: {error}"));
    let codes: Vec<i16> = row.try_get("code").map_err(unread)?;
    let lens: Vec<i64> = row.try_get("len").map_err(unread)?;
    let controls: Vec<i16> = row.try_get("control").map_err(unread)?;
    let revisions: Vec<i32> = row.try_get("revision").map_err(unread)?;
    if codes.len() != commits.len() || lens.len() != codes.len() {
        return Err(StoreError::corrupt(format!("{} answers to {} commits", codes.len(), commits.len())));
    }
    let news = row.try_get("news").map_err(unread)?;
    let words = controls.iter().zip(&revisions);
    let each = commits
        .iter()
        .zip(codes.iter().zip(&lens))
        .zip(words)
        .map(|((commit, (code, len)), (control, revision))| {
            let control = ControlWord { control: control_word(*control)?, revision: revision.cast_unsigned() };
            Ok(match code {
                0 => Ok(Committed::Done { control }),
                1 => Ok(Committed::Duplicate { control }),
                2 => Ok(Committed::Conflict { len: Seq(len.cast_unsigned()) }),
                3 => Ok(Committed::Fenced),
                _ => Err(not_begun(commit)),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Outcomes { each, news })
}

fn not_begun(commit: &Commit) -> StoreError {
    match &commit.summary {
        Some(summary) if commit.scope.is_root() => StoreError::Invalid(format!(
            "its run follows plan {}, which was never put into the store",
            summary.started.plan
        )),
        _ => StoreError::Invalid(format!("it belongs to run {}, which has not begun", commit.scope.run())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_testsuite::fixture;

    fn job(commits: Vec<Commit>) -> Job {
        Job::new(commits, Box::new(|_| {}))
    }

    #[test]
    fn commits_of_one_run_do_not_pass_each_other() {
        let mut line = Line::default();
        let (r, other) = (fixture::root("r"), fixture::root("other"));
        line.waiting.push_back(job(vec![fixture::commit(&r, 1)]));
        line.waiting.push_back(job(vec![fixture::commit(&r, 2), fixture::commit(&other, 1)]));
        line.waiting.push_back(job(vec![fixture::commit(&other, 2)]));
        assert_eq!(line.next().len(), 1, "the second is of the same scope, and the third waits behind the second");
        assert!(line.next().is_empty(), "the first is under way");
        line.under_way.clear();
        assert_eq!(line.next()[0].batch.len(), 2);
    }

    #[test]
    fn who_is_forgotten_is_answered() {
        let (send, receive) = std::sync::mpsc::channel();
        drop(Job::new(vec![fixture::start_commit("r")], Box::new(move |answer| send.send(answer).unwrap())));
        let answer = receive.recv().unwrap();
        assert!(matches!(answer[0].1, Err(StoreError::Closed { .. })));
        assert!(!answer[0].0.events.is_empty(), "it comes back whole");
    }
}
