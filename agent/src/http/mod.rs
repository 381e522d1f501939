//! The HTTP server.

pub mod stream;
