//! Making peer connections: the settings that both ends share, and what is asked of a data
//! channel.
//!
//! Invariant: a link is announced only with the one data channel of PROTOCOL.md section 3 open.

use super::CHANNEL_LABEL;
use super::certificate::CertificateFile;
use super::session::VirtualSocket;
use crate::transport::{DownReason, LinkTable, MESSAGE_BYTES_MAX, UdpPort, lock};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use sha2::{Digest, Sha256};
use shared::io::LinkId;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use webrtc::data_channel::DataChannel;
use webrtc::error::Result;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCPeerConnectionState, SettingEngineBuilder,
};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

/// Bytes that a peer may have under way towards us: bounds what a link holds unread.
const RECEIVE_WINDOW_BYTES: u32 = 256 * 1024;
/// Longest message that the library reassembles; each connection holds a buffer of this size.
/// What is longer is lost: so there is room for messages that are too long, which must end their
/// link.
const REASSEMBLED_BYTES_MAX: u32 = 32 * 1024;
const _: () = assert!(MESSAGE_BYTES_MAX < REASSEMBLED_BYTES_MAX as usize);
/// Bytes handed to SCTP and not acknowledged yet; the rest waits in the link's own queue.
pub const IN_FLIGHT_BYTES_MAX: usize = 1024 * 1024;

/// Hands a connection's events to its link's task.
pub struct Handler {
    links: Arc<LinkTable>,
    link: LinkId,
    /// For the first data channel that the other side opens, where one is expected.
    channel: Mutex<Option<oneshot::Sender<Arc<dyn DataChannel>>>>,
}

impl Handler {
    /// For the dialling side, which opens the only channel.
    pub fn dialling(links: Arc<LinkTable>, link: LinkId) -> Arc<Self> {
        Arc::new(Self {
            links,
            link,
            channel: Mutex::new(None),
        })
    }

    /// For the listening side; the receiver gets the first data channel.
    pub fn listening(
        links: Arc<LinkTable>,
        link: LinkId,
    ) -> (Arc<Self>, oneshot::Receiver<Arc<dyn DataChannel>>) {
        let (channel, opened) = oneshot::channel();
        (
            Arc::new(Self {
                links,
                link,
                channel: Mutex::new(Some(channel)),
            }),
            opened,
        )
    }
}

// Called on the connection's own driver: nothing here may wait.
#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Closed => self.links.end(self.link, DownReason::ClosedByPeer),
            RTCPeerConnectionState::Failed => self.links.end(self.link, DownReason::Failed),
            _ => {}
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let expected = lock(&self.channel).take();
        if expected.is_none_or(|expected| expected.send(channel).is_err()) {
            self.links.end(self.link, DownReason::Misuse);
        }
    }
}

fn settings() -> SettingEngineBuilder {
    SettingEngineBuilder::new()
        // Otherwise each connection opens a multicast socket.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_receive_buffer_size(RECEIVE_WINDOW_BYTES)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(REASSEMBLED_BYTES_MAX))
        // The library would compare with the fingerprint of a description. A listener has none to
        // compare with (the link handshake binds the certificate really used), and a dialler
        // compares itself, so that it can say what was wrong.
        .with_disable_certificate_fingerprint_verification(true)
}

/// The listening side of a link, over a virtual socket. Its ICE never fails; silence is the mux's
/// to notice.
pub async fn listening(
    certificate: &CertificateFile,
    runtime: VirtualRuntime,
    handler: Arc<Handler>,
) -> Result<Arc<dyn PeerConnection>> {
    let engine = settings()
        .with_ice_connection_attempts(Some(Duration::from_millis(2)), Some(1_000))
        .with_ice_timeouts(
            Some(Duration::ZERO),
            Some(Duration::ZERO),
            Some(Duration::from_secs(10)),
        )
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .build();
    let local = SocketAddr::new(super::session::PEER.ip(), 0);
    build(certificate, engine, Arc::new(runtime), handler, local).await
}

/// The dialling side of a link, over a socket of its own.
pub async fn dialling(
    certificate: &CertificateFile,
    handler: Arc<Handler>,
    local: SocketAddr,
) -> Result<Arc<dyn PeerConnection>> {
    let engine = settings()
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(500))
        .with_ice_timeouts(
            Some(Duration::from_secs(5)),
            Some(Duration::from_secs(10)),
            Some(Duration::from_secs(2)),
        )
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .build();
    build(certificate, engine, Arc::new(TokioRuntime), handler, local).await
}

async fn build(
    certificate: &CertificateFile,
    engine: webrtc::peer_connection::SettingEngine,
    runtime: Arc<dyn Runtime>,
    handler: Arc<Handler>,
    local: SocketAddr,
) -> Result<Arc<dyn PeerConnection>> {
    let configuration = RTCConfigurationBuilder::new()
        .with_certificates(vec![certificate.certificate()])
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(engine)
        .with_runtime(runtime)
        .with_handler(handler)
        .with_udp_addrs(vec![local])
        .with_data_channel_send_buffer_limit(IN_FLIGHT_BYTES_MAX)
        .build()
        .await?;
    Ok(Arc::new(connection))
}

/// Whether this is the channel a link consists of: right label, ordered. The library does not say
/// whether the opener limits retransmissions; one who does loses only messages of its own link.
pub async fn is_link_channel(channel: &Arc<dyn DataChannel>) -> bool {
    matches!(channel.label().await, Ok(label) if label == CHANNEL_LABEL)
        && matches!(channel.ordered().await, Ok(true))
}

/// SHA-256 of the certificate that the other side proved to own in the DTLS handshake.
pub async fn remote_fingerprint(connection: &Arc<dyn PeerConnection>) -> Option<[u8; 32]> {
    let transport = connection.sctp().await?.transport();
    let certificates = transport.get_remote_certificates().await.ok()?;
    Some(Sha256::digest(certificates.first()?).into())
}

/// Tokio, but for UDP sockets: whatever the connection binds, it gets the virtual one.
#[derive(Debug)]
pub struct VirtualRuntime {
    pub session: Arc<super::session::Session>,
    pub sockets: Arc<[Arc<UdpPort>]>,
}

impl Runtime for VirtualRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let local = socket.local_addr()?;
        Ok(Arc::new(VirtualSocket::new(
            self.session.clone(),
            self.sockets.clone(),
            local,
        )?))
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        _remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(
        &'a self,
        _host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }
}
