//! Addresses as limits count them.

use std::net::{IpAddr, Ipv6Addr};

/// One customer usually has a whole /64, so that is what counts as one address in IPv6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
        four => four,
    }
}
