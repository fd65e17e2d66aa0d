//! What an idle WebRTC link costs a relay in memory, beside what the bare `webrtc` crate takes.
//!
//!     cargo run --release -p native-node --example bench_rtc [-- LINKS] [--rounds N] [--json]
//!
//! Three programs: the clients, and in turn the relay's port and a server that uses the crate in
//! its plainest form, each started anew. A link has its one data channel open and saw a frame
//! there and back. Resident memory is read from /proc. Loopback only.
#![allow(clippy::unwrap_used, clippy::panic)]

mod measure;

use bytes::BytesMut;
use measure::{PWD, UFRAG, end_with_parent, median, resident_kib, verdict};
use native_node::rtc::{CertificateFile, RtcConfig, RtcPort, answer_from_hint};
use native_node::transport::{LinkEvent, LinkLimits};
use rtc::ice::mdns::MulticastDnsMode;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCSessionDescription, SettingEngineBuilder,
};

const LINKS_DEFAULT: usize = 1_000;
const ROUNDS_DEFAULT: usize = 3;
/// Handshakes under way at a time.
const AT_ONCE: usize = 40;
/// What a link of the relay may cost of what one of the bare crate costs.
const GOAL_RATIO: f64 = 1.2;
/// Time for what is not needed any more to be given back.
const SETTLE: Duration = Duration::from_secs(3);
const LABEL: &str = "wm1";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--listen-relay") => relay().await,
        Some("--listen-bare") => bare().await,
        _ => measure(&arguments).await,
    }
}

/// The relay's port in a process of its own: says what a hint would, and echoes.
async fn relay() {
    let certificate = CertificateFile::generate().unwrap();
    let config = RtcConfig {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        certificate,
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
        limits: LinkLimits {
            links_max: usize::MAX / 2,
            links_per_address_max: usize::MAX / 8,
            links_per_network_max: usize::MAX / 8,
            half_open_per_address_max: 2 * AT_ONCE,
            half_open_per_network_max: 2 * AT_ONCE,
            ..LinkLimits::default()
        },
    };
    let (port, mut events) = RtcPort::listen(config).await.unwrap();
    let fingerprint = port.fingerprint().map(|byte| format!("{byte:02x}"));
    println!("{} {}", port.local_addr(), fingerprint.concat());
    end_with_parent();
    while let Some(event) = events.recv().await {
        if let LinkEvent::Message { link, bytes } = event {
            let _ = port.try_send(link, bytes);
        }
    }
}

/// The bare crate in a process of its own: an answer for each offer, and echoes.
async fn bare() {
    let (read, mut offers) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().for_each(|line| {
            let _ = read.send(line.unwrap());
        });
        std::process::exit(0);
    });
    println!("ready");
    let mut connections: Vec<Arc<dyn PeerConnection>> = Vec::new();
    while let Some(line) = offers.recv().await {
        let offer = RTCSessionDescription::offer(unescape(&line)).unwrap();
        let (connection, mut done) = connection(settings()).await;
        connection.set_remote_description(offer).await.unwrap();
        let answer = connection.create_answer(None).await.unwrap();
        connection.set_local_description(answer).await.unwrap();
        done.recv().await.unwrap();
        let answer = connection.local_description().await.unwrap();
        println!("{}", escape(&answer.sdp));
        connections.push(connection);
    }
}

/// Says when all candidates are known, and echoes what comes over a data channel.
struct Plain {
    gathered: mpsc::UnboundedSender<()>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Plain {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(());
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        tokio::spawn(async move {
            while let Some(event) = channel.poll().await {
                if let DataChannelEvent::OnMessage(message) = event {
                    let _ = channel.send(message.data).await;
                }
            }
        });
    }
}

/// The one setting, and in the crate's favour: each connection would have a second socket.
fn settings() -> SettingEngineBuilder {
    SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled)
}

/// A connection on loopback, and what says when all its candidates are known.
async fn connection(
    settings: SettingEngineBuilder,
) -> (Arc<dyn PeerConnection>, mpsc::UnboundedReceiver<()>) {
    let (gathered, done) = mpsc::unbounded_channel();
    let connection = PeerConnectionBuilder::new()
        .with_setting_engine(settings.build())
        .with_handler(Arc::new(Plain { gathered }))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .unwrap();
    (Arc::new(connection), done)
}

/// A description as one line.
fn escape(text: &str) -> String {
    text.replace("\r\n", "|")
}

fn unescape(line: &str) -> String {
    line.replace('|', "\r\n")
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Relay,
    Bare,
}

/// A listening process, and how an offer is answered.
struct Listener {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// The relay's address and certificate.
    hint: Option<(SocketAddr, [u8; 32])>,
}

impl Listener {
    async fn start(kind: Kind) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(match kind {
                Kind::Relay => "--listen-relay",
                Kind::Bare => "--listen-bare",
            })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = output.next_line().await.unwrap().unwrap();
        let hint = first.split_once(' ').map(|(address, fingerprint)| {
            let byte = |at| u8::from_str_radix(&fingerprint[2 * at..2 * at + 2], 16).unwrap();
            (address.parse().unwrap(), std::array::from_fn(byte))
        });
        Self {
            process,
            input,
            output,
            hint,
        }
    }

    async fn answer(&mut self, offer: &str) -> String {
        if let Some((address, fingerprint)) = &self.hint {
            return answer_from_hint(offer, &[*address], fingerprint, UFRAG, PWD).unwrap();
        }
        let line = escape(offer) + "\n";
        self.input.write_all(line.as_bytes()).await.unwrap();
        unescape(&self.output.next_line().await.unwrap().unwrap())
    }

    /// Resident memory, KiB.
    fn resident_kib(&self) -> f64 {
        resident_kib(self.process.id().unwrap())
    }
}

struct Client {
    connection: Arc<dyn PeerConnection>,
    _channel: Arc<dyn DataChannel>,
}

/// Opens links, and sees one frame there and back on each.
async fn open(listener: &Arc<Mutex<Listener>>, count: usize, clients: &mut Vec<Client>) {
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..count {
        opening.spawn(open_one(listener.clone()));
    }
    while let Some(client) = opening.join_next().await {
        clients.push(client.unwrap());
    }
}

async fn open_one(listener: Arc<Mutex<Listener>>) -> Client {
    let settings = settings()
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(500))
        .with_host_acceptance_min_wait(Some(Duration::ZERO));
    let (connection, mut done) = connection(settings).await;
    let channel = connection.create_data_channel(LABEL, None).await.unwrap();
    let offer = connection.create_offer(None).await.unwrap();
    connection.set_local_description(offer).await.unwrap();
    done.recv().await.unwrap();
    let offer = connection.local_description().await.unwrap();
    let answer = listener.lock().await.answer(&offer.sdp).await;
    let answer = RTCSessionDescription::answer(answer).unwrap();
    connection.set_remote_description(answer).await.unwrap();
    echoed(&channel).await;
    Client {
        connection,
        _channel: channel,
    }
}

async fn echoed(channel: &Arc<dyn DataChannel>) {
    loop {
        match channel.poll().await.unwrap() {
            DataChannelEvent::OnOpen => channel.send(BytesMut::from("hello")).await.unwrap(),
            DataChannelEvent::OnMessage(_) => return,
            DataChannelEvent::OnClose => panic!("it closed"),
            _ => {}
        }
    }
}

/// Resident KiB a link, and links opened a second.
async fn round(kind: Kind, links: usize) -> (f64, f64) {
    let listener = Arc::new(Mutex::new(Listener::start(kind).await));
    let mut clients = Vec::new();
    // What is needed once, for any number of links.
    open(&listener, AT_ONCE, &mut clients).await;
    tokio::time::sleep(SETTLE).await;
    let before = listener.lock().await.resident_kib();
    let begin = std::time::Instant::now();
    for _ in 0..links / AT_ONCE {
        open(&listener, AT_ONCE, &mut clients).await;
    }
    let opening = begin.elapsed();
    tokio::time::sleep(SETTLE).await;
    let opened = (clients.len() - AT_ONCE) as f64;
    let mut listener = listener.lock().await;
    let each = (listener.resident_kib() - before) / opened;
    let _ = listener.process.kill().await;
    for client in clients {
        let _ = client.connection.close().await;
    }
    (each, opened / opening.as_secs_f64())
}

async fn measure(arguments: &[String]) {
    let links = arguments.first().and_then(|first| first.parse().ok());
    let links: usize = links.unwrap_or(LINKS_DEFAULT);
    let mut rest = arguments.iter().skip_while(|it| *it != "--rounds").skip(1);
    let rounds = rest.next().map_or(ROUNDS_DEFAULT, |it| it.parse().unwrap());
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let (relay, relay_opened) = round(Kind::Relay, links).await;
        let (bare, bare_opened) = round(Kind::Bare, links).await;
        measured.push([relay, relay_opened, bare, bare_opened, relay / bare]);
    }
    let [relay, relay_opened, bare, bare_opened, ratio] =
        std::array::from_fn(|at| median(measured.iter().map(|row| row[at]).collect()));
    if arguments.iter().any(|argument| argument == "--json") {
        println!(
            "{{\"links\":{links},\"rounds\":{rounds},\"relay_kib\":{relay:.1},\
             \"bare_kib\":{bare:.1},\"ratio\":{ratio:.3},\"goal_ratio\":{GOAL_RATIO}}}"
        );
        return;
    }
    println!("WebRTC, {links} idle links over loopback, medians of {rounds} rounds in turn");
    println!(
        "  relay             {relay:>6.1} KiB resident a link, {relay_opened:.0} opened a second"
    );
    println!(
        "  bare `webrtc`     {bare:>6.1} KiB resident a link, {bare_opened:.0} opened a second"
    );
    let met = verdict(ratio <= GOAL_RATIO);
    println!("  relay / bare      {ratio:>6.2}; goal at most {GOAL_RATIO}: {met}");
}
