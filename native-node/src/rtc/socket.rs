//! A real UDP socket, with batched system calls where the system has them (`recvmmsg`, GSO, GRO).

use super::paths::Route;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use webrtc::runtime::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// Kernel buffers asked for: one socket serves every link.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Room for each datagram of a coalesced read.
const SEGMENT_BYTES: usize = 1_500;

pub struct UdpPort {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
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
        Ok(Self { io, state, local })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
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
        let transmit = Transmit {
            destination: to.remote,
            ecn: None,
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

    /// Wait for datagrams, and hand each to `take` with its source, our address, and its bytes.
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
        for (meta, bytes) in meta.iter().zip(room.iter()).take(count) {
            let bytes = bytes.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                take(canonical(meta.addr), meta.dst_ip, datagram);
            }
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

/// Without flow label, and with the scope only where it means something, so that one peer has one
/// address.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => {
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
