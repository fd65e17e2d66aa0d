//! What a relay says at its start about where it is: the address to open here, the one that its
//! hint names, and who is shown that it runs.

use crate::find::{FindOptions, dht};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const LOCAL4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCAL6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Where a browser on this machine finds what listens at these addresses: over loopback if that
/// can be, which browsers trust as they trust https.
pub(crate) fn host(bound: &[IpAddr]) -> String {
    if bound.contains(&V4) || bound.contains(&LOCAL4) {
        return "localhost".to_owned();
    }
    let over6 = bound.contains(&V6) || bound.contains(&LOCAL6);
    let loopback = bound.iter().find(|ip| ip.is_loopback());
    match loopback.filter(|_| !over6).or(bound.first()) {
        // `localhost` may lead to IPv4, where something else listens.
        _ if over6 => format!("[{LOCAL6}]"),
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(ip) => ip.to_string(),
        None => "localhost".to_owned(),
    }
}

/// To which address of ours others come: one that is bound, not over loopback if that can be;
/// loopback stands for a wildcard.
pub(crate) fn arrived(bound: &[IpAddr]) -> IpAddr {
    let outside = |ip: &&IpAddr| !ip.is_unspecified() && !ip.is_loopback();
    let chosen = bound.iter().find(outside);
    let wildcard = || bound.iter().find(|ip| ip.is_unspecified());
    match chosen.or_else(wildcard).or(bound.first()) {
        Some(&V4) | None => LOCAL4,
        Some(&V6) => LOCAL6,
        Some(ip) => *ip,
    }
}

/// Who is shown that a relay runs at these addresses: lines for its start text, or nothing.
pub(crate) fn shown(bound: &[IpAddr], find: &FindOptions) -> &'static str {
    // Beacons are IPv4, and on loopback nobody else hears them.
    let beacons = |ip: &IpAddr| ip.is_ipv4() && !ip.is_loopback();
    let lan = find.lan.is_some() && bound.iter().any(beacons);
    let dht = find.dht.as_ref();
    let dht = dht.is_some_and(|dht| dht::is_used(bound, &dht.bootstrap));
    match (lan, dht) {
        (false, false) => "",
        (true, false) => "shown on the local network (--no-lan: not there)\n",
        (false, true) => {
            "looks in the BitTorrent DHT, and is shown there if its address is public (--no-dht: \
             neither)\n"
        }
        (true, true) => {
            "shown on the local network (--no-lan: not there); looks in the BitTorrent DHT, and \
             is shown\nthere if its address is public (--no-dht: neither)\n"
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::find::DhtOptions;

    fn ips(texts: &str) -> Vec<IpAddr> {
        let each = texts.split_whitespace();
        each.map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_address_to_open_is_one_that_is_listened_on() {
        for (bound, expected) in [
            ("0.0.0.0 ::", "localhost"),
            ("127.0.0.1", "localhost"),
            ("192.168.1.5 127.0.0.1", "localhost"),
            ("::", "[::1]"),
            ("::1", "[::1]"),
            ("192.168.1.5 ::1", "[::1]"),
            ("192.168.1.5 127.0.0.2", "127.0.0.2"),
            ("192.168.1.5", "192.168.1.5"),
            ("fd00::2 192.168.1.5", "[fd00::2]"),
        ] {
            assert_eq!(host(&ips(bound)), expected, "{bound}");
        }
    }

    #[test]
    fn the_hint_is_for_others_where_others_can_come() {
        for (bound, expected) in [
            ("0.0.0.0 ::", "127.0.0.1"),
            ("::", "::1"),
            ("::1", "::1"),
            ("127.0.0.1 192.168.1.5", "192.168.1.5"),
            ("127.0.0.1 ::", "::1"),
            ("127.0.0.2", "127.0.0.2"),
        ] {
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(arrived(&ips(bound)), expected, "{bound}");
        }
    }

    #[test]
    fn it_says_who_is_shown_and_no_more() {
        let find = FindOptions {
            peers: Vec::new(),
            lan: Some(8419),
            dht: Some(DhtOptions {
                bootstrap: Vec::new(),
                announces: true,
            }),
        };
        let says = |bound: &str, part: &str| shown(&ips(bound), &find).contains(part);
        let (lan, dht, public) = ("local network", "BitTorrent", "if its address is public");
        for (bound, expected) in [
            ("0.0.0.0 ::", [true, true, true]),
            ("192.168.1.5", [true, true, true]),
            ("::", [false; 3]),
            ("fd00::2", [false; 3]),
            ("127.0.0.1 ::", [false; 3]),
            ("::1", [false; 3]),
            ("127.0.0.1 ::1", [false; 3]),
        ] {
            let said = [lan, dht, public].map(|part| says(bound, part));
            assert_eq!(said, expected, "{bound}");
        }
        let nothing = FindOptions::default();
        assert_eq!(shown(&ips("0.0.0.0"), &nothing), "");
    }
}
