//! What a scraper's `Accept` and `Accept-Encoding` ask for.

use http::{HeaderMap, HeaderName, header};

/// The text formats that we write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// What the scraper likes best; text 0.0.4 when it does not say.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let mut best = (Self::Text, 0.0);
        for preference in preferences(headers, &header::ACCEPT) {
            let version = preference.parameter(b"version=");
            let format = match preference.kind {
                b"application/openmetrics-text" if version.is_none_or(|version| version == b"1.0.0") => {
                    Self::OpenMetrics
                }
                b"text/plain" if version.is_none_or(|version| version == b"0.0.4") => Self::Text,
                b"text/*" | b"*/*" => Self::Text,
                _ => continue,
            };
            if preference.quality > best.1 {
                best = (format, preference.quality);
            }
        }
        best.0
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The encodings that we serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Coding {
    /// What the client likes best; among equals gzip, which costs less here than it saves anywhere.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let mut best = (Self::Identity, 0.0);
        for Preference { kind, quality, .. } in preferences(headers, &header::ACCEPT_ENCODING) {
            let coding = match kind {
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"zstd" => Self::Zstd,
                b"*" => Self::Gzip,
                _ => continue,
            };
            if quality > best.1 || (quality == best.1 && coding == Self::Gzip && quality > 0.0) {
                best = (coding, quality);
            }
        }
        best.0
    }

    /// The value of `Content-Encoding`.
    #[must_use]
    pub fn token(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// One entry of a header of preferences: value, parameters, quality.
struct Preference<'h> {
    kind: &'h [u8],
    parameters: &'h [u8],
    quality: f32,
}

impl<'h> Preference<'h> {
    fn parse(entry: &'h [u8]) -> Self {
        let (kind, parameters) = entry.split_at(entry.iter().position(|&byte| byte == b';').unwrap_or(entry.len()));
        let unweighted = Self { kind: kind.trim_ascii(), parameters, quality: 1.0 };
        let quality = unweighted.parameter(b"q=").map_or(1.0, |quality| {
            std::str::from_utf8(quality).ok().and_then(|quality| quality.parse().ok()).unwrap_or(0.0)
        });
        Self { quality, ..unweighted }
    }

    /// The value of a parameter, which is named with its `=`.
    fn parameter(&self, name: &[u8]) -> Option<&'h [u8]> {
        self.parameters.split(|&byte| byte == b';').find_map(|parameter| parameter.trim_ascii().strip_prefix(name))
    }
}

/// The entries of a header of preferences.
fn preferences<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Preference<'h>> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(Preference::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn the_format_that_each_scraper_asks_for() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.5", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text; version=0.0.1", Format::Text),
            ("application/openmetrics-text; version=1.0.0; q=0", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("", Format::Text),
        ] {
            assert_eq!(Format::negotiate(&headers(header::ACCEPT, accept)), format, "{accept}");
        }
    }

    #[test]
    fn the_coding_that_each_client_asks_for() {
        for (accept, coding) in [
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Gzip),
            ("zstd, gzip;q=0.5", Coding::Zstd),
            ("zstd", Coding::Zstd),
            ("gzip;q=0, identity", Coding::Identity),
            ("*", Coding::Gzip),
            ("br", Coding::Identity),
        ] {
            assert_eq!(Coding::negotiate(&headers(header::ACCEPT_ENCODING, accept)), coding, "{accept}");
        }
    }
}
