//! Bytes that wait in the queues of all UDP sockets, from /proc/net/udp and udp6: the column `tx_queue:rx_queue` of
//! each socket, hexadecimal. The kernel locks and walks its whole table of UDP sockets for it, thousands of slots even
//! when there is no socket: more expensive than all of memory, disks and devices together. So it is read every 5 s, which is
//! less than from one scrape to the next.

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        every::Every,
        file::{Buffer, KeptFile},
        scan::{hexadecimal, lines, words},
    },
};

/// Sums over all sockets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UdpQueues {
    /// IPv4.
    pub v4: Option<Queues>,
    /// IPv6, where it is not switched off.
    pub v6: Option<Queues>,
}

/// Bytes in queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Queues {
    /// To be sent.
    pub transmit: u64,
    /// Received and not yet fetched by a program.
    pub receive: u64,
}

pub(super) const METRICS: &[Metric<UdpQueues>] = rows! { |reading|
    for (ip, queues) in [("v4", reading.v4), ("v6", reading.v6)], Queues { transmit, receive } in queues.iter(),
        (queue, bytes) in [("tx", *transmit), ("rx", *receive)] => { queue, ip } {
        gauge "node_udp_queues" in Bytes = bytes, "Number of allocated memory in the kernel for UDP datagrams in bytes.";
    }
};

pub(super) struct Reader {
    v4: KeptFile,
    v6: KeptFile,
    pace: Every,
    last: Option<UdpQueues>,
}

impl Collector for Reader {
    type Reading = UdpQueues;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let net = context.paths.procfs.join("net");
        Self {
            v4: KeptFile::short_lines(net.join("udp")),
            v6: KeptFile::short_lines(net.join("udp6")),
            pace: Every::seconds(5),
            last: None,
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<UdpQueues, Missing> {
        if self.pace.due() {
            self.last = None;
        }
        if let Some(last) = self.last {
            return Ok(last);
        }
        let mut queues = |file: &mut KeptFile| {
            let text = file.read(buffer)?;
            parse(text).ok_or_else(|| file.unreadable("a header line"))
        };
        match (queues(&mut self.v4), queues(&mut self.v6)) {
            (Err(missing), Err(_)) => Err(missing),
            (v4, v6) => Ok(*self.last.insert(UdpQueues { v4: v4.ok(), v6: v6.ok() })),
        }
    }
}

/// A socket that cannot be read costs that socket; a file without its header is none.
fn parse(text: &[u8]) -> Option<Queues> {
    let mut lines = lines(text);
    lines.next().filter(|header| words(header).next() == Some(b"sl"))?;
    let mut sum = Queues::default();
    for (transmit, receive) in lines.filter_map(queues) {
        sum.transmit = sum.transmit.saturating_add(transmit);
        sum.receive = sum.receive.saturating_add(receive);
    }
    Some(sum)
}

fn queues(line: &[u8]) -> Option<(u64, u64)> {
    let column = words(line).nth(4)?;
    let colon = column.iter().position(|&byte| byte == b':')?;
    Some((hexadecimal(&column[..colon])?, hexadecimal(&column[colon + 1..])?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("udp_queues@{tree}"), output(tree, &["udp_queues"]));
        }
    }

    proptest! {
        #[test]
        fn queues_are_summed_over_sockets(sockets in prop::collection::vec(any::<(u32, u32)>(), 0..20)) {
            let mut text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n".to_owned();
            for (transmit, receive) in &sockets {
                text += &format!("  12: 0100007F:0035 00000000:0000 07 {transmit:08X}:{receive:08X} 00:00000000\n");
            }
            let sum = |of: fn(&(u32, u32)) -> u32| sockets.iter().map(|socket| u64::from(of(socket))).sum();
            let expected = Queues { transmit: sum(|socket| socket.0), receive: sum(|socket| socket.1) };
            prop_assert_eq!(parse(text.as_bytes()), Some(expected));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in "( sl\n)?([0-9A-G:]{0,20}[ \n]?){0,30}") {
            parse(text.as_bytes());
        }
    }
}
