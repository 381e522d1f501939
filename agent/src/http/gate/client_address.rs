//! Where a request comes from: who connected, or, where that is a proxy that is trusted, whom the proxy names.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::Network;

/// The address that limits count and logs name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct ClientAddress(pub(in crate::http) IpAddr);

impl ClientAddress {
    /// The last address on the way of a request that no trusted proxy has: what stands further left, the client may have
    /// written itself. Nobody is asked but `trusted`; where the two headers that name clients differ, one of them may be
    /// the client's, and the proxy's own address counts.
    #[must_use]
    pub(in crate::http) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            return Self(peer);
        }
        let client = |hops: &mut dyn DoubleEndedIterator<Item = Option<IpAddr>>| {
            let mut last = peer;
            for hop in hops.rev() {
                // A hop that hides: what passed it on is the last that is known.
                let Some(hop) = hop else { return last };
                last = hop;
                if !is_trusted(hop, trusted) {
                    break;
                }
            }
            last
        };
        let forwarded_for = headers
            .get("x-forwarded-for")
            .is_some()
            .then(|| client(&mut elements(headers, "x-forwarded-for").map(address)));
        let forwarded = headers
            .get("forwarded")
            .is_some()
            .then(|| client(&mut elements(headers, "forwarded").map(forwarded_for_of)));
        match (forwarded_for, forwarded) {
            (Some(one), Some(other)) if one != other => Self(peer),
            (one, other) => Self(one.or(other).unwrap_or(peer)),
        }
    }
}

/// Whether this is the address of a proxy that is trusted.
pub(in crate::http) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address.to_canonical()))
}

/// The elements of a list that may stand in several headers.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    values.into_iter().flat_map(|value| value.split(',')).map(str::trim)
}

/// The `for` of an element of `Forwarded` (RFC 7239).
fn forwarded_for_of(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(node.trim().trim_matches('"'))
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn of(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        ClientAddress::of(peer.parse().unwrap(), &map, &trusted).0.to_string()
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has() {
        const FOR: &str = "x-forwarded-for";
        for (peer, headers, trusted, client) in [
            // Nobody is trusted: the headers say nothing.
            ("10.0.0.1", &[(FOR, "192.0.2.7")][..], &[][..], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=192.0.2.7")], &["10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", &[], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &[(FOR, "192.0.2.7")], &["10.0.0.0/8"], "192.0.2.7"),
            ("::ffff:10.0.0.1", &[(FOR, "192.0.2.7:4711")], &["10.0.0.1"], "192.0.2.7"),
            // What the client wrote itself stands further left.
            ("10.0.0.1", &[(FOR, "127.0.0.1, 192.0.2.7")], &["10.0.0.0/8", "127.0.0.1"], "192.0.2.7"),
            ("10.0.0.1", &[(FOR, "127.0.0.1"), (FOR, "192.0.2.7, 10.0.0.9")], &["10.0.0.0/8"], "192.0.2.7"),
            ("10.0.0.1", &[(FOR, "10.0.0.3, 10.0.0.2")], &["10.0.0.0/8"], "10.0.0.3"),
            ("10.0.0.1", &[(FOR, "192.0.2.7, unknown, 10.0.0.2")], &["10.0.0.0/8"], "10.0.0.2"),
            ("10.0.0.1", &[(FOR, "")], &["10.0.0.0/8"], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("forwarded", "for=1.2.3.4, For=\"[2001:db8::1]:80\";proto=http")],
                &["10.0.0.1"],
                "2001:db8::1",
            ),
            ("10.0.0.1", &[("forwarded", "for=_hidden")], &["10.0.0.1"], "10.0.0.1"),
            // One of the two may be the client's word.
            ("10.0.0.1", &[(FOR, "192.0.2.7"), ("forwarded", "for=127.0.0.1")], &["10.0.0.1"], "10.0.0.1"),
            ("10.0.0.1", &[(FOR, "192.0.2.7"), ("forwarded", "for=192.0.2.7")], &["10.0.0.1"], "192.0.2.7"),
            ("fd00::1", &[(FOR, "2001:db8::5")], &["fd00::/64"], "2001:db8::5"),
        ] {
            assert_eq!(of(peer, headers, trusted), client, "{peer} {headers:?} {trusted:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        /// A proxy adds whom it saw at the end. Whatever stood there before, that is who counts.
        #[test]
        fn nothing_that_a_client_writes_makes_it_somebody_else(
            lies in prop::collection::vec("[ -~]{0,24}", 0..4),
            client in any::<[u8; 4]>().prop_filter("is no proxy", |address| address[0] != 10),
        ) {
            let client = std::net::Ipv4Addr::from(client).to_string();
            let mut headers: Vec<(&'static str, &str)> = lies.iter().map(|lie| ("x-forwarded-for", &**lie)).collect();
            headers.push(("x-forwarded-for", &client));
            prop_assert_eq!(of("10.0.0.1", &headers, &["10.0.0.0/8"]), client.clone());
            headers.pop();
            prop_assert_eq!(of(&client, &headers, &["10.0.0.0/8"]), client);
        }
    }
}
