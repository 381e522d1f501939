//! The text formats of metrics: Prometheus text 0.0.4 and OpenMetrics 1.0, written from the declarations of a reading and
//! read back, and which of them a scraper asks for. Nothing here opens a file or a socket, or keeps what it made.

mod encode;
mod negotiate;
mod parse;

pub use self::{
    encode::{Encoding, LeftOut, encode},
    negotiate::{ContentEncoding, Format},
    parse::{Labels, Series, TextFamily, parse},
};
