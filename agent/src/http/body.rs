//! A response body that is finished and shared with other responses.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// Sends its bytes, and holds its place among the running scrapes until they are sent.
pub struct Shared {
    bytes: Option<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Shared {
    /// A body of these bytes.
    #[must_use]
    pub fn new(bytes: Bytes, place: OwnedSemaphorePermit) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), _place: place }
    }
}

impl Body for Shared {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
