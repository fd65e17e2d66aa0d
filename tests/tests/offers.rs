//! A relay behind a NAT: nobody dials it, and accounts use it all the same, led to it by a relay
//! that it dialled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::io::Input;
use shared::wire::RelayHint;
use tests::host::Host;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

/// The hint of a relay at its own address.
fn hint(world: &World, at: At) -> RelayHint {
    let address = world.hosts[at].address;
    RelayHint {
        address: address.ip(),
        port: address.port(),
        ..Host::hint(&world.hosts[at].name)
    }
}

/// An account that knows that relay by its address, and stays open.
fn person(world: &mut World, name: &str, relay: At) -> At {
    let at = world.person(name, "nobody");
    let hint = hint(world, relay).to_text();
    world.must(at, Command::AddRelay { hint });
    world.stay_open(at);
    at
}

/// Whether an account has a link to that relay that is open.
fn uses(world: &World, at: At, relay: At) -> bool {
    let node_key = Host::hint(&world.hosts[relay].name).node_key;
    relays(world, at).iter().any(|shown| {
        let hint = RelayHint::from_text(&shown.hint).unwrap();
        hint.node_key == node_key && shown.state == RelayState::Open
    })
}

fn relays(world: &World, at: At) -> Vec<RelayView> {
    let mut told = world.hosts[at].events.iter().rev();
    let told = told.find_map(|event| match event {
        Event::Relays { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    told.unwrap_or_default()
}

/// A relay that everybody can dial, and one that has dialled it and that nobody can.
fn door_and_home() -> (World, At, At) {
    let mut world = World::new(1);
    let (door, home) = (world.add_networked("door"), world.add_hidden("home"));
    world.name_relay(home, door);
    let linked = |world: &World| world.relay(door).status().peers == 1;
    assert!(world.run_until(MINUTE, linked));
    (world, door, home)
}

#[test]
fn accounts_are_led_to_a_relay_that_nobody_dials_and_stay_when_who_led_them_is_gone() {
    let (mut world, door, home) = door_and_home();
    let (ann, bob) = (
        person(&mut world, "Ann", door),
        person(&mut world, "Bob", door),
    );
    for at in [ann, bob] {
        let led = |world: &World| uses(world, at, home);
        assert!(world.run_until(2 * MINUTE, led), "{}", world.replay());
    }
    let counters = world.relay(door).counters();
    assert_eq!(counters.offers_answered, 2);
    assert_eq!(world.relay(home).counters().opens, 2);
    world.meet(ann, bob);
    world.kill(door);
    for turn in 0..3 {
        let text = format!("without the door {turn}");
        world.say(ann, bob, &text);
        assert!(world.hears(bob, ann, &text, 2 * MINUTE), "{text}");
        world.say(bob, ann, &text);
        assert!(world.hears(ann, bob, &text, 2 * MINUTE), "{text}");
        world.run(10 * MINUTE);
    }
    assert!(uses(&world, ann, home) && uses(&world, bob, home));
}

/// Its address is public, and a firewall lets nobody in.
#[test]
fn a_public_address_that_does_not_answer_is_not_dialled() {
    let (mut world, door, home) = door_and_home();
    let addresses = vec![world.hosts[home].address];
    let now = world.now;
    world.hosts[home].input(now, Input::Reachable { addresses });
    world.run(5 * MINUTE);
    let ann = person(&mut world, "Ann", door);
    let led = |world: &World| uses(world, ann, home);
    assert!(world.run_until(2 * MINUTE, led));
    assert_eq!(world.relay(door).counters().offers_answered, 1);
    // It was never dialled in vain.
    let key = Host::hint("home").node_key;
    for event in &world.hosts[ann].events {
        let Event::Relays { relays, .. } = event else {
            continue;
        };
        let of_home = |relay: &&RelayView| {
            let hint = RelayHint::from_text(&relay.hint).unwrap();
            hint.node_key == key
        };
        let shown = relays.iter().find(of_home).map(|relay| relay.state);
        assert_ne!(shown, Some(RelayState::Down));
    }
}

/// A link that breaks is not dialled anew in vain: it is led there again.
#[test]
fn a_link_that_broke_is_made_again_by_an_offer() {
    let (mut world, door, home) = door_and_home();
    let ann = person(&mut world, "Ann", door);
    let led = |world: &World| uses(world, ann, home);
    assert!(world.run_until(2 * MINUTE, led));
    for turn in 2..5 {
        world.set_cut(ann, home, true);
        world.run(1_000);
        world.set_cut(ann, home, false);
        assert!(!uses(&world, ann, home));
        assert!(world.run_until(MINUTE, led), "{turn}");
        assert_eq!(world.relay(door).counters().offers_answered, turn);
    }
    // The home relay was away, with its link to the door.
    world.kill(home);
    world.run(MINUTE);
    world.start(home);
    world.name_relay(home, door);
    assert!(world.run_until(10 * MINUTE, led));
}

/// An account that was closed meanwhile knows where it was; the door leads it there.
#[test]
fn after_a_start_it_is_led_there_again() {
    let (mut world, door, home) = door_and_home();
    let ann = person(&mut world, "Ann", door);
    let led = |world: &World| uses(world, ann, home);
    assert!(world.run_until(2 * MINUTE, led));
    world.kill(ann);
    world.start(ann);
    world.run(1_000);
    world.unlock(ann);
    world.hosts[ann].events.clear();
    assert!(world.run_until(5 * MINUTE, led));
}

/// Among relays that can be dialled at most one of three is such a one.
#[test]
fn one_that_nobody_dials_is_enough() {
    let mut world = World::new(1);
    let doors = world.relays(3, |_| 0);
    let homes: Vec<At> = (0..6)
        .map(|n| world.add_hidden(&format!("home {n}")))
        .collect();
    for home in &homes {
        world.name_relay(*home, doors[0]);
    }
    world.run(5 * MINUTE);
    for n in 0..4 {
        let ann = person(&mut world, &format!("Ann {n}"), doors[0]);
        world.run(5 * MINUTE);
        let hidden = homes
            .iter()
            .filter(|home| uses(&world, ann, **home))
            .count();
        let dialled = doors
            .iter()
            .filter(|door| uses(&world, ann, **door))
            .count();
        assert!(hidden <= 1 && hidden + dialled >= 3, "{hidden} {dialled}");
        let told = world.ask_now(
            ann,
            Command::Invite {
                hours: 1,
                single_use: false,
            },
        );
        let Ok(Some(Answer::Invitation { .. })) = told else {
            panic!("{told:?}");
        };
    }
}

/// A door that leads elsewhere costs a dial, and the account its relay no more than that.
#[test]
fn a_door_that_lies_gains_a_dial_that_fails() {
    let (mut world, door, home) = door_and_home();
    world.liars.insert(door);
    world.lie = Some(|_, _, mut bytes| {
        if bytes[0] == 0x29 {
            // Another port.
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        Some(bytes)
    });
    let ann = person(&mut world, "Ann", door);
    let led = |world: &World| uses(world, ann, home);
    assert!(!world.run_until(5 * MINUTE, led));
    assert!(uses(&world, ann, door));
    world.lie = None;
    assert!(world.run_until(10 * MINUTE, led));
}
