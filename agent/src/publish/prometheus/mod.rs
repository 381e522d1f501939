//! Readings as Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! A reading is encoded once for each format that somebody asks for. The first scrape of new readings joins the texts of
//! all sources and compresses the whole, and the next ones get what it got.

mod cache;
mod compress;
mod left_out;
mod scrape;
mod scraper;

pub use self::{
    left_out::{left_out, report},
    scrape::{Scrape, ScrapeError},
    scraper::Scraper,
};
