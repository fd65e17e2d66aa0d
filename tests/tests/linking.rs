//! A device of an account is linked, by the whole journey over a relay: code, digits, yes on both
//! sides, everything moves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::linking::*;
use tests::people::passcode;
use tests::world::{At, World};

const HOUR: u64 = 60 * MINUTE;

#[test]
fn a_linked_device_has_what_it_needs_and_both_write() {
    let (mut world, ada, others) = met(1, &["Bob", "Cleo"]);
    let laptop = link(&mut world, ada, "Laptop", false);
    assert_eq!(phase(&world, laptop), Some(Phase::Open));
    assert_eq!(world.id(laptop), world.id(ada));
    assert_eq!(contacts(&world, laptop), ["Bob", "Cleo"]);
    for at in [ada, laptop] {
        let listed = world.devices(at);
        let listed: Vec<(u8, &str, bool)> = listed
            .iter()
            .map(|device| (device.slot, device.name.as_str(), device.full))
            .collect();
        assert_eq!(listed, [(0, "First device", true), (1, "Laptop", false)]);
    }
    for other in &others {
        world.talk(laptop, *other, "from the laptop");
        let on_the_phone = |world: &World| {
            let mut shown = world.hosts[ada].events.iter();
            shown.any(|event| {
                matches!(event, Event::Message { message }
                    if message.mine && message.text == "from the laptop")
            })
        };
        assert!(
            world.run_until(10 * MINUTE, on_the_phone),
            "{}",
            world.replay()
        );
    }
    world.run(25 * HOUR);
    for other in &others {
        world.say(*other, ada, "to all of you");
        for at in [ada, laptop] {
            assert!(
                world.hears(at, *other, "to all of you", 10 * MINUTE),
                "{}",
                world.replay()
            );
        }
        world.talk(ada, *other, "from the phone");
    }
    for command in [
        Command::Invite {
            hours: 24,
            single_use: false,
        },
        Command::ShowWords {
            passcode: passcode("Laptop"),
        },
        Command::Export {
            passcode: passcode("Laptop"),
            passphrase: "another passphrase".into(),
        },
        Command::LinkScan {
            code: "wiremin:link/".into(),
        },
    ] {
        let refused = world.ask_now(laptop, command).unwrap_err();
        assert_eq!(refused.code, "needs_full_device");
    }
    again(&mut world, laptop);
    world.unlock(laptop);
    assert_eq!(contacts(&world, laptop), ["Bob", "Cleo"]);
}

/// Conversations of the days that were chosen, in their order and once.
#[test]
fn conversations_move_along() {
    let (mut world, ada, others) = met(3, &["Bob", "Cleo"]);
    let bob = others[0];
    world.run(40 * 24 * HOUR);
    for n in 0..60 {
        world.talk(ada, bob, &format!("number {n}"));
    }
    let texts = |world: &mut World, at: At, of: At| -> Vec<(bool, String, u64)> {
        let all = world.history(at, of).into_iter();
        let all = all.filter(|m| m.notice.is_none());
        all.map(|m| (m.mine, m.text, m.order)).collect()
    };
    for (name, days, least) in [("Old", 0, 0), ("Laptop", 30, 120), ("Tablet", 365, 122)] {
        let new = machine(&mut world, name);
        comparing(&mut world, ada, new, false);
        world.must(ada, yes_with(days));
        world.must(new, yes(false, None));
        reaches(&mut world, new, 5 * MINUTE, is_done);
        reaches(&mut world, ada, 5 * MINUTE, is_done);
        world.stay_open(new);
        let (there, here) = (texts(&mut world, new, bob), texts(&mut world, ada, bob));
        assert!(there.len() >= least, "{name}: {}", there.len());
        assert_eq!(there[..], here[here.len() - there.len()..], "{name}");
        assert_eq!(texts(&mut world, new, others[1]).is_empty(), days < 365);
        let unread = world.hosts[new]
            .events
            .iter()
            .any(|event| matches!(event, Event::Contact { contact } if contact.unread > 0));
        assert!(!unread, "{name}");
    }
}

/// Its certificate lasts eight days: the device that has the words gives it new ones.
#[test]
fn a_linked_device_speaks_on_for_weeks() {
    let (mut world, ada, others) = met(18, &["Bob"]);
    let laptop = link(&mut world, ada, "Laptop", false);
    for week in 0..3 {
        world.run(7 * 24 * HOUR);
        world.talk(laptop, others[0], &format!("week {week}"));
    }
    // Without that device it is told when it is over.
    world.kill(ada);
    world.run(9 * 24 * HOUR);
    let contact = world.id(others[0]);
    let text = "too late".to_string();
    let send = Command::Send { contact, text };
    let refused = world.ask_now(laptop, send).unwrap_err();
    assert_eq!(refused.code, "certificate_ended");
    world.start(ada);
    world.run(1_000);
    world.unlock(ada);
    world.run(HOUR);
    world.talk(laptop, others[0], "there again");
}

#[test]
fn a_full_device_gets_the_words_by_the_passcode_alone() {
    let (mut world, ada, _) = met(2, &["Bob"]);
    let tablet = machine(&mut world, "Tablet");
    comparing(&mut world, ada, tablet, true);
    for (passcode, code) in [
        (None, "wrong_passcode"),
        (Some("not this one".into()), "wrong_passcode"),
    ] {
        let refused = world.ask_now(ada, yes(true, passcode)).unwrap_err();
        assert_eq!(refused.code, code);
    }
    world.must(ada, yes(true, Some(passcode("Ada"))));
    world.must(tablet, yes(false, None));
    reaches(&mut world, tablet, 5 * MINUTE, is_done);
    reaches(&mut world, ada, 5 * MINUTE, is_done);
    world.stay_open(tablet);
    let words = |world: &mut World, at: At| {
        let passcode = passcode(&world.hosts[at].name);
        match world.ask_now(at, Command::ShowWords { passcode }) {
            Ok(Some(Answer::Words { words })) => words,
            other => panic!("no words: {other:?}"),
        }
    };
    assert_eq!(words(&mut world, tablet), words(&mut world, ada));
    // It links a third one.
    let laptop = link(&mut world, tablet, "Laptop", false);
    assert_eq!(contacts(&world, laptop), ["Bob"]);
}

/// The relay restarts in the middle: its links are made anew, and what was missed is looked up.
#[test]
fn a_relay_that_restarts_delays_it() {
    for seed in 11..15 {
        let (mut world, ada, _) = met(seed, &["Bob"]);
        let new = machine(&mut world, "Laptop");
        comparing(&mut world, ada, new, false);
        world.must(new, yes(false, None));
        world.must(ada, yes(false, None));
        world.run(seed * 7);
        world.kill(0);
        world.run(3_000);
        world.start(0);
        for at in [new, ada] {
            reaches(&mut world, at, 6 * MINUTE, is_done);
        }
        assert_eq!(contacts(&world, new), ["Bob"]);
    }
}

/// Where relays keep parts of the address space, all that is put lies where both look.
#[test]
fn in_a_divided_network() {
    let mut world = World::new(16);
    world.swarm_relays = Some(12);
    let relays = world.relays(40, |n| n / 2);
    world.run(30 * MINUTE);
    let range = world.relay(relays[0]).range();
    assert!(range.bits() > 0, "{range:?}");
    let name = world.hosts[relays[0]].name.clone();
    let ada = world.person("Ada", &name);
    world.stay_open(ada);
    for at in relays.iter().take(6) {
        let new = machine(&mut world, &format!("Laptop {at}"));
        let name = world.hosts[new].name.clone();
        let hint = Host::hint(&world.hosts[*at].name).to_text();
        let command = Command::LinkNew {
            passcode: passcode(&name),
            device: name,
            full: false,
            remember: true,
            relays: vec![hint],
        };
        world.must(new, command);
        let code = code(&mut world, new);
        scan(&mut world, ada, &code);
        compare(&mut world, new);
        compare(&mut world, ada);
        world.must(ada, yes(false, None));
        world.must(new, yes(false, None));
        for at in [new, ada] {
            reaches(&mut world, at, 5 * MINUTE, is_done);
        }
    }
}
