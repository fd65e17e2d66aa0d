//! A device is taken out of its account: it opens nothing new, contacts see it, the rest go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Ann with a phone, a laptop and a tablet (at odd seeds without the words), and Bob, who has heard
/// all of them.
fn three(seed: u64) -> (World, [At; 3], At) {
    let mut world = World::new(seed);
    world.add("relay", true);
    let (phone, bob) = world.friends("relay", "relay");
    world.talk(phone, bob, "before");
    let (laptop, tablet) = match seed % 2 {
        0 => (world.device(phone, "laptop"), world.device(phone, "tablet")),
        _ => (
            world.linked_device(phone, "laptop"),
            world.linked_device(phone, "tablet"),
        ),
    };
    world.run(15 * MINUTE);
    for (at, text) in [(laptop, "from the laptop"), (tablet, "from the tablet")] {
        world.say(at, bob, text);
        hear(&mut world, bob, at, text);
    }
    world.run(15 * MINUTE);
    (world, [phone, laptop, tablet], bob)
}

fn hear(world: &mut World, at: At, from: At, text: &str) {
    let heard = world.hears(at, from, text, 10 * MINUTE);
    assert!(heard, "{at}: {text} of {from}; {}", world.replay());
}

fn slot_of(world: &World, at: At) -> u8 {
    let devices = world.devices(at);
    devices.iter().find(|device| device.this).unwrap().slot
}

fn remove(world: &mut World, by: At, whom: At) {
    let slot = slot_of(world, whom);
    world.must(by, Command::RemoveDevice { slot });
}

/// What one device writes comes to the contact, and to the other device.
fn goes_on(world: &mut World, from: At, other: At, bob: At) {
    let text = format!("on from {from}");
    world.say(from, bob, &text);
    hear(world, bob, from, &text);
    world.run(5 * MINUTE);
    let all = world.history(other, bob);
    let copied = all.iter().any(|m| m.text == text);
    assert!(copied, "{other}: {text}; {}", world.replay());
}

fn notices(world: &mut World, at: At, other: At) -> usize {
    let all = world.history(at, other);
    let told = all
        .iter()
        .filter(|m| m.notice == Some(Notice::DeviceRemoved));
    told.count()
}

fn is_told(world: &World, at: At, code: &str) -> bool {
    let mut events = world.hosts[at].events.iter();
    events.any(|event| matches!(event, Event::Trouble { problem } if problem.code == code))
}

#[test]
fn who_is_taken_out_hears_nothing_new_and_the_rest_go_on() {
    for seed in 1..=4 {
        let (mut world, [phone, laptop, tablet], bob) = three(seed);
        remove(&mut world, phone, laptop);
        world.run(10 * MINUTE);
        assert_eq!(notices(&mut world, bob, phone), 1, "{}", world.replay());
        assert!(
            is_told(&world, laptop, "device_removed"),
            "{}",
            world.replay()
        );
        let asked = world.ask(
            laptop,
            Command::Send {
                contact: world.id(bob),
                text: "still here".into(),
            },
        );
        world.run(MINUTE);
        assert_eq!(
            world.answer(laptop, asked).unwrap().unwrap_err().code,
            "device_removed"
        );
        world.say(bob, phone, "to who stays");
        for at in [phone, tablet] {
            hear(&mut world, at, bob, "to who stays");
        }
        world.run(HOUR);
        assert!(!world.heard(laptop, bob).contains(&"to who stays".into()));
        for (from, other) in [(phone, tablet), (tablet, phone)] {
            goes_on(&mut world, from, other, bob);
        }
        assert_eq!(notices(&mut world, bob, phone), 1);
        for at in [phone, tablet] {
            assert_eq!(world.devices(at).len(), 2, "{:?}", world.devices(at));
        }
        // Its slot is free for another one.
        let new = world.device(phone, "new laptop");
        world.run(15 * MINUTE);
        world.say(bob, phone, "to all three");
        for at in [phone, tablet, new] {
            hear(&mut world, at, bob, "to all three");
        }
        world.say(new, bob, "from the new one");
        hear(&mut world, bob, new, "from the new one");
    }
}

/// It was off, and comes back when what told it so is gone: it never learns of it, and opens
/// nothing all the same.
#[test]
fn one_that_was_never_told_opens_nothing() {
    for seed in 5..=7 {
        let (mut world, [phone, laptop, tablet], bob) = three(seed);
        world.kill(laptop);
        remove(&mut world, phone, laptop);
        world.run(60 * HOUR);
        assert_eq!(notices(&mut world, bob, phone), 1);
        world.start(laptop);
        world.run(100);
        world.unlock(laptop);
        world.run(10 * MINUTE);
        world.say(bob, phone, "to who stays");
        for at in [phone, tablet] {
            hear(&mut world, at, bob, "to who stays");
        }
        world.say(phone, bob, "from the phone");
        hear(&mut world, bob, phone, "from the phone");
        world.ask(
            laptop,
            Command::Send {
                contact: world.id(bob),
                text: "as if".into(),
            },
        );
        world.run(2 * HOUR);
        assert!(!world.heard(laptop, bob).contains(&"to who stays".into()));
        assert!(
            !world
                .history(laptop, bob)
                .iter()
                .any(|m| m.text == "from the phone")
        );
        assert!(
            !world.heard(bob, laptop).contains(&"as if".into()),
            "{}",
            world.replay()
        );
    }
}

/// Two accounts talk while one of them loses a device, on links that break.
#[test]
fn in_the_middle_of_traffic_nothing_is_lost() {
    for seed in 10..=15 {
        let (mut world, [phone, laptop, tablet], bob) = three(seed);
        let mut texts = Vec::new();
        for n in 0..12 {
            if n == 5 {
                remove(&mut world, phone, laptop);
            }
            let (from, to) = [(bob, phone), (phone, bob), (tablet, bob)][n % 3];
            let text = format!("text {n}");
            world.say(from, to, &text);
            texts.push((from, text));
            world.run((n as u64 * 7 % 5) * 5_000);
        }
        world.run(2 * HOUR);
        for (from, text) in texts {
            let to = if from == bob { phone } else { bob };
            assert!(
                world.heard(to, from).contains(&text),
                "{seed}: {text}; {}",
                world.replay()
            );
        }
        let texts = |world: &mut World, at| {
            let all = world.history(at, bob).into_iter();
            let mut texts: Vec<_> = all
                .filter(|m| m.text.starts_with("text "))
                .map(|m| m.text)
                .collect();
            texts.sort();
            texts
        };
        assert_eq!(texts(&mut world, phone), texts(&mut world, tablet));
        assert_eq!(texts(&mut world, phone).len(), 12);
    }
}

#[test]
fn what_cannot_be_taken_out() {
    let (mut world, [phone, laptop, _], _) = three(21);
    let mut refused = |at, slot| {
        let asked = world.ask(at, Command::RemoveDevice { slot });
        world.run(1_000);
        world.answer(at, asked).unwrap().unwrap_err().code
    };
    assert_eq!(refused(phone, 0), "this_device");
    assert_eq!(refused(phone, 6), "no_such_device");
    assert_eq!(refused(phone, 200), "no_such_device");
    assert_eq!(refused(laptop, 0), "needs_full_device");
}

/// Two devices that have the words take out two others, each before it has heard of the other:
/// those who stay agree, and neither of those who are gone opens anything.
#[test]
fn two_at_once() {
    for seed in [30, 32, 34, 36] {
        let (mut world, [phone, laptop, tablet], bob) = three(seed);
        let desk = world.device(phone, "desk");
        world.run(15 * MINUTE);
        remove(&mut world, phone, tablet);
        remove(&mut world, laptop, desk);
        world.run(HOUR);
        assert_eq!(notices(&mut world, bob, phone), 2, "{}", world.replay());
        for (from, other) in [(phone, laptop), (laptop, phone)] {
            assert_eq!(world.devices(from).len(), 2, "{:?}", world.devices(from));
            goes_on(&mut world, from, other, bob);
        }
        world.say(bob, phone, "to both");
        for at in [phone, laptop] {
            hear(&mut world, at, bob, "to both");
        }
        for at in [tablet, desk] {
            assert!(!world.heard(at, bob).contains(&"to both".into()));
            assert!(is_told(&world, at, "device_removed"), "{}", world.replay());
        }
    }
}

/// What the removed one was to send, and nobody has acknowledged, can be sent by the others; the
/// contact has it once.
#[test]
fn what_it_had_not_delivered_is_sent_from_another_one() {
    let (mut world, [phone, laptop, tablet], bob) = three(41);
    world.kill(bob);
    world.say(laptop, bob, "not delivered");
    world.run(5 * MINUTE);
    remove(&mut world, phone, laptop);
    world.run(5 * MINUTE);
    let mut message = String::new();
    for at in [phone, tablet] {
        let all = world.history(at, bob);
        let unsent = all.into_iter().find(|m| m.text == "not delivered").unwrap();
        let Delivery::Failed { problem } = unsent.delivery else {
            panic!("{:?}", unsent.delivery);
        };
        assert_eq!(problem.code, "device_removed_unsent");
        message = unsent.message;
    }
    let contact = world.id(bob);
    world.must(phone, Command::Retry { contact, message });
    world.run(5 * MINUTE);
    world.start(bob);
    world.run(100);
    world.unlock(bob);
    world.run(HOUR);
    let heard = world.heard(bob, phone);
    let times = heard.iter().filter(|text| *text == "not delivered").count();
    assert_eq!(times, 1, "{heard:?}; {}", world.replay());
    for at in [phone, tablet] {
        let all = world.history(at, bob);
        let sent = all.into_iter().find(|m| m.text == "not delivered").unwrap();
        assert!(
            matches!(sent.delivery, Delivery::Delivered { .. }),
            "{sent:?}"
        );
    }
}
