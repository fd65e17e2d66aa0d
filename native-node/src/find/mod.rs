//! Finding other relays, and what others find of this one.
//!
//! ```text
//! own    the addresses at which others reach this relay
//! named  the relays that the person who runs this one names
//! lan    beacons on the local network    neighbours  what they say
//! dht    the BitTorrent DHT              round       one look-up and announcement
//! ```
//!
//! Invariant: what is found is bounded in number, believed by nobody here, and written into no
//! log. PROTOCOL.md section 12.

pub mod dht;
pub mod lan;
pub mod named;
pub mod neighbours;
pub mod own;
mod round;
#[cfg(test)]
mod round_tests;

pub use dht::DhtOptions;
pub use named::Place;

use crate::driver::Outside;
use crate::http::Advertise;
use shared::book::{Reach, reach};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How others are found. The default finds nobody.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// Relays that the person who runs this one names.
    pub peers: Vec<Place>,
    /// UDP port of the beacons, [`lan::PORT`] in production; none: no beacons.
    pub lan: Option<u16>,
    /// None: the DHT is not used.
    pub dht: Option<DhtOptions>,
}

/// What there is to find of this relay.
#[derive(Clone, Debug)]
pub struct Own {
    pub network: u32,
    pub node_key: [u8; 32],
    /// What is listened on.
    pub bound: Vec<IpAddr>,
    pub port: u16,
    pub advertise: Option<Advertise>,
}

/// All that looks for others. Dropping it ends the search.
pub struct Finders {
    _tasks: JoinSet<()>,
}

/// Starts the search. The own addresses are told before anything that is found.
pub fn start(options: FindOptions, own: &Own, tell: &mpsc::Sender<Outside>) -> Finders {
    let mut tasks = JoinSet::new();
    let known = own::addresses(own, own::outward);
    // The queue is new and has room; a node that is gone needs no address.
    let _ = tell.try_send(Outside::Reachable(known.clone()));
    tasks.spawn(own::watch(own.clone(), known, tell.clone()));
    if !options.peers.is_empty() {
        tasks.spawn(named::run(options.peers, tell.clone()));
    }
    if let Some(port) = options.lan {
        tasks.spawn(lan::run(port, own.clone(), tell.clone()));
    }
    if let Some(dht) = options.dht {
        tasks.spawn(dht::run(dht, own.clone(), tell.clone()));
    }
    Finders { _tasks: tasks }
}

/// Does what blocks on a thread of its own, which does not keep the process from ending.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, done) = oneshot::channel();
    let work = move || drop(sender.send(work()));
    std::thread::Builder::new()
        .name("find".into())
        .spawn(work)
        .ok()?;
    done.await.ok()
}

/// A random time between two, the second not included.
fn between(from: Duration, to: Duration) -> Duration {
    let span = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
    // Without random bytes: always at the same time, which harms nobody.
    let dice = getrandom::u64().unwrap_or(0);
    from + Duration::from_millis(dice.checked_rem(span).unwrap_or(0))
}

/// An address that the whole internet reaches, if anybody listens there.
fn is_global(ip: IpAddr) -> bool {
    reach(ip) == Some(Reach::Public)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn special_addresses_are_not_global() {
        let special = "0.1.2.3 10.1.2.3 100.64.0.1 127.0.0.1 169.254.1.1 172.16.0.1 192.0.0.8 \
            192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 \
            255.255.255.255 :: ::1 ::ffff:10.0.0.1 fc00::1 fe80::1 ff02::1 2001:db8::1";
        for text in special.split_whitespace() {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
        let global = "1.1.1.1 100.63.0.1 100.128.0.1 172.32.0.1 192.0.1.1 198.20.0.1 223.1.1.1 \
            ::ffff:8.8.8.8 2606:4700::1111 2001:4860::1";
        for text in global.split_whitespace() {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_time_between_two_is_between_them() {
        let (from, to) = (Duration::from_secs(10), Duration::from_secs(20));
        for _ in 0..1_000 {
            assert!((from..to).contains(&between(from, to)));
        }
        assert_eq!(between(from, from), from);
    }
}
