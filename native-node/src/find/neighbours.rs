//! What beacons say, and which of them are heeded.
//!
//! Invariant: only somebody on a network of this machine is heeded, so that a forged datagram from
//! outside makes this relay dial nobody; and a flood fills no more than the bounds below.
//! PROTOCOL.md section 12.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Length of a beacon.
pub const BEACON_BYTES: usize = 47;
const MAGIC: &[u8; 9] = b"wm-beacon";
/// Beacons heeded of one address in a [`PERIOD`].
const FROM_ONE_MAX: u32 = 60;
/// Addresses heeded in a [`PERIOD`].
const SENDERS_MAX: usize = 256;
const PERIOD: Duration = Duration::from_secs(60);
/// Neighbours known at a time, in all and at one address.
const NEIGHBOURS_MAX: usize = 256;
const NEIGHBOURS_AT_ONE_MAX: usize = 16;
/// A neighbour unheard for so long is unknown again.
const FORGET_AFTER: Duration = Duration::from_secs(300);
/// A neighbour's beacons come by several ways at once; the node is told of one.
const TELL_EVERY: Duration = Duration::from_secs(20);

/// One relay says where it is; the address is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    pub network: u32,
    /// UDP; not 0.
    pub port: u16,
    pub node_key: [u8; 32],
}

impl Beacon {
    pub fn to_bytes(self) -> [u8; BEACON_BYTES] {
        let mut bytes = [0; BEACON_BYTES];
        bytes[..9].copy_from_slice(MAGIC);
        bytes[9..13].copy_from_slice(&self.network.to_le_bytes());
        bytes[13..15].copy_from_slice(&self.port.to_le_bytes());
        bytes[15..].copy_from_slice(&self.node_key);
        bytes
    }

    /// Exactly one beacon, or nothing.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (network, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let (port, node_key) = rest.split_first_chunk()?;
        let beacon = Self {
            network: u32::from_le_bytes(*network),
            port: u16::from_le_bytes(*port),
            node_key: node_key.try_into().ok()?,
        };
        (beacon.port != 0).then_some(beacon)
    }
}

/// An IPv4 network that this machine is on, and is heard in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalNet {
    /// The own address.
    pub ip: Ipv4Addr,
    pub mask: Ipv4Addr,
    /// Of this network alone.
    pub broadcast: Option<Ipv4Addr>,
}

impl LocalNet {
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        let masked = |ip: Ipv4Addr| ip.to_bits() & self.mask.to_bits();
        masked(ip) == masked(self.ip)
    }
}

/// Datagrams that were not heeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub malformed: u64,
    /// Of another network of relays.
    pub other_network: u64,
    /// From somewhere that is on no network of this machine.
    pub stranger: u64,
    pub too_many: u64,
}

/// A beacon that is heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub address: SocketAddr,
    /// Unknown until now.
    pub new: bool,
}

/// Who was heard, and how often.
pub struct Neighbours {
    network: u32,
    own_key: [u8; 32],
    known: HashMap<SocketAddrV4, Known>,
    senders: HashMap<Ipv4Addr, u32>,
    period: Instant,
    dropped: Dropped,
}

struct Known {
    node_key: [u8; 32],
    heard: Instant,
    told: Instant,
}

impl Neighbours {
    pub fn new(now: Instant, network: u32, own_key: [u8; 32]) -> Self {
        Self {
            network,
            own_key,
            known: HashMap::new(),
            senders: HashMap::new(),
            period: now,
            dropped: Dropped::default(),
        }
    }

    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// What the node shall be told of a datagram, if anything.
    pub fn hear(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        bytes: &[u8],
        nets: &[LocalNet],
    ) -> Option<Heard> {
        if now.duration_since(self.period) >= PERIOD {
            self.period = now;
            self.senders.clear();
            self.known
                .retain(|_, known| now.duration_since(known.heard) < FORGET_AFTER);
        }
        let dropped = &mut self.dropped;
        if from.is_unspecified() || !nets.iter().any(|net| net.contains(from)) {
            dropped.stranger += 1;
            return None;
        }
        if !counted(&mut self.senders, from) {
            dropped.too_many += 1;
            return None;
        }
        let Some(beacon) = Beacon::parse(bytes) else {
            dropped.malformed += 1;
            return None;
        };
        if beacon.node_key == self.own_key {
            return None;
        }
        if beacon.network != self.network {
            dropped.other_network += 1;
            return None;
        }
        self.meet(now, SocketAddrV4::new(from, beacon.port), beacon.node_key)
    }

    fn meet(&mut self, now: Instant, at: SocketAddrV4, node_key: [u8; 32]) -> Option<Heard> {
        let address = SocketAddr::V4(at);
        if let Some(known) = self.known.get_mut(&at) {
            known.heard = now;
            // Another relay moved in, or the known one started anew with another key.
            let new = std::mem::replace(&mut known.node_key, node_key) != node_key;
            let due = now.duration_since(known.told) >= TELL_EVERY;
            if due {
                known.told = now;
            }
            return due.then_some(Heard { address, new });
        }
        let at_one = self.known.keys().filter(|known| known.ip() == at.ip());
        if self.known.len() >= NEIGHBOURS_MAX || at_one.count() >= NEIGHBOURS_AT_ONE_MAX {
            self.dropped.too_many += 1;
            return None;
        }
        let known = Known {
            node_key,
            heard: now,
            told: now,
        };
        self.known.insert(at, known);
        Some(Heard { address, new: true })
    }
}

/// Counts one more of a sender; false when it is one too many.
fn counted(senders: &mut HashMap<Ipv4Addr, u32>, from: Ipv4Addr) -> bool {
    let room = senders.len() < SENDERS_MAX;
    match senders.get_mut(&from) {
        Some(count) => {
            *count += 1;
            *count <= FROM_ONE_MAX
        }
        None if room => senders.insert(from, 1).is_none(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NETWORK: u32 = 0x0403_0201;
    const OWN: [u8; 32] = [9; 32];

    fn beacon(port: u16, key: u8) -> Beacon {
        Beacon {
            network: NETWORK,
            port,
            node_key: [key; 32],
        }
    }

    fn neighbours() -> (Neighbours, Instant, [LocalNet; 1]) {
        let now = Instant::now();
        let net = LocalNet {
            ip: "192.168.1.5".parse().unwrap(),
            mask: "255.255.255.0".parse().unwrap(),
            broadcast: None,
        };
        (Neighbours::new(now, NETWORK, OWN), now, [net])
    }

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 1, last)
    }

    #[test]
    fn a_beacon_is_47_known_bytes() {
        let bytes = beacon(8420, 7).to_bytes();
        let expected = [&b"wm-beacon\x01\x02\x03\x04\xe4\x20"[..], &[7; 32]].concat();
        assert_eq!(bytes.to_vec(), expected);
        assert_eq!(Beacon::parse(&bytes), Some(beacon(8420, 7)));
    }

    #[test]
    fn junk_is_no_beacon() {
        let bytes = beacon(8420, 7).to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Beacon::parse(&bytes[..length]), None);
        }
        assert_eq!(Beacon::parse(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Beacon::parse(&beacon(0, 7).to_bytes()), None);
        for at in 0..MAGIC.len() {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Beacon::parse(&changed), None);
        }
        assert_eq!(Beacon::parse(&[0xff; 2_000]), None);
    }

    #[test]
    fn a_neighbour_is_new_once_and_told_now_and_then() {
        let (mut neighbours, now, nets) = neighbours();
        let bytes = beacon(8420, 7).to_bytes();
        let mut hear = |after: u64| {
            let now = now + Duration::from_secs(after);
            neighbours.hear(now, ip(6), &bytes, &nets)
        };
        let address = "192.168.1.6:8420".parse().unwrap();
        assert_eq!(hear(0), Some(Heard { address, new: true }));
        assert_eq!(hear(1), None);
        assert_eq!(
            hear(30),
            Some(Heard {
                address,
                new: false
            })
        );
        assert_eq!(hear(31), None);
        // Unheard for too long.
        assert_eq!(hear(400), Some(Heard { address, new: true }));
        assert_eq!(neighbours.dropped(), Dropped::default());
    }

    #[test]
    fn what_is_not_heeded_is_counted() {
        let (mut neighbours, now, nets) = neighbours();
        let theirs = beacon(8420, 7).to_bytes();
        let own = beacon(8420, 9).to_bytes();
        let mut other = beacon(8420, 7);
        other.network += 1;
        assert_eq!(neighbours.hear(now, ip(5), &own, &nets), None);
        assert_eq!(neighbours.hear(now, ip(6), &other.to_bytes(), &nets), None);
        assert_eq!(neighbours.hear(now, ip(6), b"junk", &nets), None);
        for stranger in [[192, 168, 2, 6], [8, 8, 8, 8], [0, 0, 0, 0], [127, 0, 0, 1]] {
            assert_eq!(neighbours.hear(now, stranger.into(), &theirs, &nets), None);
        }
        let expected = Dropped {
            malformed: 1,
            other_network: 1,
            stranger: 4,
            too_many: 0,
        };
        assert_eq!(neighbours.dropped(), expected);
        assert!(neighbours.hear(now, ip(6), &theirs, &nets).is_some());
    }

    #[test]
    fn a_flood_stays_within_bounds() {
        let (mut neighbours, now, nets) = neighbours();
        // One address with a new relay in every datagram.
        let of_one = (1..=100).filter(|port| {
            let bytes = beacon(*port, 7).to_bytes();
            neighbours.hear(now, ip(6), &bytes, &nets).is_some()
        });
        assert_eq!(of_one.count(), NEIGHBOURS_AT_ONE_MAX);
        assert_eq!(neighbours.dropped().too_many, 100 - 16);
        // Many addresses with many relays each.
        let mut heeded = 0;
        for last in 7..=200 {
            for port in 1..=50 {
                let bytes = beacon(port, 7).to_bytes();
                heeded += usize::from(neighbours.hear(now, ip(last), &bytes, &nets).is_some());
            }
        }
        assert_eq!(heeded, NEIGHBOURS_MAX - NEIGHBOURS_AT_ONE_MAX);
        // Later there is room again.
        let later = now + FORGET_AFTER + PERIOD;
        let bytes = beacon(1, 7).to_bytes();
        let expected = Heard {
            address: "192.168.1.250:1".parse().unwrap(),
            new: true,
        };
        assert_eq!(
            neighbours.hear(later, ip(250), &bytes, &nets),
            Some(expected)
        );
    }
}
