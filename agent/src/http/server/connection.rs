//! One connection: served by hyper, bounded by timeouts, closed in an orderly way.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tracing::debug;

use super::{Serving, tls::Shown};
use crate::{
    api::ApiError,
    http::{
        gate::{
            caller::Caller,
            permits::{AccessLevel, Activity, Permit},
        },
        unreadable,
    },
    net::{Stream, Waiting, Wire},
};

/// A request head is far smaller; a larger one is refused with 431.
const HEAD_BYTES: usize = 16 << 10;
/// From the connection to the end of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Who is too slow gets this long to hear it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves a connection for as long as it has a permit.
pub(in crate::http) async fn serve(stream: TcpStream, peer: SocketAddr, permit: Permit, serving: Serving) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    // Those in force now; whether others let it in as well is asked at each request.
    let tls = serving.front.app().settings().tls.clone();
    let stream = match tls {
        None => Stream::from(stream),
        Some(tls) => {
            let handshake = timeout(HANDSHAKE, shake_hands(TlsAcceptor::from(tls.config()), stream));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = permit.activity().evicted() => return debug!(%peer, "connection closed: others need its permit"),
            };
            match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return debug!(%peer, "TLS handshake failed: {error}"),
                Err(_) => return debug!(%peer, "TLS handshake took too long"),
            }
        }
    };
    let shown = match stream.transport() {
        Either::Left(_) => None,
        Either::Right(stream) => Some(Shown::of(stream.get_ref().1)),
    };
    let caller = Arc::new(Caller::new(peer, local, shown, Arc::clone(permit.activity())));
    let activity: Arc<Activity> = Arc::clone(permit.activity());
    exchange(stream.watched_by(activity), &caller, serving).await;
}

/// Agrees on TLS. Who speaks plain HTTP instead is told so: methods are written in capitals, and no TLS begins with one.
async fn shake_hands(tls: TlsAcceptor, stream: TcpStream) -> io::Result<Stream> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        let message = "this is a port for HTTPS, and plain HTTP was sent to it";
        refuse(stream, ApiError::bad("plain_http", message).hint("ask for https:// instead of http://")).await?;
        return Err(io::Error::other("plain HTTP was sent"));
    }
    tls.accept(stream).await.map(Stream::from)
}

/// Says why not, and reads what the client says meanwhile: a connection that is closed with bytes unread is reset, and
/// the client would not get to read it.
pub(in crate::http) async fn refuse(mut stream: TcpStream, error: ApiError) -> io::Result<()> {
    stream.write_all(&error.alone()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 512];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

async fn exchange(stream: Stream, caller: &Arc<Caller>, serving: Serving) {
    let Serving { front, mut stopping } = serving;
    let (peer, activity) = (caller.peer, caller.activity());
    let waiting = Arc::new(Waiting::default());
    let service = service_fn(|request: http::Request<Incoming>| {
        waiting.whole();
        activity.request_begun();
        let (front, caller) = (&*front, caller);
        async move {
            let response = front.respond(request, caller).await;
            caller.activity().response_begun();
            Ok::<_, Infallible>(response)
        }
    });
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&waiting), unreadable));
    let connection = http1::Builder::new().max_buf_size(HEAD_BYTES).serve_connection(wire, service).with_upgrades();
    let mut connection = pin!(connection);
    let mut rules = front.app().watch_settings();
    let mut deadline = activity.deadline();
    let mut timer = pin!(sleep_until(deadline.into()));
    let mut leaving = false;
    loop {
        let answers = poll_fn(|context| {
            if let Poll::Ready(result) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            // What was just read or written may have moved it.
            if activity.deadline() != deadline {
                deadline = activity.deadline();
                timer.as_mut().reset(deadline.into());
            }
            while timer.as_mut().poll(context).is_ready() {
                let left = activity.remaining();
                if left.is_zero() {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset((Instant::now() + left).into());
            }
            Poll::Pending
        });
        tokio::select! {
            ended = answers => match ended {
                Some(Ok(())) => return,
                Some(Err(error)) => return debug!(%peer, "connection ended: {error}"),
                None => break,
            },
            () = activity.evicted() => return debug!(%peer, "connection closed: others need its permit"),
            _ = stopping.wait_for(|&stopping| stopping), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = rules.changed(), if !leaving => {
                let settings = Arc::clone(&rules.borrow_and_update());
                if settings.admits(caller) {
                    // A password that was right must be right again.
                    let access = settings.access(caller, None);
                    activity.admitted_as(if settings.authenticator.is_some() && access == AccessLevel::Anonymous {
                        AccessLevel::Public
                    } else {
                        access
                    });
                } else {
                    debug!(%peer, "connection closed: addresses or TLS have changed");
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
    waiting.give_up();
    tokio::select! {
        _ = timeout(GOODBYE, connection) => {}
        () = activity.evicted() => {}
    }
    debug!(%peer, "connection closed: it had its time");
}
