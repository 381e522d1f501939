//! Clients: many sockets in one loop, counting what arrives, what is missing, and how long it took.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::process::{Server, now};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) struct Load {
    poll: Poll,
    clients: Vec<Client>,
    tally: Tally,
}

struct Client {
    wire: Wire,
    /// Bytes of a frame that arrived in part.
    left: Vec<u8>,
    seq: u64,
    lost: bool,
}

enum Wire {
    Plain(mio::net::TcpStream),
    Tls(Box<StreamOwned<ClientConnection, mio::net::TcpStream>>),
}

#[derive(Default)]
struct Tally {
    messages: u64,
    gaps: u64,
    lost: u64,
    newest: u64,
    latencies: Vec<u64>,
}

pub(crate) struct Report {
    pub(crate) messages: u64,
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
    pub(crate) p99_ms: f64,
}

impl Load {
    pub(crate) fn connect(server: &Server, count: usize) -> Result<Self> {
        Self::connect_with(server, count, None)
    }

    /// Connects so many clients, with this receive buffer.
    pub(crate) fn connect_with(server: &Server, count: usize, window: Option<usize>) -> Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::with_capacity(count);
        for key in 0..count {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            if let Some(window) = window {
                socket.set_recv_buffer_size(window)?;
            }
            socket.connect(&server.address.into())?;
            let tcp = TcpStream::from(socket);
            tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
            let (mut wire, left) = if server.tls { handshake_tls(tcp)? } else { handshake(tcp)? };
            poll.registry().register(wire.tcp(), Token(key), Interest::READABLE)?;
            clients.push(Client { wire, left, seq: 0, lost: false });
        }
        Ok(Self { poll, clients, tally: Tally::default() })
    }

    /// Reads what comes for so long.
    pub(crate) fn run(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        let mut events = Events::with_capacity(1024);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.poll.poll(&mut events, Some(left))?;
            for event in &events {
                self.clients[event.token().0].read(&mut self.tally)?;
            }
        }
        Ok(())
    }

    /// Forgets what was counted.
    pub(crate) fn reset(&mut self) {
        self.tally = Tally { newest: self.tally.newest, ..Tally::default() };
    }

    /// The highest number that anybody got.
    pub(crate) fn newest(&self) -> u64 {
        self.tally.newest
    }

    /// Lets clients read that did not, until each has one at least as new as `newest`: how many older ones
    /// did one get before that, at most?
    pub(crate) fn catch_up(&mut self, newest: u64) -> Result<u64> {
        let mut old = Vec::with_capacity(self.clients.len());
        for client in &mut self.clients {
            let started = Instant::now();
            let before = self.tally.messages;
            while client.seq < newest {
                ensure!(started.elapsed() < Duration::from_secs(20) && !client.lost, "a stalled client was lost");
                client.read(&mut self.tally)?;
                if client.seq < newest {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            old.push((self.tally.messages - before).saturating_sub(1));
        }
        Ok(old.iter().copied().max().unwrap_or(0))
    }

    pub(crate) fn report(&mut self) -> Report {
        let latencies = &mut self.tally.latencies;
        latencies.sort_unstable();
        let p99 = latencies.get(latencies.len() * 99 / 100).map_or(0.0, |&ns| ns as f64 / 1e6);
        Report { messages: self.tally.messages, gaps: self.tally.gaps, lost: self.tally.lost, p99_ms: p99 }
    }
}

impl Client {
    fn read(&mut self, tally: &mut Tally) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.wire.read(&mut buffer) {
                Ok(0) => return self.end(tally),
                Ok(length) if self.left.is_empty() => {
                    let used = self.frames(&buffer[..length], tally)?;
                    self.left.extend_from_slice(&buffer[used..length]);
                }
                Ok(length) => {
                    let mut all = std::mem::take(&mut self.left);
                    all.extend_from_slice(&buffer[..length]);
                    let used = self.frames(&all, tally)?;
                    self.left.extend_from_slice(&all[used..]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.end(tally),
            }
        }
    }

    fn end(&mut self, tally: &mut Tally) -> Result<()> {
        if !self.lost {
            self.lost = true;
            tally.lost += 1;
        }
        Ok(())
    }

    /// Takes whole frames; returns how many bytes they were.
    fn frames(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<usize> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let (header, length) = match rest {
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                [_, short @ 0..=125, ..] => (2, usize::from(*short)),
                _ => return Ok(used),
            };
            let Some(payload) = rest.get(header..header + length) else { return Ok(used) };
            match rest[0] {
                0x81 => self.message(payload, tally)?,
                // An empty ping; its pong needs a mask, any mask.
                0x89 => self.wire.write_all(&[0x8A, 0x80, 1, 2, 3, 4])?,
                other => anyhow::bail!("unexpected frame {other:02x}"),
            }
            used += header + length;
        }
    }

    fn message(&mut self, payload: &[u8], tally: &mut Tally) -> Result<()> {
        let number = |from: usize| -> Result<u64> {
            Ok(std::str::from_utf8(payload.get(from..from + 20).context("short message")?)?.trim().parse()?)
        };
        let seq = number(0)?;
        ensure!(seq > self.seq, "message {seq} after {}", self.seq);
        if self.seq > 0 {
            tally.gaps += seq - self.seq - 1;
        }
        self.seq = seq;
        tally.newest = tally.newest.max(seq);
        tally.messages += 1;
        tally.latencies.push(now().saturating_sub(number(20)?));
        Ok(())
    }
}

impl Wire {
    fn tcp(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

fn handshake(mut tcp: TcpStream) -> Result<(Wire, Vec<u8>)> {
    let left = upgrade(&mut tcp)?;
    tcp.set_nonblocking(true)?;
    Ok((Wire::Plain(mio::net::TcpStream::from_std(tcp)), left))
}

fn handshake_tls(tcp: TcpStream) -> Result<(Wire, Vec<u8>)> {
    // The server made its certificate a moment ago.
    let config = Arc::new(aura_net::tls::client(None)?);
    let connection = ClientConnection::new(config, "localhost".try_into()?)?;
    let mut tls = StreamOwned::new(connection, tcp);
    let left = upgrade(&mut tls)?;
    let (connection, tcp) = tls.into_parts();
    tcp.set_nonblocking(true)?;
    Ok((Wire::Tls(Box::new(StreamOwned::new(connection, mio::net::TcpStream::from_std(tcp)))), left))
}

/// Asks for the upgrade and returns what came behind the answer's head.
fn upgrade(wire: &mut (impl Read + Write)) -> Result<Vec<u8>> {
    wire.write_all(REQUEST)?;
    wire.flush()?;
    let mut head = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = wire.read(&mut buffer)?;
        ensure!(length > 0, "refused: {}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&buffer[..length]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            ensure!(head.starts_with(b"HTTP/1.1 101"), "refused: {}", String::from_utf8_lossy(&head));
            return Ok(head.split_off(end + 4));
        }
    }
}
