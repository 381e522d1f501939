//! The two servers: ours as the agent runs it, and the least that a server could do.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use aura_agent::{
    net::{Stream, Wire},
    publish::feed::{Feed, Feeds, Limits},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mio::{Events, Interest, Poll, Token, net::TcpListener, net::TcpStream};
use slab::Slab;
use tokio_rustls::TlsAcceptor;

use super::{MESSAGE, process::now};

pub(crate) fn serve(kind: &str, interval_ms: u64) -> Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let interval = (interval_ms > 0).then_some(Duration::from_millis(interval_ms));
    match kind {
        "peer" => peer(listener, interval),
        _ => ours(listener, interval, kind == "ours-tls"),
    }
}

/// A message's text: its number, the time, and what makes it as long as a real one.
fn text(seq: u64) -> String {
    format!("{seq:<20}{:<20}{:x<rest$}", now(), "", rest = MESSAGE - 40)
}

fn ours(listener: std::net::TcpListener, interval: Option<Duration>, tls: bool) -> Result<()> {
    let limits = Limits { clients: 20_000, clients_per_address: 20_000, ..Limits::default() };
    let feeds = Feeds::start(limits)?;
    let feed = feeds.open("bench");
    let publish = |feed: &Feed, seq| {
        feed.publish(seq, move |buffer| buffer.extend_from_slice(text(seq).as_bytes()));
    };
    publish(&feed, 1);
    let served = feed.clone();
    let acceptor = tls.then(acceptor).transpose()?;
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(accept(listener, served, acceptor))
    });
    let Some(interval) = interval else {
        loop {
            std::thread::park();
        }
    };
    let mut next = Instant::now();
    for seq in 2.. {
        next += interval;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        publish(&feed, seq);
    }
    Ok(())
}

async fn accept(listener: std::net::TcpListener, feed: Feed, tls: Option<TlsAcceptor>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (tcp, peer): (_, SocketAddr) = listener.accept().await?;
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
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new());
            let _ = http
                .serve_connection(TokioIo::new(Wire::new(stream, Arc::default(), |_| Vec::new())), service)
                .with_upgrades()
                .await;
        });
    }
}

fn acceptor() -> Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key =
        rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// One loop: takes clients, answers anything with the same handshake, and writes a ready frame to each with
/// one call. Who has not taken the last frame whole gets its rest instead of the next: no server can do less.
fn peer(listener: std::net::TcpListener, interval: Option<Duration>) -> Result<()> {
    const LISTENER: Token = Token(usize::MAX);
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: x\r\n\r\n";
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: Slab<(TcpStream, bool, Vec<u8>)> = Slab::new();
    let mut buffer = [0; 4096];
    let mut next = Instant::now();
    let mut seq = 1;
    loop {
        let wait = interval.map(|_| next.saturating_duration_since(Instant::now()));
        poll.poll(&mut events, wait)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut client, _)) = listener.accept() {
                    client.set_nodelay(true)?;
                    let entry = clients.vacant_entry();
                    poll.registry().register(&mut client, Token(entry.key()), Interest::READABLE)?;
                    entry.insert((client, false, Vec::new()));
                }
                continue;
            }
            let key = event.token().0;
            let Some((client, ready, _)) = clients.get_mut(key) else { continue };
            match client.read(&mut buffer) {
                Ok(0) => drop(clients.remove(key)),
                Ok(_) if !*ready => {
                    *ready = true;
                    client.write_all(answer)?;
                }
                _ => {}
            }
        }
        let Some(interval) = interval else { continue };
        if Instant::now() >= next {
            next += interval;
            seq += 1;
            let text = text(seq);
            let mut frame = vec![0x81, 126];
            frame.extend(u16::try_from(text.len())?.to_be_bytes());
            frame.extend_from_slice(text.as_bytes());
            for (_, (client, _, rest)) in clients.iter_mut().filter(|(_, (_, ready, _))| *ready) {
                let bytes = if rest.is_empty() { &frame } else { &*rest };
                let taken = client.write(bytes).unwrap_or(0);
                if taken > 0 || !rest.is_empty() {
                    *rest = bytes[taken..].to_vec();
                }
            }
        }
    }
}
