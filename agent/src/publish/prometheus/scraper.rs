//! Responses to scrapes, kept until there are newer readings: who asks next for the same pays for no joining.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use aura_exposition::{ContentEncoding, Format};
use bytes::Bytes;

use super::{Scrape, ScrapeError, cache::Cache, scrape::join};
use crate::hub::{AnyReading, AnySource};

/// More kinds of scrapes than scrapers of one agent ask for; each cached response holds its text.
const KEPT: usize = 8;

/// Answers scrapes.
#[derive(Default)]
pub struct Scraper {
    cache: Cache,
    newest: Mutex<Vec<Body>>,
}

struct Body {
    scrape: Scrape,
    format: Format,
    encoding: ContentEncoding,
    /// What was joined. Without holding it: a cached response must not keep readings alive that nobody else needs.
    readings: Vec<Weak<dyn AnyReading>>,
    bytes: Bytes,
}

impl Scraper {
    /// The body of a scrape, shared with every other such scrape of the same readings.
    ///
    /// # Errors
    /// When the scrape asks for a part or a group that no source has.
    pub fn body(
        &self,
        sources: &[AnySource],
        scrape: Scrape,
        format: Format,
        encoding: ContentEncoding,
    ) -> Result<Bytes, ScrapeError> {
        let readings: Vec<(&AnySource, Arc<dyn AnyReading>)> =
            sources.iter().filter_map(|source| Some((source, source.reading()?))).collect();
        let same = |cached: &Body| cached.format == format && cached.encoding == encoding && cached.scrape == scrape;
        if let Some(cached) = self.newest().iter().find(|cached| same(cached) && cached.is_of(&readings)) {
            return Ok(cached.bytes.clone());
        }
        scrape.check(sources)?;
        let body = join(&self.cache, &readings, &scrape, format, encoding);
        let mut newest = self.newest();
        newest.retain(|cached| !same(cached));
        if newest.len() == KEPT {
            newest.remove(0);
        }
        let readings = readings.iter().map(|(_, reading)| Arc::downgrade(reading)).collect();
        newest.push(Body { scrape, format, encoding, readings, bytes: body.clone() });
        Ok(body)
    }

    fn newest(&self) -> MutexGuard<'_, Vec<Body>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    /// An address is a reading's alone for as long as something points at it, a weak pointer included.
    fn is_of(&self, readings: &[(&AnySource, Arc<dyn AnyReading>)]) -> bool {
        let mut pairs = self.readings.iter().zip(readings);
        self.readings.len() == readings.len()
            && pairs.all(|(kept, (_, reading))| std::ptr::addr_eq(kept.as_ptr(), Arc::as_ptr(reading)))
    }
}

#[cfg(test)]
mod tests;
