//! The address of the client, behind trusted proxies.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::http::headers::X_FORWARDED_FOR;

/// The address of the client: the peer of the connection or, if that is a trusted proxy, the last
/// untrusted address in `X-Forwarded-For`. Earlier addresses may be forged by the client.
pub fn address(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0.ip());
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let forwarded: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .collect();
    let mut nearest = peer;
    for text in forwarded.iter().rev() {
        let Some(address) = parse(text.trim()) else {
            break;
        };
        nearest = address;
        if !is_trusted(&address) {
            break;
        }
    }
    nearest
}

/// Parses an address with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

/// The network that counts as one client: an IPv4 address, or the /64 network of an IPv6 subscriber.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        address(&extensions, &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_set_the_client_address() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        for (peer, forwarded, trusted, expected) in [
            ("9.9.9.9", &["1.1.1.1"][..], &[][..], "9.9.9.9"),
            ("9.9.9.9", &["1.1.1.1"], &proxies, "9.9.9.9"),
            ("10.0.0.1", &["1.1.1.1"], &proxies, "1.1.1.1"),
            ("::ffff:10.0.0.1", &["1.1.1.1"], &proxies, "1.1.1.1"),
            ("fd00::1", &["2001:db8::1"], &proxies, "2001:db8::1"),
            // The client forged the first address.
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1"], &proxies, "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6", "1.1.1.1"], &proxies, "1.1.1.1"),
            (
                "10.0.0.1",
                &["6.6.6.6, 1.1.1.1, 10.0.0.2"],
                &proxies,
                "1.1.1.1",
            ),
            ("10.0.0.1", &["1.1.1.1:4711"], &proxies, "1.1.1.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], &proxies, "2001:db8::1"),
            ("10.0.0.1", &["1.1.1.1, unknown"], &proxies, "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, x, 10.0.0.2"], &proxies, "10.0.0.2"),
            ("10.0.0.1", &[], &proxies, "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &proxies, "10.0.0.3"),
        ] {
            let seen = seen(peer, forwarded, trusted);
            assert_eq!(seen, expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let one: IpAddr = "2001:db8:1:2:3::4".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2::9".parse().unwrap();
        let elsewhere: IpAddr = "2001:db8:1:3::9".parse().unwrap();
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network(elsewhere));
    }
}
