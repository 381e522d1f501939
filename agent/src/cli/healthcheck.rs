//! `aura healthcheck`: for containers, whose images have no curl.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{HealthcheckArguments, configuration::load, print};
use crate::{config::Overrides, http::web_config::WebConfig, net::client};

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn healthcheck(overrides: &Overrides, arguments: &HealthcheckArguments) -> anyhow::Result<()> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => own_url(overrides)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let response = runtime.block_on(client::get(&url, TIMEOUT))?;
    if !response.status.is_success() {
        bail!("{url} answers {}: {}", response.status, response.body.trim());
    }
    print(response.body)
}

/// Where the agent of this configuration says whether it is ready.
fn own_url(overrides: &Overrides) -> anyhow::Result<String> {
    let loaded = load(overrides)?;
    let scheme = if WebConfig::of(&loaded)?.tls().is_some() { "https" } else { "http" };
    let address = loaded.config.web.listen_address.first().context("web.listen_address is empty")?;
    Ok(format!("{scheme}://{}/-/ready", address.clone().reached()))
}
