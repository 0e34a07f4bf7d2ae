//! An answer's body, which keeps the place of its request until it is on its way.

use crate::rooms::Held;
use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much goes at once. A body is asked for its next piece when there is room for it in what is being sent: were it given as a
/// whole, it would seem to be gone before anybody has taken any of it.
const PIECE: usize = 64 << 10;

/// An answer's body, which keeps the place of its request.
#[derive(Debug)]
pub(crate) struct Kept {
    body: Body,
    /// What was taken out of the body and is not sent yet.
    rest: Bytes,
    _held: Held,
}

impl Kept {
    pub(crate) const fn new(body: Body, held: Held) -> Self {
        Kept { body, rest: Bytes::new(), _held: held }
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(no_data))) => return Poll::Ready(Some(Ok(no_data))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::Room;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_place_is_kept_until_the_last_piece_is_asked_for() {
        let room = Room::new(1, 1);
        let whole: Vec<u8> = (0..PIECE * 2 + 5).map(|at| (at % 251) as u8).collect();
        let mut kept = Kept::new(Body::from(whole.clone()), Held::new(room.take(None)));
        let mut got = Vec::new();
        while let Some(frame) = kept.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE, "{}", piece.len());
            got.extend(piece);
            assert_eq!(kept.size_hint().exact(), Some((whole.len() - got.len()) as u64));
            assert_eq!((kept.is_end_stream(), room.taken()), (got.len() == whole.len(), 1));
        }
        assert!(got == whole);
        drop(kept);
        assert_eq!(room.taken(), 0);
    }
}
