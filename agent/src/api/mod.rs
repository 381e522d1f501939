//! What all routes share, whoever brings them: errors, queries, whose pages are ours, and how a route is described.

mod common;
mod error;
mod operation;
mod origin;
mod query;

pub(crate) use self::{
    common::{COMMON, HANDSHAKE, REASONS},
    error::ErrorResponse,
    operation::{Access, Failure, FeedDescription, Operation, Routes, SchemaOf, Success, reply},
};
pub use self::{
    error::{ApiError, ErrorBody},
    origin::check_origin,
    query::Query,
};
