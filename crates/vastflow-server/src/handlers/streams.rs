//! What happens, as it happens: server-sent events of one run, and of all.

use crate::auth::Principal;
use crate::feed::{News, Reader};
use crate::handlers::{Asks, find};
use crate::problem::{Answer, Refusal};
use crate::rooms::{Held, Place};
use crate::show;
use crate::state::App;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use vastflow_api::event::{EventRow, RunChanged};
use vastflow_api::run::RunRow;
use vastflow_core::Seq;
use vastflow_worker::{Events, Run};

/// How much is sent ahead of who reads. Who reads slowly holds up the reading of the journal, and nothing else.
const AHEAD: usize = 64;

/// Events on their way to somebody. Dropped, it gives its place back, and whoever fills it ends.
pub(crate) struct Lines {
    events: mpsc::Receiver<Event>,
    _place: Place,
}

impl Stream for Lines {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// A stream and where to put its events. Its place is no longer that of a request.
fn open(
    app: &Arc<App>,
    held: &Held,
) -> Answer<(mpsc::Sender<Event>, Sse<axum::response::sse::KeepAliveStream<Lines>>)> {
    let place = held.leaves_for(&app.streams).ok_or_else(|| {
        Refusal::new(
            "busy",
            "as many streams are open as this service, or one who asks, may have; close some, or try again later",
        )
    })?;
    let (put, events) = mpsc::channel(AHEAD);
    // A word at once, so that the head of the answer does not wait for the first event.
    let _ = put.try_send(Event::default().comment("hello"));
    let alive = KeepAlive::new().interval(app.limits.keep_alive);
    Ok((put, Sse::new(Lines { events, _place: place }).keep_alive(alive)))
}

/// What is recorded of a run, as it is recorded: events `event` with their place as id, then one `end` with the run.
/// `Last-Event-ID` goes on behind the event of that id.
#[utoipa::path(get, path = "/api/v1/runs/{id}/stream", operation_id = "stream_run", tag = "streams",
    params(("id" = String, Path, description = "The run."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen.")),
    responses((status = 200, description = "Server-sent events.", body = EventRow, content_type = "text/event-stream")))]
pub(crate) async fn stream_run(
    State(app): State<Arc<App>>,
    (Extension(who), Extension(held)): (Extension<Principal>, Extension<Held>),
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<impl axum::response::IntoResponse> {
    let (run, _) = find(&app, &who, &id).await?;
    let seen = last_id(&headers).map(|id| id.parse::<u64>());
    let after = match seen {
        None => 0,
        // That of `end` is no number: all was seen.
        Some(Err(_)) => u64::MAX,
        Some(Ok(seen)) => seen.saturating_add(1),
    };
    let (put, stream) = open(&app, &held)?;
    let events = run.events().after(Seq(after));
    tokio::spawn(async move {
        tokio::select! {
            () = follow(&run, events, &put) => {}
            () = put.closed() => {}
            () = over(&app) => {}
        }
    });
    Ok(stream)
}

async fn follow(run: &Run, mut events: Events, put: &mpsc::Sender<Event>) {
    loop {
        let event = match events.next().await {
            Ok(Some(event)) => show::event(&event),
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(run = %run.id(), "a stream ends: {error}");
                return;
            }
        };
        if send(put, &event.seq.to_string(), "event", &event).await.is_err() {
            return;
        }
    }
    if let Ok(summary) = run.summary().await {
        // Whoever listened may have gone.
        let _ = send(put, "end", "end", &show::row(run.id(), &summary)).await;
    }
}

async fn send<T: serde::Serialize>(put: &mpsc::Sender<Event>, id: &str, name: &str, data: &T) -> Result<(), ()> {
    let event = Event::default().id(id).event(name).json_data(data).map_err(drop)?;
    put.send(event).await.map_err(drop)
}

/// Waits until a stream has lasted long enough, or the service is about to end.
async fn over(app: &App) {
    tokio::select! {
        () = tokio::time::sleep(app.limits.stream_time) => {}
        () = app.closing.cancelled() => {}
    }
}

fn last_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty())
}

/// What becomes of all runs: an event `run` whenever one began or changed, at most a few a second for each. A run that
/// changes more often than the store is looked at is told of once, as it stands then. `Last-Event-ID` goes on behind that
/// event; if that is too long ago, an event `reset` says that the list should be read again.
#[utoipa::path(get, path = "/api/v1/stream", operation_id = "stream_runs", tag = "streams",
    params(("flow" = Option<String>, Query, description = "Only of this flow."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen.")),
    responses((status = 200, description = "Server-sent events.", body = RunChanged, content_type = "text/event-stream")))]
pub(crate) async fn stream_runs(
    State(app): State<Arc<App>>,
    (Extension(who), Extension(held)): (Extension<Principal>, Extension<Held>),
    uri: Uri,
    headers: HeaderMap,
) -> Answer<impl axum::response::IntoResponse> {
    let asks = Asks::of(&uri, &["flow"])?;
    let flow = asks.text("flow").map(str::to_owned);
    let (put, stream) = open(&app, &held)?;
    let (reader, is_gap) = app.feed.read(&app, last_id(&headers)).await?;
    tokio::spawn(async move {
        let is_asked = |row: &RunRow| who.sees(&row.flow) && flow.as_ref().is_none_or(|flow| *flow == row.flow);
        tokio::select! {
            _ = tell((reader, is_gap), &put, is_asked) => {}
            () = put.closed() => {}
            // Also while somebody does not take what is sent.
            () = over(&app) => {}
        }
    });
    Ok(stream)
}

/// Tells of runs, until nobody listens.
async fn tell(
    (mut reader, is_gap): (Reader, bool),
    put: &mpsc::Sender<Event>,
    is_asked: impl Fn(&RunRow) -> bool,
) -> Result<(), ()> {
    if is_gap {
        send(put, &reader.id(), "reset", &()).await?;
    }
    loop {
        let News { id, row } = reader.next().await;
        if is_asked(&row) {
            send(put, &id, "run", &RunChanged { run: row }).await?;
        }
    }
}
