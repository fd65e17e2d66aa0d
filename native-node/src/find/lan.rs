//! Beacons on the local networks: relays that need nobody else to find each other.
//!
//! Each network that the relay listens on hears its beacon, loopback too, so that two relays on a
//! machine without any network meet. Invariant: a datagram is answered by nothing but an earlier
//! beacon to everybody, at most one in [`SOON`]. PROTOCOL.md section 12.

use crate::driver::Outside;
use crate::find::neighbours::{BEACON_BYTES, Beacon, LocalNet, Neighbours};
use crate::find::own::outward;
use crate::find::{Own, between};
use shared::io::Finder;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// UDP port of the beacons.
pub const PORT: u16 = 8419;
/// Between two beacons, on average.
const SAY_EVERY: Duration = Duration::from_secs(30);
const JITTER: Duration = Duration::from_secs(5);
/// Least time between two beacons, however many unknown neighbours are heard.
const SOON: Duration = Duration::from_secs(5);
/// Several that hear the same newcomer do not answer all at once.
const SPREAD: Duration = Duration::from_millis(500);
/// Pause after a socket failed.
const FAILED: Duration = Duration::from_secs(1);
/// Networks that a beacon goes to.
const NETS_MAX: usize = 16;

/// Says and hears beacons as long as it runs; comes back at once when there is nobody to talk to.
pub(super) async fn run(port: u16, own: Own, tell: mpsc::Sender<Outside>) {
    if !own.bound.iter().any(IpAddr::is_ipv4) {
        tracing::info!("no beacons on the local network: they are IPv4, and the relay is not");
        return;
    }
    let socket = match listen(port) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(
                port,
                %error,
                "no beacons on the local network: the port cannot be used. The relay works; \
                 others nearby have to be named with --peer"
            );
            return;
        }
    };
    let beacon = Beacon {
        network: own.network,
        port: own.port,
        node_key: own.node_key,
    };
    let mut neighbours = Neighbours::new(now(), own.network, own.node_key);
    let mut dropped = neighbours.dropped();
    let mut nets = local_nets(&own.bound);
    let (mut said, mut say_at) = (None, Instant::now());
    // One byte more than a beacon, to tell what is too long.
    let mut room = [0; BEACON_BYTES + 1];
    loop {
        tokio::select! {
            () = sleep_until(say_at) => {
                nets = local_nets(&own.bound);
                say(&nets, port, &beacon.to_bytes());
                said = Some(Instant::now());
                say_at = Instant::now() + between(SAY_EVERY - JITTER, SAY_EVERY + JITTER);
                if dropped != neighbours.dropped() {
                    dropped = neighbours.dropped();
                    tracing::debug!(?dropped, "beacons not heeded, since the start");
                }
            }
            received = socket.recv_from(&mut room) => {
                let Ok((length, SocketAddr::V4(from))) = received else {
                    sleep(FAILED).await;
                    continue;
                };
                let heard = neighbours.hear(now(), *from.ip(), &room[..length], &nets);
                let Some(heard) = heard else { continue };
                if heard.new {
                    tracing::debug!("a neighbour was heard");
                    let soon = said.map_or(Instant::now(), |said| said + SOON);
                    let spread = Instant::now() + between(Duration::ZERO, SPREAD);
                    say_at = say_at.min(soon.max(spread));
                }
                let (address, by) = (heard.address, Finder::Lan);
                if tell.send(Outside::Found { address, by }).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The clock of [`Neighbours`], which tests may stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Shared with all other relays of this machine: each of them hears what is said to everybody.
fn listen(port: u16) -> io::Result<UdpSocket> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    socket.bind(&SocketAddr::V4(any).into())?;
    UdpSocket::from_std(socket.into())
}

/// The networks that a relay bound to these addresses is reached in, loopback among them.
fn local_nets(bound: &[IpAddr]) -> Vec<LocalNet> {
    let all = bound.contains(&IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let looped = bound.iter().find_map(|ip| match ip {
        IpAddr::V4(v4) if v4.is_loopback() => Some(*v4),
        _ => None,
    });
    let looped = looped.or(all.then_some(Ipv4Addr::LOCALHOST));
    let mut nets: Vec<LocalNet> = looped.map(loopback).into_iter().collect();
    let outside = interfaces().into_iter().filter(|net| {
        let heard = all || bound.contains(&IpAddr::V4(net.ip));
        heard && !net.ip.is_loopback()
    });
    nets.extend(outside.take(NETS_MAX));
    nets
}

fn loopback(ip: Ipv4Addr) -> LocalNet {
    LocalNet {
        ip,
        mask: Ipv4Addr::new(255, 0, 0, 0),
        broadcast: Some(Ipv4Addr::new(127, 255, 255, 255)),
    }
}

/// The networks of all interfaces, or a guess at the one that leads out.
fn interfaces() -> Vec<LocalNet> {
    let listed = match if_addrs::get_if_addrs() {
        Ok(listed) => listed,
        Err(error) => {
            tracing::debug!(%error, "the interfaces cannot be listed");
            let Some(IpAddr::V4(ip)) = outward(Ipv4Addr::UNSPECIFIED.into()) else {
                return Vec::new();
            };
            return vec![LocalNet {
                ip,
                mask: Ipv4Addr::new(255, 255, 255, 0),
                broadcast: None,
            }];
        }
    };
    let net = |interface: if_addrs::Interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) if !interface.is_p2p => Some(LocalNet {
            ip: v4.ip,
            mask: v4.netmask,
            broadcast: v4.broadcast,
        }),
        _ => None,
    };
    listed.into_iter().filter_map(net).collect()
}

/// One beacon into each network. What cannot be sent now may leave the next time.
fn say(nets: &[LocalNet], port: u16, bytes: &[u8]) {
    let mut left = 0;
    for net in nets {
        match say_in(net, port, bytes) {
            Ok(()) => left += 1,
            Err(error) => tracing::debug!(%error, "no beacon into one of the networks"),
        }
    }
    tracing::debug!(networks = left, "a beacon was sent");
}

fn say_in(net: &LocalNet, port: u16, bytes: &[u8]) -> io::Result<()> {
    // Bound to the own address there: that chooses the interface, also for everybody's address.
    let socket = std::net::UdpSocket::bind((net.ip, 0))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    let everybody = (!net.ip.is_loopback()).then_some(Ipv4Addr::BROADCAST);
    let mut sent = Err(io::ErrorKind::AddrNotAvailable.into());
    for to in BTreeSet::from_iter(everybody.into_iter().chain(net.broadcast)) {
        let one = socket.send_to(bytes, (to, port)).map(|_| ());
        sent = sent.or(one);
    }
    sent
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    /// Only a bound on hanging; shorter than it takes to the second regular beacon.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A port that nobody uses, so that nobody outside the test is heard.
    fn free_port() -> u16 {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.local_addr().unwrap().port()
    }

    /// A relay that listens on loopback only.
    fn relay(key: u8, port: u16) -> Own {
        Own {
            network: 7,
            node_key: [key; 32],
            bound: vec!["127.0.0.1".parse().unwrap()],
            port,
            advertise: None,
        }
    }

    async fn found(told: &mut mpsc::Receiver<Outside>) -> String {
        match timeout(PATIENCE, told.recv()).await.unwrap() {
            Some(Outside::Found { address, by }) => {
                assert_eq!(by, Finder::Lan);
                address.to_string()
            }
            _ => panic!("nothing was found"),
        }
    }

    #[tokio::test]
    async fn three_relays_of_one_machine_hear_each_other() {
        let port = free_port();
        let mut tasks = JoinSet::new();
        let mut queues = Vec::new();
        for (key, own_port) in [(1, 1001), (2, 1002)] {
            let (tell, told) = mpsc::channel(8);
            tasks.spawn(run(port, relay(key, own_port), tell));
            queues.push(told);
        }
        assert_eq!(found(&mut queues[0]).await, "127.0.0.1:1002");
        assert_eq!(found(&mut queues[1]).await, "127.0.0.1:1001");

        // Of another network: heard, and not told.
        let (tell, mut deaf) = mpsc::channel(8);
        let other = Own {
            network: 8,
            ..relay(3, 1003)
        };
        tasks.spawn(run(port, other, tell));
        // A newcomer learns of the others well before their next regular beacons.
        let (tell, mut told) = mpsc::channel(8);
        tasks.spawn(run(port, relay(4, 1004), tell));
        let both = BTreeSet::from([found(&mut told).await, found(&mut told).await]);
        let expected = ["127.0.0.1:1001", "127.0.0.1:1002"].map(str::to_owned);
        assert_eq!(both, BTreeSet::from(expected));
        for queue in &mut queues {
            assert_eq!(found(queue).await, "127.0.0.1:1004");
        }
        assert!(deaf.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_ends_the_beacons_alone() {
        let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let (tell, mut told) = mpsc::channel(8);
        run(port, relay(1, 1001), tell).await;
        assert!(told.recv().await.is_none());
    }

    #[test]
    fn a_relay_speaks_where_it_listens() {
        let of = |bound: &[&str]| {
            let bound: Vec<IpAddr> = bound.iter().map(|text| text.parse().unwrap()).collect();
            local_nets(&bound)
        };
        assert_eq!(of(&["127.0.0.1"]), [loopback(Ipv4Addr::LOCALHOST)]);
        let second = Ipv4Addr::new(127, 0, 0, 2);
        assert_eq!(of(&["127.0.0.2", "::1"]), [loopback(second)]);
        assert_eq!(of(&["192.0.2.77"]), []);
        assert_eq!(of(&["0.0.0.0"])[0], loopback(Ipv4Addr::LOCALHOST));
    }
}
