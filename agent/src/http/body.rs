//! A response body of finished pieces that other responses share.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// Sends its chunks one after the other, and holds its place among the running scrapes until they are sent.
pub struct Chunks {
    rest: vec::IntoIter<Bytes>,
    length: u64,
    _place: OwnedSemaphorePermit,
}

impl Chunks {
    /// A body of these chunks.
    #[must_use]
    pub fn new(chunks: Vec<Bytes>, place: OwnedSemaphorePermit) -> Self {
        let length = chunks.iter().map(|chunk| chunk.remaining() as u64).sum();
        Self { rest: chunks.into_iter(), length, _place: place }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.rest.next();
        if let Some(chunk) = &next {
            self.length -= chunk.len() as u64;
        }
        Poll::Ready(next.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
