//! Frames that leave the agent (RFC 6455, section 5): built once, shared by all who get them.

use bytes::Bytes;

/// A frame's kind, as its first byte carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    /// The kind of a received first byte's low half, if there is such a kind.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Control frames are short, whole, and may stand between a message's fragments.
    pub(super) fn is_control(self) -> bool {
        self as u8 >= 0x8
    }
}

/// The bit of a first byte that ends a message.
pub(super) const FIN: u8 = 0x80;
/// The bit of a message's first byte that says it is deflated (RFC 7692).
pub(super) const COMPRESSED: u8 = 0x40;

/// An empty ping.
pub(super) const PING: [u8; 2] = [FIN | Opcode::Ping as u8, 0];

/// The longest header that a server writes: two bytes and a 64-bit length.
pub(super) const LONGEST_HEADER: usize = 10;

/// Turns a payload that was written behind [`LONGEST_HEADER`] free bytes into a frame, without copying it, and
/// puts `behind` behind it. Returns the frame and the length of its header.
pub(super) fn seal(mut buffer: Vec<u8>, first: u8, behind: &[u8]) -> (Bytes, usize) {
    let payload = buffer.len() - LONGEST_HEADER;
    let (header, used) = header(first, payload);
    let start = LONGEST_HEADER - used;
    buffer[start..LONGEST_HEADER].copy_from_slice(&header[..used]);
    buffer.extend_from_slice(behind);
    (Bytes::from(buffer).slice(start..), used)
}

/// A whole frame around a copy of a small payload.
pub(super) fn build(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut buffer = Vec::with_capacity(LONGEST_HEADER + payload.len());
    buffer.resize(LONGEST_HEADER, 0);
    buffer.extend_from_slice(payload);
    seal(buffer, FIN | opcode as u8, &[]).0
}

/// A close frame. The reason is ours and short; a control frame has room for 123 bytes of it.
pub(super) fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason.as_bytes()[..reason.len().min(123)];
    build(Opcode::Close, &[&code.to_be_bytes(), reason].concat())
}

fn header(first: u8, payload: usize) -> ([u8; LONGEST_HEADER], usize) {
    let mut header = [0; LONGEST_HEADER];
    header[0] = first;
    let used = if let Ok(short @ 0..=125) = u8::try_from(payload) {
        header[1] = short;
        2
    } else if let Ok(medium) = u16::try_from(payload) {
        header[1] = 126;
        header[2..4].copy_from_slice(&medium.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    };
    (header, used)
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };

    use super::*;

    #[test]
    fn frames_are_those_of_another_implementation() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload = vec![b'x'; length];
            let mut theirs = Vec::new();
            Frame::message(payload.clone(), OpCode::Data(Data::Text), true).format(&mut theirs).unwrap();
            assert_eq!(build(Opcode::Text, &payload), theirs, "{length} bytes");
        }
    }
}
