//! A relay between the source and a server that can swallow everything, or count how often the source waits.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

/// The source has nothing more to say once it has been silent for so long.
const IDLE: Duration = Duration::from_millis(60);

/// A running relay.
pub(crate) struct Relay {
    pub(crate) port: u16,
    silent: Arc<AtomicBool>,
    trips: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    /// Listens on 127.0.0.1 and connects to this port there.
    pub(crate) fn to(port: u16) -> Self {
        Self::between(TcpListener::bind("127.0.0.1:0").expect("a port"), port, Direct)
    }

    /// Holds all answers back until the source has asked everything that it asks without knowing them.
    pub(crate) fn counting(port: u16) -> Self {
        Self::between(TcpListener::bind("127.0.0.1:0").expect("a port"), port, Counting)
    }

    /// Takes the connections of a listener in another network.
    pub(crate) fn on(listener: TcpListener, port: u16) -> Self {
        Self::between(listener, port, Direct)
    }

    fn between(listener: TcpListener, port: u16, way: impl Way) -> Self {
        let own = listener.local_addr().expect("an address").port();
        let relay = Self { port: own, silent: Arc::default(), trips: Arc::default(), accepted: Arc::default() };
        let (silent, trips, accepted) = (relay.silent.clone(), relay.trips.clone(), relay.accepted.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                let Ok(server) = server else { continue };
                way.carry(&client, &server, &silent, &trips);
            }
        });
        relay
    }

    /// Swallows everything in both directions from now on, as a network does that drops packets.
    pub(crate) fn swallow(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// How often the source waited for an answer so far.
    pub(crate) fn trips(&self) -> usize {
        self.trips.load(Ordering::SeqCst)
    }

    /// How many connections were made through it.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

trait Way: Send + 'static {
    fn carry(&self, client: &TcpStream, server: &TcpStream, silent: &Arc<AtomicBool>, trips: &Arc<AtomicUsize>);
}

struct Direct;
struct Counting;

impl Way for Direct {
    fn carry(&self, client: &TcpStream, server: &TcpStream, silent: &Arc<AtomicBool>, _: &Arc<AtomicUsize>) {
        for (mut from, mut to) in [(copy(client), copy(server)), (copy(server), copy(client))] {
            let silent = silent.clone();
            std::thread::spawn(move || {
                let mut lost = false;
                while let Some(bytes) = receive(&mut from) {
                    // What was lost once leaves a hole: nothing behind it arrives.
                    lost |= silent.load(Ordering::SeqCst);
                    if !lost && to.write_all(&bytes).is_err() {
                        break;
                    }
                }
                if !lost {
                    let _ = to.shutdown(Shutdown::Both);
                }
            });
        }
    }
}

impl Way for Counting {
    fn carry(&self, client: &TcpStream, server: &TcpStream, _: &Arc<AtomicBool>, trips: &Arc<AtomicUsize>) {
        let (mut client, mut server, trips) = (copy(client), copy(server), trips.clone());
        let (asked, answered) = (reader(copy(&client)), reader(copy(&server)));
        std::thread::spawn(move || {
            // Whoever has begun to ask asks on until the next word would need an answer.
            while let Ok(question) = asked.recv() {
                server.write_all(&question).ok()?;
                loop {
                    match asked.recv_timeout(IDLE) {
                        Ok(more) => server.write_all(&more).ok()?,
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return Some(()),
                    }
                }
                trips.fetch_add(1, Ordering::SeqCst);
                let mut answer = answered.recv().ok()?;
                while let Ok(more) = answered.recv_timeout(IDLE) {
                    answer.extend(more);
                }
                client.write_all(&answer).ok()?;
            }
            Some(())
        });
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64 * 1024];
    let length = stream.read(&mut buffer).ok().filter(|length| *length > 0)?;
    buffer.truncate(length);
    Some(buffer)
}

fn reader(mut stream: TcpStream) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || while receive(&mut stream).is_some_and(|bytes| sender.send(bytes).is_ok()) {});
    receiver
}
