#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::ask::unreadable;
use super::desk::place;
use super::*;
use crate::scratch::Scratch;
use shared::relay::Counters;
use std::io;

fn report() -> Report {
    Report {
        version: "0.1.0".into(),
        state: "running".into(),
        uptime_s: 3_725,
        relay: "0011223344556677".into(),
        network: "main".into(),
        addresses: vec!["192.168.1.5:8420".parse().unwrap()],
        range: Range::default(),
        peers: vec![Peer {
            relay: "8899aabbccddeeff".into(),
            address: Some("192.168.1.7:8420".parse().unwrap()),
            dialled: false,
            range: shared::range::Range::of(0xabc0_0000, 10).into(),
            linked_s: 61,
        }],
        known: Known { new: 1, tried: 2 },
        stored: Stored {
            objects: 3,
            headers: 2,
            objects_max: 1_000_000,
            records: 1,
            bytes: 1_536,
            bytes_max: 4 << 30,
            effort_floor: 0,
        },
        webrtc: Carried::default(),
        quic: Carried {
            links: 1,
            ..Carried::default()
        },
        counters: BTreeMap::from([("refused".into(), BTreeMap::from([("over_quota".into(), 2)]))]),
    }
}

#[test]
fn every_counter_has_its_place() {
    for (name, _) in Counters::default().each() {
        assert_ne!(place(name).0, "other", "{name}");
    }
    assert_eq!(place("refused_store_full"), ("refused", "store_full"));
    assert_eq!(place("something_else"), ("other", "something_else"));
}

#[test]
fn people_read_all_of_it() {
    let text = text(&report());
    for part in [
        "running for 1 h 2 min",
        "0011223344556677",
        "192.168.1.5:8420 to others",
        "3 other relays: 2 proved by a link, 1 only heard of",
        "8899aabbccddeeff  192.168.1.7:8420       dialled us  abc/10     for 1 min 1 s",
        "all: it keeps everything",
        "3 objects of 1000000 (2 by header only), 1.5 KiB of 4 GiB; 1 record",
        "1 link; frames in 0 0 B",
        "refused   over quota 2",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let alone = Report {
        peers: Vec::new(),
        addresses: Vec::new(),
        ..report()
    };
    let text = super::text(&alone);
    assert!(text.contains("linked to no other relay"), "{text}");
    assert!(text.contains("others cannot dial it"), "{text}");
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let written = serde_json::to_vec(&report()).unwrap();
    let read: Report = serde_json::from_slice(&written).unwrap();
    assert_eq!(read, report());
}

/// Asks in that directory, where something gives that answer.
async fn answered(there: &std::path::Path, answer: &str) -> Result<Report, AskError> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let _door = Door::open(there, &[at.ip()], at.port(), &[1; 32]).unwrap();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut room = [0; 1024];
        let _ = stream.read(&mut room).await.unwrap();
        // The other side may have hung up.
        let _ = stream.write_all(answer.as_bytes()).await;
    };
    tokio::join!(ask(there), serve).0
}

/// Asks in that directory, where what answers says that report.
async fn asked(there: &std::path::Path, answer: &Report) -> Report {
    let body = serde_json::to_string(answer).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    answered(there, &(head + &body)).await.unwrap()
}

/// A relay that was killed left its port to a program of somebody else.
#[tokio::test]
async fn what_answers_in_a_relays_place_controls_no_terminal() {
    let dir = Scratch::new("false").unwrap();
    let honest = asked(dir.path(), &report()).await;
    assert_eq!(honest, report());
    let evil = "\u{1b}]0;x\u{7}\r\n\u{9b}2J\u{202e}\u{200b}\u{7f}";
    let counted = BTreeMap::from([(evil.into(), u64::MAX)]);
    let mut false_one = Report {
        version: evil.into(),
        state: evil.into(),
        uptime_s: u64::MAX,
        relay: "a".repeat(10_000),
        network: evil.into(),
        known: Known {
            new: usize::MAX,
            tried: usize::MAX,
        },
        counters: BTreeMap::from([(evil.into(), counted)]),
        ..report()
    };
    false_one.peers[0].relay = evil.into();
    false_one.peers[0].linked_s = u64::MAX;
    let read = asked(dir.path(), &false_one).await;
    let (text, json) = (text(&read), serde_json::to_string(&read).unwrap());
    assert!(
        text.contains(r"\u{1b}]0;x\u{7}\u{d}\u{a}\u{9b}2J\u{202e}"),
        "{text}"
    );
    for shown in [text.replace('\n', ""), json] {
        let bad = shown.chars().find(|c| !(' '..='~').contains(c));
        assert_eq!(bad, None, "{shown}");
        assert!(shown.len() < 4_000);
    }
    assert_eq!(plain("Zürich"), "Zürich");
}

#[test]
fn the_door_is_the_owners_and_closes() {
    let dir = Scratch::new("door").unwrap();
    let bound = ["0.0.0.0".parse().unwrap(), "::".parse().unwrap()];
    let door = Door::open(dir.path(), &bound, 8420, &[0xab; 32]).unwrap();
    let way = door::find(dir.path()).unwrap().unwrap();
    assert_eq!(way.at.to_string(), "127.0.0.1:8420");
    assert_eq!(way.token, "ab".repeat(32));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join("relay.status");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(door);
    assert_eq!(door::find(dir.path()).unwrap(), None);
}

/// Each text says whether anything was lost, and what to do.
fn is_whole(error: &AskError) -> String {
    let text = error.to_string();
    let safe = text.contains("Nothing was changed") || text.contains("stored is safe");
    let todo = ["tart", "Ask", "Name"]
        .iter()
        .any(|word| text.contains(word));
    assert!(safe && todo, "{text}");
    text
}

#[tokio::test]
async fn why_there_is_no_report_is_said() {
    let dir = Scratch::new("ask").unwrap();
    let there = dir.path();
    let why = |answer: Result<Report, AskError>| {
        let error = answer.unwrap_err();
        is_whole(&error);
        error
    };
    let none = why(ask(&there.join("none")).await);
    assert!(matches!(none, AskError::NoDirectory { .. }), "{none:?}");
    let empty = why(ask(there).await);
    assert!(matches!(empty, AskError::NotARelay { .. }), "{empty:?}");
    std::fs::write(there.join("relay.key"), "key").unwrap();
    for file in ["relay.key", "relay.key/x"] {
        let file = why(ask(&there.join(file)).await);
        assert!(matches!(file, AskError::NoDirectory { .. }), "{file:?}");
    }
    let ended = why(ask(there).await);
    assert!(matches!(ended, AskError::NotRunning { .. }), "{ended:?}");
    let bound = ["127.0.0.1".parse().unwrap()];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let door = Door::open(there, &bound, port, &[1; 32]).unwrap();
    drop(listener);
    let killed = why(ask(there).await);
    assert!(matches!(killed, AskError::Silent { .. }), "{killed:?}");
    let token = "1".repeat(63);
    for damaged in [
        String::new(),
        "{".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"at":"127.0.0.1:1","token":"{token}"}}"#),
        format!(r#"{{"at":"127.0.0.1:1","token":"{token}\n"}}"#),
        format!(r#"{{"at":"127.0.0.1:0","token":"{token}1"}}"#),
    ] {
        std::fs::write(there.join("relay.status"), &damaged).unwrap();
        let why = why(ask(there).await);
        assert!(matches!(why, AskError::Unreadable { .. }), "{damaged}");
    }
    drop(door);
    // Whoever runs the tests may be allowed everything.
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let foreign = unreadable(there.to_owned(), denied);
    assert!(is_whole(&foreign).contains("another user"), "{foreign}");
}

#[tokio::test]
async fn what_answers_and_tells_nothing_is_told_apart() {
    let dir = Scratch::new("told").unwrap();
    let of = async |answer: &str| answered(dir.path(), answer).await.unwrap_err();
    // Another token, or another program.
    let other = of("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let text = is_whole(&other);
    assert!(text.contains("not of its last start") && text.contains("End the relay if"));
    let busy = of("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(busy, AskError::Busy { .. }), "{busy:?}");
    is_whole(&busy);
    let older = of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    assert!(matches!(older, AskError::Stranger { .. }), "{older:?}");
    let no_http = of("SSH-2.0-x\r\n").await;
    assert!(matches!(no_http, AskError::Silent { .. }), "{no_http:?}");
    let (path, at) = (dir.path().to_owned(), ([127, 0, 0, 1], 1).into());
    is_whole(&AskError::Late { path, at });
}
