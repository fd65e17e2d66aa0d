//! Two machines of one account, in tests: what people do to link a device, and what they are shown.
//!
//! Invariant: everything goes through commands and events, as it does for the page and the bot.

use crate::host::Host;
use crate::people::passcode;
use crate::world::{At, World};
use account::api::*;

pub const MINUTE: u64 = 60_000;

/// Ada, with contacts to whom she has written.
pub fn met(seed: u64, names: &[&str]) -> (World, At, Vec<At>) {
    let mut world = World::new(seed);
    world.add("relay", true);
    let ada = world.person("Ada", "relay");
    world.stay_open(ada);
    let others = names.iter().map(|name| {
        let other = world.person(name, "relay");
        world.stay_open(other);
        world.meet(ada, other);
        world.talk(ada, other, "hello");
        other
    });
    let others = others.collect();
    (world, ada, others)
}

/// A machine that has no account yet.
pub fn machine(world: &mut World, name: &str) -> At {
    let at = world.add(name, false);
    world.run(100);
    at
}

pub fn link_new(world: &mut World, at: At, full: bool) {
    let name = world.hosts[at].name.clone();
    let command = Command::LinkNew {
        passcode: passcode(&name),
        device: name,
        full,
        remember: true,
        relays: vec![Host::hint("relay").to_text()],
    };
    world.must(at, command);
}

/// Steps that a host was shown since its last run began.
pub fn steps(world: &World, at: At) -> Vec<LinkStep> {
    let step = |event: &Event| match event {
        Event::Linking { step } => Some(step.clone()),
        _ => None,
    };
    let all: Vec<LinkStep> = world.hosts[at].events.iter().filter_map(step).collect();
    let begins = |step: &LinkStep| matches!(step, LinkStep::Connecting | LinkStep::Asking);
    let first = all.iter().rposition(begins).unwrap_or(0);
    all[first..].to_vec()
}

pub fn reaches(world: &mut World, at: At, ms: u64, wanted: impl Fn(&LinkStep) -> bool) -> LinkStep {
    world.run_until(ms, |world| steps(world, at).iter().any(&wanted));
    let found = steps(world, at).into_iter().rfind(|step| wanted(step));
    found.unwrap_or_else(|| {
        let (name, steps) = (&world.hosts[at].name, steps(world, at));
        panic!("{name}: {steps:?}; {}", world.replay())
    })
}

pub fn code(world: &mut World, at: At) -> String {
    match reaches(world, at, MINUTE, |s| matches!(s, LinkStep::Shown { .. })) {
        LinkStep::Shown { code, .. } => code,
        _ => unreachable!(),
    }
}

pub fn scan(world: &mut World, at: At, code: &str) {
    let code = code.into();
    world.must(at, Command::LinkScan { code });
}

pub fn compare(world: &mut World, at: At) -> (String, String, String, bool) {
    match reaches(world, at, MINUTE, |s| matches!(s, LinkStep::Compare { .. })) {
        LinkStep::Compare {
            digits,
            name,
            account,
            full,
        } => (digits, name, account, full),
        _ => unreachable!(),
    }
}

pub fn yes(full: bool, passcode: Option<String>) -> Command {
    Command::LinkConfirm {
        full,
        history_days: 0,
        passcode,
    }
}

pub fn yes_with(history_days: u32) -> Command {
    Command::LinkConfirm {
        full: false,
        history_days,
        passcode: None,
    }
}

pub fn failed(world: &mut World, at: At, ms: u64) -> String {
    match reaches(world, at, ms, |s| matches!(s, LinkStep::Failed { .. })) {
        LinkStep::Failed { problem } => problem.code,
        _ => unreachable!(),
    }
}

pub fn is_done(step: &LinkStep) -> bool {
    *step == LinkStep::Done
}

/// Both compare: nothing is said yet.
pub fn comparing(world: &mut World, ada: At, new: At, full: bool) {
    link_new(world, new, full);
    let code = code(world, new);
    scan(world, ada, &code);
    let (there, name, account, asked) = compare(world, new);
    let (here, device, _, asks) = compare(world, ada);
    assert_eq!(here, there);
    assert_eq!((name.as_str(), account), ("Ada", world.id(ada)));
    assert_eq!(
        (device, asked, asks),
        (world.hosts[new].name.clone(), full, full)
    );
}

/// The whole journey.
pub fn link(world: &mut World, ada: At, name: &str, full: bool) -> At {
    let new = machine(world, name);
    comparing(world, ada, new, full);
    world.must(ada, yes(full, full.then(|| passcode("Ada"))));
    world.must(new, yes(false, None));
    for at in [new, ada] {
        reaches(world, at, 5 * MINUTE, is_done);
    }
    world.stay_open(new);
    new
}

pub fn is_unsure(step: &LinkStep) -> bool {
    matches!(step, LinkStep::Failed { problem } if problem.code == "link_unsure")
}

pub fn phase(world: &World, at: At) -> Option<Phase> {
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Phase { phase } => Some(phase.clone()),
        _ => None,
    })
}

/// Names of active contacts.
pub fn contacts(world: &World, at: At) -> Vec<String> {
    let mut all = std::collections::BTreeMap::new();
    for event in &world.hosts[at].events {
        if let Event::Contact { contact } = event
            && contact.state == ContactState::Active
        {
            all.insert(contact.contact.clone(), contact.name.clone());
        }
    }
    let mut names: Vec<String> = all.into_values().collect();
    names.sort();
    names
}

/// A restart, and what is there then.
pub fn again(world: &mut World, at: At) {
    world.kill(at);
    world.start(at);
    world.run(1_000);
}
