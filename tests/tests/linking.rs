//! A device of an account is linked, by the whole journey over a relay: code, digits, yes on both
//! sides, everything moves. And whatever goes wrong on the way leaves nothing half linked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Ada, with contacts to whom she has written.
fn met(seed: u64, names: &[&str]) -> (World, At, Vec<At>) {
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
fn machine(world: &mut World, name: &str) -> At {
    let at = world.add(name, false);
    world.run(100);
    at
}

fn link_new(world: &mut World, at: At, full: bool) {
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
fn steps(world: &World, at: At) -> Vec<LinkStep> {
    let step = |event: &Event| match event {
        Event::Linking { step } => Some(step.clone()),
        _ => None,
    };
    let all: Vec<LinkStep> = world.hosts[at].events.iter().filter_map(step).collect();
    let begins = |step: &LinkStep| matches!(step, LinkStep::Connecting | LinkStep::Asking);
    let first = all.iter().rposition(begins).unwrap_or(0);
    all[first..].to_vec()
}

fn reaches(world: &mut World, at: At, ms: u64, wanted: impl Fn(&LinkStep) -> bool) -> LinkStep {
    world.run_until(ms, |world| steps(world, at).iter().any(&wanted));
    let found = steps(world, at).into_iter().rfind(|step| wanted(step));
    found.unwrap_or_else(|| {
        let (name, steps) = (&world.hosts[at].name, steps(world, at));
        panic!("{name}: {steps:?}; {}", world.replay())
    })
}

fn code(world: &mut World, at: At) -> String {
    match reaches(world, at, MINUTE, |s| matches!(s, LinkStep::Shown { .. })) {
        LinkStep::Shown { code, .. } => code,
        _ => unreachable!(),
    }
}

fn scan(world: &mut World, at: At, code: &str) {
    let code = code.into();
    world.must(at, Command::LinkScan { code });
}

fn compare(world: &mut World, at: At) -> (String, String, String, bool) {
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

fn yes(full: bool, passcode: Option<String>) -> Command {
    Command::LinkConfirm {
        full,
        history_days: 0,
        passcode,
    }
}

fn yes_with(history_days: u32) -> Command {
    Command::LinkConfirm {
        full: false,
        history_days,
        passcode: None,
    }
}

fn failed(world: &mut World, at: At, ms: u64) -> String {
    match reaches(world, at, ms, |s| matches!(s, LinkStep::Failed { .. })) {
        LinkStep::Failed { problem } => problem.code,
        _ => unreachable!(),
    }
}

fn is_done(step: &LinkStep) -> bool {
    *step == LinkStep::Done
}

/// Both compare: nothing is said yet.
fn comparing(world: &mut World, ada: At, new: At, full: bool) {
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
fn link(world: &mut World, ada: At, name: &str, full: bool) -> At {
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

fn is_unsure(step: &LinkStep) -> bool {
    matches!(step, LinkStep::Failed { problem } if problem.code == "link_unsure")
}

fn phase(world: &World, at: At) -> Option<Phase> {
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Phase { phase } => Some(phase.clone()),
        _ => None,
    })
}

/// Names of active contacts.
fn contacts(world: &World, at: At) -> Vec<String> {
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
fn again(world: &mut World, at: At) {
    world.kill(at);
    world.start(at);
    world.run(1_000);
}

#[test]
fn a_linked_device_has_what_it_needs_and_both_write() {
    let (mut world, ada, others) = met(1, &["Bob", "Cleo"]);
    let laptop = link(&mut world, ada, "Laptop", false);
    assert_eq!(phase(&world, laptop), Some(Phase::Open));
    assert_eq!(world.id(laptop), world.id(ada));
    assert_eq!(contacts(&world, laptop), ["Bob", "Cleo"]);
    let stored = |world: &World| {
        let mut shown = world.hosts[laptop].events.iter();
        shown.any(|event| {
            matches!(event, Event::Message { message }
                if matches!(message.delivery, Delivery::Stored { .. }))
        })
    };
    // Contacts expect what devices write that they know, so far: it is on its way.
    let contact = world.id(others[0]);
    let text = "from the laptop".into();
    world.must(laptop, Command::Send { contact, text });
    assert!(world.run_until(10 * MINUTE, stored), "{}", world.replay());
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

/// Conversations of the days that were chosen, in their order and once; what comes later goes on
/// behind them.
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

/// The run is over, and the new device is as it was before.
fn nothing_linked(world: &mut World, ada: At, new: At) {
    assert_eq!(phase(world, new), Some(Phase::Empty));
    again(world, new);
    assert_eq!(phase(world, new), Some(Phase::Empty));
    assert_eq!(contacts(world, new), [""; 0]);
    // The next try is as good as the first.
    comparing(world, ada, new, false);
    world.must(new, yes(false, None));
    world.must(ada, yes(false, None));
    for at in [new, ada] {
        reaches(world, at, 5 * MINUTE, is_done);
    }
    assert_eq!(contacts(world, new), ["Bob"]);
}

#[test]
fn refused_on_either_side() {
    for (seed, here) in [(4, true), (5, false)] {
        let (mut world, ada, _) = met(seed, &["Bob"]);
        let new = machine(&mut world, "Laptop");
        comparing(&mut world, ada, new, false);
        let (one, other) = if here { (ada, new) } else { (new, ada) };
        world.must(one, Command::LinkCancel);
        assert_eq!(failed(&mut world, other, 2 * MINUTE), "link_refused");
        nothing_linked(&mut world, ada, new);
    }
}

#[test]
fn the_new_device_refuses_what_is_sent_already() {
    let (mut world, ada, _) = met(6, &["Bob"]);
    let new = machine(&mut world, "Laptop");
    comparing(&mut world, ada, new, false);
    world.must(ada, yes(false, None));
    let all = |s: &LinkStep| matches!(s, LinkStep::Moving { have, of } if have == of);
    reaches(&mut world, ada, MINUTE, all);
    world.must(new, Command::LinkCancel);
    assert_eq!(failed(&mut world, ada, 2 * MINUTE), "link_refused");
    nothing_linked(&mut world, ada, new);
}

#[test]
fn nobody_answers_in_time() {
    let (mut world, ada, _) = met(7, &["Bob"]);
    let new = machine(&mut world, "Laptop");
    link_new(&mut world, new, false);
    let code = code(&mut world, new);
    assert_eq!(failed(&mut world, new, 2 * MINUTE), "link_timed_out");
    // Its code is too old then.
    scan(&mut world, ada, &code);
    assert_eq!(failed(&mut world, ada, MINUTE), "link_old_code");
    // Nobody says anything.
    comparing(&mut world, ada, new, false);
    assert_eq!(failed(&mut world, new, 6 * MINUTE), "link_timed_out");
    assert_eq!(failed(&mut world, ada, 6 * MINUTE), "link_timed_out");
    // One of them does not.
    comparing(&mut world, ada, new, false);
    world.run(MINUTE);
    world.must(new, yes(false, None));
    assert_eq!(failed(&mut world, ada, 6 * MINUTE), "link_timed_out");
    assert_eq!(failed(&mut world, new, 6 * MINUTE), "link_refused");
    nothing_linked(&mut world, ada, new);
}

#[test]
fn a_code_is_good_once_and_for_one() {
    let (mut world, ada, others) = met(8, &["Bob"]);
    let new = machine(&mut world, "Laptop");
    link_new(&mut world, new, false);
    let code = code(&mut world, new);
    scan(&mut world, ada, &code);
    compare(&mut world, ada);
    // Somebody else has seen it.
    scan(&mut world, others[0], &code);
    assert_eq!(failed(&mut world, others[0], 6 * MINUTE), "link_disturbed");
    world.must(ada, yes(false, None));
    world.must(new, yes(false, None));
    reaches(&mut world, ada, 5 * MINUTE, is_done);
    // Used up.
    scan(&mut world, ada, &code);
    let why = failed(&mut world, ada, 6 * MINUTE);
    assert!(
        ["link_disturbed", "link_old_code"].contains(&why.as_str()),
        "{why}"
    );
}

#[test]
fn what_is_no_code_is_told() {
    let (mut world, ada, _) = met(9, &["Bob"]);
    let fragment = world.invite(ada);
    let new = machine(&mut world, "Laptop");
    link_new(&mut world, new, false);
    let good = code(&mut world, new);
    let cut = good[..good.len() - 3].to_string();
    for text in [
        "",
        "wiremin:link/",
        "https://example.org/#abc",
        &fragment,
        &cut,
    ] {
        scan(&mut world, ada, text);
        assert_eq!(failed(&mut world, ada, MINUTE), "link_not_a_code", "{text}");
    }
    let code = good;
    let locked = world.ask_now(new, Command::LinkScan { code }).unwrap_err();
    assert_eq!(locked.code, "no_account");
    let relays = Vec::new();
    let none = Command::LinkNew {
        device: "Laptop".into(),
        full: false,
        passcode: passcode("Laptop"),
        remember: true,
        relays,
    };
    assert_eq!(world.ask_now(new, none.clone()).unwrap_err().code, "busy");
    world.must(new, Command::LinkCancel);
    assert_eq!(
        world.ask_now(new, none.clone()).unwrap_err().code,
        "no_relay"
    );
    assert_eq!(world.ask_now(ada, none).unwrap_err().code, "account_exists");
}

/// The relay is away: nothing is shown, and it is told.
#[test]
fn no_relay_answers() {
    let (mut world, ada, _) = met(10, &["Bob"]);
    let new = machine(&mut world, "Laptop");
    let relay = 0;
    world.kill(relay);
    link_new(&mut world, new, false);
    assert_eq!(failed(&mut world, new, 2 * MINUTE), "link_timed_out");
    world.start(relay);
    world.run(2 * MINUTE);
    nothing_linked(&mut world, ada, new);
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

#[test]
fn cancelled_at_each_step() {
    for (n, step) in [
        "connecting",
        "shown",
        "asking",
        "compare",
        "said yes",
        "moving",
    ]
    .into_iter()
    .enumerate()
    {
        for on_new in [true, false] {
            let (mut world, ada, _) = met(20 + n as u64, &["Bob"]);
            let new = machine(&mut world, "Laptop");
            reach(&mut world, ada, new, step);
            let one = if on_new { new } else { ada };
            world.must(one, Command::LinkCancel);
            world.run(7 * MINUTE);
            assert!(
                !steps(&world, new).iter().any(is_done) || step == "moving",
                "{step}"
            );
            if phase(&world, new) == Some(Phase::Empty) {
                nothing_linked(&mut world, ada, new);
            }
        }
    }
}

/// Brings both to a step.
fn reach(world: &mut World, ada: At, new: At, step: &str) {
    link_new(world, new, false);
    if step == "connecting" {
        return;
    }
    let code = code(world, new);
    if step == "shown" {
        return;
    }
    scan(world, ada, &code);
    if step == "asking" {
        return;
    }
    compare(world, new);
    compare(world, ada);
    if step == "compare" {
        return;
    }
    world.must(new, yes(false, None));
    if step == "said yes" {
        return;
    }
    world.must(ada, yes(false, None));
}

/// Whichever process dies, and whenever: the new device has the account whole or not at all, and
/// who is not sure is told so.
#[test]
fn killed_at_each_step() {
    let names = [
        "connecting",
        "shown",
        "asking",
        "compare",
        "said yes",
        "moving",
    ];
    let mut linked = 0;
    for (n, step) in names.into_iter().enumerate() {
        for on_new in [true, false] {
            for later in [0, 40, 150, 400] {
                let (mut world, ada, _) = met(40 + n as u64, &["Bob"]);
                let new = machine(&mut world, "Laptop");
                reach(&mut world, ada, new, step);
                world.run(later);
                let one = if on_new { new } else { ada };
                again(&mut world, one);
                if !on_new {
                    world.unlock(ada);
                }
                world.run(12 * MINUTE);
                again(&mut world, new);
                let whole = phase(&world, new) != Some(Phase::Empty);
                linked += u32::from(whole);
                let told = steps(&world, ada);
                let sure = told.iter().any(is_done);
                assert!(whole || !sure, "{step} {later}: {told:?}");
                if !whole {
                    assert_eq!(contacts(&world, new), [""; 0]);
                } else if !sure {
                    assert!(told.iter().any(is_unsure), "{step} {later}: {told:?}");
                }
            }
        }
    }
    assert!(linked > 0);
}
