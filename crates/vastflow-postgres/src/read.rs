//! Reading: journals, plans, lists.

use crate::arrays::{labels, millis};
use crate::batch::control_word;
use crate::connect::Parameter;
use crate::shared::Shared;
use crate::task::unpack;
use crate::work::{column, info, parsed, payload};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use vastflow_core::run::RunSummary;
use vastflow_core::{
    Event, Name, Plan, PlanHash, Recorded, RunId, RunOutcome, RunStarted, RunStatus, ScopeId, Seq, Timestamp, codec,
};
use vastflow_store::{
    ClaimToken, ControlWord, Counts, Doomed, Filling, Fleet, PAGE_BYTES, Prune, Pruned, QueueRow, QueuedTask, RunPage,
    RunQuery, RunRow, StoreError, TaskState, WorkerId, WorkerRow,
};

const DOING: &str = "reading";
/// About how many bytes of events, and of how many commits at most, one call of the server reads.
const PAGE: i64 = 1 << 20;
const COMMITS: usize = 1_024;
/// The most runs that one call deletes.
const PRUNED_A_CALL: usize = 500;

impl Shared {
    async fn read(&self, sql: &str, with: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        self.open()?;
        self.connections.rows(DOING, sql, with).await
    }
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.cast_unsigned())
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn events(record: &[u8]) -> Result<Vec<Event>, StoreError> {
    codec::decode(record).map_err(|why| StoreError::corrupt(why.to_string()))
}

/// Events of a scope from a position on; each call of the server brings about so many bytes at most.
pub(crate) async fn history(
    shared: Arc<Shared>,
    scope: ScopeId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Recorded>, StoreError> {
    let name = scope.to_string();
    let mut found: Vec<Recorded> = Vec::new();
    let mut from = after;
    let mut whose: Option<i64> = None;
    while found.len() < limit {
        let rows = page(&shared, &name, from, limit - found.len()).await?;
        let id = rows.first().map(|row| column::<i64>(row, "id")).transpose()?;
        if whose.is_some() && id != whose {
            // What came before is the beginning of something that is not there any more, and may look like the whole.
            return Err(StoreError::NotFound { what: format!("journal of {scope} any more: its run was deleted") });
        }
        whose = id;
        let known = found.len();
        for row in &rows {
            let Some(first) = column::<Option<i64>>(row, "first")? else {
                return if column::<i64>(row, "len")?.cast_unsigned() > from.0 {
                    Err(hidden(&scope))
                } else {
                    Ok(found)
                };
            };
            let at: i64 = column(row, "at")?;
            let numbered = (first.cast_unsigned()..).map(Seq).zip(events(column(row, "events")?)?);
            let recorded = numbered.map(|(seq, event)| Recorded { seq, at: time(at), event });
            found.extend(recorded.filter(|recorded| recorded.seq >= from));
        }
        let has_more = rows.last().map_or(Ok(false), |row| column(row, "has_more"))?;
        if !has_more || found.len() == known {
            break;
        }
        from = found.last().map_or(from, |last| last.seq.after(1));
    }
    found.truncate(limit);
    Ok(found)
}

/// A run began in a partition of the journal while that was being taken out: see `upkeep`.
fn hidden(scope: &ScopeId) -> StoreError {
    StoreError::unavailable(format!("the journal of {scope} is in a partition that comes back within two minutes"))
}

/// What the next commits of a scope recorded, from the one in the middle of which a position is: as many as have about
/// [`PAGE`] bytes together, at least one; and whether there are more. One row without a commit when there is none, no row
/// when there is no such scope.
async fn page(shared: &Shared, scope: &str, from: Seq, limit: usize) -> Result<Vec<Row>, StoreError> {
    let schema = &shared.options.schema;
    // Each holds at least one event.
    let sql = format!(
        "SELECT s.id, s.len, j.first, j.at, j.events, j.count < j.all OR j.all = $3 AS has_more
         FROM {schema}.scope s JOIN {schema}.scope r ON r.id = s.run AND r.control < 4 LEFT JOIN LATERAL (
             SELECT p.first, p.at, p.events, count(*) OVER () AS count, p.all
             FROM (SELECT first, at, events, sum(octet_length(events)) OVER (ORDER BY first) - octet_length(events) AS before,
                          count(*) OVER () AS all
                   FROM (SELECT first, at, events FROM {schema}.journal
                         WHERE run = s.run AND scope = s.id AND first >= coalesce((
                             SELECT max(first) FROM {schema}.journal WHERE run = s.run AND scope = s.id AND first <= $2), 0)
                         ORDER BY first LIMIT $3) l) p
             WHERE p.before < {PAGE}) j ON true
         WHERE {schema}.key_of(s.name) = {schema}.key_of($1) ORDER BY j.first"
    );
    let (from, most) = (millis(from.0), i64::try_from(limit.min(COMMITS)).unwrap_or(i64::MAX));
    let with: [Parameter<'_>; 3] = [(&scope, Type::TEXT), (&from, Type::INT8), (&most, Type::INT8)];
    shared.read(&sql, &with).await
}

pub(crate) async fn put_plan(shared: Arc<Shared>, plan: Arc<Plan>) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {}.plan (hash, flow, body) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM {}.plan WHERE hash = $1)
         ON CONFLICT (hash) DO NOTHING",
        shared.options.schema, shared.options.schema
    );
    let (hash, flow, body) = (plan.hash().to_string(), plan.flow().as_str(), plan.to_json());
    shared.read(&sql, &[(&hash, Type::TEXT), (&flow, Type::TEXT), (&body, Type::TEXT)]).await.map(drop)
}

/// The plan with a hash, or all of them, ordered by hash.
pub(crate) async fn plans(shared: Arc<Shared>, hash: Option<PlanHash>) -> Result<Vec<Arc<Plan>>, StoreError> {
    let hash = hash.map(|hash| hash.to_string());
    let sql =
        format!("SELECT body FROM {}.plan WHERE $1::text IS NULL OR hash = $1 ORDER BY hash", shared.options.schema);
    let rows = shared.read(&sql, &[(&hash, Type::TEXT)]).await?;
    let unread = |why| StoreError::corrupt(format!("a plan cannot be read: {why}"));
    rows.iter().map(|row| Plan::from_json(column(row, "body")?).map(Arc::new).map_err(unread)).collect()
}

/// The columns that [`row`] reads.
const RUN: &str = "r.key, s.name AS id, s.len, s.control, s.revision, r.status, r.started_at, r.ended_at, r.outcome, \
                   r.output, r.output_codec, (SELECT j.events FROM {schema}.journal j WHERE j.run = r.key AND j.scope = \
                   r.key AND j.first = 0) AS began";

fn row(row: &Row) -> Result<RunRow, StoreError> {
    let key: i64 = column(row, "key")?;
    inner(row, key).map_err(|error| match error {
        StoreError::Corrupt { why, source } => StoreError::Corrupt { why: format!("run {key}: {why}"), source },
        other => other,
    })
}

fn inner(row: &Row, key: i64) -> Result<RunRow, StoreError> {
    let outcome = column::<Option<&[u8]>>(row, "outcome")?.map(outcome).transpose()?;
    let output = column::<Option<Vec<u8>>>(row, "output")?.zip(column::<Option<&str>>(row, "output_codec")?);
    let status =
        RunStatus::parse(column(row, "status")?).ok_or_else(|| StoreError::corrupt("its status is unknown"))?;
    let summary = RunSummary {
        status,
        started_at: time(column(row, "started_at")?),
        ended_at: column::<Option<i64>>(row, "ended_at")?.map(time),
        started: began(column(row, "began")?)?,
        outcome,
        output: output.map(|(bytes, codec)| payload(codec, bytes)).transpose()?,
    };
    let control = ControlWord {
        control: control_word(column(row, "control")?)?,
        revision: column::<i32>(row, "revision")?.cast_unsigned(),
    };
    let len = Seq(column::<i64>(row, "len")?.cast_unsigned());
    Ok(RunRow { key: key.cast_unsigned(), id: parsed(column(row, "id")?)?, len, control, summary })
}

fn outcome(record: &[u8]) -> Result<RunOutcome, StoreError> {
    match events(record)?.pop() {
        Some(Event::RunEnded { outcome }) => Ok(outcome),
        _ => Err(StoreError::corrupt("its outcome is none")),
    }
}

fn began(record: Option<&[u8]>) -> Result<Arc<RunStarted>, StoreError> {
    match events(record.unwrap_or_default())?.into_iter().next() {
        Some(Event::RunStarted(started)) => Ok(started),
        _ => Err(StoreError::corrupt("its journal does not say how it began")),
    }
}

pub(crate) async fn run(shared: Arc<Shared>, id: RunId) -> Result<Option<RunRow>, StoreError> {
    let sql = format!("SELECT {RUN} FROM {{schema}}.scope s JOIN {{schema}}.run r ON r.key = s.id WHERE {{schema}}.key_of(s.name) = $1 AND r.status <> 'deleted'")
        .replace("{schema}", &shared.options.schema);
    let id = id.to_string();
    let rows = shared.read(&sql, &[(&id, Type::TEXT)]).await?;
    rows.first().map(row).transpose()
}

pub(crate) async fn runs(shared: Arc<Shared>, query: RunQuery) -> Result<RunPage, StoreError> {
    let size = query.page_size();
    let before = query.before.map_or(i64::MAX, millis);
    let most = i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX);
    let (flow, status) = (query.flow.as_deref(), query.status.map(RunStatus::as_str));
    let pairs: Vec<_> =
        query.labels.iter().map(|(key, value)| (Box::from(key.as_str()), Box::from(value.as_str()))).collect();
    let wanted = labels(&pairs);
    let mut sql = format!(
        "SELECT {RUN} FROM {{schema}}.run r JOIN {{schema}}.scope s ON s.id = r.key WHERE r.key < $1 AND r.status <> 'deleted'"
    );
    let mut with: Vec<Parameter<'_>> = vec![(&before, Type::INT8), (&most, Type::INT8)];
    if flow.is_some() {
        with.push((&flow, Type::TEXT));
        sql.push_str(&format!(" AND r.flow = ${}", with.len()));
    }
    if let Some(status) = &status {
        // A partial index is found by the word, not by a parameter.
        sql.push_str(&format!(" AND r.status = '{status}'"));
    }
    if wanted.is_some() {
        with.push((&wanted, Type::TEXT));
        sql.push_str(&format!(" AND r.labels @> ${}::text::jsonb", with.len()));
    }
    sql.push_str(" ORDER BY r.key DESC LIMIT $2");
    // The row behind a page that is full by its bytes is read too: it says that there is more. Only lengths are added up;
    // what is not given is not fetched.
    let sql = format!(
        "SELECT * FROM (SELECT *, sum(bytes) OVER (ORDER BY key DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS \
         before FROM (SELECT *, octet_length(began) + coalesce(octet_length(output), 0) AS bytes FROM ({sql}) listed) \
         weighed) summed WHERE before IS NULL OR before < {PAGE_BYTES} ORDER BY key DESC"
    );
    let sql = sql.replace("{schema}", &shared.options.schema);
    let mut filling = Filling::new(size);
    for found in &shared.read(&sql, &with).await? {
        filling.take_of(row(found)?, column::<Option<i32>>(found, "bytes")?.map_or(0, i32::unsigned_abs) as usize);
    }
    Ok(filling.page())
}

pub(crate) async fn counts(shared: Arc<Shared>) -> Result<Counts, StoreError> {
    let sql =
        format!("SELECT status, count(*) FROM {}.run WHERE status <> 'deleted' GROUP BY status", shared.options.schema);
    let mut counts = Counts::default();
    for row in shared.read(&sql, &[]).await? {
        let status =
            RunStatus::parse(column(&row, "status")?).ok_or_else(|| StoreError::corrupt("an unknown status"))?;
        *counts.of(status) = column::<i64>(&row, "count")?.cast_unsigned();
    }
    Ok(counts)
}

/// Who is alive, and what became of those who were not.
pub(crate) async fn fleet(shared: Arc<Shared>) -> Result<Fleet, StoreError> {
    let schema = &shared.options.schema;
    let sql = format!(
        "SELECT w.id, w.until, w.about, coalesce(t.count, 0) AS in_hand
         FROM {schema}.worker w LEFT JOIN (
             SELECT holder, count(*) AS count FROM {schema}.task WHERE holder IS NOT NULL AND class = 2 GROUP BY holder) t
             ON t.holder = w.id"
    );
    let read = |row: &Row| {
        Ok(WorkerRow {
            id: WorkerId(column::<i64>(row, "id")?.cast_unsigned()),
            about: Arc::new(column::<Option<&str>>(row, "about")?.map_or_else(|| Ok(Default::default()), info)?),
            until: time(column(row, "until")?),
            in_hand: count(column(row, "in_hand")?),
        })
    };
    let mut rows: Vec<WorkerRow> = shared.read(&sql, &[]).await?.iter().map(read).collect::<Result<_, StoreError>>()?;
    // The database orders by signed numbers.
    rows.sort_unstable_by_key(|row| row.id);
    let heard = shared.hear(Timestamp::ZERO).heard;
    let sql = format!("SELECT taken_over, fenced, coalesce($1, {schema}.clock()) AS now FROM {schema}.incident");
    let incidents = shared.read(&sql, &[(&heard, Type::INT8)]).await?;
    let incidents = incidents.first().ok_or_else(|| StoreError::corrupt("table incident is empty"))?;
    let number = |name| column::<i64>(incidents, name).map(i64::cast_unsigned);
    let now = time(column(incidents, "now")?);
    Ok(Fleet { now, workers: rows, taken_over: number("taken_over")?, fenced: number("fenced")? })
}

pub(crate) async fn queues(shared: Arc<Shared>) -> Result<Vec<QueueRow>, StoreError> {
    let schema = &shared.options.schema;
    let ripe = shared.hear(Timestamp::ZERO).heard;
    let sql = format!(
        "SELECT p.hash, t.lane, count(*) FILTER (WHERE t.state < 2 AND r.control IN (0, 2) AND t.due <= n.ripe) AS ready,
                min(t.since) FILTER (WHERE t.state < 2 AND r.control IN (0, 2) AND t.due <= n.ripe) AS since,
                count(*) FILTER (WHERE t.state < 2 AND r.control IN (0, 2) AND t.due > n.ripe) AS later,
                count(*) FILTER (WHERE t.state = 2) AS in_hand,
                count(*) FILTER (WHERE t.state = 3 OR t.state < 2 AND r.control NOT IN (0, 2)) AS held,
                count(*) FILTER (WHERE t.state < 2 AND r.control IN (0, 2) AND t.due <= n.ripe AND t.deaths >= 2) AS alone
         FROM {schema}.task t JOIN {schema}.scope r ON r.id = t.run JOIN {schema}.plan p ON p.nr = t.plan,
              (SELECT coalesce($1, {schema}.clock()) AS ripe) n
         WHERE t.class = 2 GROUP BY p.hash, t.lane ORDER BY p.hash, t.lane"
    );
    let read = |row: &Row| {
        let lane: &str = column(row, "lane")?;
        let lane: Option<Name> = if lane.is_empty() { None } else { Some(parsed(lane)?) };
        let number = |name| column::<i64>(row, name).map(count);
        Ok(QueueRow {
            plan: parsed(column(row, "hash")?)?,
            lane,
            ready: number("ready")?,
            since: column::<Option<i64>>(row, "since")?.map(time),
            later: number("later")?,
            in_hand: number("in_hand")?,
            held: number("held")?,
            alone: number("alone")?,
        })
    };
    shared.read(&sql, &[(&ripe, Type::INT8)]).await?.iter().map(read).collect()
}

pub(crate) async fn tasks(shared: Arc<Shared>, scope: ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
    let schema = &shared.options.schema;
    let sql = format!(
        "SELECT t.task, t.due, t.token, t.state, t.ticket, t.holder, t.deaths, t.crashes
         FROM {schema}.scope s JOIN {schema}.task t ON t.run = s.run AND t.scope = s.id
         WHERE {schema}.key_of(s.name) = {schema}.key_of($1)"
    );
    let read = |row: &Row| {
        let holder: Option<i64> = column(row, "holder")?;
        let ticket: i64 = column(row, "ticket")?;
        let state = match (column::<i16>(row, "state")?, holder) {
            (_, Some(by)) => TaskState::Claimed { by: WorkerId(by.cast_unsigned()) },
            (3, None) => TaskState::Held,
            _ => TaskState::Queued { ticket: ticket.cast_unsigned() },
        };
        let times = |name| column::<i16>(row, name).map(|times| u8::try_from(times).unwrap_or(u8::MAX));
        Ok(QueuedTask {
            task: unpack(column(row, "task")?)?,
            due: time(column(row, "due")?),
            token: ClaimToken(column::<i32>(row, "token")?.cast_unsigned()),
            state,
            deaths: times("deaths")?,
            crashes: times("crashes")?,
        })
    };
    let name = scope.to_string();
    let rows = shared.read(&sql, &[(&name, Type::TEXT)]).await?;
    let mut tasks: Vec<QueuedTask> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
    tasks.sort_unstable_by_key(|queued| queued.task);
    Ok(tasks)
}

pub(crate) async fn prune(shared: Arc<Shared>, ask: Prune) -> Result<Pruned, StoreError> {
    shared.open()?;
    let most = i64::try_from(ask.limit.min(PRUNED_A_CALL)).unwrap_or(0);
    let (ids, keep) = match &ask.which {
        Doomed::Runs(ids) => (Some(ids.iter().map(ToString::to_string).collect::<Vec<_>>()), None),
        Doomed::Old(keep) => (None, Some(keep)),
    };
    let flow = keep.and_then(|keep| keep.flow.as_deref());
    let except: Vec<&str> = keep.map_or_else(Vec::new, |keep| keep.except.iter().map(Name::as_str).collect());
    let since = keep.and_then(|keep| keep.ended_since).map(|since| millis(since.millis()));
    let newest = keep.and_then(|keep| keep.newest).map(|newest| i64::try_from(newest).unwrap_or(i64::MAX));
    let with: [Parameter<'_>; 6] = [
        (&ids, Type::TEXT_ARRAY),
        (&flow, Type::TEXT),
        (&except, Type::TEXT_ARRAY),
        (&since, Type::INT8),
        (&newest, Type::INT8),
        (&most, Type::INT8),
    ];
    let rows = shared.connections.rows("deleting runs", &shared.sql.prune, &with).await?;
    let row = rows.first().ok_or_else(|| StoreError::corrupt("no answer to a deletion"))?;
    Ok(Pruned { runs: count(column(row, "runs")?), more: column(row, "more")? })
}
