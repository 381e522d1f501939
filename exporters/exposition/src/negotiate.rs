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

    /// What the scraper likes best (RFC 9110, 12.5.1); text 0.0.4 when it does not say, or likes nothing that there is.
    /// Of equals the one that is named more exactly, then the one that is named first. Other parameters than the version
    /// change nothing here: no name of ours needs escaping, and all text is UTF-8.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let accepted: Vec<Preference> = preferences(headers, &header::ACCEPT).collect();
        let wish = |kind: &str, version: &str| {
            let (top, _) = kind.split_once('/').unwrap_or_default();
            let matching = accepted.iter().enumerate().filter_map(|(place, preference)| {
                let (own_top, own_sub) = preference.kind.split_once('/')?;
                let exactness = match preference.parameter("version") {
                    _ if preference.kind == "*/*" => 1,
                    _ if own_sub == "*" && own_top.eq_ignore_ascii_case(top) => 2,
                    _ if !preference.kind.eq_ignore_ascii_case(kind) => return None,
                    None => 3,
                    Some(asked) if asked == version => 4,
                    Some(_) => return None,
                };
                Some((exactness, preference.weight, std::cmp::Reverse(place)))
            });
            // The most exact range decides on a format.
            matching.max().map(|(exactness, weight, place)| (weight, exactness, place))
        };
        let openmetrics = wish("application/openmetrics-text", "1.0.0").filter(|(weight, ..)| *weight > 0);
        let text = wish("text/plain", "0.0.4").filter(|(weight, ..)| *weight > 0);
        if openmetrics > text { Self::OpenMetrics } else { Self::Text }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The encodings that we serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentEncoding {
    /// As it is.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl ContentEncoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Zstd];

    /// What the client likes best of these (RFC 9110, 12.5.3); among equals gzip, which costs less here than it saves
    /// anywhere. Nothing when it refuses all.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap, offered: &[Self]) -> Option<Self> {
        let (mut gzip, mut zstd, mut identity, mut others) = (None, None, None, None);
        for Preference { kind, weight, .. } in preferences(headers, &header::ACCEPT_ENCODING) {
            let named = match kind {
                _ if kind.eq_ignore_ascii_case("gzip") || kind.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                _ if kind.eq_ignore_ascii_case("zstd") => &mut zstd,
                _ if kind.eq_ignore_ascii_case("identity") => &mut identity,
                "*" => &mut others,
                _ => continue,
            };
            *named = Some(named.map_or(weight, |before: u16| before.max(weight)));
        }
        // Who does not name `identity` takes it rather than nothing, but wants what is named. Who names zstd by `*` alone
        // may not know it: that is better than nothing, no more.
        let wish = |encoding: Self| match encoding {
            Self::Gzip => (gzip.or(others).unwrap_or(0), 3),
            Self::Zstd => zstd.map_or((u16::from(others > Some(0)), 0), |weight| (weight, 2)),
            Self::Identity => match identity.or(others) {
                Some(weight) => (weight, 1),
                None => (1, 1),
            },
        };
        offered.iter().copied().filter(|encoding| wish(*encoding).0 > 0).max_by_key(|encoding| wish(*encoding))
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

/// One entry of a header of preferences: value, parameters, weight in thousandths.
struct Preference<'h> {
    kind: &'h str,
    parameters: &'h str,
    weight: u16,
}

impl<'h> Preference<'h> {
    /// Nothing when the weight is none: a guess could be the opposite of what was meant.
    fn parse(entry: &'h str) -> Option<Self> {
        let (kind, parameters) = entry.split_at(entry.find(';').unwrap_or(entry.len()));
        let unweighted = Self { kind: kind.trim(), parameters, weight: 1000 };
        let weight = unweighted.parameter("q").map_or(Some(1000), weight)?;
        (!unweighted.kind.is_empty()).then_some(Self { weight, ..unweighted })
    }

    /// The value of a parameter, without its quotes.
    fn parameter(&self, name: &str) -> Option<&'h str> {
        unquoted(self.parameters, ';').find_map(|parameter| {
            let (own, value) = parameter.split_once('=')?;
            own.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }
}

/// 0 to 1 with three digits at most (RFC 9110, 12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let weight = format!("{whole}{digits:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

/// The pieces between separators that do not stand in quotes.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        let ends = letter == separator && !quoted;
        (quoted, escaped) = match letter {
            _ if escaped => (quoted, false),
            '\\' if quoted => (quoted, true),
            '"' => (!quoted, false),
            _ => (quoted, false),
        };
        ends
    })
}

/// The entries of a header of preferences.
fn preferences<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Preference<'h>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| unquoted(value, ',')).filter_map(Preference::parse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", Format::OpenMetrics),
            ("application/openmetrics-text;version=1.0.0;Q=0.1,text/plain;version=0.0.4;q=0.5", Format::Text),
            ("application/openmetrics-text;note=\"a,text/plain;q=1\";version=1.0.0", Format::OpenMetrics),
            ("*/*;q=0.5,application/openmetrics-text;q=0.5", Format::OpenMetrics),
            ("*/*,application/openmetrics-text;q=0.5", Format::Text),
            ("application/*", Format::OpenMetrics),
            ("text/*;q=0.9,application/openmetrics-text", Format::OpenMetrics),
            ("text/plain;q=0,*/*;q=0.1", Format::OpenMetrics),
            ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", Format::Text),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4", Format::OpenMetrics),
            ("application/openmetrics-text;q=nan,text/plain;q=0.1", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::negotiate(&headers(header::ACCEPT, accept)), format, "{accept}");
        }
    }

    #[test]
    fn the_coding_that_each_client_asks_for() {
        use ContentEncoding::{Gzip, Identity, Zstd};
        for (accept, encoding) in [
            ("", Some(Identity)),
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Gzip)),
            ("zstd, gzip;q=0.5", Some(Zstd)),
            ("zstd", Some(Zstd)),
            ("gzip;q=0, identity", Some(Identity)),
            ("gzip;Q=0", Some(Identity)),
            ("gzip;q=0, *", Some(Identity)),
            ("*;q=1, gzip;q=0", Some(Identity)),
            ("*", Some(Gzip)),
            ("*;q=0", None),
            ("*;q=0, identity", Some(Identity)),
            ("*;q=0, gzip", Some(Gzip)),
            ("identity;q=0", None),
            ("identity;q=0, br", None),
            ("identity;q=0, gzip;q=0.1", Some(Gzip)),
            ("identity;q=0, gzip;q=0, *", Some(Zstd)),
            ("identity, gzip", Some(Gzip)),
            ("identity, gzip;q=0.5", Some(Identity)),
            ("identity;q=0.5, gzip;q=0.5", Some(Gzip)),
            ("gzip;q=0.001", Some(Gzip)),
            ("gzip;q=0.000", Some(Identity)),
            ("gzip;q=2", Some(Identity)),
            ("gzip;q=-1", Some(Identity)),
            ("br", Some(Identity)),
        ] {
            let asked = headers(header::ACCEPT_ENCODING, accept);
            assert_eq!(ContentEncoding::negotiate(&asked, &ContentEncoding::ALL), encoding, "{accept}");
        }
        assert_eq!(ContentEncoding::negotiate(&HeaderMap::new(), &ContentEncoding::ALL), Some(Identity));
        let asked = headers(header::ACCEPT_ENCODING, "zstd, gzip;q=0.5");
        assert_eq!(ContentEncoding::negotiate(&asked, &[Identity, Gzip]), Some(Gzip));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        /// Whatever else is said: what is refused is not sent.
        #[test]
        fn no_coding_is_sent_that_is_refused(
            entries in prop::collection::vec((0..5_usize, 0..=1000_u16, any::<bool>()), 0..6),
        ) {
            let names = ["gzip", "zstd", "identity", "*", "br"];
            let mut said: Vec<(usize, u16)> = Vec::new();
            for (name, weight, none) in entries {
                if said.iter().all(|(before, _)| *before != name) {
                    said.push((name, if none { 0 } else { weight }));
                }
            }
            let text: Vec<String> = said
                .iter()
                .map(|(name, weight)| format!("{};q={}.{:03}", names[*name], weight / 1000, weight % 1000))
                .collect();
            let value = http::HeaderValue::from_str(&text.join(", ")).unwrap();
            let asked = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]);
            let weight = |name: usize| said.iter().find(|(own, _)| *own == name).map(|(_, weight)| *weight);
            let acceptable = |name: usize| match weight(name).or(weight(3)) {
                Some(weight) => weight > 0,
                None => name == 2,
            };
            match ContentEncoding::negotiate(&asked, &ContentEncoding::ALL) {
                Some(encoding) => {
                    let name = match encoding { ContentEncoding::Gzip => 0, ContentEncoding::Zstd => 1, ContentEncoding::Identity => 2 };
                    prop_assert!(acceptable(name), "{text:?}: {encoding:?}");
                }
                None => prop_assert!((0..3).all(|name| !acceptable(name)), "{text:?}"),
            }
        }
    }
}
