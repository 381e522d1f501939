//! Real files, written and rotated as installations do it.

mod crash;
mod page;
mod support;
