//! The journey of two people through one relay, in the simulated world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::world::{At, World};

fn words(world: &mut World, at: At) -> String {
    match world.ask_now(at, Command::NewWords) {
        Ok(Some(Answer::Words { words })) => words.join(" "),
        other => panic!("{other:?}"),
    }
}

fn person(world: &mut World, name: &str) -> At {
    let at = world.add(name, false);
    world.run(100);
    let words = words(world, at);
    let create = Command::Create {
        name: name.into(),
        words,
        passcode: format!("{name}'s own passcode"),
        restore: false,
        remember: true,
    };
    world.ask_now(at, create).unwrap();
    let hint = Host::hint("relay").to_text();
    world.ask_now(at, Command::AddRelay { hint }).unwrap();
    at
}

fn invite(world: &mut World, at: At) -> String {
    match world.ask_now(at, Command::Invite { hours: 24, single_use: false }) {
        Ok(Some(Answer::Invitation { fragment, .. })) => fragment,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_people_meet_and_talk() {
    let mut world = World::new(1);
    world.add("relay", true);
    let ann = person(&mut world, "Ann");
    let bob = person(&mut world, "Bob");
    world.run(5_000);
    let link = invite(&mut world, ann);
    world.run(5_000);
    let opened = world.ask_now(bob, Command::OpenInvite { link: link.clone() }).unwrap();
    let Some(Answer::Opened { name, .. }) = opened else { panic!("{opened:?}") };
    assert_eq!(name, "Ann");
    world.ask_now(bob, Command::Greet { link, text: "hello Ann".into() }).unwrap();
    world.run(10_000);
    let greeting = world.hosts[ann].events.iter().find_map(|e| match e {
        Event::Greeting { greeting } => Some(greeting.clone()),
        _ => None,
    });
    let greeting = greeting.expect("a greeting");
    assert_eq!((greeting.name.as_str(), greeting.text.as_str()), ("Bob", "hello Ann"));
    let accepted = world.ask_now(ann, Command::Accept { greeting: greeting.greeting }).unwrap();
    let Some(Answer::Contact { contact }) = accepted else { panic!("{accepted:?}") };
    let to_bob = contact.contact;
    world.ask_now(ann, Command::Send { contact: to_bob, text: "hello Bob".into() }).unwrap();
    world.run(60_000);
    for at in [ann, bob] {
        println!("--- {}", world.hosts[at].name);
        for event in &world.hosts[at].events {
            println!("{event:?}");
        }
    }
    let got = world.hosts[bob].events.iter().any(|e| {
        matches!(e, Event::Message { message } if !message.mine && message.text == "hello Bob")
    });
    assert!(got);
}
