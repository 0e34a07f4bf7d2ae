//! How long a connection may keep one waiting: for the head of a request, and when nothing is under way.

use crate::limits::Limits;
use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A head is on its way.
const HEAD: u8 = 0;
/// A request is being answered: who does that has times of their own.
const BUSY: u8 = 1;
/// Nothing is under way.
const IDLE: u8 = 2;

/// What a connection is at, and since when, known to its stream and to what answers.
#[derive(Clone, Debug)]
pub(crate) struct Pace(Arc<Since>);

#[derive(Debug)]
struct Since {
    at: AtomicU8,
    /// Milliseconds from `opened` on.
    since: AtomicU64,
    opened: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Pace(Arc::new(Since { at: AtomicU8::new(HEAD), since: AtomicU64::new(0), opened: Instant::now() }))
    }

    /// A request's head is there: until the answer is gone, nobody is waited for here.
    pub(crate) fn begins(&self) -> Busy {
        self.0.at.store(BUSY, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn at(&self) -> u8 {
        self.0.at.load(Ordering::Relaxed)
    }

    fn is_now(&self, at: u8) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.since.store(since, Ordering::Relaxed);
        self.0.at.store(at, Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.0.opened + Duration::from_millis(self.0.since.load(Ordering::Relaxed))
    }
}

/// A request that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Pace);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_now(IDLE);
    }
}

/// An answer's body, during which its connection is busy.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    _busy: Busy,
}

impl Answer {
    pub(crate) const fn new(body: Body, busy: Busy) -> Self {
        Answer { body, _busy: busy }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's stream, which ends when it keeps one waiting for too long.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    head_time: Duration,
    idle_time: Duration,
    /// Made when something is waited for at all: mostly a head is there at one go.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Pace, limits: &Limits) -> Self {
        Paced { stream, pace, head_time: limits.header_time, idle_time: limits.idle_time, sleep: None }
    }

    /// Bytes came: of a head, if nothing was under way.
    fn heard(&self) {
        if self.pace.at() == IDLE {
            self.pace.is_now(HEAD);
        }
    }

    /// Whether what is waited for should have come. While a request is answered nothing is waited for here; but nobody need
    /// ask again when that ends, so the time is looked at then and again.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<u8> {
        loop {
            let at = self.pace.at();
            let until = match at {
                HEAD => self.pace.since() + self.head_time,
                IDLE => self.pace.since() + self.idle_time,
                _ => Instant::now() + self.idle_time,
            };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
            let is_another = if at == BUSY { sleep.is_elapsed() } else { sleep.deadline() != until };
            if is_another {
                sleep.as_mut().reset(until);
            }
            ready!(sleep.as_mut().poll(context));
            if at != BUSY {
                return Poll::Ready(at);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, into) {
            Poll::Ready(read) => {
                if into.filled().len() > before {
                    self.heard();
                }
                Poll::Ready(read)
            }
            Poll::Pending => match ready!(self.poll_late(context)) {
                // As if the other side had closed it.
                IDLE => Poll::Ready(Ok(())),
                _ => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head did not come in time"))),
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        all: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
