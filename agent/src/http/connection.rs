//! One connection: served by hyper, bounded in patience, closed in an orderly way.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::{
    Serving, Stream,
    guest::Guest,
    places::{Place, Standing},
    stream::Wire,
    tls::Shown,
};

/// A request head is far smaller; a larger one is refused with 431.
const HEAD_BYTES: usize = 16 << 10;
/// From the connection to the end of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Serves a connection for as long as it has a place.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, place: Place, serving: Serving) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    // Those in force now; whether others let it in as well is asked at each request.
    let tls = serving.front.app().settings().tls.clone();
    let stream = match tls {
        None => Stream::from(stream),
        Some(tls) => {
            let handshake = timeout(HANDSHAKE, TlsAcceptor::from(tls.config()).accept(stream));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = place.seat().told_to_leave() => return debug!(%peer, "connection closed: others need its place"),
            };
            match shaken {
                Ok(Ok(stream)) => Stream::from(stream),
                Ok(Err(error)) => return debug!(%peer, "TLS handshake failed: {error}"),
                Err(_) => return debug!(%peer, "TLS handshake took too long"),
            }
        }
    };
    let shown = match stream.wire() {
        Wire::Plain(_) => None,
        Wire::Tls(stream) => Some(Shown::of(stream.get_ref().1)),
    };
    let guest = Arc::new(Guest::new(peer, local, shown, Arc::clone(place.seat())));
    exchange(stream.watched_by(Arc::clone(place.seat())), &guest, serving).await;
}

async fn exchange(stream: Stream, guest: &Arc<Guest>, serving: Serving) {
    let Serving { front, mut stopping } = serving;
    let (peer, seat) = (guest.peer, guest.seat());
    let service = service_fn(|request: http::Request<Incoming>| {
        seat.asked();
        let (front, guest) = (&*front, guest);
        async move {
            let response = front.answer(request, guest).await;
            guest.seat().answered();
            Ok::<_, Infallible>(response)
        }
    });
    let connection =
        http1::Builder::new().max_buf_size(HEAD_BYTES).serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let mut rules = front.app().watch_settings();
    let mut timer = pin!(sleep_until(seat.deadline().into()));
    let mut leaving = false;
    loop {
        let answers = poll_fn(|context| {
            if let Poll::Ready(result) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            // What was just read or written may have moved it.
            set(timer.as_mut(), seat.deadline());
            timer.as_mut().poll(context).map(|()| None)
        });
        tokio::select! {
            ended = answers => match ended {
                Some(Ok(())) => return,
                Some(Err(error)) => return debug!(%peer, "connection ended: {error}"),
                None => return debug!(%peer, "connection closed: it had its time"),
            },
            () = seat.told_to_leave() => return debug!(%peer, "connection closed: others need its place"),
            _ = stopping.wait_for(|&stopping| stopping), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = rules.changed(), if !leaving => {
                let settings = Arc::clone(&rules.borrow_and_update());
                if settings.admits(guest) {
                    // A password that was right must be right again.
                    let standing = settings.standing(guest, None);
                    seat.received(if settings.authenticator.is_some() && standing == Standing::Guest {
                        Standing::Stranger
                    } else {
                        standing
                    });
                } else {
                    debug!(%peer, "connection closed: addresses or TLS have changed");
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn set(timer: Pin<&mut Sleep>, deadline: Instant) {
    if timer.deadline() != deadline.into() {
        timer.reset(deadline.into());
    }
}
