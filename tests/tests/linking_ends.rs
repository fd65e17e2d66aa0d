//! Whatever goes wrong while a device is linked leaves nothing half linked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::linking::*;
use tests::people::passcode;
use tests::world::{At, World};

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
    // It was sent everything: whether it kept that, nobody but itself knows.
    assert_eq!(failed(&mut world, ada, 2 * MINUTE), "link_unsure");
    assert_eq!(phase(&world, new), Some(Phase::Empty));
    assert_eq!(world.devices(ada).len(), 2);
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

/// The new device says that it has everything once it has: not while its disk is full.
#[test]
fn a_full_disk_is_no_word() {
    for frees in [true, false] {
        let (mut world, ada, _) = met(17, &["Bob"]);
        let new = machine(&mut world, "Laptop");
        comparing(&mut world, ada, new, false);
        world.hosts[new].disk.full = true;
        world.must(ada, yes(false, None));
        world.must(new, yes(false, None));
        world.run(2 * MINUTE);
        assert!(!steps(&world, ada).iter().any(is_done));
        world.hosts[new].disk.full = !frees;
        if frees {
            reaches(&mut world, ada, 2 * MINUTE, is_done);
            assert_eq!(contacts(&world, new), ["Bob"]);
        } else {
            assert_eq!(failed(&mut world, ada, 6 * MINUTE), "link_unsure");
            again(&mut world, new);
            assert_eq!(phase(&world, new), Some(Phase::Empty));
        }
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
