//! How addresses are judged: who can reach them, and to which network they belong. PROTOCOL.md
//! section 12.
//!
//! Invariant: an IPv4 address that is written as IPv6 (`::ffff:0:0/96`) is that IPv4 address.

pub use crate::io::Reach;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// A network that is likely to be in one hand: the /16 of an IPv4 address, the /32 of an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group([u8; 5]);

impl Group {
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                Group([4, a, b, 0, 0])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.octets();
                Group([6, a, b, c, d])
            }
        }
    }

    /// Of all its addresses that a relay may have.
    pub fn reach(self) -> Reach {
        let Group([family, a, b, c, d]) = self;
        let ip = match (family, u32::from_be_bytes([a, b, c, d])) {
            // ::1 is the one address of ::/32.
            (6, 0) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            (6, _) => IpAddr::V6(Ipv6Addr::from([
                a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            ])),
            _ => IpAddr::V4(Ipv4Addr::new(a, b, 1, 1)),
        };
        reach(ip).unwrap_or(Reach::Public)
    }

    pub(super) fn bytes(&self) -> &[u8; 5] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 5]) -> Option<Self> {
        match bytes {
            [4, _, _, 0, 0] | [6, ..] => Some(Group(bytes)),
            _ => None,
        }
    }
}

/// The one way to write an address here.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(ip) => {
            let scope = match address {
                // A link-local address says nothing without its interface.
                SocketAddr::V6(a) if ip.is_unicast_link_local() => a.scope_id(),
                _ => 0,
            };
            SocketAddrV6::new(ip, address.port(), 0, scope).into()
        }
    }
}

/// `None`: no relay can have it (multicast, unspecified, documentation, reserved). RFC 6890 and the
/// registries of IANA.
pub fn reach(ip: IpAddr) -> Option<Reach> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Option<Reach> {
    match ip.octets() {
        [127, ..] => Some(Reach::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Reach::Private),
        [100, 64..=127, ..] | [169, 254, ..] => Some(Reach::Private),
        // This network; protocol assignments; documentation; 6to4 anycast; benchmarks.
        [0, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => None,
        [198, 51, 100, _] | [203, 0, 113, _] => None,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => None,
        _ => Some(Reach::Public),
    }
}

fn reach_v6(ip: Ipv6Addr) -> Option<Reach> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Reach::Loopback),
        [0xfc00..=0xfdff, ..] | [0xfe80..=0xfebf, ..] => Some(Reach::Private),
        // Protocol assignments (Teredo and ORCHID among them), documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => None,
        [0x2000..=0x3fff, ..] => Some(Reach::Public),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn special_addresses_are_known() {
        let none = "0.0.0.0 0.1.2.3 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 \
             198.51.100.7 203.0.113.9 224.0.0.1 239.1.2.3 240.0.0.1 255.255.255.255 :: ::2 \
             ::7f00:1 64:ff9b::102:304 100::1 2001::1 2001:20::1 2001:db8::1 2002:102:304::1 \
             3fff::1 fec0::1 ff02::1 4000::1 ::ffff:192.0.2.1 ::ffff:0.0.0.0";
        for text in none.split_whitespace() {
            assert_eq!(reach(ip(text)), None, "{text}");
        }
        for text in "127.0.0.1 127.255.0.9 ::1 ::ffff:127.0.0.1".split_whitespace() {
            assert_eq!(reach(ip(text)), Some(Reach::Loopback), "{text}");
        }
        let private = "10.0.0.1 172.16.0.1 172.31.255.1 192.168.1.1 100.64.0.1 100.127.9.9 \
             169.254.3.3 fc00::1 fd12::1 fe80::1 febf::1 ::ffff:10.1.1.1";
        for text in private.split_whitespace() {
            assert_eq!(reach(ip(text)), Some(Reach::Private), "{text}");
        }
        let public = "1.1.1.1 172.15.0.1 172.32.0.1 192.169.0.1 100.63.0.1 100.128.0.1 192.0.1.1 \
             198.20.0.1 223.255.255.1 2001:200::1 2001:4860::1 2a00::1 ::ffff:1.2.3.4";
        for text in public.split_whitespace() {
            assert_eq!(reach(ip(text)), Some(Reach::Public), "{text}");
        }
    }

    #[test]
    fn groups() {
        assert_eq!(Group::of(ip("5.6.7.8")), Group::of(ip("5.6.250.1")));
        assert_ne!(Group::of(ip("5.6.7.8")), Group::of(ip("5.7.7.8")));
        assert_eq!(Group::of(ip("5.6.7.8")), Group::of(ip("::ffff:5.6.1.1")));
        assert_eq!(Group::of(ip("2a00:1:2::1")), Group::of(ip("2a00:1:ffff::")));
        assert_ne!(Group::of(ip("2a00:1::1")), Group::of(ip("2a00:2::1")));
        // A group is as near as its addresses.
        let each = "127.0.0.1 10.9.9.9 172.31.0.1 192.168.3.4 100.64.1.1 169.254.1.1 8.8.8.8 ::1 \
             fd00:1::1 fe80::1 2a00::1 192.0.1.1 198.51.1.1";
        for text in each.split_whitespace() {
            assert_eq!(Some(Group::of(ip(text)).reach()), reach(ip(text)), "{text}");
            let group = Group::of(ip(text));
            assert_eq!(Group::from_bytes(*group.bytes()), Some(group));
        }
        assert_eq!(Group::from_bytes([5, 0, 0, 0, 0]), None);
        assert_eq!(Group::from_bytes([4, 0, 0, 0, 1]), None);
    }

    #[test]
    fn one_way_to_write_an_address() {
        let canonical = |text: &str| canonical(text.parse().unwrap());
        let plain = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(canonical("[::ffff:1.2.3.4]:5"), plain("1.2.3.4:5"));
        assert_eq!(canonical("[2a00::1%7]:5"), plain("[2a00::1]:5"));
        assert_eq!(canonical("[fe80::1%7]:5"), plain("[fe80::1%7]:5"));
    }
}
