//! Commits on their way: gathered while others are under way, sent as one batch, answered one by one.

use crate::batch::{Batch, control_word};
use crate::connect::{Failed, Parameter};
use crate::fail::Kind;
use crate::hints::jitter;
use crate::line::{Line, Outcome, Part};
use crate::plain::Plain;
use crate::shared::{Shared, closed};
use crate::upkeep;
use crate::work::{column, only};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use vastflow_core::{RunId, Seq, Timestamp};
use vastflow_store::{Commit, Committed, ControlWord, StoreError};

/// How often a batch is sent again that another transaction was in the way of.
const TRIES: usize = 5;
/// How long a batch waits for a lock. Somebody's own transaction may hold one for long, and strangers wait with it.
const PATIENCE: Duration = Duration::from_millis(300);

/// What became of a batch.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) each: Vec<Outcome>,
    /// Somebody may find something new to claim.
    news: bool,
}

/// Why a batch was not applied.
struct Refusal {
    error: StoreError,
    /// It may be the fault of one element, or of how many there are: smaller batches may go through.
    divides: bool,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Refusal { divides: matches!(error, StoreError::Invalid(_)), error }
    }
}

/// Sends what is submitted, for as long as the store is open.
pub(crate) async fn dispatch(shared: Arc<Shared>, mut jobs: UnboundedReceiver<Vec<Part>>) {
    let mut line = Line::default();
    let mut calls: JoinSet<Vec<RunId>> = JoinSet::new();
    let mut is_open = true;
    while is_open || !calls.is_empty() {
        tokio::select! {
            job = jobs.recv(), if is_open => match job {
                Some(parts) => line.waiting.extend(parts),
                None => is_open = false,
            },
            Some(done) = calls.join_next() => {
                done.unwrap_or_default().iter().for_each(|run| { line.under_way.remove(run); });
            }
        }
        while let Ok(parts) = jobs.try_recv() {
            line.waiting.extend(parts);
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

/// Sends parts as one batch and answers them; gives the runs that are free again.
async fn send(shared: Arc<Shared>, parts: Vec<Part>) -> Vec<RunId> {
    let commits: Vec<&Commit> = parts.iter().flat_map(|part| &part.commits).collect();
    let Outcomes { each: outcomes, news } = commit(&shared, &commits).await;
    if news {
        shared.hints.everywhere();
    }
    let runs = parts.iter().flat_map(Part::runs).cloned().collect();
    let mut outcomes = outcomes.into_iter();
    for part in parts {
        let own = outcomes.by_ref().take(part.commits.len()).collect();
        part.answer(own);
    }
    runs
}

/// The answers to commits, each of another scope: all in one call; and when that is refused for something that may be one
/// element's fault, or is too large, each half for itself, until only that one is refused. Not for ever: when so much is in
/// the way that it takes long, what is left is not divided further.
async fn commit(shared: &Shared, commits: &[&Commit]) -> Outcomes {
    let mut outcomes: Vec<Option<Outcome>> = commits.iter().map(|commit| commit.check().err().map(Err)).collect();
    let mut news = false;
    let mut failed: FxHashMap<&RunId, StoreError> = FxHashMap::default();
    let until = Instant::now() + shared.options.statement_timeout;
    let mut waiting: Vec<Vec<usize>> = vec![(0..commits.len()).collect()];
    while let Some(mut places) = waiting.pop() {
        // What comes after something of its run that did not get through, must not pass it.
        for place in &places {
            if let Some(error) = failed.get(commits[*place].scope.run()) {
                outcomes[*place].get_or_insert_with(|| Err(error.clone()));
            }
        }
        places.retain(|place| outcomes[*place].is_none());
        if places.is_empty() {
            continue;
        }
        let asked: Vec<&Commit> = places.iter().map(|place| commits[*place]).collect();
        match call(shared, &asked).await {
            Ok(answered) => {
                news |= answered.news;
                // Those that did not go with it.
                waiting.push(places.split_off(answered.each.len()));
                places.into_iter().zip(answered.each).for_each(|(place, outcome)| outcomes[place] = Some(outcome));
            }
            Err(refusal) if refusal.divides && places.len() > 1 && Instant::now() < until => {
                let second = places.split_off(places.len() / 2);
                waiting.extend([second, places]);
            }
            Err(Refusal { error, .. }) => {
                let error = if places.len() > 1 { of_many(error) } else { error };
                for place in places {
                    if error.is_transient() {
                        failed.insert(commits[place].scope.run(), error.clone());
                    }
                    outcomes[place] = Some(Err(error.clone()));
                }
            }
        }
    }
    let each = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(closed_answer)).collect();
    Outcomes { each, news }
}

/// What many are told of which one cannot be kept, and nobody knows which.
fn of_many(error: StoreError) -> StoreError {
    match error {
        StoreError::Invalid(why) => StoreError::unavailable(format!("it was sent together with something else: {why}")),
        other => other,
    }
}

const DOING: &str = "committing";

/// One call of the server: the quick one when the commits are of the kind for it and nothing is in their way.
async fn call(shared: &Shared, commits: &[&Commit]) -> Result<Outcomes, Refusal> {
    if let Some(plain) = Plain::new(commits)? {
        let commits = commits.get(..plain.len()).unwrap_or_default();
        match send_to(shared, &shared.sql.commit_plain, commits, plain.parameters()).await {
            Ok(rows) => {
                if let Some(outcomes) = plain_outcomes(&plain, &rows)? {
                    return Ok(outcomes);
                }
            }
            Err(failed) if failed.kind() == Kind::Unexpected => {}
            Err(failed) => return Err(refusal(failed)),
        }
    }
    let batch = Batch::new(commits)?;
    let commits = commits.get(..batch.len()).unwrap_or_default();
    let rows = send_to(shared, &shared.sql.commit, commits, batch.parameters()).await.map_err(refusal)?;
    Ok(outcomes(commits, &rows)?)
}

fn refusal(failed: Failed) -> Refusal {
    let divides = matches!(failed.kind(), Kind::Data | Kind::Blocked);
    Refusal { error: failed.into_error(DOING), divides }
}

/// Sends a call, more than once if something is in its way that may be gone in a moment.
async fn send_to(
    shared: &Shared,
    sql: &str,
    commits: &[&Commit],
    arrays: Vec<Parameter<'_>>,
) -> Result<Vec<Row>, Failed> {
    let now = commits.iter().map(|commit| commit.at).max().unwrap_or(Timestamp::ZERO);
    let clock = shared.hear(now);
    let patience = millis(shared.options.lock_timeout.min(PATIENCE));
    let mut with: Vec<Parameter<'_>> =
        vec![(&clock.heard, Type::INT8), (&clock.ripe, Type::INT8), (&patience, Type::INT4)];
    with.extend(arrays);
    let mut attempt = 1;
    loop {
        shared.open()?;
        let failed = match shared.connections.lend().await?.try_rows(sql, &with).await {
            Ok(rows) => return Ok(rows),
            Err(failed) => failed,
        };
        match failed.kind() {
            Kind::Again if attempt < TRIES => tokio::time::sleep(jitter(Duration::from_millis(4 << attempt))).await,
            Kind::NoPartition if attempt < TRIES => upkeep::partitions(shared).await?,
            _ => return Err(failed),
        }
        attempt += 1;
    }
}

/// Reads the answer of the server's quick function; nothing when something is not as it was expected.
fn plain_outcomes(plain: &Plain<'_>, rows: &[Row]) -> Result<Option<Outcomes>, StoreError> {
    let row = only(rows)?;
    if !column::<bool>(row, "is_done")? {
        return Ok(None);
    }
    let controls: Vec<i16> = column(row, "control")?;
    let revisions: Vec<i32> = column(row, "revision")?;
    let done = |place: &usize| {
        let word = controls.get(*place).zip(revisions.get(*place));
        let (control, revision) = word.ok_or_else(|| StoreError::corrupt("too few answers to commits"))?;
        let control = ControlWord { control: control_word(*control)?, revision: revision.cast_unsigned() };
        Ok(Ok(Committed::Done { control }))
    };
    let each = plain.places.iter().map(done).collect::<Result<_, StoreError>>()?;
    Ok(Some(Outcomes { each, news: column(row, "news")? }))
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
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
                5 => Err(StoreError::unavailable(format!("run {} is being deleted", commit.scope.run()))),
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
