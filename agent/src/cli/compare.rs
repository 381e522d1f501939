//! `aura compare`: the drop-in claim, checkable by anyone.
//!
//! The other exporter is asked before and after a sample of our own, so that a value that moves must lie between
//! the two answers.

mod difference;
mod scope;

use std::time::Duration;

use anyhow::{Context as _, bail};
use aura_exposition::{Format, encode, parse};
use aura_model::{Context, Source};

use self::difference::{Difference, Ours, differences};
use super::{CompareArguments, configuration::load, print};
use crate::{
    config::{Overrides, Visit},
    hub::{AnyReading, sample_once},
    net::client,
    telemetry,
    views::declared,
};

/// A scraper would have given up long before.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn compare(overrides: &Overrides, arguments: &CompareArguments) -> anyhow::Result<()> {
    let config = load(overrides)?.config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scrape = || -> anyhow::Result<String> {
        let response = runtime.block_on(client::get(&arguments.url, TIMEOUT))?;
        if !response.status.is_success() {
            bail!("{} answers {}", arguments.url, response.status);
        }
        Ok(response.body)
    };
    let before = scrape()?;
    let mut sampler =
        Sampler { context: Context::new(config.paths.clone()).with_declared(declared()), text: String::new() };
    config.sources.visit(&mut sampler);
    let after = scrape()?;
    let unreadable = || format!("{} does not answer in the Prometheus text format", arguments.url);
    let theirs = [
        parse(&before).map_err(anyhow::Error::msg).with_context(unreadable)?,
        parse(&after).map_err(anyhow::Error::msg).with_context(unreadable)?,
    ];
    let ours = parse(&sampler.text).map_err(anyhow::Error::msg).context("our own sample")?;
    let mut own_families = Vec::new();
    for group in telemetry::GROUPS {
        (group.declare)(&mut |family| own_families.push(family.name));
    }
    let found = differences(&theirs, &Ours { families: &ours, own: &own_families });
    let families = theirs[0].len();
    let series: usize = theirs[0].iter().map(|family| family.series.len()).sum();
    let mut report = format!("{}: {families} families, {series} series; here {} families\n", arguments.url, ours.len());
    report += &section("missing here", &found.missing);
    report += &section("with another type", &found.types);
    report += &section("with other labels", &found.labels);
    report += &section("series missing here", &found.series);
    report += &section("with another value (both sides of ours are theirs)", &found.values);
    report += &section("out of scope", &found.out_of_scope);
    print(&report)?;
    let wrong = found.missing.len() + found.types.len() + found.labels.len() + found.series.len();
    if wrong > 0 {
        bail!("{wrong} differences in names, types or labels");
    }
    print("everything that is in scope is here under the same names, types and labels\n")
}

fn section(title: &str, found: &[Difference]) -> String {
    let mut text =
        format!("\n{title}: {}\n", if found.is_empty() { "none".to_owned() } else { found.len().to_string() });
    for difference in found {
        text += &format!("  {:<56} {}\n", difference.what, difference.how);
    }
    text
}

struct Sampler {
    context: Context,
    text: String,
}

impl Visit for Sampler {
    fn visit<S: Source>(&mut self, options: &S::Options) {
        // A source that is not there has nothing to compare; its families show as missing.
        if let Ok(snapshot) = sample_once::<S>(options, &self.context) {
            self.text += &String::from_utf8_lossy(encode(|each| snapshot.groups(each), Format::Text).text());
        }
    }
}
