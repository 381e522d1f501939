//! A server as the agent builds it, and a client that can be as wrong as a test wants.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use aura_agent::{
    net::{self, Stream},
    publish::feed::{Feed, Feeds, Limits},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_rustls::TlsAcceptor;

/// Nothing here takes this long unless it never comes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) feeds: Feeds,
    pub(crate) feed: Feed,
    pub(crate) address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Limits that do not disturb a test about something else.
pub(crate) fn generous() -> Limits {
    Limits {
        message_bytes: 1 << 20,
        incoming_burst: 1 << 30,
        clients_per_address: 10_000,
        close_timeout: Duration::from_secs(10),
        ..Limits::default()
    }
}

impl Server {
    /// A feed that sends clients what they send.
    pub(crate) fn echo(limits: Limits, tls: bool) -> Self {
        Self::start(limits, tls, |feeds| feeds.open_replying("echo", Some(Box::new(|text| Some(text.to_owned())))))
    }

    /// A feed that only sends by itself.
    pub(crate) fn plain(limits: Limits) -> Self {
        Self::start(limits, false, |feeds| feeds.open("test"))
    }

    pub(crate) fn over_tls(limits: Limits) -> Self {
        Self::start(limits, true, |feeds| feeds.open("test"))
    }

    fn start(limits: Limits, tls: bool, open: impl Fn(&Feeds) -> Feed) -> Self {
        let feeds = Feeds::start(limits).unwrap();
        let feed = open(&feeds);
        let (server_tls, client_tls) = if tls { Some(certificates()).unzip() } else { (None, None) };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = feed.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, served, server_tls) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { feeds, feed, address, tls: client_tls, stop: Some(stop), thread: Some(thread) }
    }

    /// Publishes this text under this number.
    pub(crate) fn publish(&self, seq: u64, text: impl Into<String>) {
        let text = text.into();
        self.feed.publish(seq, move |buffer| buffer.extend_from_slice(text.as_bytes()));
    }

    pub(crate) fn connect(&self) -> Client {
        self.connect_with("/", &[])
    }

    /// Connects with these headers beside the usual ones.
    pub(crate) fn connect_with(&self, target: &str, headers: &[&str]) -> Client {
        let (client, head) = self.request(TcpStream::connect(self.address).unwrap(), target, headers);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    /// Sends a handshake and returns the head of the answer.
    pub(crate) fn request(&self, socket: TcpStream, target: &str, headers: &[&str]) -> (Client, String) {
        self.request_and_more(socket, target, headers, b"")
    }

    /// The same, with bytes that follow the handshake without waiting for its answer.
    pub(crate) fn request_and_more(
        &self,
        socket: TcpStream,
        target: &str,
        headers: &[&str],
        more: &[u8],
    ) -> (Client, String) {
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket.set_write_timeout(Some(TIMEOUT)).unwrap();
        socket.set_nodelay(true).unwrap();
        let wire: Box<dyn Wire> = match &self.tls {
            None => Box::new(socket),
            Some(config) => {
                let connection = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
                Box::new(StreamOwned::new(connection, socket))
            }
        };
        let mut client = Client { wire, left: Vec::new() };
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for header in headers {
            request += &format!("{header}\r\n");
        }
        client.send(&[format!("{request}\r\n").as_bytes(), more].concat());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(client.exactly(1).expect("the answer ends in its head")[0]));
        }
        (client, head)
    }

    /// Waits until the feed has this many clients.
    pub(crate) fn wait_for_clients(&self, count: u64) {
        wait_until(&format!("{count} clients"), || self.feed.stats().clients() == count);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.feeds.shutdown(Duration::ZERO);
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, feed: Feed, tls: Option<TlsAcceptor>) {
    loop {
        let (tcp, peer) = listener.accept().await.unwrap();
        let (feed, tls) = (feed.clone(), tls.clone());
        tokio::spawn(async move {
            let stream = match tls {
                None => Stream::from(tcp),
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => Stream::from(stream),
                    Err(_) => return,
                },
            };
            let service = service_fn(|mut request| {
                let response = feed.serve(&mut request, peer.ip());
                async { Ok::<_, Infallible>(response) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(net::Wire::new(stream, Arc::default(), |_| Vec::new())), service)
                .with_upgrades()
                .await;
        });
    }
}

fn certificates() -> (TlsAcceptor, Arc<ClientConfig>) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
}

/// Waits for a condition that comes true by itself.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < TIMEOUT, "{what}: did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

pub(crate) struct Client {
    wire: Box<dyn Wire>,
    left: Vec<u8>,
}

/// A frame from the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.payload[..self.payload.len().min(60)]);
        write!(formatter, "{:02x} {} bytes {shown:?}", self.first, self.payload.len())
    }
}

impl Client {
    /// Sends bytes as they are. The server may have hung up already: what matters is what it says.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes).and_then(|()| self.wire.flush());
    }

    /// Sends a masked frame.
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) {
        self.send(&masked(first, payload));
    }

    /// The next frame that is no ping; pings are answered. `None` at the end of the connection.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        loop {
            let frame = self.read_any()?;
            if frame.first != 0x89 {
                return Some(frame);
            }
            self.frame(0x8A, &frame.payload);
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) fn read_any(&mut self) -> Option<Frame> {
        let head = self.exactly(2)?;
        assert!(head[1] < 128, "a server does not mask");
        let length = match head[1] {
            126 => self.exactly(2)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
            127 => self.exactly(8)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
            short => short.into(),
        };
        Some(Frame { first: head[0], payload: self.exactly(length)? })
    }

    /// The next text message.
    pub(crate) fn text(&mut self) -> String {
        let frame = self.read().expect("a text message, not the end");
        assert_eq!(frame.first, 0x81, "{frame:?}");
        String::from_utf8(frame.payload).unwrap()
    }

    /// All frames until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.read()).collect()
    }

    /// Reads up to the close frame, checks that the connection ends after it, and returns its code.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        let frames = self.rest();
        let last = frames.last().expect("a close frame before the end");
        assert_eq!(last.first, 0x88, "{last:?} after {} frames", frames.len());
        (last.payload.len() >= 2).then(|| u16::from_be_bytes([last.payload[0], last.payload[1]]))
    }

    /// So many bytes; `None` if the connection ends before the first.
    fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        while self.left.len() < count {
            match self.wire.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.left.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the server says nothing"),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => panic!("the server says nothing"),
                Err(_) => return None,
            }
        }
        Some(self.left.drain(..count).collect())
    }
}

/// A masked frame with the length in its shortest form.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
