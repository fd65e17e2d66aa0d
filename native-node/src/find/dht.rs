//! The BitTorrent DHT as a place to meet (BEP 5): relays announce their port under a key of the
//! network and the day, and look it up.
//!
//! This node of the DHT only asks, and says so (BEP 43). The library behind it would begin to
//! answer after 15 minutes with an address that others reach, so each look-up has a node of its
//! own that is gone when it is done; what it learnt of others is where the next one begins.
//! Invariant: a look-up that fails, or that finds a fault in the library, is tried again.
//! PROTOCOL.md section 12.

use crate::driver::Outside;
use crate::find::round::{Looked, Round};
use crate::find::{Own, Place, between, is_global, own};
use shared::crypto::sha256;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// First pause while nothing was ever found; doubled up to [`EVERY_MIN`].
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// Between two look-ups, each with an announcement. Nodes of the DHT forget those who announced
/// themselves after half an hour.
const EVERY_MIN: Duration = Duration::from_secs(600);
const EVERY_MAX: Duration = Duration::from_secs(1_200);
/// Look-ups that follow each other more quickly announce nothing again.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(540);
/// How long a node of the DHT may take to answer.
const PATIENCE: Duration = mainline::DEFAULT_REQUEST_TIMEOUT;
/// So near to a change of day the other day's key is used as well.
const DAY_EDGE_S: u64 = 3_600;
const DAY_S: u64 = 86_400;

/// How the DHT is used.
#[derive(Clone, Debug)]
pub struct DhtOptions {
    /// Where it is entered. Empty: [`BOOTSTRAP`].
    pub bootstrap: Vec<Place>,
    /// Whether this relay shows itself there, or only looks for others.
    pub announces: bool,
}

/// Where the DHT of the internet is entered.
pub const BOOTSTRAP: [&str; 4] = mainline::DEFAULT_BOOTSTRAP_NODES;

/// From where this relay uses the DHT, which is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Anywhere,
    At(Ipv4Addr),
}

/// None: nobody that is found there can be dialled from what is bound, which is for this machine
/// alone or no IPv4.
fn standing(bound: &[IpAddr], bootstrap: &[Place]) -> Option<Standing> {
    let v4 = bound.iter().filter_map(|ip| match ip {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    });
    let (looped, outside): (Vec<_>, Vec<_>) = v4.partition(Ipv4Addr::is_loopback);
    match (outside.first(), looped.first()) {
        _ if outside.contains(&Ipv4Addr::UNSPECIFIED) => Some(Standing::Anywhere),
        (Some(ip), _) => Some(Standing::At(*ip)),
        // There is a DHT on this machine.
        (None, Some(ip)) if !bootstrap.is_empty() => Some(Standing::At(*ip)),
        (None, _) => None,
    }
}

/// Whether a relay that listens there uses the DHT.
pub(crate) fn is_used(bound: &[IpAddr], bootstrap: &[Place]) -> bool {
    standing(bound, bootstrap).is_some()
}

/// The key of a day.
pub fn key(network: u32, day: u32) -> [u8; 20] {
    let hash = sha256(&[b"wm-dht", &network.to_le_bytes(), &day.to_le_bytes()]);
    hash.first_chunk().copied().unwrap_or_default()
}

/// The keys to use at a time, Unix seconds: today's first.
pub(super) fn keys(network: u32, unix_s: u64) -> Vec<[u8; 20]> {
    let day = |at: u64| u32::try_from(at / DAY_S).unwrap_or(u32::MAX);
    let mut days = vec![day(unix_s)];
    for near in [unix_s.saturating_sub(DAY_EDGE_S), unix_s + DAY_EDGE_S] {
        if !days.contains(&day(near)) {
            days.push(day(near));
        }
    }
    days.into_iter().map(|day| key(network, day)).collect()
}

/// Whether somebody on the other side of the DHT may reach this relay. Behind a NAT nobody does,
/// and an announcement would show no more than that somebody there uses WireMin.
fn is_reached(addresses: &[SocketAddr], bootstrap: &[Place]) -> bool {
    let global = |address: &SocketAddr| address.is_ipv4() && is_global(address.ip());
    // A DHT of one's own is on the same side.
    let own = |place: &Place| place.is_local();
    let own = !bootstrap.is_empty() && bootstrap.iter().all(own);
    own || addresses.iter().any(global)
}

/// How long to wait after so many look-ups that found nobody: from, to. `None`: somebody was
/// found once.
fn pause(fruitless: Option<u32>) -> (Duration, Duration) {
    let doubled = |times: u32| RETRY_FIRST * 2_u32.saturating_pow(times.min(16));
    match fruitless.map(|times| doubled(times.saturating_sub(1))) {
        Some(pause) if pause < EVERY_MIN => (pause, pause + pause / 2),
        _ => (EVERY_MIN, EVERY_MAX),
    }
}

/// Looks up and announces as long as it runs; comes back at once when there is nobody to ask.
pub(super) async fn run(options: DhtOptions, own: Own, tell: mpsc::Sender<Outside>) {
    let Some(standing) = standing(&own.bound, &options.bootstrap) else {
        tracing::info!("the DHT is not used: it is IPv4, and the relay is not there");
        return;
    };
    let bind = match standing {
        Standing::Anywhere => None,
        Standing::At(ip) => Some(ip),
    };
    let port = own.advertise.and_then(|to| to.port).unwrap_or(own.port);
    let mut known = Looked::default();
    let mut announced: Option<Instant> = None;
    let mut fruitless = Some(0);
    loop {
        let due = announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_EVERY);
        let addresses = own::addresses(&own, own::outward);
        let reached = is_reached(&addresses, &options.bootstrap);
        let round = Round {
            bootstrap: options.bootstrap.clone(),
            nodes: std::mem::take(&mut known.nodes),
            bind,
            patience: PATIENCE,
            keys: keys(own.network, unix_s()),
            port,
            announces: options.announces && due && reached,
            own: addresses,
            public: known.public,
            tell: tell.clone(),
        };
        if tell.is_closed() {
            return;
        }
        let looked = in_task(round).await;
        if looked.announced {
            announced = Some(Instant::now());
        }
        fruitless = match (fruitless, looked.found) {
            (Some(times), 0) => Some(times + 1),
            _ => None,
        };
        log(&looked, fruitless);
        known = Looked {
            public: looked.public.or(known.public),
            ..looked
        };
        let (from, to) = pause(fruitless);
        sleep(between(from, to)).await;
    }
}

/// A task of its own, so that a fault in the library ends one look-up and no more.
async fn in_task(round: Round) -> Looked {
    let mut task = JoinSet::new();
    task.spawn(round.look());
    match task.join_next().await {
        Some(Ok(looked)) => looked,
        _ => Looked::default(),
    }
}

fn log(looked: &Looked, fruitless: Option<u32>) {
    tracing::debug!(
        found = looked.found,
        dropped = ?looked.dropped,
        announced = looked.announced,
        answered = !looked.nodes.is_empty(),
        "looked for relays in the DHT"
    );
    if looked.nodes.is_empty() && fruitless == Some(1) {
        tracing::warn!(
            "nobody in the DHT answers; it is tried again. Is there a network? Others can be \
             named with --peer"
        );
    }
}

fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_of_the_network_and_the_day() {
        // printf 'wm-dht\x04\x03\x02\x01\xe8\x4e\x00\x00' | sha256sum
        let expected = "8a5d7d7937f975f7fefca199d0676044e0baf84e";
        let hex: String = key(0x0102_0304, 20_200)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn behind_a_nat_nothing_is_announced() {
        let at = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert!(is_reached(&at(&["192.168.1.2:8420", "11.1.1.1:8420"]), &[]));
        assert!(!is_reached(
            &at(&["192.168.1.2:8420", "[2a00::1]:8420"]),
            &[]
        ));
        assert!(!is_reached(&[], &[]));
        let own = ["10.0.0.1:6881".parse().unwrap()];
        assert!(is_reached(&at(&["10.0.0.2:8420"]), &own));
        let public = ["router.example:6881".parse().unwrap()];
        assert!(!is_reached(&at(&["10.0.0.2:8420"]), &public));
    }

    #[test]
    fn near_a_change_of_day_both_days_count() {
        let of = |unix_s| keys(1, unix_s);
        let midnight = 20_200 * DAY_S;
        let (yesterday, today) = (key(1, 20_199), key(1, 20_200));
        assert_eq!(of(midnight - DAY_EDGE_S - 1), [yesterday]);
        assert_eq!(of(midnight - DAY_EDGE_S), [yesterday, today]);
        assert_eq!(of(midnight - 1), [yesterday, today]);
        assert_eq!(of(midnight), [today, yesterday]);
        assert_eq!(of(midnight + DAY_EDGE_S - 1), [today, yesterday]);
        assert_eq!(of(midnight + DAY_EDGE_S), [today]);
        assert_eq!(of(0), [key(1, 0)]);
    }

    #[test]
    fn pauses_grow_until_somebody_is_found() {
        let from: Vec<u64> = (1..=9)
            .map(|times| pause(Some(times)).0.as_secs())
            .collect();
        assert_eq!(from, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(pause(Some(u32::MAX)), (EVERY_MIN, EVERY_MAX));
        assert_eq!(pause(None), (EVERY_MIN, EVERY_MAX));
    }

    #[test]
    fn a_relay_for_this_machine_alone_asks_nobody_outside() {
        let of = |bound: &[&str], bootstrap: &[&str]| {
            let bound: Vec<IpAddr> = bound.iter().map(|text| text.parse().unwrap()).collect();
            let bootstrap: Vec<Place> = bootstrap.iter().map(|t| t.parse().unwrap()).collect();
            standing(&bound, &bootstrap)
        };
        let at = |ip: &str| Some(Standing::At(ip.parse().unwrap()));
        let own = ["127.0.0.1:6881"];
        assert_eq!(of(&["127.0.0.1", "::1"], &[]), None);
        assert_eq!(of(&["127.0.0.1", "::"], &[]), None);
        assert_eq!(of(&["127.0.0.1"], &own), at("127.0.0.1"));
        assert_eq!(of(&["0.0.0.0", "::"], &[]), Some(Standing::Anywhere));
        let both = of(&["127.0.0.1", "0.0.0.0"], &[]);
        assert_eq!(both, Some(Standing::Anywhere));
        assert_eq!(of(&["127.0.0.1", "192.0.2.7"], &[]), at("192.0.2.7"));
        // Nobody there can be dialled over IPv6.
        for bound in ["::", "::1", "fd00::2"] {
            assert_eq!(of(&[bound], &[]), None);
            assert_eq!(of(&[bound], &own), None);
        }
    }
}
