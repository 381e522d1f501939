//! A connection as the HTTP server reads and writes it.
//!
//! hyper answers by itself what it cannot read, with a status and nothing else, and hangs up on who is too slow. Here
//! such a response is exchanged for one that says what is wrong.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::either::Either;

use super::Stream;

/// How every TLS handshake begins, and no HTTP request.
const TLS_HANDSHAKE: u8 = 0x16;
/// hyper's own responses are shorter.
const LONGEST_BARE_ANSWER: usize = 256;

/// What a connection and who waits for it tell each other.
#[derive(Default)]
pub struct Waiting {
    /// A request has begun, and is not answered.
    begun: AtomicBool,
    /// Nothing is waited for any longer.
    over: AtomicBool,
}

impl Waiting {
    /// A request has come to its end.
    pub fn whole(&self) {
        self.begun.store(false, Relaxed);
    }

    /// Nothing is waited for any longer: a request that has begun is told so when its connection is polled again.
    pub fn give_up(&self) {
        self.over.store(true, Relaxed);
    }
}

/// The connection.
pub struct Wire {
    stream: Stream,
    waiting: Arc<Waiting>,
    /// What is said in place of a bare status.
    words: fn(StatusCode) -> Vec<u8>,
    fresh: bool,
    /// Nothing but the begin of a request's first line has come.
    in_first_line: bool,
    /// What goes out in place of the server's words, and how much of it is gone.
    ours: Option<(Vec<u8>, usize)>,
}

impl Wire {
    /// A connection on which nothing was said yet. `words` makes the whole answer that goes out in place of a bare status.
    #[must_use]
    pub fn new(stream: Stream, waiting: Arc<Waiting>, words: fn(StatusCode) -> Vec<u8>) -> Self {
        Self { stream, waiting, words, fresh: true, in_first_line: true, ours: None }
    }

    /// The connection without the server.
    #[must_use]
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    fn poll_ours(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((answer, gone)) = self.ours.as_mut().filter(|(answer, gone)| *gone < answer.len()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &answer[*gone..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => *gone += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Keeps the server's answer back where it says nothing but a status.
    fn exchange(&mut self, words: &[u8]) -> bool {
        let Some(status) = bare_error(words) else { return false };
        // The server counts the whole head, and calls it too large also when the address alone is too long.
        let status = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if self.in_first_line => StatusCode::URI_TOO_LONG,
            status => status,
        };
        self.ours.get_or_insert_with(|| ((self.words)(status), 0));
        true
    }
}

/// The status of a response that is an error's head and nothing else. Every response of ours carries a policy.
fn bare_error(words: &[u8]) -> Option<StatusCode> {
    let head = words.strip_prefix(b"HTTP/1.1 ").filter(|_| words.len() <= LONGEST_BARE_ANSWER)?;
    let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let bare = head.contains("content-length: 0") && !head.contains(header::CONTENT_SECURITY_POLICY.as_str());
    let status = head.get(..3)?.parse().ok()?;
    StatusCode::from_u16(status).ok().filter(|status| bare && status.is_client_error())
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.waiting.over.load(Relaxed) {
            if this.waiting.begun.load(Relaxed) {
                let late = || ((this.words)(StatusCode::REQUEST_TIMEOUT), 0);
                this.ours.get_or_insert_with(late);
                ready!(this.poll_ours(context))?;
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if let Some(first) = read.first() {
            let begins = !this.waiting.begun.swap(true, Relaxed);
            this.in_first_line = (begins || this.in_first_line) && !read.contains(&b'\n');
            if this.fresh && *first == TLS_HANDSHAKE && matches!(this.stream.transport(), Either::Left(_)) {
                tracing::debug!("a client speaks TLS where plain HTTP is spoken: it should ask for http://");
                // It could not read a response.
                this.ours = Some((Vec::new(), 0));
            }
            this.fresh = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.exchange(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let [head] = pieces
            && this.exchange(head)
        {
            return Poll::Ready(Ok(head.len()));
        }
        Pin::new(&mut this.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_ours(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_ours(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_head_of_an_error_is_exchanged() {
        for (words, status) in [
            (
                &b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"[..],
                Some(431),
            ),
            (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n", Some(400)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            (b"HTTP/1.1 404 Not Found\r\ncontent-security-policy: x\r\ncontent-length: 0\r\n\r\n", None),
            (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nbody", None),
            (b"a text that has HTTP/1.1 400 in it\r\ncontent-length: 0\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(bare_error(words).map(|status| status.as_u16()), status, "{}", words.escape_ascii());
        }
    }
}
