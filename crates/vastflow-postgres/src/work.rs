//! Claiming work, and staying alive: the calls of the server's functions, and what they answer.

use crate::arrays::{millis, or_null};
use crate::batch::control_word;
use crate::connect::{Lent, Parameter};
use crate::shared::Shared;
use crate::task::{class, pack, unpack};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use vastflow_core::{Codec, Name, Payload, PlanHash, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Claim, ClaimToken, Claimed, Claims, ControlWord, Heartbeat, Lease, Message, Pulse, Rate, StoreError, Swept, Turn,
    WindowOf, WindowState, WorkerInfo,
};

/// A column of a row.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StoreError> {
    row.try_get(name).map_err(|error| StoreError::corrupt(format!("column {name} cannot be read: {error}")))
}

/// A column that is an array, or nothing at all.
fn list<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<Vec<T>, StoreError> {
    column::<Option<Vec<T>>>(row, name).map(Option::unwrap_or_default)
}

pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|why| StoreError::corrupt(format!("{text:?} cannot be read: {why}")))
}

pub(crate) fn payload(codec: &str, bytes: Vec<u8>) -> Result<Payload, StoreError> {
    let known = [Codec::Json, Codec::Bytes].into_iter().find(|known| known.name() == codec);
    let codec =
        known.ok_or_else(|| StoreError::corrupt(format!("the codec {codec:?} is not known to this version")))?;
    Ok(Payload::new(codec, bytes))
}

fn lane(text: String) -> Result<Option<Name>, StoreError> {
    if text.is_empty() { Ok(None) } else { parsed(&text).map(Some) }
}

fn lease_millis(lease: Duration) -> i64 {
    millis(Timestamp::ZERO.plus(lease).millis()).min(1 << 50)
}

fn most(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The only row of an answer.
pub(crate) fn only(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first().ok_or_else(|| StoreError::corrupt("a function of the server answered nothing"))
}

/// Sends a call once more when another transaction was in its way.
async fn call(shared: &Shared, doing: &str, sql: &str, with: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
    for _ in 0..4 {
        shared.open()?;
        let mut lent: Lent<'_> = shared.connections.lend().await?;
        match lent.try_rows(sql, with).await {
            Ok(rows) => return Ok(rows),
            Err(failed) if failed.kind() == crate::fail::Kind::Again => {}
            Err(failed) => return Err(failed.into_error(doing)),
        }
    }
    Err(StoreError::unavailable(format!("{doing}: others were in the way again and again")))
}

pub(crate) async fn claim(shared: Arc<Shared>, ask: Claim) -> Result<Claims, StoreError> {
    let now = shared.ripen(ask.now);
    let (worker, lease, max) = (ask.worker.0.cast_signed(), lease_millis(ask.lease), most(ask.max));
    let except: Option<Vec<String>> =
        (!ask.except.is_empty()).then(|| ask.except.iter().map(ToString::to_string).collect());
    let (lanes, rooms): (Vec<&str>, Vec<i32>) =
        ask.lanes.iter().filter(|(_, room)| *room > 0).map(|(lane, room)| (lane.as_str(), most(*room))).unzip();
    let limits = Limits::of(&ask);
    let windows = Windows::of(&ask);
    let mut with: Vec<Parameter<'_>> = vec![
        (&now, Type::INT8),
        (&worker, Type::INT8),
        (&lease, Type::INT8),
        (&max, Type::INT4),
        (&ask.alone, Type::BOOL),
        (&except, Type::TEXT_ARRAY),
        (&lanes, Type::TEXT_ARRAY),
        (&rooms, Type::INT4_ARRAY),
    ];
    with.extend(limits.parameters());
    with.extend(windows.parameters());
    let (turn, heard) = (ask.turn.map(|turn| turn.number.cast_signed()), ask.turn.map(|turn| turn.heard.cast_signed()));
    with.extend([(&turn as _, Type::INT8), (&heard as _, Type::INT8)]);
    let rows = call(&shared, "claiming", &shared.sql.claim, &with).await?;
    let row = only(&rows)?;
    if column(row, "is_over")? {
        return Err(Turn::is_over());
    }
    if column::<i64>(row, "given_back")? > 0 {
        shared.hints.everywhere();
    }
    claims(row, &ask)
}

/// The limits of a claim, as arrays.
struct Limits<'a> {
    lane: Vec<&'a str>,
    at_once: Vec<Option<i64>>,
    burst: Vec<Option<i64>>,
    every: Vec<Option<i64>>,
}

impl<'a> Limits<'a> {
    fn of(ask: &'a Claim) -> Self {
        let rated = |read: fn(Rate) -> i64| ask.limits.iter().map(|limit| limit.rate.map(read)).collect();
        Limits {
            lane: ask.limits.iter().map(|limit| limit.lane.as_str()).collect(),
            at_once: ask.limits.iter().map(|limit| limit.at_once.map(long)).collect(),
            burst: rated(|rate| i64::from(rate.burst.max(1))),
            every: rated(|rate| millis(rate.every_micros())),
        }
    }

    fn parameters(&self) -> [Parameter<'_>; 4] {
        [
            or_null(&self.lane, Type::TEXT_ARRAY),
            or_null(&self.at_once, Type::INT8_ARRAY),
            or_null(&self.burst, Type::INT8_ARRAY),
            or_null(&self.every, Type::INT8_ARRAY),
        ]
    }
}

/// The windows of a claim, as arrays.
struct Windows<'a> {
    kind: Vec<i16>,
    flow: Vec<Option<&'a str>>,
    most: Vec<i64>,
}

impl<'a> Windows<'a> {
    fn of(ask: &'a Claim) -> Self {
        let (mut kind, mut flow) = (Vec::new(), Vec::new());
        for (of, _) in &*ask.windows {
            let (number, name) = match of {
                WindowOf::All => (0, None),
                WindowOf::Flow(name) => (1, Some(name.as_str())),
                WindowOf::KeyOf(name) => (2, Some(name.as_str())),
            };
            kind.push(number);
            flow.push(name);
        }
        Windows { kind, flow, most: ask.windows.iter().map(|(_, most)| long(*most)).collect() }
    }

    fn parameters(&self) -> [Parameter<'_>; 3] {
        [
            or_null(&self.kind, Type::INT2_ARRAY),
            or_null(&self.flow, Type::TEXT_ARRAY),
            or_null(&self.most, Type::INT8_ARRAY),
        ]
    }
}

fn long(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn claims(row: &Row, ask: &Claim) -> Result<Claims, StoreError> {
    let mut tasks = claimed(row)?;
    let ats: Vec<i32> = list(row, "m_at")?;
    let from: Vec<&str> = list(row, "m_from")?;
    let kinds: Vec<i64> = list(row, "m_kind")?;
    let codecs: Vec<&str> = list(row, "m_codec")?;
    let bodies: Vec<Vec<u8>> = list(row, "m_body")?;
    for ((((at, from), kind), codec), body) in ats.into_iter().zip(from).zip(kinds).zip(codecs).zip(bodies) {
        let at = usize::try_from(at).unwrap_or(0).saturating_sub(1);
        let Some(task) = tasks.get_mut(at) else { continue };
        let kind = u32::try_from(kind).unwrap_or(u32::MAX);
        let message = Message { to: task.scope.clone(), kind, body: payload(codec, body)? };
        task.messages.push((parsed(from)?, message));
    }
    let in_flight: Vec<i64> = list(row, "in_flight")?;
    let waits: Vec<bool> = list(row, "waits")?;
    let whole = ask.windows.iter().map(|(of, _)| of).filter(|of| !matches!(of, WindowOf::KeyOf(_)));
    let state = |(of, (in_flight, waits)): (&WindowOf, (i64, bool))| WindowState {
        of: of.clone(),
        in_flight: usize::try_from(in_flight).unwrap_or(0),
        waits,
    };
    let windows = whole.zip(in_flight.into_iter().zip(waits)).map(state);
    let next_due: Option<i64> = column(row, "next_due")?;
    Ok(Claims {
        tasks,
        more: column(row, "more")?,
        next_due: next_due.map(|due| Timestamp::from_millis(due.cast_unsigned())),
        windows: windows.collect(),
        alone_waits: column(row, "alone_waits")?,
    })
}

fn claimed(row: &Row) -> Result<Vec<Claimed>, StoreError> {
    let scopes: Vec<&str> = list(row, "scope")?;
    let tasks: Vec<i64> = list(row, "task")?;
    let tokens: Vec<i32> = list(row, "token")?;
    let lanes: Vec<String> = list(row, "lane")?;
    let crashes: Vec<i16> = list(row, "crashes")?;
    let plans: Vec<&str> = list(row, "plan")?;
    let lens: Vec<i64> = list(row, "len")?;
    let controls: Vec<i16> = list(row, "control")?;
    let revisions: Vec<i32> = list(row, "revision")?;
    let words = controls.into_iter().zip(revisions);
    let heads = plans.into_iter().zip(lens).zip(words);
    let rights = tokens.into_iter().zip(lanes).zip(crashes);
    scopes
        .into_iter()
        .zip(tasks)
        .zip(rights)
        .zip(heads)
        .map(|(((scope, task), ((token, in_lane), crashes)), ((plan, len), (control, revision)))| {
            let task = unpack(task)?;
            // A run in line has its key there.
            let is_call = class(task) == 2;
            Ok(Claimed {
                scope: parsed::<ScopeId>(scope)?,
                task,
                token: ClaimToken(token.cast_unsigned()),
                lane: lane(in_lane)?.filter(|_| is_call),
                crashes: u8::try_from(crashes).unwrap_or(u8::MAX),
                plan: parsed::<PlanHash>(plan)?,
                len: Seq(len.cast_unsigned()),
                control: ControlWord { control: control_word(control)?, revision: revision.cast_unsigned() },
                messages: Vec::new(),
            })
        })
        .collect()
}

/// Gives tasks back.
pub(crate) async fn release(shared: Arc<Shared>, leases: Vec<Lease>) -> Result<(), StoreError> {
    if leases.is_empty() {
        return Ok(());
    }
    let clock = shared.hear(Timestamp::ZERO);
    let scopes: Vec<String> = leases.iter().map(|lease| lease.scope.to_string()).collect();
    let tasks: Vec<i64> = leases.iter().map(|lease| pack(lease.task)).collect::<Result<_, _>>()?;
    let tokens: Vec<i32> = leases.iter().map(|lease| lease.token.0.cast_signed()).collect();
    let with: [Parameter<'_>; 5] = [
        (&clock.heard, Type::INT8),
        (&clock.ripe, Type::INT8),
        (&scopes, Type::TEXT_ARRAY),
        (&tasks, Type::INT8_ARRAY),
        (&tokens, Type::INT4_ARRAY),
    ];
    let rows = call(&shared, "giving tasks back", &shared.sql.release, &with).await?;
    let given: i64 = column(only(&rows)?, "release_1")?;
    if given > 0 {
        shared.hints.everywhere();
    }
    Ok(())
}

pub(crate) async fn heartbeat(shared: Arc<Shared>, beat: Heartbeat) -> Result<Pulse, StoreError> {
    let now = shared.told(beat.now);
    let about = serde_json::to_string(&*beat.about).map_err(|why| StoreError::Invalid(why.to_string()))?;
    let (worker, lease, name) = (beat.worker.0.cast_signed(), lease_millis(beat.lease), beat.about.name.as_deref());
    let with: [Parameter<'_>; 5] =
        [(&now, Type::INT8), (&worker, Type::INT8), (&name, Type::TEXT), (&about, Type::TEXT), (&lease, Type::INT8)];
    let rows = call(&shared, "a sign of life", &shared.sql.heartbeat, &with).await?;
    let row = only(&rows)?;
    if let (Some(other), Some(name)) = (column::<Option<&str>>(row, "other")?, &beat.about.name) {
        return Err(info(other)?.refuses(name));
    }
    let now: i64 = column(row, "now")?;
    Ok(Pulse {
        now: Timestamp::from_millis(now.cast_unsigned()),
        was_lost: column(row, "was_lost")?,
        has_others: column(row, "has_others")?,
    })
}

/// What a worker told of itself.
pub(crate) fn info(text: &str) -> Result<WorkerInfo, StoreError> {
    serde_json::from_str(text).map_err(|why| StoreError::corrupt(format!("what a worker said of itself: {why}")))
}

pub(crate) async fn sweep(shared: Arc<Shared>, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
    let (now, clock) = (shared.told(now), shared.hear(now));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let with: [Parameter<'_>; 3] = [(&now, Type::INT8), (&clock.ripe, Type::INT8), (&limit, Type::INT8)];
    let rows = call(&shared, "looking for dead workers", &shared.sql.sweep, &with).await?;
    let row = only(&rows)?;
    let (workers, tasks): (i64, i64) = (column(row, "workers")?, column(row, "tasks")?);
    if tasks > 0 {
        shared.hints.everywhere();
    }
    Ok(Swept { workers: usize::try_from(workers).unwrap_or(0), tasks: usize::try_from(tasks).unwrap_or(0) })
}
