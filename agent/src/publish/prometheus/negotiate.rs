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
            let version = preference.parameter("version=");
            let format = match preference.kind {
                "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => Self::OpenMetrics,
                "text/plain" if version.is_none_or(|version| version == "0.0.4") => Self::Text,
                "text/*" | "*/*" => Self::Text,
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
                "gzip" | "x-gzip" => Self::Gzip,
                "zstd" => Self::Zstd,
                "*" => Self::Gzip,
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
    kind: &'h str,
    parameters: &'h str,
    quality: f32,
}

impl<'h> Preference<'h> {
    fn parse(entry: &'h str) -> Self {
        let (kind, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let unweighted = Self { kind: kind.trim(), parameters, quality: 1.0 };
        let quality = unweighted.parameter("q=").map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        Self { quality, ..unweighted }
    }

    /// The value of a parameter, which is named with its `=`.
    fn parameter(&self, name: &str) -> Option<&'h str> {
        self.parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix(name))
    }
}

/// The entries of a header of preferences.
fn preferences<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Preference<'h>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(Preference::parse)
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
