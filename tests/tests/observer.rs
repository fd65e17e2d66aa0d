//! What the relay learns. Two worlds that differ only in who talks to whom and in what they say
//! look alike to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tests::observer::{Glimpse, view};
use tests::world::{Seen, World};

const MINUTE: u64 = 60_000;

/// Four people; who meets whom, and what they say, is given.
fn play(pairs: [(usize, usize); 2], words: &[&str], leak: bool) -> (World, Vec<Seen>) {
    let mut world = World::new(7);
    world.seen = Some(Vec::new());
    world.leak = leak;
    // Even times: what is left is what the nodes themselves show.
    world.faults.delay_ms = (10, 10);
    world.faults.save_ms = (2, 2);
    world.add("relay", true);
    for name in ["Ann", "Bob", "Cid", "Dan"] {
        world.person(name, "relay");
    }
    world.run(10_000);
    let links: Vec<String> = pairs.iter().map(|(host, _)| world.invite(*host)).collect();
    world.run(10_000);
    for at in [2, 4] {
        let pair = pairs.iter().position(|(_, guest)| *guest == at).unwrap();
        let text = words[0].to_string();
        let link = links[pair].clone();
        world.ask(at, account::api::Command::Greet { link, text });
        world.run(5_000);
    }
    world.run(10_000);
    for (host, _) in pairs {
        let greeting = world.greeting(host).expect("a greeting").greeting;
        world.ask(host, account::api::Command::Accept { greeting });
    }
    world.run(30_000);
    for (turn, word) in words.iter().enumerate() {
        let mut lines = pairs.map(|(a, b)| if turn % 2 == 0 { (a, b) } else { (b, a) });
        lines.sort_unstable();
        // At the same moments in both worlds, and in the same order of speakers.
        for (from, to) in lines {
            world.say(from, to, word);
        }
        world.run(7_000);
    }
    world.run(5 * MINUTE);
    for (host, guest) in pairs {
        assert!(world.knows(guest, host));
        assert_eq!(
            world.heard(guest, host).len() + world.heard(host, guest).len(),
            words.len() + 1
        );
    }
    let seen = world.seen.take().unwrap();
    (world, seen)
}

const ANN_BOB: [(usize, usize); 2] = [(1, 2), (3, 4)];
const ANN_DAN: [(usize, usize); 2] = [(1, 4), (3, 2)];
const SOME: [&str; 6] = [
    "yes",
    "meet me at nine",
    "no",
    "the red door",
    "fine",
    "bring the map",
];
const OTHER: [&str; 6] = [
    "what?",
    "who",
    "I never said it",
    "ok",
    "42",
    "good night then",
];

fn look(seen: &[Seen]) -> Vec<Glimpse> {
    view(seen).expect("nothing random comes twice").0
}

#[test]
fn the_relay_cannot_tell_who_talks_to_whom() {
    let (_, one) = play(ANN_BOB, &SOME, false);
    let (_, two) = play(ANN_DAN, &OTHER, false);
    let (one, two) = (look(&one), look(&two));
    assert!(one.len() > 200, "only {} frames", one.len());
    for (i, (a, b)) in one.iter().zip(&two).enumerate() {
        assert_eq!(a, b, "frame {i}");
    }
    assert_eq!(one.len(), two.len());
}

#[test]
fn a_build_that_leaks_one_name_is_caught() {
    let (_, leaky) = play(ANN_BOB, &SOME, true);
    let (_, other) = play(ANN_DAN, &SOME, true);
    let told = match (view(&leaky), view(&other)) {
        (Ok((one, _)), Ok((two, _))) => one != two,
        _ => true,
    };
    assert!(told, "a name in the address was not noticed");
}

#[test]
fn nothing_anybody_wrote_or_is_called_reaches_the_relay() {
    let (world, seen) = play(ANN_BOB, &SOME, false);
    let keys: Vec<Vec<u8>> = (1..=4)
        .map(|at| {
            let id = account::identity::AccountId::parse(&world.id(at)).unwrap();
            id.key().as_bytes().to_vec()
        })
        .collect();
    let texts = SOME
        .iter()
        .filter(|t| t.len() > 3)
        .map(|t| t.as_bytes().to_vec());
    let secrets: Vec<Vec<u8>> = keys.into_iter().chain(texts).collect();
    let has = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).any(|w| w == needle);
    for frame in &seen {
        for secret in &secrets {
            assert!(!has(&frame.bytes, secret), "{secret:02x?} in a frame");
        }
    }
    for (_, value) in world.hosts[0].disk.rows() {
        for secret in &secrets {
            assert!(!has(&value, secret), "{secret:02x?} on the relay's disk");
        }
    }
    // The people's own disks hold no text either: rows are sealed.
    for at in 1..=4 {
        let rows: Vec<Vec<u8>> = world.hosts[at]
            .disk
            .rows()
            .filter(|(t, _)| *t > 0)
            .map(|(_, v)| v)
            .collect();
        assert!(rows.len() > 10);
        for text in secrets.iter().filter(|s| s.len() > 4) {
            assert!(rows.iter().all(|row| !has(row, text)));
        }
    }
}
