//! What all routes share, whoever brings them: errors, queries, whose pages are ours, schemas of answers.

mod error;
mod origin;
mod query;
mod schema;

pub(crate) use self::{error::ErrorAnswer, schema::schema};
pub use self::{
    error::{ApiError, ErrorBody},
    origin::check_origin,
    query::Query,
};
