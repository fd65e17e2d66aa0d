//! The addresses at which others reach this relay.
//!
//! Invariant: nothing is sent to find them out, and what was told is told again only when it has
//! changed.

use crate::driver::Outside;
use crate::find::{Own, is_global};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// As many as a descriptor takes.
const ADDRESSES_MAX: usize = 4;

/// The best first: what is advertised, and that alone; else what is bound, the way out of the
/// machine in place of a wildcard.
pub fn addresses(own: &Own, outward: impl Fn(IpAddr) -> Option<IpAddr>) -> Vec<SocketAddr> {
    if let Some(to) = own.advertise {
        let port = to.port.unwrap_or(own.port);
        return vec![SocketAddr::new(to.address, port)];
    }
    let mut found: Vec<IpAddr> = Vec::new();
    for bound in &own.bound {
        let ip = match bound.is_unspecified() {
            true => outward(*bound),
            false => Some(*bound),
        };
        found.extend(ip.filter(|ip| !found.contains(ip)));
    }
    found.sort_by_key(|ip| (!is_global(*ip), ip.is_loopback()));
    found.truncate(ADDRESSES_MAX);
    let at = |ip| SocketAddr::new(ip, own.port);
    found.into_iter().map(at).collect()
}

/// Tells them when they are others than those `told` before.
pub(super) async fn watch(own: Own, mut told: Vec<SocketAddr>, tell: mpsc::Sender<Outside>) {
    loop {
        sleep(LOOK_EVERY).await;
        let now = addresses(&own, outward);
        if now != told {
            told.clone_from(&now);
            tracing::debug!(addresses = now.len(), "the own addresses changed");
            if tell.send(Outside::Reachable(now)).await.is_err() {
                return;
            }
        }
    }
}

/// The address of this machine, of the family of `bound`, on its way out or else on a network
/// that leads nowhere further. Nothing is sent.
pub fn outward(bound: IpAddr) -> Option<IpAddr> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_loopback(),
        // A link-local address says nothing without the interface.
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    if let Some(ip) = routed(bound).filter(usable) {
        return Some(ip);
    }
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let mut ips = interfaces.iter().map(if_addrs::Interface::ip);
    ips.find(|ip| ip.is_ipv4() == bound.is_ipv4() && usable(ip))
}

fn routed(bound: IpAddr) -> Option<IpAddr> {
    // Documentation addresses: only the routing table is asked.
    let (from, to): (SocketAddr, SocketAddr) = match bound {
        IpAddr::V6(_) => {
            let there = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            ((Ipv6Addr::UNSPECIFIED, 0).into(), (there, 9).into())
        }
        IpAddr::V4(_) => {
            let there = Ipv4Addr::new(192, 0, 2, 1);
            ((Ipv4Addr::UNSPECIFIED, 0).into(), (there, 9).into())
        }
    };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn own(bound: &[&str], advertise: Option<&str>) -> Own {
        Own {
            network: 1,
            node_key: [1; 32],
            bound: bound.iter().map(|text| text.parse().unwrap()).collect(),
            port: 8420,
            advertise: advertise.map(|text| text.parse().unwrap()),
        }
    }

    fn found(bound: &[&str], advertise: Option<&str>) -> Vec<String> {
        let outward = |bound: IpAddr| match bound {
            IpAddr::V4(_) => "192.168.1.5".parse().ok(),
            IpAddr::V6(_) => "2606:4700::5".parse().ok(),
        };
        let found = addresses(&own(bound, advertise), outward);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_advertised_comes_alone_and_what_is_global_first() {
        let both = ["0.0.0.0", "::"];
        assert_eq!(found(&both, Some("1.2.3.4")), ["1.2.3.4:8420"]);
        assert_eq!(found(&both, Some("1.2.3.4:9000")), ["1.2.3.4:9000"]);
        assert_eq!(
            found(&both, None),
            ["[2606:4700::5]:8420", "192.168.1.5:8420"]
        );
        assert_eq!(
            found(&["127.0.0.1", "192.168.1.7", "0.0.0.0"], None),
            ["192.168.1.7:8420", "192.168.1.5:8420", "127.0.0.1:8420"]
        );
        assert_eq!(found(&["::1"], None), ["[::1]:8420"]);
        assert!(addresses(&own(&both, None), |_| None).is_empty());
    }
}
