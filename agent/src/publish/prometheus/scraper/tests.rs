use std::{io::Read as _, sync::RwLock};

use aura_model::{EachGroup, Group, Metric, Unit, declare, each_group, gauge, walk};
use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;
use crate::hub::{Health, Published};

const METRICS: &[Metric<Reading>] =
    &[gauge("fake_value", "A number.", Unit::None, &[], |reading, emit| emit.value(reading.value))];

const GROUPS: &[Group<Reading>] = &[Group {
    name: "fake",
    walk: |reading, emit| walk(METRICS, reading, emit),
    declare: |show| declare(METRICS, show),
}];

struct Reading {
    value: u64,
}

impl AnyReading for Reading {
    fn source(&self) -> &'static str {
        "test"
    }

    fn groups(&self, each: EachGroup<'_>) {
        each_group(GROUPS, self, each);
    }
}

/// A source that has, or has no, reading.
struct Fake(&'static str, RwLock<Option<Arc<Reading>>>);

impl Fake {
    fn set(&self, value: Option<u64>) {
        let reading = value.map(|value| Arc::new(Reading { value }));
        *self.1.write().expect("nothing panics here") = reading;
    }
}

impl Published for Fake {
    fn name(&self) -> &'static str {
        self.0
    }

    fn part(&self) -> &'static str {
        self.0
    }

    fn reading(&self) -> Option<Arc<dyn AnyReading>> {
        self.1.read().expect("nothing panics here").clone().map(|reading| reading as Arc<dyn AnyReading>)
    }

    fn health(&self) -> Health {
        unreachable!("a scrape asks for no health")
    }

    fn groups(&self) -> Vec<&'static str> {
        vec!["fake"]
    }
}

fn fakes() -> [Arc<Fake>; 2] {
    ["one", "two"].map(|name| Arc::new(Fake(name, RwLock::default())))
}

fn text(body: &[u8], encoding: ContentEncoding) -> String {
    let mut text = String::new();
    match encoding {
        ContentEncoding::Identity => text.push_str(std::str::from_utf8(body).expect("text")),
        ContentEncoding::Gzip => drop(GzDecoder::new(body).read_to_string(&mut text).expect("gzip")),
        ContentEncoding::Zstd => {
            text = String::from_utf8(zstd::bulk::decompress(body, 1 << 16).expect("zstd")).expect("text");
        }
    }
    text
}

#[test]
fn the_same_readings_are_joined_once() {
    let fakes = fakes();
    let sources: Vec<AnySource> = fakes.iter().map(|fake| fake.clone() as AnySource).collect();
    let scraper = Scraper::default();
    let ask = || scraper.body(&sources, Scrape::default(), Format::Text, ContentEncoding::Gzip).expect("an answer");
    fakes[0].set(Some(1));
    let (first, second) = (ask(), ask());
    assert_eq!(first.as_ptr(), second.as_ptr());
    fakes[0].set(Some(1));
    assert_ne!(ask().as_ptr(), first.as_ptr());
}

#[test]
fn a_filter_that_fits_nothing_is_refused_every_time() {
    let fakes = fakes();
    let sources: Vec<AnySource> = fakes.iter().map(|fake| fake.clone() as AnySource).collect();
    let scraper = Scraper::default();
    for _ in 0..2 {
        let scrape = Scrape { collect: vec!["none".into()], ..Scrape::default() };
        let answer = scraper.body(&sources, scrape, Format::Text, ContentEncoding::Identity);
        assert!(matches!(answer, Err(ScrapeError::UnknownGroup { .. })), "{answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn an_answer_is_always_of_the_newest_readings(
        steps in proptest::collection::vec((0_usize..2, proptest::option::of(0_u64..100), 0_usize..12), 1..40),
    ) {
        let fakes = fakes();
        let sources: Vec<AnySource> = fakes.iter().map(|fake| fake.clone() as AnySource).collect();
        let scraper = Scraper::default();
        let mut values = [None, None];
        for (which, value, kind) in steps {
            fakes[which].set(value);
            values[which] = value;
            let format = if kind % 2 == 0 { Format::Text } else { Format::OpenMetrics };
            let encoding = [ContentEncoding::Identity, ContentEncoding::Gzip, ContentEncoding::Zstd][kind / 2 % 3];
            // Part and everything in turn: more kinds than are kept.
            let part = (kind >= 6).then_some("two");
            let scrape = Scrape { part: part.map(str::to_owned), ..Scrape::default() };
            let body = scraper.body(&sources, scrape, format, encoding).expect("an answer");
            let mut expected = String::new();
            for (fake, value) in fakes.iter().zip(values) {
                if part.is_none_or(|part| part == fake.0) && let Some(value) = value {
                    expected += &format!("# HELP fake_value A number.\n# TYPE fake_value gauge\nfake_value {value}\n");
                }
            }
            if format == Format::OpenMetrics {
                expected += "# EOF\n";
            }
            prop_assert_eq!(text(&body, encoding), expected);
        }
    }
}
