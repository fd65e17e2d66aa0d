//! The HTTP side over real connections, friendly and hostile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::clock::Clock;
use crate::find::own::outward;
use crate::rtc::{CertificateFile, RtcConfig};
use crate::status::{Desk, Facts, Report};
use crate::transport::LinkLimits;
use shared::crypto::SigningKey;
use shared::relay::{Relay, RelayConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\n\
    a=mid:0\r\na=sctp-port:5000\r\n";

const TOKEN: [u8; 32] = [7; 32];

struct Running {
    at: SocketAddr,
    hint: RelayHint,
    _stop: HttpStop,
    status: watch::Sender<Status>,
}

fn numbers(state: RelayState) -> Status {
    Status {
        state,
        objects: 3,
        peers: 2,
        bytes: 4_096,
        ..Status::default()
    }
}

async fn start(advertise: Option<Advertise>) -> Running {
    start_on("127.0.0.1", advertise).await
}

/// Listens on that address; requests come over loopback.
async fn start_on(bind: &str, advertise: Option<Advertise>) -> Running {
    let bind: IpAddr = bind.parse().unwrap();
    let certificate = CertificateFile::generate().unwrap();
    let mut hint = RelayHint {
        address: "192.0.2.9".parse().unwrap(),
        port: 1,
        certificate: certificate.fingerprint(),
        node_key: [5; 32],
    };
    let ice = hint.ice();
    let config = RtcConfig {
        bind: vec![SocketAddr::new(bind, 0)],
        certificate,
        ufrag: ice.ufrag,
        pwd: ice.pwd,
        limits: LinkLimits::default(),
    };
    // Its events are not needed.
    let (rtc, _) = RtcPort::listen(config).await.unwrap();
    hint.port = rtc.local_addr().port();
    let (status, watched) = watch::channel(numbers(RelayState::Running));
    let listener = HttpListener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let at = listener.local_addr();
    let asker = asker(&rtc);
    let site = Site {
        rtc: Arc::new(rtc),
        bound: vec![bind],
        hint,
        advertise,
        names: Arc::from(["relay.example".parse().unwrap()]),
        status: watched,
        asker,
    };
    Running {
        at,
        hint,
        _stop: listener.serve(site),
        status,
    }
}

/// Of a relay that has just been made.
fn asker(rtc: &RtcPort) -> Asker {
    let facts = Facts {
        node_key: [5; 32],
        network: "test".into(),
        objects_max: 10,
        bytes_max: 1_000,
    };
    let (mut desk, asker) = Desk::new(facts, TOKEN, rtc.meter(), rtc.meter());
    let config = RelayConfig::new(SigningKey::from_bytes(&[5; 32]), 1);
    let clock = Clock::start();
    let relay = Relay::new(config, [6; 32], clock.now());
    tokio::spawn(async move {
        loop {
            desk.look(clock.now(), &relay);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    asker
}

impl Running {
    /// Sends these bytes and reads until the relay closes the connection.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        // The relay may close before it has read all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        self.raw(request.as_bytes()).await
    }

    async fn post(&self, path: &str, body: &[u8]) -> String {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n"
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn code(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let relay = start(None).await;
    let answers = [
        relay.get("/", "").await,
        relay.get("/relay", "").await,
        relay.get("/health", "").await,
        relay.get("/nothing/here.js", "").await,
        relay.post("/relay", b"").await,
        relay.post("/", b"").await,
        relay.post("/offer", b"nonsense").await,
        relay.post("/offer", &[b'x'; 20_000]).await,
    ];
    for answer in &answers {
        for (name, value) in SECURITY_HEADERS {
            assert!(
                answer.contains(&format!("\r\n{name}: {value}\r\n")),
                "{name}: {answer}"
            );
        }
        assert!(!answer.to_lowercase().contains("access-control-allow"));
    }
    let codes: Vec<&str> = answers.iter().map(|answer| code(answer)).collect();
    assert_eq!(
        codes[1..],
        ["200", "200", "404", "405", "405", "400", "413"]
    );
}

/// A page of somebody else, whose name leads to this relay now, asks as a part of its own site.
#[tokio::test]
async fn a_name_of_somebody_else_reads_nothing() {
    let relay = start(None).await;
    let ask = async |first: &str, host: &str| {
        let close = "connection: close\r\ncontent-length: 0\r\n";
        let request = format!("{first} HTTP/1.1\r\n{host}{close}\r\n");
        let answer = relay.raw(request.as_bytes()).await;
        assert!(answer.contains("x-frame-options: DENY"), "{answer}");
        answer
    };
    let evil = "host: evil.example:8420\r\n";
    let token = format!("{evil}authorization: Bearer {}\r\n", "07".repeat(32));
    let forwarded = format!("{evil}x-forwarded-for: 1.2.3.4\r\nvia: 1.1 proxy\r\n");
    let two = format!("host: localhost\r\n{evil}");
    let name = |host: &str| format!("host: {host}\r\n");
    for (first, host) in [
        ("GET /relay", evil),
        ("GET /health", evil),
        ("GET /", evil),
        ("POST /offer", evil),
        ("OPTIONS /relay", evil),
        ("GET /status", &token),
        ("GET /relay", &forwarded),
        ("GET /relay", &two),
        ("GET http://evil.example/relay", "host: localhost\r\n"),
        ("GET /relay", "host: \r\n"),
    ] {
        let answer = ask(first, host).await;
        assert_eq!(code(&answer), "421", "{first} {host}: {answer}");
        assert!(body(&answer).contains("--host"), "{answer}");
        assert!(!answer.contains(&relay.hint.to_text()));
    }
    for host in [
        &name(&relay.at.to_string()),
        &name("localhost:8420"),
        &name("relay.example"),
        // Over https, by a reverse proxy that hands on the name.
        &format!("{evil}sec-fetch-site: same-origin\r\n"),
        "",
    ] {
        assert_eq!(code(&ask("GET /relay", host).await), "200", "{host}");
    }
}

/// Browsers ask for that before a page of the internet may reach a private address.
#[tokio::test]
async fn no_page_of_the_internet_is_let_through_to_here() {
    let relay = start(None).await;
    let asked = "OPTIONS /relay HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
        origin: https://evil.example\r\naccess-control-request-method: GET\r\n\
        access-control-request-private-network: true\r\n\r\n";
    let answer = relay.raw(asked.as_bytes()).await;
    assert_eq!(code(&answer), "405");
    assert!(!answer.contains("access-control-allow"), "{answer}");
}

/// An answer without the time and the name that was asked for.
fn timeless(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.starts_with("date: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_state_is_told_to_who_has_the_token_and_is_nowhere_for_others() {
    let relay = start(None).await;
    let token = "07".repeat(32);
    let right = format!("authorization: Bearer {token}\r\n");
    let answer = relay.get("/status", &right).await;
    assert_eq!(code(&answer), "200");
    assert!(answer.contains("\r\ncache-control: no-store\r\n"));
    let report: Report = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(report.relay, "05".repeat(8));
    assert_eq!(report.stored.objects_max, 10);

    // What strangers send to the port in vain is counted there.
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = SocketAddr::new(relay.at.ip(), relay.hint.port);
    stranger.send_to(&[0; 9], port).unwrap();
    loop {
        let answer = relay.get("/status", &right).await;
        let report: Report = serde_json::from_str(body(&answer)).unwrap();
        if let Some(counted) = report.counters.get("webrtc") {
            assert_eq!(counted["packets_malformed"], 1);
            break;
        }
        assert!(!answer.contains("packets_malformed"));
    }

    let nowhere = timeless(&relay.get("/nowhere", "").await);
    assert_eq!(code(&nowhere), "404");
    let long = format!("authorization: Bearer {token}0\r\n");
    let wrong = format!("authorization: Bearer {}\r\n", "08".repeat(32));
    let basic = format!("authorization: {token}\r\n");
    let in_path = format!("/status?token={token}");
    for (path, headers) in [
        ("/status", ""),
        ("/status", "authorization: \r\n"),
        ("/status", "authorization: Bearer \r\n"),
        ("/status", &long),
        ("/status", &wrong),
        ("/status", &basic),
        (&in_path, ""),
        ("/status/", &right),
    ] {
        let answer = relay.get(path, headers).await;
        assert_eq!(timeless(&answer), nowhere, "{path} {headers}");
    }
    let posted = timeless(&relay.post("/status", b"").await);
    assert_eq!(posted, timeless(&relay.post("/nowhere", b"").await));
}

#[test]
fn the_policy_is_the_pages_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/vite.config.ts");
    let source = std::fs::read_to_string(path).unwrap();
    let (_, rest) = source.split_once("const policy = [").unwrap();
    let (list, _) = rest.split_once("].join('; ')").unwrap();
    let quoted = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        line.get(1..line.len().saturating_sub(1)).map(str::to_owned)
    };
    let page: Vec<String> = list
        .lines()
        .filter_map(quoted)
        .filter(|d| !d.is_empty())
        .collect();
    assert!(page.len() > 5, "the page's policy was not found");
    let ours = POLICY.strip_suffix("; frame-ancestors 'none'").unwrap();
    assert_eq!(page.join("; "), ours);
}

#[tokio::test]
async fn the_hint_names_the_address_the_request_came_to() {
    let relay = start(None).await;
    let here = RelayHint {
        address: "127.0.0.1".parse().unwrap(),
        ..relay.hint
    };
    let answer = relay.get("/relay", "").await;
    let expected = serde_json::json!({ "hint": here.to_text() }).to_string();
    assert_eq!(body(&answer), expected);
    assert!(answer.contains("\r\ncache-control: no-store\r\n"));

    let elsewhere = start(Some("203.0.113.7:99".parse().unwrap())).await;
    let there = RelayHint {
        address: "203.0.113.7".parse().unwrap(),
        port: 99,
        ..elsewhere.hint
    };
    assert!(elsewhere.get("/relay", "").await.contains(&there.to_text()));
    for text in ["", "relay.example", "1.2.3.4:0", "1.2.3.4:x"] {
        assert!(text.parse::<Advertise>().is_err(), "{text}");
    }
}

/// Firefox sends no WebRTC to a loopback address. A machine without a network has no other.
#[tokio::test]
async fn who_comes_over_loopback_is_told_the_way_out() {
    let wildcard: IpAddr = "0.0.0.0".parse().unwrap();
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let expected = outward(wildcard).unwrap_or(loopback);
    assert!(!expected.is_unspecified());

    let relay = start_on("0.0.0.0", None).await;
    let told = RelayHint {
        address: expected,
        ..relay.hint
    };
    assert!(relay.get("/relay", "").await.contains(&told.to_text()));
    let answer = relay.post("/offer", OFFER.as_bytes()).await;
    let at = |ip: IpAddr| answer.find(&format!(" {ip} {} ", relay.hint.port));
    assert!(at(expected).unwrap() <= at(loopback).unwrap(), "{answer}");

    let advertised = start_on("0.0.0.0", Some("203.0.113.7".parse().unwrap())).await;
    let answer = advertised.post("/offer", OFFER.as_bytes()).await;
    let candidates = answer.matches("a=candidate:").count();
    assert_eq!((candidates, answer.contains(" 203.0.113.7 ")), (1, true));
}

#[tokio::test]
async fn offers_are_answered_from_the_hint() {
    let relay = start(None).await;
    let answer = relay.post("/offer", OFFER.as_bytes()).await;
    assert_eq!(code(&answer), "200", "{answer}");
    let ice = relay.hint.ice();
    assert!(answer.contains("content-type: application/sdp"));
    assert!(answer.contains(&format!("a=ice-ufrag:{}\r\n", ice.ufrag)));
    assert!(
        answer.contains(&format!(" 127.0.0.1 {} ", relay.hint.port)),
        "{answer}"
    );
    assert_eq!(code(&relay.post("/offer", &[0xff; 100]).await), "400");
    assert_eq!(code(&relay.post("/offer", b"").await), "400");
}

#[tokio::test]
async fn health_follows_the_relay() {
    let mut relay = start(None).await;
    let answer = relay.get("/health", "").await;
    let health: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(
        (code(&answer), &health["state"]),
        ("200", &"running".into())
    );
    assert_eq!(health["objects"], 3);
    assert_eq!(health["peers"], 2);
    relay.status.send_replace(numbers(RelayState::Starting));
    assert_eq!(code(&relay.get("/health", "").await), "503");
    // What it said last, it said before it ended.
    relay.status.send_replace(numbers(RelayState::Running));
    relay.status = watch::channel(numbers(RelayState::Running)).0;
    assert_eq!(code(&relay.get("/health", "").await), "503");
}

#[tokio::test]
async fn hostile_requests_hurt_nobody() {
    let relay = start(None).await;
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let endless = format!(
        "POST /offer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n{}",
        format!("400\r\n{}\r\n", "z".repeat(1024)).repeat(64)
    );
    let two_lengths = "POST /offer HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\
        content-length: 4\r\nconnection: close\r\n\r\nabcd";
    let huge = "POST /offer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-length: 18446744073709551615\r\n\r\nabc";
    let requests: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        long_path.as_bytes(),
        many_headers.as_bytes(),
        endless.as_bytes(),
        two_lengths.as_bytes(),
        huge.as_bytes(),
    ];
    for request in requests {
        let answer = relay.raw(request).await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        // A reset connection shows as no answer.
        let fine = ["400", "405", "413", "414", "431", "none"].contains(&code(&answer));
        assert!(fine, "{shown}: {answer}");
    }
    let outside = [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "/assets/../../Cargo.toml",
        "//etc/passwd",
        "/assets//../index.html.br",
        "/%00.js",
        "/index.html.gz",
        "/.git/config",
    ];
    for path in outside {
        let answer = relay.get(path, "accept-encoding: br\r\n").await;
        assert!(["404", "400"].contains(&code(&answer)), "{path}: {answer}");
    }
    assert_eq!(code(&relay.get("/relay", "").await), "200");
}

#[tokio::test]
async fn what_comes_over_loopback_is_everybody() {
    let relay = start(None).await;
    let mut held = Vec::new();
    for _ in 0..=serve::CONNECTIONS_PER_ADDRESS_MAX {
        let mut stream = TcpStream::connect(relay.at).await.unwrap();
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
}

#[tokio::test]
async fn the_page_is_cached_by_its_name_and_compressed_as_asked() {
    let relay = start(None).await;
    let answer = relay.get("/", "").await;
    if !is_embedded() {
        assert_eq!(code(&answer), "404");
        assert!(answer.contains("built without the page"));
        return;
    }
    assert_eq!(code(&answer), "200");
    assert!(answer.contains("content-type: text/html; charset=utf-8\r\n"));
    assert!(answer.contains("cache-control: no-cache\r\n"));
    let tag = answer
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    let again = relay.get("/", &format!("if-none-match: {tag}\r\n")).await;
    assert_eq!((code(&again), body(&again)), ("304", ""));
    let (_, rest) = answer.split_once("assets/").unwrap();
    let name = rest.split('"').next().unwrap();
    let script = relay
        .get(&format!("/assets/{name}"), "accept-encoding: gzip, br\r\n")
        .await;
    assert!(script.contains("cache-control: public, max-age=31536000, immutable\r\n"));
    assert!(
        script.contains("content-encoding: br\r\n"),
        "{}",
        &script[..600.min(script.len())]
    );
}
