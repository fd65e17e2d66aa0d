//! What an idle QUIC link costs a relay in memory, and how long a frame takes there and back.
//!
//!     cargo run --release -p native-node --example bench_quic [-- LINKS] [--json]
//!
//! The listening side is another process, which answers every frame with the same frame; its
//! resident memory is read from /proc. Loopback only.
#![allow(clippy::unwrap_used, clippy::panic)]

mod measure;

use bytes::Bytes;
use measure::{PWD, UFRAG, end_with_parent, resident_kib, verdict};
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::{CertificateFile, RtcConfig, RtcPort};
use native_node::transport::{LinkEvent, LinkId, LinkLimits};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

const LINKS_DEFAULT: usize = 1_000;
/// Handshakes under way at a time.
const AT_ONCE: usize = 8;
const ROUND_TRIPS: usize = 2_000;
const FRAME_BYTES: usize = 1_024;
/// What an idle link should cost at most.
const GOAL_KIB: f64 = 48.0;
/// Time for what is not needed any more to be given back.
const SETTLE: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().any(|argument| argument == "--listen") {
        true => listen().await,
        false => measure(&arguments).await,
    }
}

/// The other process: says where it listens, and echoes.
async fn listen() {
    let limits = LinkLimits {
        links_max: usize::MAX,
        links_per_address_max: usize::MAX,
        links_per_network_max: usize::MAX,
        // Nothing says anything while the links lie idle.
        silence_timeout: Duration::from_secs(600),
        ..LinkLimits::quic()
    };
    let certificate = CertificateFile::generate().unwrap();
    let config = RtcConfig {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        certificate: certificate.clone(),
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
        limits,
    };
    let (rtc, _rtc_events) = RtcPort::listen(config).await.unwrap();
    let config = QuicConfig {
        limits,
        ..QuicConfig::relay()
    };
    let (quic, mut events) = QuicPort::sharing(&rtc, &certificate, config).unwrap();
    println!("{}", rtc.local_addr());
    end_with_parent();
    while let Some(event) = events.recv().await {
        if let LinkEvent::Message { link, bytes } = event {
            let _ = quic.try_send(link, bytes);
        }
    }
}

/// Dials, and sees one frame there and back.
async fn open(quic: &QuicPort, events: &mut Receiver<LinkEvent>, to: SocketAddr, count: usize) {
    for _ in 0..count {
        quic.dial(to, None);
    }
    let mut answered = 0;
    while answered < count {
        match events.recv().await.unwrap() {
            LinkEvent::Up { link, .. } => {
                quic.try_send(link, Bytes::from_static(b"hello")).unwrap();
            }
            LinkEvent::Message { .. } => answered += 1,
            other => panic!("{other:?}"),
        }
    }
}

async fn round_trip(quic: &QuicPort, events: &mut Receiver<LinkEvent>, link: LinkId) -> Duration {
    let begin = Instant::now();
    quic.try_send(link, Bytes::from(vec![7; FRAME_BYTES]))
        .unwrap();
    loop {
        match events.recv().await.unwrap() {
            LinkEvent::Message { .. } => return begin.elapsed(),
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn measure(arguments: &[String]) {
    let links = arguments.iter().find_map(|argument| argument.parse().ok());
    let links: usize = links.unwrap_or(LINKS_DEFAULT);
    let mut listener = Command::new(std::env::current_exe().unwrap())
        .arg("--listen")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(listener.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let to: SocketAddr = line.trim().parse().unwrap();

    let config = QuicConfig {
        limits: LinkLimits {
            silence_timeout: Duration::from_secs(600),
            ..LinkLimits::quic()
        },
        ..QuicConfig::relay()
    };
    let (quic, mut events) = QuicPort::dialling(config).unwrap();
    // What is needed once, for any number of links.
    open(&quic, &mut events, to, AT_ONCE).await;
    tokio::time::sleep(SETTLE).await;
    let (before, own_before) = (
        resident_kib(listener.id()),
        resident_kib(std::process::id()),
    );

    let begin = Instant::now();
    for _ in 0..links / AT_ONCE {
        open(&quic, &mut events, to, AT_ONCE).await;
    }
    let opening = begin.elapsed();
    tokio::time::sleep(SETTLE).await;
    let opened = (links / AT_ONCE * AT_ONCE) as f64;
    let each = |process, before| (resident_kib(process) - before) / opened;
    let listening = each(listener.id(), before);
    let dialling = each(std::process::id(), own_before);

    let link = quic.dial(to, None);
    while !matches!(events.recv().await, Some(LinkEvent::Up { .. })) {}
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        times.push(round_trip(&quic, &mut events, link).await);
    }
    times.sort();
    let at = |share: f64| times[(ROUND_TRIPS as f64 * share) as usize].as_secs_f64() * 1e6;
    let _ = listener.kill();
    let _ = listener.wait();

    let (p50, p99) = (at(0.5), at(0.99));
    let per_second = opened / opening.as_secs_f64();
    if arguments.iter().any(|argument| argument == "--json") {
        println!(
            "{{\"links\":{opened},\"listening_kib\":{listening:.1},\"dialling_kib\":{dialling:.1},\
             \"opened_per_second\":{per_second:.0},\"round_trip_us_p50\":{p50:.0},\
             \"round_trip_us_p99\":{p99:.0},\"goal_kib\":{GOAL_KIB}}}"
        );
        return;
    }
    println!("QUIC, {opened} idle links over loopback, two processes");
    println!("  resident a link   {listening:>6.1} KiB listening, {dialling:.1} KiB dialling");
    println!("  opened            {per_second:>6.0} a second, {AT_ONCE} at a time");
    println!("  1 KiB and back    {p50:>6.0} us (p50), {p99:.0} us (p99)");
    let met = verdict(listening <= GOAL_KIB);
    println!("  goal {GOAL_KIB} KiB a listening link: {met}");
}
