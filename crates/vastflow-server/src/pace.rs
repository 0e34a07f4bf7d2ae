//! How long a connection may keep one waiting: for the head of a request, and when nothing is under way.

use crate::limits::Limits;
use crate::rooms::Room;
use crate::state::App;
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

/// How long one is waited for.
#[derive(Clone, Copy, Debug)]
struct Times {
    head: Duration,
    idle: Duration,
    scarce: Duration,
}

/// A connection's stream, which ends when it keeps one waiting for too long.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    times: Times,
    /// Room for connections: when little is left, none rests for long.
    room: Arc<Room>,
    /// Until when somebody may take nothing of what is written to them.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Made when something is waited for at all: mostly a head is there at one go.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Pace, app: &App) -> Self {
        Paced::of(stream, pace, &app.limits, Arc::clone(&app.connections))
    }

    fn of(stream: S, pace: Pace, limits: &Limits, room: Arc<Room>) -> Self {
        let Limits { header_time: head, idle_time: idle, scarce_idle_time: scarce, .. } = *limits;
        let times = Times { head, idle, scarce: scarce.min(idle) };
        Paced { stream, pace, times, room, stalled: None, sleep: None }
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
                HEAD => self.pace.since() + self.times.head,
                IDLE => match self.rests_for() {
                    Some(time) => self.pace.since() + time,
                    None => return Poll::Ready(IDLE),
                },
                _ => Instant::now() + self.times.idle,
            };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
            let is_another = if at == BUSY { sleep.is_elapsed() } else { sleep.deadline() != until };
            if is_another {
                sleep.as_mut().reset(until);
            }
            ready!(sleep.as_mut().poll(context));
            if at == HEAD {
                return Poll::Ready(at);
            }
        }
    }

    /// How long it rests, until it is looked whether it may rest on: nobody says so when room becomes scarce. None: it may not.
    fn rests_for(&self) -> Option<Duration> {
        let Times { idle, scarce, .. } = self.times;
        let rested = self.pace.since().elapsed();
        if rested >= idle || (rested >= scarce && self.room.is_scarce()) {
            return None;
        }
        let step = scarce.max(Duration::from_millis(1));
        let steps = rested.as_millis() / step.as_millis() + 1;
        Some(step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)).min(idle))
    }

    /// Bytes were written: while they go, a connection does not rest.
    fn poll_wrote(&mut self, context: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() && self.pace.at() == IDLE {
            self.pace.is_now(IDLE);
        }
        self.poll_stalled(context, wrote)
    }

    /// Who takes nothing of what is written for too long gets no more of it.
    fn poll_stalled<T>(&mut self, context: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let idle = self.times.idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nobody took the answer")))
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
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_wrote(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        all: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, all);
        self.poll_wrote(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.poll_stalled(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    const STEP: Duration = Duration::from_millis(100);

    /// A connection that rests, what is at its other end, and the room that it is in.
    fn resting(size: usize, idle: u32, places: usize) -> (Paced<DuplexStream>, DuplexStream, Arc<Room>) {
        let (pace, (here, there)) = (Pace::new(), duplex(size));
        drop(pace.begins());
        let (idle_time, scarce_idle_time) = (idle * STEP, STEP);
        let limits = Limits { idle_time, scarce_idle_time, ..Limits::default() };
        let room = Room::new(places, places);
        (Paced::of(here, pace, &limits, Arc::clone(&room)), there, room)
    }

    /// How long it rests until it ends.
    async fn rests(paced: &mut Paced<DuplexStream>) -> Duration {
        let began = Instant::now();
        assert_eq!(paced.read(&mut [0]).await.unwrap(), 0, "as if the other side had closed it");
        began.elapsed()
    }

    #[tokio::test]
    async fn it_rests_for_a_short_time_only_while_room_is_scarce() {
        let (mut paced, _there, room) = resting(8, 8, 4);
        assert!(rests(&mut paced).await >= 8 * STEP);
        let (mut paced, _there, room_of_this) = resting(8, 600, 4);
        let places: Vec<_> = (0..4).map(|_| room_of_this.take(None).unwrap()).collect();
        assert!(rests(&mut paced).await < 100 * STEP);
        drop((places, room));
        // It becomes scarce while one rests.
        let (mut paced, _there, room) = resting(8, 600, 4);
        let soon = async {
            sleep(2 * STEP).await;
            let places: Vec<_> = (0..4).map(|_| room.take(None).unwrap()).collect();
            sleep(100 * STEP).await;
            drop(places);
        };
        tokio::select! {
            rested = rests(&mut paced) => assert!(rested >= 2 * STEP),
            () = soon => panic!("it rests on"),
        }
    }

    #[tokio::test]
    async fn it_does_not_rest_while_bytes_of_an_answer_go() {
        let (mut paced, mut there, _room) = resting(1, 20, 4);
        for _ in 0..3 {
            paced.write_all(b"x").await.unwrap();
            there.read_exact(&mut [0]).await.unwrap();
            let rest = timeout(10 * STEP, paced.read(&mut [0])).await;
            assert!(rest.is_err(), "it ended while bytes were going: {rest:?}");
        }
        assert!(rests(&mut paced).await <= 600 * STEP);
    }

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_gets_no_more_of_it() {
        let (mut paced, _there, _room) = resting(1, 2, 4);
        let error = timeout(600 * STEP, paced.write_all(b"xy")).await.expect("it is given up").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
