//! Parts of the address space: which relay keeps what. PROTOCOL.md section 12, "Ranges".
//!
//! Invariant: where a relay belongs follows from its network, which it cannot choose freely, and
//! from the day; keys give it four places at most.

use crate::crypto::sha256;
use core::net::{IpAddr, SocketAddr};

/// Bits by which the range of headers is wider than that of bodies: 16 ranges. Test networks may
/// take fewer.
pub const SCAN_WIDER_BITS: u8 = 4;
/// Places that the relays of one network have.
pub const SLOTS: u8 = 4;
/// Days after which a relay moves to another place.
const PERIOD_DAYS: u32 = 90;

/// All addresses that start with the same bits, the most significant ones first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    bits: u8,
    prefix: u32,
}

impl Range {
    /// Every address.
    pub const ALL: Range = Range { bits: 0, prefix: 0 };

    /// The range of so many bits, 32 at most, that an address lies in.
    pub fn of(address: u32, bits: u8) -> Self {
        let bits = bits.min(32);
        let prefix = address & mask(bits);
        Range { bits, prefix }
    }

    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The lowest address.
    pub fn prefix(self) -> u32 {
        self.prefix
    }

    /// The highest address.
    pub fn last(self) -> u32 {
        self.prefix | !mask(self.bits)
    }

    pub fn has(self, address: u32) -> bool {
        address & mask(self.bits) == self.prefix
    }

    /// Whether one of them lies in the other.
    pub fn overlaps(self, other: Range) -> bool {
        self.has(other.prefix) || other.has(self.prefix)
    }

    /// Whether the other lies in it.
    pub fn wider_or_same(self, other: Range) -> bool {
        self.bits <= other.bits && self.has(other.prefix)
    }

    /// What both have in common.
    pub fn and(self, other: Range) -> Option<Range> {
        let narrower = if self.bits >= other.bits { self } else { other };
        self.overlaps(other).then_some(narrower)
    }

    /// The range around it that has so many bits less.
    pub fn wider(self, bits: u8) -> Range {
        Range::of(self.prefix, self.bits.saturating_sub(bits))
    }

    /// An address in it: its first bits, then those of another one.
    pub fn fill(self, rest: u32) -> u32 {
        self.prefix | rest & !mask(self.bits)
    }

    /// The ranges in it that have so many bits more, 32 at most.
    pub fn split(self, steps: u8) -> impl Iterator<Item = Range> {
        let bits = self.bits.saturating_add(steps).min(32);
        let step = 1u64 << (32 - bits);
        let each = 0..1u64 << (bits - self.bits);
        each.map(move |n| Range::of((u64::from(self.prefix) + n * step) as u32, bits))
    }

    /// Its two halves; none of a single address.
    pub fn halves(self) -> Option<[Range; 2]> {
        let bit = 1u32 << 31u8.checked_sub(self.bits)?;
        let half = |address| Range::of(address, self.bits + 1);
        Some([half(self.prefix), half(self.prefix | bit)])
    }

    /// The ranges of the same size in the one that has so many bits less, without itself.
    pub fn siblings(self, wider: u8) -> impl Iterator<Item = Range> {
        let around = self.wider(wider);
        let each = around.split(self.bits - around.bits);
        each.filter(move |range| *range != self)
    }
}

fn mask(bits: u8) -> u32 {
    !u32::MAX.checked_shr(bits.into()).unwrap_or(0)
}

/// Where a relay belongs in a network of relays, by the first address that it has, its node key and
/// a day since 1970.
pub fn position(network: u32, address: Option<&SocketAddr>, node_key: &[u8; 32], day: u32) -> u32 {
    let [first, ..] = *node_key;
    let slot = [first % SLOTS];
    let around = neighbourhood(address);
    let network = network.to_le_bytes();
    let [a, b, ..] = sha256(&[b"wm-period", &network, &around, &slot]);
    let shift = u32::from(u16::from_le_bytes([a, b])) % PERIOD_DAYS;
    let period = day.saturating_add(shift) / PERIOD_DAYS;
    let parts: [&[u8]; 5] = [b"wm-range", &network, &around, &slot, &period.to_le_bytes()];
    let [a, b, c, d, ..] = sha256(&parts);
    u32::from_be_bytes([a, b, c, d])
}

/// The /24 of an IPv4 address, the /48 of an IPv6 one; all who have none are one.
fn neighbourhood(address: Option<&SocketAddr>) -> [u8; 7] {
    match address.map(|address| address.ip().to_canonical()) {
        Some(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            [4, a, b, c, 0, 0, 0]
        }
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            [6, a, b, c, d, e, f]
        }
        None => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    #[test]
    fn ranges_nest() {
        let all = Range::ALL;
        assert!(all.has(0) && all.has(u32::MAX));
        let [low, high] = all.halves().unwrap();
        assert!(low.has(0x7fff_ffff) && !low.has(0x8000_0000) && high.has(0x8000_0000));
        assert!(!low.overlaps(high) && all.overlaps(low) && low.overlaps(all));
        assert_eq!((all.and(high), low.and(high)), (Some(high), None));
        assert_eq!(high.wider(1), all);
        assert_eq!(all.wider(1), all);
        let quarters: Vec<u32> = high.split(2).map(Range::prefix).collect();
        assert_eq!(
            quarters,
            [0x8000_0000, 0xa000_0000, 0xc000_0000, 0xe000_0000]
        );
        assert_eq!(
            (all.split(0).count(), Range::of(7, 31).split(9).count()),
            (1, 2)
        );
        assert_eq!((high.fill(5), high.fill(u32::MAX)), (0x8000_0005, u32::MAX));
        let one = Range::of(77, 40);
        assert_eq!((one.bits(), one.halves()), (32, None));
        assert!(one.has(77) && !one.has(76));
    }

    #[test]
    fn siblings_are_all_that_is_scanned() {
        for (bits, wider) in (0..=32u8).flat_map(|bits| [(bits, 1), (bits, SCAN_WIDER_BITS)]) {
            let range = Range::of(0xdead_beef, bits);
            let around = range.wider(wider);
            let siblings: Vec<Range> = range.siblings(wider).collect();
            assert_eq!(siblings.len(), (1 << bits.min(wider)) - 1);
            for sibling in siblings {
                assert!(!sibling.overlaps(range) && around.overlaps(sibling));
                assert_eq!((sibling.bits(), sibling.wider(wider)), (bits, around));
            }
        }
    }

    #[test]
    fn a_network_has_four_places_and_moves_every_90_days() {
        let place = |address: &str, key: u8, day| {
            let address: SocketAddr = address.parse().unwrap();
            position(7, Some(&address), &[key; 32], day)
        };
        let here = place("5.6.7.8:1", 0, 20_000);
        assert_eq!(here, place("5.6.7.250:9", 4, 20_000));
        assert_eq!(here, place("[::ffff:5.6.7.8]:9", 8, 20_000));
        assert_ne!(here, place("5.6.8.8:1", 0, 20_000));
        let keys = (0..=255).map(|key| place("5.6.7.8:1", key, 20_000));
        assert_eq!(keys.collect::<BTreeSet<u32>>().len(), 4);
        let days = |ip: u8| {
            (20_000..20_360).map(move |day| place(&alloc::format!("5.6.{ip}.8:1"), 0, day))
        };
        let moves = |ip| {
            let days: Vec<u32> = days(ip).collect();
            let moves = days
                .windows(2)
                .enumerate()
                .filter(|(_, two)| two[0] != two[1]);
            moves.map(|(day, _)| day).collect::<Vec<usize>>()
        };
        let some = moves(1);
        assert_eq!(some.len(), 4, "{some:?}");
        assert!(some.windows(2).all(|two| two[1] - two[0] == 90));
        // Not all on one day.
        let firsts: BTreeSet<usize> = (0..50).map(|ip| moves(ip)[0]).collect();
        assert!(firsts.len() > 20);
    }
}
