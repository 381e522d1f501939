//! How the kernel's files are read: kept open, cut into words without allocating, names shared by all readings.

pub(crate) mod attribute;
pub(crate) mod every;
pub(crate) mod fields;
pub(crate) mod file;
pub(crate) mod filter;
pub(crate) mod names;
pub(crate) mod scan;
pub(crate) mod stat;
