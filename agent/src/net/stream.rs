//! A connection as the HTTP server accepts it. Its type is known by name so that a WebSocket connection can be
//! taken out of the server again after the handshake.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Told how a connection takes what is written to it.
pub trait WriteWatch: Send + Sync {
    /// The connection took bytes, or takes none at present.
    fn wrote(&self, taken: bool);
}

/// A connection, with TLS or without.
pub struct Stream {
    transport: Transport,
    /// Told whether the client reads.
    watch: Option<Arc<dyn WriteWatch>>,
}

/// What carries the bytes: as they are, or encrypted, after the TLS handshake.
pub type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl Stream {
    /// Has this told whether the client reads what is written.
    #[must_use]
    pub fn watched_by(self, watch: Arc<dyn WriteWatch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// What carries the bytes.
    #[must_use]
    pub fn into_transport(self) -> Transport {
        self.transport
    }

    /// What carries the bytes, for a look at it.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    fn noting<T>(&self, result: Poll<T>) -> Poll<T> {
        if let Some(watch) = &self.watch {
            watch.wrote(result.is_ready());
        }
        result
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { transport: Either::Left(stream), watch: None }
    }
}

impl From<TlsStream<TcpStream>> for Stream {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self { transport: Either::Right(Box::new(stream)), watch: None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.transport).poll_write(context, bytes);
        this.noting(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.transport).poll_write_vectored(context, pieces);
        this.noting(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.transport).poll_flush(context);
        match &this.transport {
            Either::Left(_) => result,
            // What is encrypted already may wait here, and then no write tells that it is not read.
            Either::Right(_) => this.noting(result),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}
