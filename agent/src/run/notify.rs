//! What a supervisor is told (sd_notify(3)). The socket is opened once: an agent that has run out of descriptors still says
//! that it is alive.

use std::{
    ffi::OsStr,
    io,
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use sd_notify::NotifyState;
use tracing::{debug, warn};

struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
    failed: AtomicBool,
}

static SUPERVISOR: LazyLock<Option<Supervisor>> = LazyLock::new(|| {
    let named = std::env::var_os("NOTIFY_SOCKET").filter(|named| !named.is_empty())?;
    let opened = address(&named).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
    match opened {
        Ok((socket, address)) => Some(Supervisor { socket, address, failed: AtomicBool::new(false) }),
        Err(error) => {
            warn!("the supervisor is told nothing: NOTIFY_SOCKET {}: {error}", named.display());
            None
        }
    }
});

/// A path, or a name without a file that is written with `@` in front.
fn address(named: &OsStr) -> io::Result<SocketAddr> {
    match named.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(named),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "only /paths and @names are spoken to")),
    }
}

/// Tells the supervisor, if there is one.
pub(super) fn tell(state: &[NotifyState<'_>]) {
    let Some(supervisor) = &*SUPERVISOR else { return };
    let text: String = state.iter().map(|state| format!("{state}\n")).collect();
    match supervisor.socket.send_to_addr(text.as_bytes(), &supervisor.address) {
        Ok(_) => supervisor.failed.store(false, Relaxed),
        Err(error) if supervisor.failed.swap(true, Relaxed) => debug!("the supervisor was not told: {error}"),
        Err(error) => warn!("the supervisor was not told: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_are_spoken_to() {
        assert!(address(OsStr::new("/run/systemd/notify")).is_ok());
        #[cfg(target_os = "linux")]
        assert!(address(OsStr::new("@org/freedesktop/systemd1/notify")).is_ok());
        for other in ["vsock:2:1234", "vsock-stream:2:1", "notify", "./notify"] {
            let refused = address(OsStr::new(other)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported, "{other}");
        }
    }
}
