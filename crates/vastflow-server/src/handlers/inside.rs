//! What is inside of a run: what flowed into its nodes and out of them, its context, the scopes of a node.

use crate::auth::Principal;
use crate::handlers::call::payload;
use crate::handlers::runs::MOST;
use crate::handlers::{Asks, look};
use crate::problem::{Answer, Refusal};
use crate::show;
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use vastflow_api::Page;
use vastflow_api::event::EventRow;
use vastflow_api::fleet::Waits;
use vastflow_api::inside::{ContextRow, ScopeRow, ScopeStatus};
use vastflow_core::plan::Schema;
use vastflow_core::run::NodeStatus;
use vastflow_core::{Event, FailureKind, NodeIx, Payload, Plan, Recorded, ScopeId, Seq, State as Folded, Timestamp};
use vastflow_store::RunRow;
use vastflow_worker::RunEvent;

/// How much of a value of the context is shown.
const SHOWN: usize = 64 << 10;

type Asker = (State<Arc<App>>, Extension<Principal>);

/// A scope of a run, as its journal tells it.
pub(crate) struct Inside {
    pub(crate) plan: Arc<Plan>,
    pub(crate) history: Vec<Recorded>,
    state: Folded,
}

impl Inside {
    /// Reads a scope: empty for the run itself, `outer[key]` for an item or an arm.
    pub(crate) async fn of(app: &App, row: &RunRow, scope: &str) -> Answer<Self> {
        let nowhere =
            || Refusal::new("unknown-place", format!("run {:?} has no {scope:?}, or it has not begun", row.id));
        let store = app.engine.store();
        let plan = store.plan(row.summary.started.plan).await?.ok_or_else(nowhere)?;
        let place = ScopeId::named(row.id.clone(), scope);
        let plan = plan.of_scope(&place).ok_or_else(nowhere)?;
        let history = store.history(&place, Seq::ZERO, usize::MAX).await?;
        if history.is_empty() {
            return Err(nowhere());
        }
        let mut state = Folded::default();
        for recorded in &history {
            if let Err(error) = state.evolve(&plan, &recorded.event, recorded.at, &mut ()) {
                tracing::error!(run = %row.id, "a journal cannot be read: {error}");
                return Err(Refusal::new(
                    "corrupt",
                    "something is wrong with the run's journal; the service's log says what",
                ));
            }
        }
        Ok(Inside { plan, history, state })
    }

    /// Looks at each state that the scope was in, the oldest first, until something is found: values are let go of when nobody
    /// needs them any more, so the last state does not have them.
    fn replay<T>(&self, mut look: impl FnMut(&Folded, &Recorded) -> Option<T>) -> Option<T> {
        let mut state = Folded::default();
        self.history.iter().find_map(|recorded| {
            // All of it was folded before.
            state.evolve(&self.plan, &recorded.event, recorded.at, &mut ()).ok()?;
            look(&state, recorded)
        })
    }

    /// What flowed into a node when it was ready to go: one value as it is, several as what its code takes: a list, or an
    /// object by their names.
    fn input(&self, node: NodeIx) -> Option<Payload> {
        let is_ready = |state: &Folded| {
            !matches!(
                state.node_status(node),
                None | Some(NodeStatus::Waiting | NodeStatus::Skipped | NodeStatus::Dropped)
            )
        };
        let mut values = self.replay(|state, _| is_ready(state).then(|| state.inputs(&self.plan, node)))?;
        if values.len() == 1 {
            return Some(values.remove(0).1);
        }
        let is_list = self.plan.node(node).is_some_and(|spec| matches!(spec.takes, Schema::Tuple(_) | Schema::List(_)));
        let name = |from: Option<NodeIx>| {
            from.and_then(|from| self.plan.node(from)).map_or("input", |spec| spec.name.as_str())
        };
        Some(match values.is_empty() {
            true => Payload::null(),
            false if is_list => Payload::list(values.iter().map(|(_, value)| value)),
            false => Payload::object(values.iter().map(|(from, value)| (name(*from), value))),
        })
    }

    /// What a node gave, also if it was taken back.
    fn output(&self, node: NodeIx) -> Option<Payload> {
        self.replay(|state, recorded| match &recorded.event {
            Event::NodeSucceeded { node: of, output, .. } if *of == node => Some(output.clone()),
            _ => state.to_undo(node).cloned(),
        })
    }

    /// Why a node waits for an operator, and since when.
    pub(crate) fn waits(&self, name: &str) -> (Waits, Option<Timestamp>) {
        let Some(node) = self.plan.find(name) else { return (Waits::Operator, None) };
        let kind = match self.state.parked_for(node).map(|failure| failure.kind) {
            Some(FailureKind::Quarantined) => Waits::Quarantined,
            Some(_) => Waits::Operator,
            None => Waits::Undo,
        };
        let is_when = |event: &Event| match event {
            Event::NodeParked { node: of, .. } | Event::UndoFailed { node: of, .. } => *of == node,
            _ => false,
        };
        let told = self.history.iter().rev().find(|recorded| is_when(&recorded.event));
        (kind, told.map(|recorded| recorded.at))
    }

    /// Its events behind so many, a page of them.
    pub(crate) fn events(&self, after: u64, limit: usize) -> Page<EventRow> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let named = |recorded: &Recorded| RunEvent {
            node: recorded.event.node().and_then(|node| Some(self.plan.node(node)?.name.clone())),
            recorded: recorded.clone(),
        };
        let items: Vec<_> =
            self.history.iter().skip(after).take(limit).map(|recorded| show::event(&named(recorded))).collect();
        let read = after.saturating_add(items.len());
        Page::new(items, (read < self.history.len()).then(|| read.to_string()))
    }

    /// The scopes that a node opened or will open, in the order in which they were known.
    fn scopes(&self, node: NodeIx) -> Vec<ScopeRow> {
        let mut known = Known::default();
        for recorded in self.history.iter().filter(|recorded| recorded.event.node() == Some(node)) {
            let at_ms = recorded.at.millis();
            match &recorded.event {
                Event::BranchChosen { keys, .. } => keys.iter().for_each(|key| _ = known.row(key, at_ms)),
                Event::ItemsAdded { items, .. } => {
                    let first = known.rows.len() as u64;
                    (first..).zip(items).for_each(|(at, item)| _ = known.row(&item.scope_key(at), at_ms));
                }
                Event::ChildEnded { key, end, .. } => {
                    // A basin has one scope, of which nothing is said before.
                    let row = known.row(key, at_ms);
                    row.ended_at_ms = Some(at_ms);
                    row.said = end.result.as_ref().err().map(ToString::to_string);
                    row.status = if end.result.is_ok() { ScopeStatus::Succeeded } else { ScopeStatus::Failed };
                }
                _ => {}
            }
        }
        let Known { mut rows, places } = known;
        let open = self.state.open_scopes().map(|open| (open, ScopeStatus::Running));
        let parked = self.state.scopes_with_attention().map(|parked| (parked, ScopeStatus::Parked));
        for ((_, key), status) in open.chain(parked).filter(|((of, _), _)| *of == node) {
            let known = places.get(key).copied();
            let row = known.and_then(|at| rows.get_mut(at)).filter(|row| row.ended_at_ms.is_none());
            row.into_iter().for_each(|row| row.status = status);
        }
        rows
    }
}

/// Scopes in the order in which they were known.
#[derive(Default)]
struct Known {
    rows: Vec<ScopeRow>,
    places: FxHashMap<Box<str>, usize>,
}

impl Known {
    fn row(&mut self, key: &str, at_ms: u64) -> &mut ScopeRow {
        let at = *self.places.entry(key.into()).or_insert(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(ScopeRow { key: key.to_owned(), since_ms: at_ms, ..ScopeRow::default() });
        }
        &mut self.rows[at]
    }
}

/// The scope and the node that `at` names: `node`, or `outer[key]/node`.
async fn place(app: &App, row: &RunRow, at: &str) -> Answer<(Inside, NodeIx)> {
    let (scope, name) = at.rsplit_once('/').unwrap_or(("", at));
    let inside = Inside::of(app, row, scope).await?;
    let found = inside.plan.find(name);
    let node = found.ok_or_else(|| Refusal::new("unknown-place", format!("run {:?} has no node {at:?}", row.id)))?;
    Ok((inside, node))
}

fn named(asks: &Asks) -> Answer<&str> {
    asks.text("at").ok_or_else(|| Refusal::new("bad-request", "say which node by `at=NODE`, or `at=outer[key]/node`"))
}

/// What flowed into a node, as it is: several values as a list or an object, as its code takes them.
#[utoipa::path(get, path = "/api/v1/runs/{id}/nodes/input", operation_id = "node_input", tag = "payloads",
    params(("id" = String, Path, description = "The run."),
        ("at" = String, Query, description = "The node; one inside of others as `outer[key]/node`.")),
    responses((status = 200, description = "What flowed in.", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn node_input(
    (State(app), Extension(who)): Asker,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Response> {
    let asks = Asks::of(&uri, &["at"])?;
    let row = look(&app, &who, &id).await?;
    let at = named(&asks)?;
    let (inside, node) = place(&app, &row, at).await?;
    let input = inside.input(node);
    Ok(payload(
        input.ok_or_else(|| Refusal::new("no-output", format!("nothing has flowed into node {at:?} of run {id:?}")))?,
    ))
}

/// What a node gave, as it is, once it succeeded.
#[utoipa::path(get, path = "/api/v1/runs/{id}/nodes/output", operation_id = "node_output", tag = "payloads",
    params(("id" = String, Path, description = "The run."),
        ("at" = String, Query, description = "The node; one inside of others as `outer[key]/node`.")),
    responses((status = 200, description = "What it gave.", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn node_output(
    (State(app), Extension(who)): Asker,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Response> {
    let asks = Asks::of(&uri, &["at"])?;
    let row = look(&app, &who, &id).await?;
    let at = named(&asks)?;
    let (inside, node) = place(&app, &row, at).await?;
    let output = inside.output(node);
    Ok(payload(output.ok_or_else(|| Refusal::new("no-output", format!("node {at:?} of run {id:?} has no result")))?))
}

/// What a run, or a scope of it, keeps in its context, by key. Of large values only the first 64 KiB are shown.
#[utoipa::path(get, path = "/api/v1/runs/{id}/context", operation_id = "run_context", tag = "payloads",
    params(("id" = String, Path, description = "The run."),
        ("scope" = Option<String>, Query, description = "A part of it: an item or an arm as `outer[key]`, a basin as `outer`.")),
    responses((status = 200, description = "All of it.", body = Page<ContextRow>)))]
pub(crate) async fn run_context(
    (State(app), Extension(who)): Asker,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Json<Page<ContextRow>>> {
    let asks = Asks::of(&uri, &["scope"])?;
    let row = look(&app, &who, &id).await?;
    let inside = Inside::of(&app, &row, asks.text("scope").unwrap_or("")).await?;
    let mut rows: Vec<_> = inside.state.context().iter().map(|(key, value)| value_of(key, value.bytes())).collect();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Json(Page::last(rows)))
}

fn value_of(key: &str, bytes: &[u8]) -> ContextRow {
    let cut = bytes.len() > SHOWN;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    // A cut may be in the middle of a character.
    let text = match str::from_utf8(shown) {
        Ok(text) => Some(text),
        Err(why) if cut && why.valid_up_to() + 4 > shown.len() => str::from_utf8(&shown[..why.valid_up_to()]).ok(),
        Err(_) => None,
    };
    let base64 = text.is_none().then(|| STANDARD.encode(shown));
    ContextRow { key: key.to_owned(), bytes: bytes.len() as u64, text: text.map(str::to_owned), base64, cut }
}

/// The scopes that a node opened or will open, in the order in which they were known: the items of a foreach, the arms that a
/// branch took.
#[utoipa::path(get, path = "/api/v1/runs/{id}/scopes", operation_id = "run_scopes", tag = "runs",
    params(("id" = String, Path, description = "The run."),
        ("at" = String, Query, description = "The node; one inside of others as `outer[key]/node`."),
        ("status" = Option<ScopeStatus>, Query, description = "Only with this status."),
        ("after" = Option<String>, Query, description = "What the page before gave as `next`."),
        ("limit" = Option<u32>, Query, description = "The most rows; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "A page.", body = Page<ScopeRow>)))]
pub(crate) async fn run_scopes(
    (State(app), Extension(who)): Asker,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Json<Page<ScopeRow>>> {
    let asks = Asks::of(&uri, &["at", "status", "after", "limit"])?;
    let (limit, after) = (asks.limit(100, MOST)?, asks.parse::<usize>("after")?.unwrap_or(0));
    let status = asks.text("status").map(status_of).transpose()?;
    let row = look(&app, &who, &id).await?;
    let (inside, node) = place(&app, &row, named(&asks)?).await?;
    let rows = inside.scopes(node).into_iter().enumerate().skip(after);
    let mut fitting = rows.filter(|(_, row)| status.is_none_or(|status| row.status == status));
    let page: Vec<_> = fitting.by_ref().take(limit).collect();
    let next = fitting.next().and(page.last().map(|(at, _)| (at + 1).to_string()));
    Ok(Json(Page::new(page.into_iter().map(|(_, row)| row).collect(), next)))
}

fn status_of(word: &str) -> Answer<ScopeStatus> {
    let known = ScopeStatus::ALL.into_iter().find(|status| status.as_str() == word);
    known.ok_or_else(|| {
        let all = ScopeStatus::ALL.map(ScopeStatus::as_str).join(", ");
        Refusal::new("bad-request", format!("{word:?} is no status of a scope; a status is {all}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_text_where_they_are_text_and_cut_between_characters() {
        assert_eq!(value_of("k", b"{}").text.as_deref(), Some("{}"));
        assert_eq!(value_of("k", &[0xff, 0xfe]).base64.as_deref(), Some("//4="));
        let long = value_of("k", "é".repeat(SHOWN).as_bytes());
        assert!(long.cut && long.text.unwrap().len() == SHOWN);
        let odd = value_of("k", format!("x{}", "é".repeat(SHOWN)).as_bytes());
        assert_eq!(odd.text.unwrap().len(), SHOWN - 1);
    }
}
