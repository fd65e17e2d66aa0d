//! `wiremin bot` as a script sees it: answers to everything, an account that stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

mod programs;

use programs::relay::Relay;
use programs::{Bot, events, scratch, wiremin};
use serde_json::json;

const PASSCODE: &str = "correct horse battery";

fn codes(events: &[serde_json::Value]) -> Vec<(u64, String)> {
    let failed = events.iter().filter(|event| event["event"] == "failed");
    failed
        .map(|event| {
            let error = &event["error"];
            for part in ["happened", "safe", "todo"] {
                assert!(!error[part].as_str().unwrap().is_empty(), "{event}");
            }
            (
                event["id"].as_u64().unwrap(),
                error["code"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn garbage_is_answered_and_the_next_line_is_read() {
    let dir = scratch();
    let data = dir.path().join("a");
    let mut input = Vec::new();
    input.extend_from_slice(b"not json\n\n   \n{\"id\":4}\n\xff\xfe\0\n[1,2]\n");
    input.extend_from_slice(
        b"{\"id\":5,\"cmd\":\"fly\"}\n{\"id\":6,\"cmd\":\"send\",\"contact\":3}\n",
    );
    input.extend_from_slice("[".repeat(50_000).as_bytes());
    input.extend_from_slice(b"\n{\"id\":18446744073709551615,\"cmd\":\"lock\"}\n");
    input.extend_from_slice(b"{\"id\":7,\"cmd\":\"snapshot\"}\n");
    // The last line has no end.
    input.extend_from_slice(b"{\"id\":8,\"cmd\":\"complete\",\"prefix\":\"gra\"}");
    let output = wiremin(&["bot", "--data", data.to_str().unwrap()], &input);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let events = events(&output.stdout);
    let expected = [
        (0, "json_invalid"),
        (4, "command_invalid"),
        (0, "json_invalid"),
        (0, "command_invalid"),
        (5, "command_invalid"),
        (6, "command_invalid"),
        (0, "json_invalid"),
        (u64::MAX, "id_too_large"),
        (7, "no_account"),
    ];
    let mut codes = codes(&events);
    codes.sort();
    let mut expected = expected.map(|(id, code)| (id, code.to_owned())).to_vec();
    expected.sort();
    assert_eq!(codes, expected);
    let done = events
        .iter()
        .find(|event| event["event"] == "done")
        .unwrap();
    assert_eq!(done["id"], 8);
    assert_eq!(done["answer"]["kind"], "completions");
}

#[test]
fn an_account_stays_through_ends_and_kills() {
    let dir = scratch();
    let data = dir.path().join("a");
    let mut bot = Bot::start(&data);
    bot.create(PASSCODE, false);
    let renamed = bot.ask(json!({ "cmd": "rename", "name": "Anna B." }));
    assert_eq!(renamed["event"], "done");
    // What was answered survives this.
    bot.kill();

    let mut bot = Bot::start(&data);
    let wrong = bot.ask(json!({ "cmd": "unlock", "passcode": "wrong one", "remember": true }));
    assert_eq!(wrong["error"]["code"], "wrong_passcode");
    assert!(!data.join("remembered.key").exists());
    // Commands behind one another: the second waits for the phase the first leads to.
    bot.write(
        format!(
            "{}\n{}\n",
            json!({ "id": 90, "cmd": "unlock", "passcode": PASSCODE, "remember": true }),
            json!({ "id": 91, "cmd": "snapshot" })
        )
        .as_bytes(),
    );
    let told = bot.until(91);
    assert_eq!(told.last().unwrap()["event"], "done", "{told:?}");
    let profile = |event: &&serde_json::Value| event["event"] == "profile";
    assert_eq!(told.iter().find(profile).unwrap()["name"], "Anna B.");
    owner_only(&data);
    bot.close();

    // Remembered: open without the passcode, until it is locked.
    let mut bot = Bot::start(&data);
    assert_eq!(bot.ask(json!({ "cmd": "snapshot" }))["event"], "done");
    assert_eq!(bot.ask(json!({ "cmd": "lock" }))["event"], "done");
    assert!(!data.join("remembered.key").exists());
    assert_eq!(
        bot.ask(json!({ "cmd": "snapshot" }))["error"]["code"],
        "locked"
    );
    bot.close();
}

#[cfg(unix)]
fn owner_only(data: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&data.join("remembered.key")), 0o600);
    assert_eq!(mode(&data.join("store.redb")), 0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &std::path::Path) {}

#[test]
fn erasing_leaves_an_empty_device() {
    let dir = scratch();
    let data = dir.path().join("a");
    let mut bot = Bot::start(&data);
    bot.create(PASSCODE, true);
    assert!(data.join("remembered.key").exists());
    assert_eq!(bot.ask(json!({ "cmd": "erase" }))["event"], "done");
    assert!(!data.join("remembered.key").exists());
    bot.close();
    let mut bot = Bot::start(&data);
    assert_eq!(
        bot.ask(json!({ "cmd": "snapshot" }))["error"]["code"],
        "no_account"
    );
    bot.close();
}

#[test]
fn what_cannot_work_is_said_in_words() {
    let dir = scratch();
    let data = dir.path().join("a");
    let path = data.to_str().unwrap();
    let said = |arguments: &[&str]| {
        let output = wiremin(arguments, b"");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let running = Bot::start(&data);
    // It has the store when it tells its first event.
    let mut running = running;
    running.next();
    assert!(said(&["bot", "--data", path]).contains("in use by another process"));
    running.close();

    assert!(said(&["bot"]).contains("--data"));
    assert!(said(&["fly"]).contains("unrecognized subcommand"));
    assert!(said(&["bot", "--data", path, "--relay", "https://x"]).contains("hint"));
    let nine = ["--relay", "http://127.0.0.1:1"].repeat(9);
    let arguments = [&["bot", "--data", path][..], &nine].concat();
    assert!(said(&arguments).contains("More than 8 relays"));
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let below = file.join("data");
    let said = said(&["bot", "--data", below.to_str().unwrap()]);
    assert!(said.contains("Nothing was changed"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_even_when_nobody_reads() {
    let dir = scratch();
    let mut bot = Bot::start(&dir.path().join("a"));
    bot.next();
    assert!(bot.flood_and_terminate("{\"id\":1,\"cmd\":\"complete\",\"prefix\":\"a\"}"));
}

/// Two processes over a relay, with the work of earnest.
#[test]
fn a_device_is_linked() {
    let dir = scratch();
    let relay = Relay::start(&dir.path().join("relay"), None);
    let page = format!("http://127.0.0.1:{}", relay.port);
    let mut old = Bot::start_with(&dir.path().join("old"), &["--relay", &page]);
    old.create(PASSCODE, true);
    let mut new = Bot::start_with(&dir.path().join("new"), &["--relay", &page]);
    let asked = new.ask(json!({
        "cmd": "link_new", "device": "Laptop", "full": false, "passcode": PASSCODE,
        "remember": true,
    }));
    assert_eq!(asked["event"], "done", "{asked}");
    let shown = new.until_step("shown");
    let scanned = old.ask(json!({ "cmd": "link_scan", "code": shown["code"] }));
    assert_eq!(scanned["event"], "done", "{scanned}");
    let (here, there) = (old.until_step("compare"), new.until_step("compare"));
    assert_eq!(here["digits"], there["digits"]);
    assert_eq!(
        (&here["name"], &there["name"]),
        (&json!("Laptop"), &json!("Anna"))
    );
    let yes = json!({ "cmd": "link_confirm", "full": false, "history_days": 7 });
    assert_eq!(old.ask(yes)["event"], "done");
    assert_eq!(new.ask(json!({ "cmd": "link_confirm" }))["event"], "done");
    old.until_step("done");
    new.until_step("done");
    let told = |bot: &mut Bot| {
        bot.write(b"{\"id\":900,\"cmd\":\"snapshot\"}\n");
        let told = bot.until(900);
        let profile = told.iter().rfind(|event| event["event"] == "profile");
        profile.unwrap()["account"].clone()
    };
    assert_eq!(told(&mut old), told(&mut new));
    new.close();
    old.close();
}

#[test]
fn a_relay_that_is_not_there_is_told_and_hinders_nothing() {
    let dir = scratch();
    let data = dir.path().join("a");
    let mut bot = Bot::start(&data);
    bot.create(PASSCODE, true);
    bot.close();
    // Bound and closed again: nobody answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let output = wiremin(
        &["bot", "--data", data.to_str().unwrap(), "--relay", &url],
        b"{\"id\":1,\"cmd\":\"snapshot\"}\n",
    );
    assert!(output.status.success());
    let events = events(&output.stdout);
    let trouble = events
        .iter()
        .find(|event| event["event"] == "trouble")
        .unwrap();
    assert_eq!(trouble["problem"]["code"], "relay_not_found");
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "done" && event["id"] == 1)
    );
}
