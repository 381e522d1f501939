//! A response body that is finished and shared with other responses.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::http::gate::scrapes::ScrapePermit;

/// Sends its bytes, and holds its permit among the running scrapes until they are sent.
pub(crate) struct Shared {
    bytes: Option<Bytes>,
}

/// Lives until the last byte is handed to the kernel: the server lets go of a body long before that.
struct Held {
    bytes: Bytes,
    _place: ScrapePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Shared {
    /// A body of these bytes.
    #[must_use]
    pub(crate) fn new(bytes: Bytes, permit: ScrapePermit) -> Self {
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self { bytes: bytes.map(|bytes| Bytes::from_owner(Held { bytes, _place: permit })) }
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
