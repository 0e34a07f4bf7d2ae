//! What is recorded of a run, as it is recorded: server-sent events, read on where they broke off.

use crate::client::Client;
use crate::error::ClientError;
use crate::http::{Ask, MOST, escape};
use bytes::Buf;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderName;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use vastflow_api::event::EventRow;
use vastflow_api::run::RunRow;

/// How long a stream may say nothing: the service says at least that it is there every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// How often in a row a stream may break off without having said anything.
const TRIES: u32 = 5;
/// How long is waited before it is read on.
const PAUSE: Duration = Duration::from_millis(200);

/// The events of a run: those that are there, then those to come, until its end.
pub struct RunStream {
    client: Client,
    run: String,
    body: Option<Incoming>,
    lines: Lines,
    /// The place of the last event that was seen.
    seen: Option<u64>,
    broken: u32,
    end: Option<RunRow>,
}

impl RunStream {
    pub(crate) fn new(client: Client, run: &str) -> Self {
        let (body, lines, seen, broken, end) = (None, Lines::default(), None, 0, None);
        RunStream { client, run: run.to_owned(), body, lines, seen, broken, end }
    }

    /// The next event; none after the run's end. A stream that breaks off is read on behind the last event that was seen.
    ///
    /// # Errors
    /// [`ClientError`] when there is no such run, or the service stays out of reach.
    pub async fn next(&mut self) -> Result<Option<EventRow>, ClientError> {
        loop {
            if let Some(message) = self.lines.next() {
                self.broken = 0;
                let wrong = |why: serde_json::Error| self.client.server().strange(StatusCode::OK, &why.to_string());
                match message.name.as_str() {
                    "event" => {
                        let event: EventRow = serde_json::from_str(&message.data).map_err(wrong)?;
                        self.seen = Some(event.seq);
                        return Ok(Some(event));
                    }
                    "end" => self.end = Some(serde_json::from_str(&message.data).map_err(wrong)?),
                    // What this version does not know is passed over.
                    _ => {}
                }
                continue;
            }
            if self.end.is_some() {
                return Ok(None);
            }
            if let Err(error) = self.read().await {
                self.body = None;
                self.broken += 1;
                if self.broken >= TRIES || !is_for_now(&error) {
                    return Err(error);
                }
                tokio::time::sleep(PAUSE * self.broken).await;
            }
        }
    }

    /// How the run ended; none before its end was seen.
    #[must_use]
    pub const fn end(&self) -> Option<&RunRow> {
        self.end.as_ref()
    }

    /// Reads a part of the stream, and opens it first where it is not open.
    async fn read(&mut self) -> Result<(), ClientError> {
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let mut ask = Ask::get(format!("/api/v1/runs/{}/stream", escape(&self.run)));
                if let Some(seen) = self.seen {
                    ask = ask.header(HeaderName::from_static("last-event-id"), &seen.to_string())?;
                }
                self.lines = Lines::default();
                self.body.insert(self.client.server().open(ask).await?)
            }
        };
        let broke_off =
            |why: &str| ClientError::Unreachable { url: self.client.server().base().to_owned(), why: why.to_owned() };
        match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(mut data) = frame.into_data() {
                    self.lines.take(&data.copy_to_bytes(data.remaining()));
                }
                match self.lines.is_too_long() {
                    false => Ok(()),
                    true => Err(self.client.server().strange(StatusCode::OK, "a message of the stream has no end")),
                }
            }
            Ok(Some(Err(why))) => Err(broke_off(&why.to_string())),
            Ok(None) => Err(broke_off("the stream broke off")),
            Err(_) => Err(broke_off("the stream says nothing any more")),
        }
    }
}

/// Whether it may go better the next time.
fn is_for_now(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Problem(problem) => matches!(problem.status, 408 | 429 | 503),
        _ => false,
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunStream({} behind {:?})", self.run, self.seen)
    }
}

/// A message of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    name: String,
    data: String,
}

/// Takes bytes as they come, and gives whole messages.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    open: Message,
    whole: VecDeque<Message>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(at) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=at).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\n', '\r']));
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let message = std::mem::take(&mut self.open);
            // A pause with nothing in it is a sign of life.
            if !message.data.is_empty() {
                self.whole.push_back(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.open.name),
            "data" => {
                if !self.open.data.is_empty() {
                    self.open.data.push('\n');
                }
                self.open.data.push_str(value);
            }
            _ => {}
        }
    }

    /// Whether what is not whole yet is more than any message is.
    fn is_too_long(&self) -> bool {
        self.rest.len() + self.open.data.len() > MOST
    }

    fn next(&mut self) -> Option<Message> {
        self.whole.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_end_is_not_kept_for_ever() {
        let mut lines = Lines::default();
        lines.take(&vec![b'x'; MOST]);
        assert!(!lines.is_too_long());
        lines.take(b"x");
        assert!(lines.is_too_long());
    }

    #[test]
    fn messages_are_whole_however_the_bytes_come() {
        let text = ": there\n\nid: 0\nevent: event\ndata: {\"a\":\ndata: 1}\n\nevent:end\r\ndata:2\r\n\r\ndata: open";
        let expected = [("event", "{\"a\":\n1}"), ("end", "2")];
        for size in [1, 2, 3, 7, text.len()] {
            let mut lines = Lines::default();
            text.as_bytes().chunks(size).for_each(|part| lines.take(part));
            for (name, data) in expected {
                assert_eq!(lines.next(), Some(Message { name: name.into(), data: data.into() }), "in parts of {size}");
            }
            assert_eq!(lines.next(), None);
        }
    }
}
