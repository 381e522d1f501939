//! One GET at a time, for `aura compare` and `aura healthcheck`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aura_net::{http::Client, tls};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::timeout;

/// No exposition that anyone compares is longer.
const LONGEST_BODY: usize = 64 << 20;

/// A response.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its body; bytes that are no UTF-8 are replaced.
    pub body: String,
}

/// Asks for a URL, `http://` or `https://`. Certificates are not verified: nothing secret is sent, and the response
/// is compared or counted, never obeyed.
///
/// # Errors
/// What went wrong, with the URL.
pub async fn get(url: &str, within: Duration) -> anyhow::Result<Response> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        bail!("{url} is not a URL that can be asked for: write http://HOST:PORT/PATH or https://");
    }
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain;version=0.0.4");
    let client = Client::new(tls::client(None)?, HeaderMap::from_iter([(header::ACCEPT, TEXT)]), within, LONGEST_BODY)?;
    match timeout(within, client.send(Method::GET, url, None)).await {
        Ok(response) => {
            let response = response.with_context(|| format!("no response from {url}"))?;
            let body = String::from_utf8_lossy(&response.body).into_owned();
            Ok(Response { status: response.status, body })
        }
        Err(_) => bail!("no response from {url} within {} s", within.as_secs_f64()),
    }
}
