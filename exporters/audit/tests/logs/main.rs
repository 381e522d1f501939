//! Real files, written and rotated as installations do it.

mod crash;
mod history;
mod page;
mod support;
