//! This machine's address on its way out, by the routing table. It changes when the machine moves
//! to another network, so it is asked for anew each time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Documentation addresses: only the routing table is asked, nothing is sent.
const AFAR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const AFAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The address among those that a wildcard stands for. None: this machine has no network of
/// that family.
pub fn outward(wildcard: IpAddr) -> Option<IpAddr> {
    let afar: IpAddr = match wildcard {
        IpAddr::V4(_) => AFAR_V4.into(),
        IpAddr::V6(_) => AFAR_V6.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(wildcard, 0)).ok()?;
    socket.connect(SocketAddr::new(afar, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}
