//! Hints that there may be something to claim: to this process at once, to others by NOTIFY.

use crate::connect::Parameter;
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Connection};
use uuid::Uuid;

/// How often the listening connection is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);

/// Who is told, and who is to tell.
pub(crate) struct Hints {
    watch: watch::Sender<u64>,
    /// Others are to be told.
    pending: AtomicBool,
    wake: Notify,
    /// The listening connection is up.
    pub(crate) is_listening: AtomicBool,
}

impl Hints {
    pub(crate) fn new() -> Self {
        let (pending, is_listening) = (AtomicBool::new(false), AtomicBool::new(false));
        Hints { watch: watch::channel(0).0, pending, wake: Notify::new(), is_listening }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.watch.subscribe()
    }

    /// Tells this process.
    pub(crate) fn here(&self) {
        self.watch.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells this process now and the others in a moment.
    pub(crate) fn everywhere(&self) {
        self.here();
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }
}

/// The channel of a schema.
pub(crate) fn channel(schema: &str) -> String {
    format!("vastflow_{schema}")
}

/// Tells other processes: at once when it was quiet, and at most once in a while when it is not.
pub(crate) async fn tell(shared: Arc<Shared>) {
    loop {
        shared.hints.wake.notified().await;
        while shared.hints.pending.swap(false, Ordering::AcqRel) {
            let (channel, name) = (channel(&shared.options.schema), &shared.name);
            let with: [Parameter<'_>; 2] = [(&channel, Type::TEXT), (name, Type::TEXT)];
            if let Err(why) = shared.connections.rows("notifying", "SELECT pg_notify($1, $2)", &with).await {
                // A hint that is lost costs others a poll, no more.
                tracing::debug!(%why, "others could not be told of new work");
            }
            tokio::time::sleep(shared.options.debounce).await;
        }
    }
}

/// Listens for what other processes tell, and connects again for as long as the store is open.
pub(crate) async fn listen(shared: Arc<Shared>) {
    let mut failures = 0_u32;
    loop {
        let began = Instant::now();
        let ended = once(&shared).await;
        shared.hints.is_listening.store(false, Ordering::Release);
        tracing::debug!(why = %ended, "the listening connection has ended");
        failures = if began.elapsed() > Duration::from_secs(5) { 0 } else { failures + 1 };
        tokio::time::sleep(jitter(Duration::from_millis(100 << failures.min(4)))).await;
    }
}

/// One life of the listening connection; says how it ended.
async fn once(shared: &Arc<Shared>) -> String {
    let connecting = shared.connections.config.connect(shared.connections.connector.clone());
    let (client, connection) = match tokio::time::timeout(ANSWER, connecting).await {
        Ok(Ok(pair)) => pair,
        Ok(Err(why)) => return why.to_string(),
        Err(_) => return "the server did not answer in time".into(),
    };
    let mut hearing = tokio::spawn(hear(connection, Arc::clone(shared)));
    let ended = keep_listening(shared, &client, &mut hearing).await;
    hearing.abort();
    ended
}

/// Listens for as long as the server answers.
async fn keep_listening(shared: &Shared, client: &Client, hearing: &mut JoinHandle<String>) -> String {
    let mut ask = format!("LISTEN {}", channel(&shared.options.schema));
    loop {
        match tokio::time::timeout(ANSWER, client.batch_execute(&ask)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return why.to_string(),
            Err(_) => return "the server did not answer in time".into(),
        }
        if !shared.hints.is_listening.swap(true, Ordering::AcqRel) {
            // What was told while nobody listened: one look at everything, after the server has begun to tell.
            shared.hints.here();
        }
        // A connection that was cut in silence sounds like one on which nothing is told.
        ask = String::new();
        tokio::select! {
            ended = &mut *hearing => return ended.unwrap_or_else(|why| why.to_string()),
            () = tokio::time::sleep(PING) => {}
        }
    }
}

/// Drives a connection, and hands on what it hears.
async fn hear<S, T>(mut connection: Connection<S, T>, shared: Arc<Shared>) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let message = std::future::poll_fn(|context| connection.poll_message(context)).await;
        match message {
            // What this process told the others, it knows.
            Some(Ok(AsyncMessage::Notification(note))) if note.payload() != shared.name => shared.hints.here(),
            Some(Ok(_)) => {}
            Some(Err(why)) => return why.to_string(),
            None => return "the server closed it".into(),
        }
    }
}

/// While nobody listens, looks for work every so often.
pub(crate) async fn poll(shared: Arc<Shared>) {
    loop {
        let every = shared.options.poll;
        tokio::time::sleep(every - every / 4 + jitter(every / 2)).await;
        if !shared.hints.is_listening.load(Ordering::Acquire) {
            shared.hints.here();
        }
    }
}

/// Some time up to `most`, by chance, so that many processes do not do the same at the same moment.
pub(crate) fn jitter(most: Duration) -> Duration {
    let chance = Uuid::now_v7().as_u128() & 0xffff;
    most.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / 65_536.0)
}
