//! Locking, erasing, importing, and passcodes, at bad moments: every command gets its one answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use account::export::{self, ExportHeader};
use data_encoding::BASE64;
use shared::crypto::{Key, Rng, sha256};
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

fn alone() -> (World, At) {
    let mut world = World::new(1);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    world.run(10_000);
    (world, ann)
}

fn phase(world: &World, at: At) -> Phase {
    let mut events = world.hosts[at].events.iter().rev();
    let phase = events.find_map(|event| match event {
        Event::Phase { phase } => Some(phase.clone()),
        _ => None,
    });
    phase.unwrap()
}

fn unlock(name: &str) -> Command {
    let passcode = passcode(name);
    let remember = false;
    Command::Unlock { passcode, remember }
}

/// Erasing while everything is under way: all is answered, and nothing comes back.
#[test]
fn erasing_at_any_moment_leaves_nothing() {
    for ms in [
        0, 1, 100, 300, 301, 302, 303, 304, 305, 306, 307, 308, 310, 330,
    ] {
        let (mut world, ann) = alone();
        world.faults.save_ms = (3, 3);
        let invite = world.ask(
            ann,
            Command::Invite {
                hours: 1,
                single_use: true,
            },
        );
        let locked = world.ask(ann, Command::Lock);
        world.run(20);
        let unlocked = world.ask(ann, unlock("Ann"));
        world.run(ms);
        let renamed = world.ask(
            ann,
            Command::Rename {
                name: "Anna".into(),
            },
        );
        let erased = world.ask(ann, Command::Erase);
        world.run(2 * MINUTE);
        for id in [invite, locked, unlocked, renamed, erased] {
            let answers = |event: &&Event| match event {
                Event::Done { id: of, .. } | Event::Failed { id: of, .. } => *of == id,
                _ => false,
            };
            let times = world.hosts[ann].events.iter().filter(answers);
            assert_eq!(times.count(), 1, "command {id}, {ms} ms");
        }
        assert!(world.answer(ann, erased).unwrap().is_ok());
        assert_eq!(phase(&world, ann), Phase::Empty, "{ms} ms");
        assert_eq!(world.hosts[ann].disk.rows().count(), 0, "{ms} ms");
        let name = Command::Rename {
            name: "Anna".into(),
        };
        assert_eq!(world.ask_now(ann, name).unwrap_err().code, "no_account");
    }
}

/// What could not be derived was no attempt.
#[test]
fn a_passcode_that_could_not_be_tried_does_not_count() {
    let (mut world, ann) = alone();
    world.must(ann, Command::Lock);
    world.derive_fails = true;
    for _ in 0..8 {
        assert_eq!(
            world.ask_now(ann, unlock("Ann")).unwrap_err().code,
            "memory_short"
        );
    }
    world.derive_fails = false;
    world.must(ann, unlock("Ann"));
    assert_eq!(phase(&world, ann), Phase::Open);
}

/// A file that opens but lacks what an account needs changes nothing.
#[test]
fn an_incomplete_file_is_not_imported() {
    let (mut world, ann) = alone();
    let passphrase = "a passphrase for it".to_string();
    let export = Command::Export {
        passcode: passcode("Ann"),
        passphrase: passphrase.clone(),
    };
    let Some(Answer::File { file }) = world.must(ann, export) else {
        panic!("no file");
    };
    let file = BASE64.decode(file.as_bytes()).unwrap();
    let ExportHeader { cost, salt } = ExportHeader::read(&file).unwrap();
    let key = Key::new(sha256(&[b"sim kdf", passphrase.as_bytes(), &salt]));
    let mut rows = export::open_export(&file, &key).unwrap();
    // The clock's row.
    rows.retain(|row| row.key != [3]);
    let header = ExportHeader { cost, salt };
    let file = export::seal_export(&rows, &header, &key, &mut Rng::new([1; 32])).unwrap();
    let empty = world.add("Other", false);
    world.run(1_000);
    let import = Command::Import {
        file: BASE64.encode(&file),
        passphrase,
        passcode: passcode("Other"),
        remember: true,
    };
    assert_eq!(
        world.ask_now(empty, import).unwrap_err().code,
        "export_damaged"
    );
    world.run(MINUTE);
    assert_eq!(world.hosts[empty].disk.rows().count(), 0);
    world.kill(empty);
    world.start(empty);
    world.run(1_000);
    assert_eq!(phase(&world, empty), Phase::Empty);
}
