//! A client's connection, plain or under TLS, behind the two calls that the slot rules need.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    time::Duration,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::ServerConnection;
use socket2::SockRef;
use tokio_util::either::Either;

use crate::net::Stream;

/// How many unsent bytes the kernel may hold before it takes no more. Less than any message: at most one
/// message waits in the kernel, and the next one is chosen when that one has left.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 512;

/// The most that the kernel may hold for one client, sent but unacknowledged (Linux doubles the number for
/// its own bookkeeping).
const SEND_BUFFER: usize = 12 * 1024;

/// The largest piece that is encrypted before the kernel took the piece before it.
const TLS_PIECE: usize = 16 * 1024;

/// A connection that never blocks.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

pub(super) struct Tls {
    tcp: TcpStream,
    connection: ServerConnection,
}

impl Socket {
    /// Takes a connection out of tokio. Must run where tokio's runtime is.
    pub(super) fn from_stream(stream: Stream) -> io::Result<Self> {
        let (tcp, connection) = match stream.into_transport() {
            Either::Left(tcp) => (tcp, None),
            Either::Right(tls) => {
                let (tcp, connection) = tls.into_inner();
                (tcp, Some(connection))
            }
        };
        let tcp = tcp.into_std()?;
        let options = SockRef::from(&tcp);
        options.set_tcp_nodelay(true)?;
        options.set_send_buffer_size(SEND_BUFFER)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        options.set_tcp_notsent_lowat(UNSENT_BYTES)?;
        let tcp = TcpStream::from_std(tcp);
        Ok(match connection {
            None => Self::Plain(tcp),
            Some(mut connection) => {
                connection.set_buffer_limit(Some(TLS_PIECE));
                Self::Tls(Box::new(Tls { tcp, connection }))
            }
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.tcp(), token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Reads what is there; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => retry(|| tcp.read(buffer)),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    /// Hands over as much as is taken; would-block while an earlier piece is still here.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => retry(|| tcp.write(bytes)),
            Self::Tls(tls) => {
                tls.flush()?;
                let taken = tls.connection.writer().write(&bytes[..bytes.len().min(TLS_PIECE)])?;
                match tls.flush() {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                    _ => Ok(taken),
                }
            }
        }
    }

    /// Hands what is encrypted already to the kernel; would-block if it does not take all of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Says that nothing more will be sent; reading goes on.
    pub(super) fn half_close(&mut self) {
        if let Self::Tls(tls) = self {
            tls.connection.send_close_notify();
            let _ = tls.flush();
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Lets the kernel forget what was not sent when the socket is dropped: a dead peer costs nothing more.
    pub(super) fn abandon(&mut self) {
        let _ = SockRef::from(&*self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &mut tls.tcp,
        }
    }
}

impl Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many clients end the connection without saying so in TLS; no message is cut by it.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            retry(|| self.connection.read_tls(&mut self.tcp))?;
            if let Err(error) = self.connection.process_new_packets() {
                let _ = self.flush();
                return Err(io::Error::other(error));
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            retry(|| self.connection.write_tls(&mut self.tcp))?;
        }
        Ok(())
    }
}

fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
