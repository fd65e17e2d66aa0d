//! `wiremin relay status` as people and programs use it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

mod programs;

use programs::relay::{Relay, program, report, status};
use programs::scratch;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn two_relays_show_each_other_to_who_runs_them() {
    let dir = scratch();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let first = Relay::start(&one, None);
    let second = Relay::start(&two, Some(first.port));
    // Only a bound on hanging.
    let end = Instant::now() + Duration::from_secs(120);
    while report(&one).peers.is_empty() || report(&two).peers.is_empty() {
        assert!(Instant::now() < end, "they did not meet");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (of_one, of_two) = (report(&one), report(&two));
    assert_eq!(of_one.peers[0].relay, of_two.relay);
    assert_eq!(of_two.peers[0].relay, of_one.relay);
    assert!(!of_one.peers[0].dialled && of_two.peers[0].dialled);
    let at = |relay: &Relay| Some(([127, 0, 0, 1], relay.port).into());
    assert_eq!(of_two.peers[0].address, at(&first));
    assert_eq!(of_one.addresses, [at(&first).unwrap()]);
    assert_eq!(
        (of_one.network.as_str(), of_one.state.as_str()),
        ("main", "running")
    );
    assert_eq!(of_one.quic.links, 1);
    assert!(of_one.quic.since_start.frames_in > 0 && of_one.quic.since_start.bytes_out > 0);
    assert!(of_one.counters["relays"]["peers_joined"] > 0);

    let shown = status(&one, &[]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in [&of_two.relay, "dialled us", "0 objects of 1000000"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    second.end();
    first.end();
}

#[test]
fn strangers_see_nothing_and_every_start_has_another_token() {
    let dir = scratch();
    let file = dir.path().join("relay.status");
    let token = || {
        let text = std::fs::read_to_string(&file).unwrap();
        let way: serde_json::Value = serde_json::from_str(&text).unwrap();
        way["token"].as_str().unwrap().to_owned()
    };
    let relay = Relay::start(dir.path(), None);
    let first = token();
    let with = |token: &str| format!("authorization: Bearer {token}\r\n");
    assert!(relay.get("/status", &with(&first)).contains("\"peers\":[]"));
    let nowhere = relay.get("/nowhere", "");
    assert!(nowhere.starts_with("HTTP/1.1 404"));
    let half = with(&first[..32]);
    for headers in ["", &with(&"0".repeat(64)), &half] {
        assert_eq!(relay.get("/status", headers), nowhere);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    relay.end();
    assert!(!file.exists());
    let relay = Relay::start(dir.path(), None);
    assert_ne!(token(), first);
    assert_eq!(relay.get("/status", &with(&first)), nowhere);
    relay.end();
}

#[test]
fn where_no_relay_runs_it_says_so() {
    program();
    let dir = scratch();
    let said = |data: &Path| {
        let output = status(data, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let none = said(&dir.path().join("none"));
    assert!(none.contains("There is no directory"), "{none}");
    let other = said(dir.path());
    assert!(other.contains("not the directory of a relay"), "{other}");
    let data = dir.path().join("relay");
    Relay::start(&data, None).end();
    let ended = said(&data);
    assert!(ended.contains("No relay runs"), "{ended}");
    Relay::start(&data, None).kill();
    let killed = said(&data);
    assert!(killed.contains("does not answer"), "{killed}");
}
