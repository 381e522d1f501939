//! What all routes share, whoever brings them.

mod common;
mod operation;

pub(crate) use self::{
    common::{COMMON, HANDSHAKE, REASONS},
    operation::{Access, Answer, Failure, FeedDescription, Operation, Routes, SchemaOf, reply},
};
pub(crate) use crate::http::error::ErrorAnswer;
