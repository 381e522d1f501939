//! Readings as Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! A reading is encoded once for each format that somebody asks for. The first scrape of new readings joins the texts of
//! all sources and compresses the whole, and the next ones get what it got.

mod compress;
mod declared;
mod encode;
mod left_out;
mod negotiate;
mod reference;
mod scrape;
mod scraper;

pub use self::{
    declared::declared,
    encode::{Encoding, encode},
    left_out::left_out,
    negotiate::{Coding, Format},
    reference::metrics_reference,
    scrape::{Scrape, ScrapeError},
    scraper::Scraper,
};
