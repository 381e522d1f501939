//! permessage-deflate (RFC 7692) without context takeover: each message is compressed by itself, so one
//! compressed frame serves every client that asked for compression, and no client costs a window.
//! The reasons are in docs/decisions.

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::{self, COMPRESSED, FIN, LONGEST_HEADER, Opcode};

/// What ends a flushed block, and what a compressed message leaves out.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The two directions of one thread. Their windows exist only once somebody asked for compression.
#[derive(Default)]
pub(super) struct Deflate {
    compress: Option<Box<Compress>>,
    decompress: Option<Box<Decompress>>,
}

/// Why a compressed message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// It unpacks to more than the limit.
    TooLong,
    /// It is not a deflate stream.
    Invalid,
}

impl Deflate {
    /// A text frame with this payload deflated, and `behind` behind it.
    pub(super) fn text_frame(&mut self, payload: &[u8], behind: &[u8]) -> Bytes {
        let compress = self.compress.get_or_insert_with(|| Box::new(Compress::new(Compression::fast(), false)));
        compress.reset();
        let mut buffer = Vec::with_capacity(LONGEST_HEADER + payload.len() / 2 + 64);
        buffer.resize(LONGEST_HEADER, 0);
        loop {
            let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
            // Deflating into memory cannot fail; an error would leave the message short, which the tail shows.
            let _ = compress.compress_vec(&payload[taken..], &mut buffer, FlushCompress::Sync);
            let all_in = compress.total_in() == payload.len() as u64;
            if all_in && buffer.len() < buffer.capacity() {
                break;
            }
            buffer.reserve(buffer.len());
        }
        if buffer.ends_with(&TAIL) {
            buffer.truncate(buffer.len() - TAIL.len());
        }
        frame::seal(buffer, FIN | COMPRESSED | Opcode::Text as u8, behind).0
    }

    /// The message that a client deflated, if it is at most `limit` bytes long.
    pub(super) fn inflate(&mut self, deflated: &mut Vec<u8>, limit: usize) -> Result<Vec<u8>, InflateError> {
        deflated.extend_from_slice(&TAIL);
        let decompress = self.decompress.get_or_insert_with(|| Box::new(Decompress::new(false)));
        decompress.reset(false);
        let mut message = Vec::with_capacity((deflated.len() * 4).clamp(64, limit.max(64)) + 1);
        loop {
            let taken = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX);
            let before = (taken, message.len());
            let status = decompress
                .decompress_vec(&deflated[taken..], &mut message, FlushDecompress::Sync)
                .map_err(|_| InflateError::Invalid)?;
            if message.len() > limit {
                return Err(InflateError::TooLong);
            }
            let taken = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX);
            let room = message.len() < message.capacity();
            match status {
                // A final block may stand before the tail that the sender cut, and nothing else may.
                Status::StreamEnd if deflated.len() - taken <= TAIL.len() + 1 => return Ok(message),
                Status::StreamEnd => return Err(InflateError::Invalid),
                _ if taken == deflated.len() && room => return Ok(message),
                _ if room && before == (taken, message.len()) => return Err(InflateError::Invalid),
                _ => message.reserve(message.len().max(64)),
            }
        }
    }

    /// Gives the windows back while nobody uses them.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload_of(frame: &[u8]) -> Vec<u8> {
        let header = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        frame[header..].to_vec()
    }

    proptest! {
        #[test]
        fn what_was_deflated_inflates_to_itself(text in "(\\PC{0,30}|[a-c]{0,3000}){0,40}") {
            let mut deflate = Deflate::default();
            for _ in 0..2 {
                let frame = deflate.text_frame(text.as_bytes(), &[]);
                prop_assert_eq!(frame[0], 0xC1);
                let inflated = deflate.inflate(&mut payload_of(&frame), text.len());
                prop_assert_eq!(inflated.as_deref(), Ok(text.as_bytes()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic_hang_or_pass_the_limit(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300), limit in 0usize..5000,
        ) {
            if let Ok(message) = Deflate::default().inflate(&mut bytes, limit) {
                prop_assert!(message.len() <= limit);
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut deflate = Deflate::default();
        let frame = deflate.text_frame(&vec![b' '; 10_000_000], &[]);
        assert!(frame.len() < 200_000, "{} bytes", frame.len());
        assert_eq!(deflate.inflate(&mut payload_of(&frame), 4096), Err(InflateError::TooLong));
    }

    #[test]
    fn the_examples_of_rfc_7692() {
        let mut deflate = Deflate::default();
        for deflated in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(deflate.inflate(&mut deflated.to_vec(), 5).as_deref(), Ok(&b"Hello"[..]), "{deflated:02x?}");
        }
        assert_eq!(deflate.inflate(&mut vec![0x00], 0).as_deref(), Ok(&b""[..]));
        assert_eq!(deflate.inflate(&mut vec![0xff, 0xff], 10), Err(InflateError::Invalid));
    }
}
