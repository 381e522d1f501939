//! A scrape's text, compressed.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

/// zlib-rs's first level: 59 KB of our text become 13.5 KB in 0.10 ms. The second makes 11.0 KB of them in 0.21 ms,
/// and a scrape a second is paid for in time, not in bytes.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;
/// 2 to this is gzip's largest window.
const WINDOW_BITS: u8 = 15;

thread_local! {
    /// Its 300 KB are kept: taking them from the system for each text cost as much as compressing it.
    static COMPRESS: RefCell<Option<Compress>> = const { RefCell::new(None) };
}

/// Compresses a text into one gzip member: curl and browsers stop after the first.
pub(super) fn gzip(text: &[u8]) -> Bytes {
    COMPRESS.with_borrow_mut(|compress| {
        let level = Compression::new(GZIP_LEVEL);
        let compress = compress.get_or_insert_with(|| Compress::new_gzip(level, WINDOW_BITS));
        compress.reset();
        let mut member = Vec::with_capacity(text.len() / 4 + 64);
        loop {
            let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
            // Writing into memory cannot fail.
            match compress.compress_vec(&text[read..], &mut member, FlushCompress::Finish) {
                Ok(Status::Ok | Status::BufError) => member.reserve(text.len() / 8 + 64),
                Ok(Status::StreamEnd) | Err(_) => return member.into(),
            }
        }
    })
}

/// Compresses a text into one zstd frame.
pub(super) fn zstd(text: &[u8]) -> Bytes {
    // Compressing into memory fails only when there is no memory left.
    zstd::bulk::compress(text, ZSTD_LEVEL).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_compressed_is_one_member_or_frame(text in "[ -~]{0,400}|[a-c]{0,40000}|(.|\n){0,3000}") {
            let member = gzip(text.as_bytes());
            let mut decoder = flate2::bufread::GzDecoder::new(&member[..]);
            let mut unpacked = String::new();
            decoder.read_to_string(&mut unpacked).expect("one valid member");
            prop_assert_eq!(&unpacked, &text);
            prop_assert!(decoder.into_inner().is_empty(), "something follows the member");
            let unpacked = zstd::bulk::decompress(&zstd(text.as_bytes()), text.len()).expect("one valid frame");
            prop_assert_eq!(unpacked, text.as_bytes());
        }
    }
}
