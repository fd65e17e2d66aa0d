//! A real UDP socket, with batched system calls where the system has them (`recvmmsg`, GSO, GRO),
//! and what tells the two protocols on it apart: the first byte of a datagram (RFC 9443).
//!
//! Whoever reads the socket gets STUN and DTLS; QUIC waits in an inbox of its own, once somebody
//! has asked for it.

use super::lock;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use webrtc::runtime::{BATCH_SIZE, EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// Kernel buffers asked for: one socket serves every link.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Room for each datagram of a coalesced read.
const SEGMENT_BYTES: usize = 1_500;
/// Longest QUIC datagram taken: an Ethernet frame's payload without IPv4 and UDP headers.
pub const QUIC_DATAGRAM_BYTES_MAX: usize = 1_472;
/// QUIC datagrams that may wait, 3 MB; more are lost, as they would be in a network.
const INBOX_DATAGRAMS_MAX: usize = 2_048;
/// QUIC's first bytes; those below are STUN's, DTLS's and other protocols' (RFC 9443).
const QUIC_FIRST_BYTE: u8 = 64;

/// Where a datagram came from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub remote: SocketAddr,
    /// Our own address that the client used, kept as the source of what goes back.
    pub local: Option<IpAddr>,
    /// Which of the port's sockets.
    pub socket: usize,
}

/// A QUIC datagram that came in.
#[derive(Debug)]
pub struct Datagram {
    pub remote: SocketAddr,
    /// Our own address that it was sent to.
    pub local: Option<IpAddr>,
    /// The two bits of explicit congestion notification.
    pub ecn: u8,
    pub bytes: Box<[u8]>,
}

/// QUIC datagrams of one socket, in the order in which they came.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<Datagram>,
    waker: Option<Waker>,
}

impl Inbox {
    fn push(&self, datagram: Datagram) {
        let mut waiting = lock(&self.waiting);
        if waiting.datagrams.len() < INBOX_DATAGRAMS_MAX {
            waiting.datagrams.push_back(datagram);
        }
    }

    fn wake(&self) {
        let mut waiting = lock(&self.waiting);
        if !waiting.datagrams.is_empty()
            && let Some(waker) = waiting.waker.take()
        {
            drop(waiting);
            waker.wake();
        }
    }

    /// Up to `max` datagrams, or a wake-up when there are some.
    pub fn poll(&self, cx: &Context<'_>, max: usize) -> Poll<Vec<Datagram>> {
        let mut waiting = lock(&self.waiting);
        if waiting.datagrams.is_empty() {
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = waiting.datagrams.len().min(max);
        Poll::Ready(waiting.datagrams.drain(..count).collect())
    }
}

pub struct UdpPort {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    quic: OnceLock<Arc<Inbox>>,
}

impl std::fmt::Debug for UdpPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpPort")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// What one read fills.
pub struct Buffers {
    room: Vec<Vec<u8>>,
    meta: [RecvMeta; BATCH_SIZE],
}

impl UdpPort {
    /// Bind one address. An IPv6 socket takes IPv6 only, so that `0.0.0.0` and `[::]` can share a
    /// port number.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let io = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        // The system may grant less; that costs throughput, not correctness.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&io), KERNEL_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&io), KERNEL_BUFFER_BYTES);
        let local = io.local_addr()?;
        Ok(Self {
            io,
            state,
            local,
            quic: OnceLock::new(),
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The QUIC datagrams of this socket from now on; they come while somebody reads the socket.
    /// Every call gives the same inbox.
    pub fn quic(&self) -> Arc<Inbox> {
        self.quic.get_or_init(Arc::default).clone()
    }

    /// Whether the network may cut datagrams in pieces.
    pub fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    pub fn max_gso_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    pub fn buffers(&self) -> Buffers {
        let length = self.state.gro_segments() * SEGMENT_BYTES;
        Buffers {
            room: (0..BATCH_SIZE).map(|_| vec![0; length]).collect(),
            meta: [RecvMeta::default(); BATCH_SIZE],
        }
    }

    /// Send to a route; `WouldBlock` when the system's buffer is full.
    pub fn try_send(&self, contents: &[u8], segment: Option<usize>, to: &Route) -> io::Result<()> {
        self.try_send_marked(contents, segment, 0, to)
    }

    /// The same, with bits of explicit congestion notification.
    pub fn try_send_marked(
        &self,
        contents: &[u8],
        segment: Option<usize>,
        ecn: u8,
        to: &Route,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination: to.remote,
            ecn: EcnCodepoint::from_bits(ecn),
            contents,
            segment_size: segment,
            src_ip: to.local,
        };
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        })
    }

    pub async fn writable(&self) {
        // An error here shows again, and is handled, at the next send.
        let _ = self.io.writable().await;
    }

    /// Wait for datagrams, and hand each to `take` with its source, our address, and its bytes;
    /// those of QUIC go to its inbox, if there is one.
    pub async fn receive(
        &self,
        buffers: &mut Buffers,
        mut take: impl FnMut(SocketAddr, Option<IpAddr>, &[u8]),
    ) -> io::Result<()> {
        self.io.readable().await?;
        let Buffers { room, meta } = buffers;
        let mut slices = room.iter_mut().map(|bytes| IoSliceMut::new(bytes));
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let read = self.io.try_io(Interest::READABLE, || {
            self.state
                .recv(UdpSockRef::from(&self.io), &mut slices, meta)
        });
        let count = match read {
            Ok(count) => count,
            // Another reader was quicker, or an earlier datagram bounced (an ICMP message).
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let quic = self.quic.get();
        for (meta, bytes) in meta.iter().zip(room.iter()).take(count) {
            let bytes = bytes.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                let remote = canonical(meta.addr);
                let is_quic = datagram.first().is_some_and(|b| *b >= QUIC_FIRST_BYTE);
                match quic {
                    Some(quic) if is_quic => {
                        if datagram.len() <= QUIC_DATAGRAM_BYTES_MAX {
                            quic.push(Datagram {
                                remote,
                                local: meta.dst_ip,
                                ecn: meta.ecn.map_or(0, |ecn| ecn as u8),
                                bytes: datagram.into(),
                            });
                        }
                    }
                    _ => take(remote, meta.dst_ip, datagram),
                }
            }
        }
        if let Some(quic) = quic {
            quic.wake();
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionRefused | ConnectionReset | TimedOut
    )
}

/// An IPv4 address as such, an IPv6 one without flow label, and with the scope only where it means
/// something, so that one peer has one address.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => {
            if let Some(v4) = v6.ip().to_ipv4_mapped() {
                return (v4, v6.port()).into();
            }
            let scope = if is_link_local(v6.ip()) {
                v6.scope_id()
            } else {
                0
            };
            SocketAddr::V6(std::net::SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope))
        }
    }
}

fn is_link_local(ip: &Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What is not QUIC's; the time is only a bound on hanging.
    async fn receive(port: &UdpPort, count: usize) -> Vec<Vec<u8>> {
        let mut buffers = port.buffers();
        let mut got = Vec::new();
        while got.len() < count {
            let take = |_, _, bytes: &[u8]| got.push(bytes.to_vec());
            let received = port.receive(&mut buffers, take);
            let patience = std::time::Duration::from_secs(60);
            tokio::time::timeout(patience, received)
                .await
                .unwrap()
                .unwrap();
        }
        got
    }

    fn inbox(port: &UdpPort) -> Vec<Vec<u8>> {
        let cx = Context::from_waker(Waker::noop());
        match port.quic().poll(&cx, usize::MAX) {
            Poll::Ready(all) => all.into_iter().map(|it| it.bytes.into_vec()).collect(),
            Poll::Pending => Vec::new(),
        }
    }

    #[tokio::test]
    async fn the_first_byte_tells_the_protocol() {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = |bytes: &[u8]| {
            other.send_to(bytes, port.local_addr()).unwrap();
        };
        // Nobody has asked for QUIC.
        send(&[64, 1]);
        assert_eq!(receive(&port, 1).await, [[64, 1]]);
        port.quic();
        // The last one of the others shows that all have come.
        (0..=255).rev().for_each(|first| send(&[first, 2]));
        let expected: Vec<Vec<u8>> = (0..64).rev().map(|first| vec![first, 2]).collect();
        assert_eq!(receive(&port, 64).await, expected);
        let expected: Vec<Vec<u8>> = (64..=255).rev().map(|first| vec![first, 2]).collect();
        assert_eq!(inbox(&port), expected);
    }

    #[tokio::test]
    async fn an_inbox_that_nobody_empties_is_bounded() {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        port.quic();
        for round in 0..=INBOX_DATAGRAMS_MAX / 100 {
            for _ in 0..100 {
                other.send_to(&[200; 1_000], port.local_addr()).unwrap();
            }
            other.send_to(&[1], port.local_addr()).unwrap();
            assert_eq!(receive(&port, 1).await.len(), 1, "{round}");
        }
        assert_eq!(inbox(&port).len(), INBOX_DATAGRAMS_MAX);
        // Longer than any of QUIC.
        other
            .send_to(&[200; QUIC_DATAGRAM_BYTES_MAX + 1], port.local_addr())
            .unwrap();
        other.send_to(&[1], port.local_addr()).unwrap();
        receive(&port, 1).await;
        assert!(inbox(&port).is_empty());
    }
}
