//! What scrapers get.
