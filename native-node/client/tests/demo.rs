//! `wiremin demo` and `wiremin relay` as people start them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

mod programs;

use programs::relay::program;
use programs::{WIREMIN, events, scratch};
use std::path::Path;
use std::process::{Command, Stdio};

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

/// What a demo tells that ends well and keeps its files there.
fn demo(arguments: &[&str], dir: &Path) -> Vec<serde_json::Value> {
    program();
    let output = Command::new(WIREMIN)
        .args(["demo", "--json"])
        .args(arguments)
        .env("TMPDIR", dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = events(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told:?} {stderr}");
    told
}

fn steps(told: &[serde_json::Value]) -> Vec<&str> {
    let steps = told.iter().filter_map(|line| line["step"].as_str());
    steps.collect()
}

#[test]
fn the_journey_ends_well_and_leaves_nothing_behind() {
    let dir = scratch();
    let told = demo(&[], dir.path());
    let steps = steps(&told);
    let expected = [
        "relay",
        "accounts",
        "connected",
        "invitation",
        "opened",
        "greeted",
        "accepted",
        "question",
        "reply",
        "away",
        "stored",
        "restarted",
        "unlocked",
        "received",
        "delivered",
    ];
    assert_eq!(steps, expected);
    assert_eq!(told.last().unwrap()["ok"], true);
    assert!(is_empty(dir.path()), "files were left behind");
}

/// A relay dies before what it stored is delivered; another one has it.
#[test]
fn every_text_arrives_once_though_a_relay_is_killed() {
    let dir = scratch();
    let told = demo(&["--relays", "3", "--accounts", "3"], dir.path());
    let steps = steps(&told);
    let expected = "relays linked accounts connected held invited greeted accepted talked \
        spread away stored killed carried unlocked received answered checked";
    assert_eq!(steps, expected.split_whitespace().collect::<Vec<_>>());
    let messages: Vec<&serde_json::Value> = told
        .iter()
        .filter(|line| line["event"] == "message")
        .collect();
    // Six between all, two to who is away, two between the others, and six again.
    assert_eq!(messages.len(), 16);
    for message in &messages {
        assert!(message["took_ms"].is_u64(), "{message}");
        assert_ne!(message["from"], message["to"]);
    }
    let waited = |message: &&&serde_json::Value| message["during"] == "the reader is away";
    let stored = messages.iter().filter(waited);
    let stored: Vec<u64> = stored.map(|it| it["stored_by"].as_u64().unwrap()).collect();
    assert!(stored.len() == 2 && stored.iter().all(|relays| *relays > 0));
    assert_eq!(told.last().unwrap()["ok"], true);
    assert!(is_empty(dir.path()), "files were left behind");
}

#[test]
fn the_demo_has_bounds() {
    for arguments in [["--relays", "17"], ["--relays", "0"], ["--accounts", "1"]] {
        let output = Command::new(WIREMIN)
            .arg("demo")
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// `wiremin` where there is no relay's program beside it.
fn alone(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("wiremin");
    std::fs::copy(WIREMIN, &path).unwrap();
    path
}

#[test]
fn without_the_relays_program_it_says_so() {
    let (dir, temporary) = (scratch(), scratch());
    let program = alone(dir.path());
    let demo = Command::new(&program)
        .args(["demo", "--json"])
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    assert_eq!(demo.status.code(), Some(1));
    let told = events(&demo.stdout);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["ok"], false);
    assert!(told[0]["error"].as_str().unwrap().contains("wiremin-relay"));
    assert!(is_empty(temporary.path()));
    let relay = Command::new(&program).arg("relay").output().unwrap();
    assert_eq!(relay.status.code(), Some(1));
    let said = String::from_utf8_lossy(&relay.stderr);
    assert!(said.contains("Nothing was changed"), "{said}");
}

#[cfg(unix)]
#[test]
fn the_relay_keeps_its_keys_and_ends_when_asked() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    program();
    let dir = scratch();
    let mut hints = Vec::new();
    for _ in 0..2 {
        // Through the door, so that the arguments are seen to arrive.
        let mut relay = Command::new(WIREMIN)
            .args(["relay", "--port", "0", "--bind", "127.0.0.1", "--json"])
            .args(["--until-stdin-ends", "--no-lan", "--no-dht", "--data"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(relay.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let hint = told["hint"].as_str().unwrap();
        hints.push(shared::wire::RelayHint::from_text(hint).unwrap());

        let port = told["port"].to_string();
        let second = Command::new(WIREMIN)
            .args(["relay", "--port", &port, "--bind", "127.0.0.1", "--data"])
            .arg(dir.path().join("second"))
            .output()
            .unwrap();
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(said.contains("in use by another program"), "{said}");
        let third = Command::new(WIREMIN)
            .args(["relay", "--port", "0", "--bind", "127.0.0.1", "--data"])
            .arg(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&third.stderr);
        assert!(said.contains("in use by another process"), "{said}");

        drop(relay.stdin.take());
        assert!(relay.wait().unwrap().success());
    }
    assert_eq!(hints[0].node_key, hints[1].node_key);
    assert_eq!(hints[0].certificate, hints[1].certificate);
    for name in ["relay.key", "relay.dtls", "store.redb"] {
        let path = dir.path().join(name);
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
        if name == "relay.key" {
            std::fs::write(&path, "something else").unwrap();
        }
    }
    let damaged = Command::new(WIREMIN)
        .args(["relay", "--port", "0", "--bind", "127.0.0.1", "--data"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(damaged.status.code(), Some(1));
    let said = String::from_utf8_lossy(&damaged.stderr);
    assert!(said.contains("is damaged"), "{said}");
}
