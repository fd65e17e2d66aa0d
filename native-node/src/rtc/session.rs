//! One client's end inside the mux: a queue of datagrams that the peer connection reads through a
//! virtual socket, and the route its datagrams leave by.
//!
//! The peer connection believes that it talks to one full ICE peer at one fixed address. This
//! socket plays that peer: it answers the connection's own checks on the spot with made-up
//! credentials, so ICE settles within milliseconds and never fails, and the mux alone decides
//! about real addresses. Datagrams wait until the connection has chosen its only pair.
//!
//! Invariant: no STUN of the connection ever leaves, and no STUN of the client ever gets in.

use super::stun::{self, IceKey};
use crate::transport::{HalfOpen, Route, UdpPort, lock};
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// The address the peer connection believes its peer to have (discard port).
pub const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
/// The made-up peer's credentials. They guard nothing: these checks never leave the process.
pub const PEER_UFRAG: &str = "insidepeer";
pub const PEER_PWD: &str = "neverleavesthisprocess00";
/// Datagrams that may wait for the peer connection: two of its receive windows.
const INBOX_PACKETS_MAX: usize = 512;
/// Longer datagrams are not WebRTC's.
const PACKET_BYTES_MAX: usize = 1_500;
/// A HelloVerifyRequest is shorter, a flight with our certificate longer: the library sends the
/// latter only to whoever returned its cookie.
const COOKIE_FLIGHT_BYTES_MAX: usize = 150;

pub struct Session {
    started: Instant,
    /// Milliseconds after `started` at which the client was last heard.
    heard_ms: AtomicU64,
    /// The client returned the DTLS cookie, so it receives at its address.
    proven: AtomicBool,
    route: Mutex<Route>,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    /// Answers to the connection's own checks.
    checks: VecDeque<Box<[u8]>>,
    packets: VecDeque<Box<[u8]>>,
    /// The connection has been told that its nomination succeeded.
    settled: bool,
    waker: Option<Waker>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("route", &self.route())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub fn new(now: Instant, route: Route) -> Self {
        Self {
            started: now,
            heard_ms: AtomicU64::new(0),
            proven: AtomicBool::new(false),
            route: Mutex::new(route),
            inbox: Mutex::new(Inbox::default()),
        }
    }

    pub fn route(&self) -> Route {
        *lock(&self.route)
    }

    pub fn set_route(&self, route: Route) {
        *lock(&self.route) = route;
    }

    pub fn heard(&self, now: Instant) {
        let ms = now.saturating_duration_since(self.started).as_millis();
        self.heard_ms
            .store(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Milliseconds since the client was last heard.
    pub fn silence_ms(&self, now: Instant) -> u64 {
        let ms = now.saturating_duration_since(self.started).as_millis();
        let heard = self.heard_ms.load(Ordering::Relaxed);
        u64::try_from(ms).unwrap_or(u64::MAX).saturating_sub(heard)
    }

    pub fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Queue a datagram of the client. Dropped when the queue is full, as a network would.
    pub fn deliver(&self, now: Instant, bytes: &[u8]) {
        if bytes.len() > PACKET_BYTES_MAX {
            return;
        }
        self.heard(now);
        let mut inbox = lock(&self.inbox);
        if inbox.packets.len() < INBOX_PACKETS_MAX {
            inbox.packets.push_back(bytes.into());
        }
        if inbox.settled {
            inbox.wake();
        }
    }
}

impl HalfOpen for Arc<Session> {
    fn started(&self) -> Instant {
        self.started
    }

    fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

impl Inbox {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn next(&mut self) -> Option<Box<[u8]>> {
        self.checks
            .pop_front()
            .or_else(|| self.settled.then(|| self.packets.pop_front()).flatten())
    }
}

type Writable = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The socket that the peer connection is given.
pub struct VirtualSocket {
    session: Arc<Session>,
    sockets: Arc<[Arc<UdpPort>]>,
    local: SocketAddr,
    peer_key: IceKey,
    /// Waits for room in the real socket after it was full.
    writable: Mutex<Option<Writable>>,
}

impl std::fmt::Debug for VirtualSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualSocket")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl VirtualSocket {
    /// `local` is the address the peer connection believes to have bound.
    pub fn new(
        session: Arc<Session>,
        sockets: Arc<[Arc<UdpPort>]>,
        local: SocketAddr,
    ) -> io::Result<Self> {
        let peer_key = IceKey::new(PEER_UFRAG, PEER_PWD)
            .ok_or_else(|| io::Error::other("the made-up credentials break ICE's rules"))?;
        Ok(Self {
            session,
            sockets,
            local,
            peer_key,
            writable: Mutex::new(None),
        })
    }

    /// Play the peer: answer one of the connection's checks.
    fn answer_check(&self, bytes: &[u8]) {
        let Ok(request) = stun::read_request(bytes, &self.peer_key) else {
            return;
        };
        let answer = stun::success(&request.transaction, self.local, &self.peer_key);
        let mut inbox = lock(&self.session.inbox);
        inbox.checks.push_back(answer.as_bytes().into());
        inbox.settled |= request.nominates;
        inbox.wake();
    }

    fn poll_writable(&self, cx: &mut Context<'_>, socket: &Arc<UdpPort>) -> Poll<()> {
        let mut writable = lock(&self.writable);
        let waiting = writable.get_or_insert_with(|| {
            let socket = socket.clone();
            Box::pin(async move { socket.writable().await })
        });
        let ready = waiting.as_mut().poll(cx);
        if ready.is_ready() {
            *writable = None;
        }
        ready
    }
}

impl AsyncUdpSocket for VirtualSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let length = transmit.contents.len();
        if stun::is_stun(transmit.contents) {
            self.answer_check(transmit.contents);
            return Poll::Ready(Ok(length));
        }
        if length > COOKIE_FLIGHT_BYTES_MAX {
            self.session.prove();
        }
        let route = self.session.route();
        let Some(socket) = self.sockets.get(route.socket) else {
            return Poll::Ready(Ok(length));
        };
        loop {
            match socket.try_send(transmit.contents, transmit.segment_size, &route) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.poll_writable(cx, socket) {
                        Poll::Ready(()) => {}
                        Poll::Pending => return Poll::Pending,
                    }
                }
                // One unreachable client must not look like a broken socket: the datagram is
                // lost, and silence ends the link.
                _ => return Poll::Ready(Ok(length)),
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = lock(&self.session.inbox);
        let (Some(room), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        while let Some(packet) = inbox.next() {
            if let Some(room) = room.get_mut(..packet.len()) {
                room.copy_from_slice(&packet);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) = (PEER, packet.len(), packet.len().max(1));
                return Poll::Ready(Ok(1));
            }
        }
        // The driver also probes with a waker that does nothing: keep the one that works.
        if !cx.waker().will_wake(Waker::noop()) {
            inbox.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn max_gso_segments(&self) -> usize {
        self.sockets
            .first()
            .map_or(1, |socket| socket.max_gso_segments())
    }
}
