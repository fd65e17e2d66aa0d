//! Listening and dialling, over the sockets of a WebRTC port or over sockets of its own.
//!
//! Invariant: what strangers can make this hold is bounded by `LinkLimits` (`transport/room.rs`).

use super::drivers::{Drivers, holding};
use super::socket::QuicSocket;
use super::stream::{FrameReader, FrameWriter};
use super::tls::{self, IN_FLIGHT_BYTES_MAX, SERVER_NAME};
use super::{QuicConfig, QuicCounters, QuicError};
use crate::rtc::{CertificateFile, RtcPort};
use crate::transport::{
    DialError, DownReason, HalfOpen, LinkEvent, LinkId, LinkStats, LinkTable, Meter, Outbox, Room,
    SendError, UdpPort, canonical, lock,
};
use bytes::Bytes;
use quinn::{
    ClientConfig, Connecting, Connection, Endpoint, Incoming, RecvStream, SendStream, ServerConfig,
    VarInt,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Why a connection is closed, for whoever looks at it on the wire; nothing depends on it.
const CODE_BYE: VarInt = VarInt::from_u32(0);
const CODE_WRONG_CERTIFICATE: VarInt = VarInt::from_u32(1);

/// Links over QUIC, those that came in and those that were dialled. Dropping it closes them.
pub struct QuicPort {
    hub: Arc<Hub>,
    tasks: Vec<AbortHandle>,
}

struct Hub {
    config: QuicConfig,
    shown: Shown,
    /// Of the certificate shown to those that dial.
    local: [u8; 32],
    endpoints: Vec<Listener>,
    links: Arc<LinkTable>,
    /// Links that came in and still take memory, those that are closing too.
    room: Arc<Mutex<Room<Proven>>>,
    retried: AtomicU64,
    refused_full: AtomicU64,
}

/// What is shown to those that are dialled.
enum Shown {
    /// The certificate shown to those that dial, too.
    Own(Box<ClientConfig>),
    /// A new one each time: two relays cannot tell by it that the same account has dialled both.
    Fresh,
}

/// One socket's.
struct Listener {
    local: SocketAddr,
    endpoint: Endpoint,
}

/// A connection that began at that time, after a Retry.
struct Proven(Instant);

impl HalfOpen for Proven {
    fn started(&self) -> Instant {
        self.0
    }

    fn is_proven(&self) -> bool {
        true
    }
}

/// The place of a link that came in. Its task holds it, and the library's task too, as long as the
/// connection takes memory.
struct Place {
    room: Arc<Mutex<Room<Proven>>>,
    link: LinkId,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.room).remove(self.link);
    }
}

/// A connection and the one stream on it.
struct Open {
    connection: Connection,
    local_fingerprint: [u8; 32],
    remote_fingerprint: [u8; 32],
    streams: (SendStream, RecvStream),
}

impl QuicPort {
    /// Listens and dials on the sockets of a WebRTC port, which reads them. `certificate` is the
    /// one that the relay's hint names; those it dials are shown it, too.
    pub fn sharing(
        rtc: &RtcPort,
        certificate: &CertificateFile,
        config: QuicConfig,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), QuicError> {
        let server = tls::listening(certificate, &config)?;
        let shown = Shown::Own(Box::new(tls::dialling(certificate, &config)?));
        Self::over(rtc.sockets(), certificate, shown, Some(server), config)
    }

    /// Dials only, from ports of its own that the system chooses, with a new certificate each time.
    pub fn dialling(config: QuicConfig) -> Result<(Self, mpsc::Receiver<LinkEvent>), QuicError> {
        let sockets = bind_any()?;
        // Nobody sees this one; the endpoints' keys follow from it.
        let certificate = CertificateFile::generate()?;
        let (mut port, events) = Self::over(&sockets, &certificate, Shown::Fresh, None, config)?;
        for socket in sockets {
            port.tasks.push(tokio::spawn(read(socket)).abort_handle());
        }
        Ok((port, events))
    }

    fn over(
        sockets: &[Arc<UdpPort>],
        certificate: &CertificateFile,
        shown: Shown,
        server: Option<ServerConfig>,
        config: QuicConfig,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), QuicError> {
        let endpoints = sockets
            .iter()
            .map(|socket| listener(socket, certificate, server.clone()))
            .collect::<Result<_, _>>()?;
        let (links, events) = LinkTable::new(config.limits.send_bytes_max, IN_FLIGHT_BYTES_MAX);
        let hub = Arc::new(Hub {
            room: Arc::new(Mutex::new(Room::new(config.limits))),
            config,
            shown,
            local: certificate.fingerprint(),
            endpoints,
            links,
            retried: AtomicU64::new(0),
            refused_full: AtomicU64::new(0),
        });
        let accept = |listener: &Listener| {
            tokio::spawn(hub.clone().accept(listener.endpoint.clone())).abort_handle()
        };
        let tasks = match server {
            Some(_) => hub.endpoints.iter().map(accept).collect(),
            None => Vec::new(),
        };
        Ok((Self { hub, tasks }, events))
    }

    /// Dials a relay; if a certificate is named, its SHA-256 must be that. `Up` or `DialFailed`
    /// follows. The other side learns of the link with the first message.
    pub fn dial(&self, address: SocketAddr, certificate: Option<[u8; 32]>) -> LinkId {
        let address = canonical(address);
        let (link, outbox) = self.hub.links.register();
        let hub = self.hub.clone();
        tokio::spawn(async move {
            let reached = hub.reach(&outbox, address, certificate).await;
            let failed = match reached {
                Ok(open) => {
                    hub.carry(link, &outbox, open, address).await;
                    None
                }
                Err(error) => Some(LinkEvent::DialFailed { link, error }),
            };
            hub.links.remove(link);
            if let Some(event) = failed {
                hub.links.emit(event).await;
            }
        });
        link
    }

    /// Queue one message. Never waits.
    pub fn try_send(&self, link: LinkId, bytes: Bytes) -> Result<bool, SendError> {
        self.hub.links.try_send(link, bytes)
    }

    /// Close a link after what was sent before has left (2 s at most). `Down` follows.
    pub fn close(&self, link: LinkId) {
        self.hub.links.end(link, DownReason::Closed);
    }

    pub fn meter(&self) -> Meter {
        let hub = Arc::downgrade(&self.hub);
        self.hub.links.meter(move || {
            let counters = hub.upgrade().map(|hub| hub.counters());
            let counters = counters.unwrap_or_default();
            vec![
                ("addresses_asked_for_proof", counters.retried),
                ("handshakes_refused", counters.refused_full),
            ]
        })
    }

    pub fn stats(&self) -> LinkStats {
        self.hub.links.stats()
    }

    /// Connections that take memory: links, and those that were closed a short time ago.
    pub fn connections(&self) -> usize {
        let each = self.hub.endpoints.iter();
        each.map(|it| it.endpoint.open_connections()).sum()
    }

    pub fn counters(&self) -> QuicCounters {
        self.hub.counters()
    }
}

impl Drop for QuicPort {
    fn drop(&mut self) {
        self.hub.links.end_all();
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn listener(
    socket: &Arc<UdpPort>,
    certificate: &CertificateFile,
    server: Option<ServerConfig>,
) -> Result<Listener, QuicError> {
    let local = socket.local_addr();
    let endpoint = Endpoint::new_with_abstract_socket(
        tls::endpoint(certificate, local.ip())?,
        server,
        Arc::new(QuicSocket::new(socket.clone())),
        Arc::new(Drivers),
    );
    let endpoint = endpoint.map_err(|cause| QuicError::Bind {
        address: local,
        cause,
    })?;
    Ok(Listener { local, endpoint })
}

/// A socket for IPv4 and one for IPv6; a machine may have one of them only.
fn bind_any() -> Result<Vec<Arc<UdpPort>>, QuicError> {
    let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let bound = any.map(|ip: IpAddr| {
        let address = SocketAddr::new(ip, 0);
        UdpPort::bind(address).map_err(|cause| QuicError::Bind { address, cause })
    });
    match bound {
        [Err(error), Err(_)] => Err(error),
        bound => Ok(bound.into_iter().flatten().map(Arc::new).collect()),
    }
}

/// Reads a socket that nobody shares: what is not QUIC's is nobody's.
async fn read(socket: Arc<UdpPort>) {
    let mut buffers = socket.buffers();
    loop {
        if let Err(error) = socket.receive(&mut buffers, |_, _, _| {}).await {
            tracing::warn!(%error, "cannot read from the QUIC port; trying again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Hub {
    fn counters(&self) -> QuicCounters {
        QuicCounters {
            retried: self.retried.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
        }
    }

    async fn accept(self: Arc<Self>, endpoint: Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            if incoming.remote_address_validated() {
                self.open(incoming);
            } else if incoming.retry().is_ok() {
                self.retried.fetch_add(1, Relaxed);
            }
        }
    }

    /// An address that is proved begins a handshake.
    fn open(self: &Arc<Self>, incoming: Incoming) {
        let remote = incoming.remote_address();
        let (link, outbox) = self.links.register();
        let Some(place) = self.take_place(link, remote.ip()) else {
            self.links.remove(link);
            self.refused_full.fetch_add(1, Relaxed);
            incoming.refuse();
            return;
        };
        // Its first packet may make no sense after all.
        let Ok(connecting) = holding(place.clone(), || incoming.accept()) else {
            self.links.remove(link);
            return;
        };
        let hub = self.clone();
        tokio::spawn(async move {
            match hub.receive(&outbox, connecting).await {
                Some(open) => {
                    lock(&hub.room).on_open(link);
                    hub.carry(link, &outbox, open, remote).await;
                }
                None => drop(hub.links.totals.expired.fetch_add(1, Relaxed)),
            }
            hub.links.remove(link);
            lock(&hub.room).on_closing(link);
            drop(place);
        });
    }

    /// A place for one more half-open link, perhaps at the cost of another.
    fn take_place(&self, link: LinkId, ip: IpAddr) -> Option<Arc<Place>> {
        let now = Instant::now();
        let mut room = lock(&self.room);
        if !room.is_open_to(ip) {
            return None;
        }
        let victim = room.make_room(now, ip).ok()?;
        room.add(link, ip, Proven(now));
        drop(room);
        if let Some(victim) = victim {
            self.links.end(victim, DownReason::Failed);
        }
        let room = self.room.clone();
        Some(Arc::new(Place { room, link }))
    }

    /// The listening side until the dialler has opened its stream.
    async fn receive(&self, outbox: &Outbox, connecting: Connecting) -> Option<Open> {
        let opening = async {
            let connection = connecting.await.ok()?;
            let remote_fingerprint = tls::remote_fingerprint(&connection)?;
            let streams = connection.accept_bi().await.ok()?;
            Some(Open {
                connection,
                local_fingerprint: self.local,
                remote_fingerprint,
                streams,
            })
        };
        tokio::select! {
            opened = tokio::time::timeout(self.config.limits.half_open_timeout, opening) => {
                opened.ok().flatten()
            }
            _ = outbox.ended() => None,
        }
    }

    /// With the fingerprint of the certificate.
    fn shown_to_dialled(&self) -> Result<(ClientConfig, [u8; 32]), QuicError> {
        match &self.shown {
            Shown::Own(client) => Ok((ClientConfig::clone(client), self.local)),
            Shown::Fresh => {
                let certificate = CertificateFile::generate()?;
                let client = tls::dialling(&certificate, &self.config)?;
                Ok((client, certificate.fingerprint()))
            }
        }
    }

    /// The dialling side until the handshake is over.
    async fn reach(
        &self,
        outbox: &Outbox,
        address: SocketAddr,
        certificate: Option<[u8; 32]>,
    ) -> Result<Open, DialError> {
        let endpoint = self.endpoint_for(address).ok_or(DialError::Unsupported)?;
        let shown = self.shown_to_dialled();
        let (client, local_fingerprint) = shown.map_err(|_| DialError::Unsupported)?;
        let connecting = endpoint
            .connect_with(client, address, SERVER_NAME)
            .map_err(|_| DialError::Unsupported)?;
        let opening = async {
            let connection = connecting.await.map_err(|_| DialError::NoAnswer)?;
            let shown = tls::remote_fingerprint(&connection).ok_or(DialError::NoAnswer)?;
            if certificate.is_some_and(|expected| expected != shown) {
                connection.close(CODE_WRONG_CERTIFICATE, b"");
                return Err(DialError::WrongCertificate);
            }
            let streams = connection.open_bi().await;
            Ok(Open {
                connection,
                local_fingerprint,
                remote_fingerprint: shown,
                streams: streams.map_err(|_| DialError::NoAnswer)?,
            })
        };
        tokio::select! {
            opened = tokio::time::timeout(self.config.dial_timeout, opening) => {
                opened.unwrap_or(Err(DialError::NoAnswer))
            }
            _ = outbox.ended() => Err(DialError::NoAnswer),
        }
    }

    /// The socket to dial from.
    fn endpoint_for(&self, address: SocketAddr) -> Option<&Endpoint> {
        let of_family = |it: &&Listener| it.local.is_ipv4() == address.is_ipv4();
        let suits = |it: &&Listener| {
            let (local, remote) = (it.local.ip(), address.ip());
            local.is_unspecified() || local.is_loopback() == remote.is_loopback()
        };
        let best = self.endpoints.iter().filter(of_family).find(suits);
        let best = best.or_else(|| self.endpoints.iter().find(of_family));
        best.map(|listener| &listener.endpoint)
    }

    /// The life of a link that is open.
    async fn carry(&self, link: LinkId, outbox: &Outbox, open: Open, remote: SocketAddr) {
        let up = LinkEvent::Up {
            link,
            remote,
            local_fingerprint: open.local_fingerprint,
            remote_fingerprint: open.remote_fingerprint,
        };
        let (send, receive) = open.streams;
        let ends = (FrameReader::new(receive), FrameWriter(send));
        self.links.carry(link, outbox, ends, up).await;
        open.connection.close(CODE_BYE, b"");
    }
}
