//! The listening side: one UDP port number for all links.
//!
//! Invariant: what a stranger can make this hold is bounded by [`LinkLimits`] (`paths.rs`,
//! `room.rs`).

use super::channel::Channel;
use super::paths::{ClientKey, Paths, Verdict};
use super::peer::{self, Handler, IN_FLIGHT_BYTES_MAX, VirtualRuntime};
use super::sdp::{self, AnswerError};
use super::session::Session;
use super::stun::IceKey;
use super::{Counters, RtcConfig, RtcError};
use crate::transport::{
    DownReason, LinkEvent, LinkStats, LinkTable, Meter, Outbox, Room, Route, SendError, UdpPort,
    lock,
};
use bytes::Bytes;
use shared::io::LinkId;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};

/// A UDP port that browsers and native dialers reach from a relay hint.
pub struct RtcPort {
    hub: Arc<Hub>,
    local: SocketAddr,
    tasks: Vec<AbortHandle>,
}

struct Hub {
    config: RtcConfig,
    sockets: Arc<[Arc<UdpPort>]>,
    paths: Mutex<Paths>,
    links: Arc<LinkTable>,
    sessions: Mutex<Room<Arc<Session>>>,
}

impl RtcPort {
    /// Bind and serve. Events of all links come out of the one receiver; while nobody takes them,
    /// the links stop reading.
    pub async fn listen(config: RtcConfig) -> Result<(Self, mpsc::Receiver<LinkEvent>), RtcError> {
        let key = IceKey::new(&config.ufrag, &config.pwd).ok_or(RtcError::Credentials)?;
        let sockets = bind_all(&config.bind)?;
        let local = sockets.first().ok_or(RtcError::NoAddress)?.local_addr();
        let (links, events) = LinkTable::new(config.limits.send_bytes_max, IN_FLIGHT_BYTES_MAX);
        let hub = Arc::new(Hub {
            paths: Mutex::new(Paths::new(key, config.limits)),
            sessions: Mutex::new(Room::new(config.limits)),
            config,
            sockets: sockets.into(),
            links,
        });
        let mut tasks = vec![tokio::spawn(hub.clone().keep_time()).abort_handle()];
        for (index, socket) in hub.sockets.iter().enumerate() {
            let receive = hub.clone().receive(index, socket.clone());
            tasks.push(tokio::spawn(receive).abort_handle());
        }
        Ok((Self { hub, local, tasks }, events))
    }

    /// The first bound address; its port is the port of all.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// SHA-256 of the DTLS certificate, as hints carry it.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.hub.config.certificate.fingerprint()
    }

    /// Answer an HTTP offer: what the browser could have made up from the hint. `addresses` are
    /// those the relay can be reached at, best first, such as the one the request came to, with
    /// their port if it is not the own one.
    pub fn answer(
        &self,
        offer: &str,
        addresses: &[(IpAddr, Option<u16>)],
    ) -> Result<String, AnswerError> {
        let at: Vec<SocketAddr> = addresses
            .iter()
            .map(|(ip, port)| SocketAddr::new(*ip, port.unwrap_or(self.local.port())))
            .collect();
        let config = &self.hub.config;
        sdp::answer_from_hint(offer, &at, &self.fingerprint(), &config.ufrag, &config.pwd)
    }

    /// The sockets, first to last as in [`RtcConfig::bind`], for whoever shares them.
    pub(crate) fn sockets(&self) -> &[Arc<UdpPort>] {
        &self.hub.sockets
    }

    /// Sends one zero byte, which no protocol here heeds: a NAT in front of this port then lets in
    /// what comes from that address.
    pub fn knock(&self, to: SocketAddr) {
        let of_family = |socket: &&Arc<UdpPort>| socket.local_addr().is_ipv4() == to.is_ipv4();
        let suits = |socket: &&Arc<UdpPort>| {
            let local = socket.local_addr().ip();
            local.is_unspecified() || local.is_loopback() == to.ip().is_loopback()
        };
        let sockets = || self.hub.sockets.iter().filter(of_family);
        let route = Route {
            remote: to,
            local: None,
            socket: 0,
        };
        if let Some(socket) = sockets().find(suits).or_else(|| sockets().next()) {
            // What is lost is not sent again: the dial comes to nothing, and may be made anew.
            let _ = socket.try_send(&[0], None, &route);
        }
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
            let counters = hub.upgrade().map(|hub| lock(&hub.paths).counters);
            let counters = counters.unwrap_or_default();
            vec![
                ("handshakes_refused", counters.refused_full),
                ("packets_malformed", counters.dropped_garbage),
                ("packets_of_no_link", counters.dropped_unknown),
                ("checks_of_another_hint", counters.wrong_password),
                ("addresses_told", counters.questions_answered),
                ("addresses_not_told", counters.questions_dropped),
            ]
        })
    }

    pub fn stats(&self) -> LinkStats {
        self.hub.links.stats()
    }

    /// Datagrams that came to nothing.
    pub fn datagrams(&self) -> Counters {
        lock(&self.hub.paths).counters
    }
}

impl Drop for RtcPort {
    fn drop(&mut self) {
        self.hub.links.end_all();
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<Arc<UdpPort>>, RtcError> {
    let mut sockets: Vec<Arc<UdpPort>> = Vec::new();
    for address in addresses {
        let mut address = *address;
        if let Some(first) = sockets.first() {
            address.set_port(first.local_addr().port());
        }
        let socket = UdpPort::bind(address).map_err(|cause| RtcError::Bind { address, cause })?;
        sockets.push(Arc::new(socket));
    }
    Ok(sockets)
}

fn fresh_transaction() -> [u8; 12] {
    let mut bytes = [0; 12];
    // Without randomness a challenge could be guessed; then it is better not to be answered.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; 12];
    }
    bytes
}

impl Hub {
    async fn receive(self: Arc<Self>, index: usize, socket: Arc<UdpPort>) {
        let mut buffers = socket.buffers();
        loop {
            let take = |remote, local, bytes: &[u8]| {
                let route = Route {
                    remote,
                    local,
                    socket: index,
                };
                self.on_datagram(Instant::now(), route, bytes);
            };
            if let Err(error) = socket.receive(&mut buffers, take).await {
                tracing::warn!(%error, "cannot read from the UDP port; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn on_datagram(self: &Arc<Self>, now: Instant, route: Route, bytes: &[u8]) {
        let verdict = lock(&self.paths).on_datagram(now, route, bytes, fresh_transaction);
        match verdict {
            Verdict::Drop => {}
            Verdict::Answer(answer) => {
                if let Some(socket) = self.sockets.get(route.socket) {
                    // A lost answer is asked for again.
                    let _ = socket.try_send(answer.as_bytes(), None, &route);
                }
            }
            Verdict::Deliver(session) => session.deliver(now, bytes),
            Verdict::Open(client) => self.open(now, client, route, bytes),
        }
    }

    /// A client begins its DTLS handshake.
    fn open(self: &Arc<Self>, now: Instant, client: ClientKey, route: Route, bytes: &[u8]) {
        let ip = route.remote.ip();
        let mut paths = lock(&self.paths);
        if !paths.has_room(ip, self.links.len()) || !self.make_room(now, ip) {
            paths.counters.refused_full += 1;
            return;
        }
        let session = Arc::new(Session::new(now, route));
        let (link, outbox) = self.links.register();
        paths.on_opened(client, ip, session.clone());
        drop(paths);
        lock(&self.sessions).add(link, ip, session.clone());
        session.deliver(now, bytes);
        let hub = self.clone();
        tokio::spawn(async move {
            let open = hub.serve(link, &outbox, &session, ip).await;
            hub.links.remove(link);
            lock(&hub.sessions).remove(link);
            lock(&hub.paths).on_closed(client, ip, open);
        });
    }

    /// Whether one more link may be half-open, perhaps at the cost of another.
    fn make_room(&self, now: Instant, ip: IpAddr) -> bool {
        let mut sessions = lock(&self.sessions);
        if !sessions.is_open_to(ip) {
            return false;
        }
        let made = sessions.make_room(now, ip);
        drop(sessions);
        if let Ok(Some(victim)) = made {
            self.links.end(victim, DownReason::Failed);
        }
        made.is_ok()
    }

    /// The life of one link from `ip`. Whether it was ever open.
    async fn serve(
        &self,
        link: LinkId,
        outbox: &Outbox,
        session: &Arc<Session>,
        ip: IpAddr,
    ) -> bool {
        let (handler, channel) = Handler::listening(self.links.clone(), link);
        let runtime = VirtualRuntime {
            session: session.clone(),
            sockets: self.sockets.clone(),
        };
        let certificate = &self.config.certificate;
        // Boxed: this task would keep the room in which a connection is made, 20 KiB, for as long
        // as the link lives.
        let making = Box::pin(peer::listening(certificate, runtime, handler));
        let connection = match making.await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot make a peer connection");
                return false;
            }
        };
        let opening = async {
            negotiate(&connection).await.ok()?;
            let channel = channel.await.ok()?;
            if !peer::is_link_channel(&channel).await {
                self.links.totals.misuse.fetch_add(1, Relaxed);
                return None;
            }
            let remote_fingerprint = peer::remote_fingerprint(&connection).await?;
            Some((channel, remote_fingerprint))
        };
        let opened = tokio::select! {
            opened = tokio::time::timeout(self.config.limits.half_open_timeout, opening) => {
                opened.ok().flatten()
            }
            _ = outbox.ended() => None,
        };
        let open = opened.is_some();
        if let Some((channel, remote_fingerprint)) = opened {
            lock(&self.sessions).on_open(link);
            lock(&self.paths).on_proven(ip);
            let up = LinkEvent::Up {
                link,
                remote: session.route().remote,
                local_fingerprint: certificate.fingerprint(),
                remote_fingerprint,
            };
            let channel = Channel(channel);
            let ends = (channel.clone(), channel);
            self.links.carry(link, outbox, ends, up).await;
        } else {
            self.links.totals.expired.fetch_add(1, Relaxed);
        }
        // Closing cannot usefully fail.
        let _ = connection.close().await;
        open
    }

    async fn keep_time(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let allowed = self.config.limits.silence_timeout.as_millis();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            lock(&self.paths).on_timer(now);
            for (link, session) in lock(&self.sessions).iter() {
                if u128::from(session.silence_ms(now)) > allowed {
                    self.links.end(link, DownReason::Silent);
                }
            }
        }
    }
}

async fn negotiate(connection: &Arc<dyn PeerConnection>) -> webrtc::error::Result<()> {
    let offer = RTCSessionDescription::offer(sdp::made_up_offer())?;
    connection.set_remote_description(offer).await?;
    let answer = connection.create_answer(None).await?;
    connection.set_local_description(answer).await
}
