//! The kernel's tables of TCP sockets, `/proc/net/tcp` and `tcp6`: who listens on a port, and how many are connected to it.

use std::{fs, path::Path};

/// One socket of this machine's network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Socket {
    /// Whether its own address is 127.0.0.1.
    pub(crate) loopback: bool,
    pub(crate) port: u16,
    pub(crate) state: u8,
    /// Whose it is.
    pub(crate) uid: u32,
    pub(crate) inode: u64,
}

const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

/// The sockets that we know of.
#[derive(Default)]
pub(crate) struct Sockets(Vec<Socket>);

impl Sockets {
    /// Those in these tables of our network whose own port is one of these; none where there is no such table.
    pub(crate) fn read(procfs: &Path, tables: &[&str], ports: &[u16]) -> Option<Self> {
        let mut sockets = Vec::new();
        let mut found = false;
        for table in tables {
            let Ok(text) = fs::read(procfs.join(table)) else { continue };
            found = true;
            sockets.extend(parse(&text).filter(|socket| ports.contains(&socket.port)));
        }
        found.then_some(Self(sockets))
    }

    /// Who listens on a port, whatever the address.
    pub(crate) fn listener(&self, port: u16) -> Option<&Socket> {
        self.0.iter().find(|socket| socket.port == port && socket.state == LISTEN)
    }

    /// Whether this user listens on a port of 127.0.0.1.
    pub(crate) fn listens(&self, port: u16, uid: u32) -> bool {
        self.0
            .iter()
            .any(|socket| socket.port == port && socket.state == LISTEN && socket.loopback && socket.uid == uid)
    }

    /// How many connections to a port of 127.0.0.1 there are.
    pub(crate) fn connected(&self, port: u16) -> u64 {
        let connected = |socket: &&Socket| socket.port == port && socket.state == ESTABLISHED && socket.loopback;
        self.0.iter().filter(connected).count() as u64
    }
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode`, numbers in hex but for the
/// last ones; what cannot be read is passed over.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Socket> {
    text.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let local = std::str::from_utf8(words.nth(1)?).ok()?;
        let state = std::str::from_utf8(words.nth(1)?).ok()?;
        let uid = std::str::from_utf8(words.nth(3)?).ok()?;
        let inode = std::str::from_utf8(words.nth(1)?).ok()?;
        let (address, port) = local.rsplit_once(':')?;
        Some(Socket {
            // As the machine's own order of bytes has it.
            loopback: matches!(address, "0100007F" | "7F000001"),
            port: u16::from_str_radix(port, 16).ok()?,
            state: u8::from_str_radix(state, 16).ok()?,
            uid: uid.parse().ok()?,
            inode: inode.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: &[&str] = &["net/tcp", "net/tcp6"];

    #[test]
    fn a_table_of_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("net")).unwrap();
        assert!(Sockets::read(folder.path(), BOTH, &[1]).is_none());
        fs::write(
            folder.path().join("net/tcp"),
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \u{20}  0: 0100007F:9C40 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 19777 1 0000 100 0\n\
             \u{20}  1: 0100007F:9C40 0100007F:D431 01 00000000:00000000 00:00000000 00000000   998        0 27555 1 0000 20 4\n\
             \u{20}  2: 0100007F:D431 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   998        0 27554 1 0000 20 4\n\
             \u{20}  3: 0100007F:9C40 0100007F:D433 06 00000000:00000000 03:00001771 00000000     0        0 0 3 0000\n\
             \u{20}  4: broken\n",
        )
        .unwrap();
        let tcp6 = "head\n 0: 00000000000000000000000000000000:2CAA 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000   998        0 19778 1 0000\n";
        fs::write(folder.path().join("net/tcp6"), tcp6).unwrap();
        let sockets = Sockets::read(folder.path(), BOTH, &[40_000, 11_434]).unwrap();
        assert_eq!(sockets.listener(11_434).map(|socket| (socket.uid, socket.inode)), Some((998, 19_778)));
        assert!(sockets.listens(40_000, 998) && !sockets.listens(40_000, 0) && !sockets.listens(11_434, 998));
        assert_eq!((sockets.connected(40_000), sockets.connected(54_321)), (1, 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            parse(&text).for_each(drop);
        }
    }
}
