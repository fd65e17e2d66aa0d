//! Records: profiles that reach contacts, relays that show old ones, secrets that change, and what
//! lies in the network for half a year.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use data_encoding::BASE64;
use tests::host::Host;
use tests::world::{At, Seen, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const PUT: u8 = 0x10;
const FIND: u8 = 0x25;
const REFUSED: u8 = 0x12;
/// The kind of a record, in the fifth byte of a header.
const RECORD: u8 = 2;

fn set_about(world: &mut World, at: At, about: &str) {
    let about = Some(about.into());
    let avatar = None;
    world.must(at, Command::SetProfile { about, avatar });
}

/// A contact as it was last shown to somebody.
fn shown(world: &World, at: At, other: At) -> Option<ContactView> {
    let id = world.id(other);
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Contact { contact } if contact.contact == id => Some(contact.clone()),
        _ => None,
    })
}

fn about(world: &World, at: At, other: At) -> String {
    shown(world, at, other).map_or(String::new(), |contact| contact.about)
}

/// The relays of somebody, as they were last shown.
fn relays(world: &World, at: At) -> Vec<RelayView> {
    let mut told = world.hosts[at].events.iter().rev();
    let relays = told.find_map(|event| match event {
        Event::Relays { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    relays.unwrap()
}

fn has_trouble(world: &World, at: At, wanted: &str) -> bool {
    let mut told = world.hosts[at].events.iter().rev();
    let last = told.find_map(|event| match event {
        Event::Trouble { problem } if problem.code == wanted => Some(true),
        Event::TroubleOver { code } if code == wanted => Some(false),
        _ => None,
    });
    last == Some(true)
}

/// Headers of the records that somebody put.
/// The slot that a record which was put says.
fn slot(seen: &Seen) -> u16 {
    u16::from_le_bytes(seen.bytes[5 + 72 + 32..][..2].try_into().unwrap())
}

/// Profiles that were put.
fn profiles_put(seen: &[Seen], at: At) -> Vec<(u64, [u8; 72])> {
    let is_profile = |s: &&Seen| s.bytes[0] == PUT && slot(s) == 2;
    let seen: Vec<Seen> = seen.iter().filter(is_profile).cloned().collect();
    puts(&seen, at)
}

fn puts(seen: &[Seen], at: At) -> Vec<(u64, [u8; 72])> {
    let of = seen.iter().filter(|s| s.client == at && s.to_relay);
    let put = of.filter(|s| s.bytes[0] == PUT);
    let header = |s: &Seen| (s.at_ms, s.bytes[5..77].try_into().unwrap());
    let headers = put.map(header);
    let is_record = |(_, header): &(u64, [u8; 72])| header[0] & 0x0f == RECORD;
    headers.filter(is_record).collect()
}

fn friends(seed: u64) -> (World, At, At, At) {
    let mut world = World::new(seed);
    let relay = world.add("relay", true);
    let (ann, bob) = world.friends("relay", "relay");
    (world, relay, ann, bob)
}

/// A picture as far as this program looks at it.
fn a_png(byte: u8) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0, 8, 6, 0, 0, 0]);
    bytes.resize(9_000, byte);
    bytes
}

#[test]
fn a_profile_reaches_who_is_there_within_five_seconds() {
    for seed in 1..=5 {
        let (mut world, _, ann, bob) = friends(seed);
        set_about(&mut world, ann, "likes trains");
        let there = |world: &World| about(world, bob, ann) == "likes trains";
        assert!(world.run_until(5_000, there), "seed {seed}");
        // A picture's puzzle takes longer than that by itself.
        world.run(HOUR);
        world.seen = Some(Vec::new());
        let avatar = BASE64.encode(&a_png(3));
        let profile = Command::SetProfile {
            about: Some("likes ships".into()),
            avatar: Some(avatar.clone()),
        };
        world.must(ann, profile);
        let there = |world: &World| about(world, bob, ann) == "likes ships";
        let put = |world: &World| !puts(world.seen.as_ref().unwrap(), ann).is_empty();
        assert!(world.run_until(MINUTE, put));
        assert!(world.run_until(5_000, there), "seed {seed}");
        let contact = world.id(ann);
        let picture = world.must(bob, Command::Avatar { contact });
        let Some(Answer::Avatar { avatar: got, media }) = picture else {
            panic!("no picture");
        };
        assert_eq!((got, media.as_str()), (avatar, "image/png"));
        assert!(shown(&world, bob, ann).unwrap().avatar.is_some());
        // Taken away again, later.
        world.run(2 * HOUR);
        let profile = Command::SetProfile {
            about: None,
            avatar: Some(String::new()),
        };
        world.must(ann, profile);
        let gone = |world: &World| shown(world, bob, ann).unwrap().avatar.is_none();
        assert!(world.run_until(10 * MINUTE, gone));
        assert_eq!(about(&world, bob, ann), "likes ships");
    }
}

/// The first change is written at once; those that follow it, once: a minute after the last and ten
/// after the first.
#[test]
fn changes_are_gathered() {
    let (mut world, _, ann, bob) = friends(1);
    world.seen = Some(Vec::new());
    for n in 0..5 {
        set_about(&mut world, ann, &format!("about {n}"));
        world.run(30_000);
    }
    world.run(5 * MINUTE);
    assert_eq!(puts(world.seen.as_ref().unwrap(), ann).len(), 2);
    assert_eq!(about(&world, bob, ann), "about 4");
    for n in 0..30 {
        set_about(&mut world, ann, &format!("again {n}"));
        world.run(30_000);
    }
    assert_eq!(puts(world.seen.as_ref().unwrap(), ann).len(), 4);
}

#[test]
fn profiles_that_cannot_be_shown_are_refused() {
    let (mut world, _, ann, _) = friends(1);
    let refused = |world: &mut World, about: Option<String>, avatar: Option<String>| {
        let profile = Command::SetProfile { about, avatar };
        world.ask_now(ann, profile).unwrap_err().code
    };
    assert_eq!(
        refused(&mut world, Some("x".repeat(501)), None),
        "about_too_long"
    );
    let not = |bytes: &[u8]| Some(BASE64.encode(bytes));
    for avatar in [not(b"GIF89a"), Some("?".into()), not(&[0; 20_000])] {
        assert_eq!(refused(&mut world, None, avatar), "avatar_invalid");
    }
    let contact = world.id(ann);
    let none = world.ask_now(ann, Command::Avatar { contact }).unwrap_err();
    assert_eq!(none.code, "no_avatar");
}

/// Records that the relay (the first host) gives out are those from before: the newer ones are held
/// back from people.
fn shows_no_records(from: At, _: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let is_object = bytes.first() == Some(&0x23);
    let is_record = |b: &Vec<u8>| b.get(9).is_some_and(|kind| kind & 0x0f == RECORD);
    (!(from == 0 && is_object && is_record(&bytes))).then_some(bytes)
}

/// A relay that shows nothing where its owner says that there is something: noticed, told, and what
/// was known stays. When it shows it again, that is over.
#[test]
fn a_relay_that_withholds_records_is_noticed() {
    let (mut world, _, ann, bob) = friends(3);
    set_about(&mut world, ann, "first");
    world.run(10 * MINUTE);
    assert_eq!(about(&world, bob, ann), "first");
    world.run(2 * HOUR);
    world.lie = Some(shows_no_records);
    set_about(&mut world, ann, "second");
    world.run(10 * MINUTE);
    assert!(has_trouble(&world, bob, "record_withheld"));
    assert_eq!(about(&world, bob, ann), "first");
    world.lie = None;
    world.run(2 * HOUR);
    assert_eq!(about(&world, bob, ann), "second");
    assert!(!has_trouble(&world, bob, "record_withheld"));
}

/// A relay that was set back to an earlier state shows the old profile. It takes nobody back.
#[test]
fn a_relay_that_was_set_back_takes_nobody_back() {
    let (mut world, relay, ann, bob) = friends(4);
    set_about(&mut world, ann, "first");
    world.run(10 * MINUTE);
    assert_eq!(about(&world, bob, ann), "first");
    let before = world.hosts[relay].disk.clone();
    world.run(2 * HOUR);
    // Told of, and not seen by Bob before the relay is set back.
    world.lie = Some(shows_no_records);
    set_about(&mut world, ann, "second");
    world.run(4 * MINUTE);
    world.kill(ann);
    world.kill(relay);
    world.hosts[relay].disk = before;
    world.lie = None;
    world.start(relay);
    world.run(30 * MINUTE);
    assert_eq!(about(&world, bob, ann), "first");
    assert!(has_trouble(&world, bob, "record_withheld"));
    // Bob's device starts again: it still knows that there is something newer.
    world.kill(bob);
    world.start(bob);
    world.run(MINUTE);
    world.unlock(bob);
    world.run(30 * MINUTE);
    assert!(has_trouble(&world, bob, "record_withheld"));
    // Ann puts it again, and all is well.
    world.run(DAY);
    world.start(ann);
    world.run(MINUTE);
    world.unlock(ann);
    world.run(3 * HOUR);
    assert_eq!(about(&world, bob, ann), "second");
    assert!(!has_trouble(&world, bob, "record_withheld"));
}

/// Of two relays one shows nothing: what the other has counts, and the first is marked.
#[test]
fn what_one_relay_has_counts() {
    let mut world = World::new(5);
    world.add("relay", true);
    let other = world.add("other", true);
    let (ann, bob) = (world.person("Ann", "relay"), world.person("Bob", "relay"));
    for at in [ann, bob] {
        let hint = Host::hint("other").to_text();
        world.must(at, Command::AddRelay { hint });
        world.stay_open(at);
    }
    world.meet(ann, bob);
    world.run(10 * MINUTE);
    world.lie = Some(shows_no_records);
    set_about(&mut world, ann, "still there");
    world.run(10 * MINUTE);
    assert_eq!(about(&world, bob, ann), "still there");
    // What has just been written may be on its way to the other.
    assert!(relays(&world, bob).iter().all(|relay| !relay.withheld));
    world.kill(bob);
    world.run(3 * DAY);
    world.start(bob);
    world.run(MINUTE);
    world.unlock(bob);
    world.run(10 * MINUTE);
    assert!(!has_trouble(&world, bob, "record_withheld"));
    let node = |at: At, world: &World| world.hosts[at].hint.to_text();
    for relay in relays(&world, bob) {
        assert_eq!(relay.withheld, relay.hint != node(other, &world));
    }
}

/// Who is no contact any more finds neither the new profile nor new keys, though it holds all it
/// ever knew and the relay would show it. The others do.
#[test]
fn a_removed_contact_reads_nothing_new() {
    for block in [false, true] {
        let (mut world, _, ann, bob) = friends(6);
        let cid = world.person("Cid", "relay");
        world.stay_open(cid);
        world.meet(ann, cid);
        set_about(&mut world, ann, "for both");
        world.run(10 * MINUTE);
        assert_eq!(about(&world, bob, ann), "for both");
        assert_eq!(about(&world, cid, ann), "for both");
        // A month begins after ten days: there are keys of two.
        world.run(11 * DAY);
        // Cid is away and comes back weeks later: what was told meanwhile is no more.
        world.kill(cid);
        let contact = world.id(bob);
        world.seen = Some(Vec::new());
        world.must(ann, Command::RemoveContact { contact, block });
        world.run(2 * HOUR);
        // In the place of the profile, and of the keys of two months, there are tombstones; what
        // is written new lies elsewhere.
        let seen = world.seen.take().unwrap();
        let sizes = puts(&seen, ann).into_iter().map(|(_, h)| h[1] >> 5);
        let mut sizes: Vec<u8> = sizes.collect();
        sizes.sort_unstable();
        assert_eq!(
            sizes,
            [0, 0, 0, 0, 0, 4],
            "tombstones, profile, state, keys"
        );
        let refused = |s: &&Seen| s.client == ann && s.bytes[0] == REFUSED;
        assert_eq!(seen.iter().filter(refused).count(), 0);
        set_about(&mut world, ann, "for Cid alone");
        world.run(10 * DAY);
        world.start(cid);
        world.run(MINUTE);
        world.unlock(cid);
        world.run(3 * DAY);
        assert_eq!(about(&world, cid, ann), "for Cid alone");
        assert_eq!(about(&world, bob, ann), "for both");
        // Bob's last keys of Ann are over: he finds no new ones. Cid does.
        world.say(bob, ann, "from Bob");
        world.say(cid, ann, "from Cid");
        world.run(2 * HOUR);
        let waits = |event: &Event| {
            matches!(event, Event::Message { message } if message.mine
                && message.text == "from Bob"
                && message.delivery == Delivery::Queued { waits_for: WaitsFor::Keys })
        };
        assert!(world.hosts[bob].events.iter().any(waits), "block: {block}");
        assert_eq!(world.delivered(bob, ann), 1, "the greeting alone");
        assert!(world.hears(ann, cid, "from Cid", 1));
    }
}

/// Who has not seen the newest profile when its secret changes is told no trouble, and finds it
/// under the new one. Who was removed is told none either.
#[test]
fn a_secret_that_changes_is_no_trouble() {
    let (mut world, _, ann, bob) = friends(12);
    let cid = world.person("Cid", "relay");
    world.stay_open(cid);
    world.meet(ann, cid);
    for about in ["one", "two", "three", "first"] {
        set_about(&mut world, ann, about);
        world.run(3 * MINUTE);
    }
    // The fifth in a row is looked up a quarter of an hour later. By then it is taken back.
    set_about(&mut world, ann, "second");
    world.run(2 * MINUTE);
    assert_eq!(about(&world, cid, ann), "first");
    let contact = world.id(bob);
    let block = false;
    world.must(ann, Command::RemoveContact { contact, block });
    world.run(3 * HOUR);
    assert_eq!(about(&world, cid, ann), "second");
    assert_eq!(about(&world, bob, ann), "first");
    for at in [bob, cid] {
        let mut events = world.hosts[at].events.iter();
        assert!(!events.any(|event| {
            let withheld = |p: &Problem| p.code == "record_withheld";
            matches!(event, Event::Trouble { problem } if withheld(problem))
        }));
    }
}

/// Two devices of one account, as a copied disk makes them. What one wrote last is not written over
/// by the other when it is time to write again, but taken.
#[test]
fn what_another_device_wrote_is_taken() {
    for again in [true, false] {
        another_device_writes(again);
    }
}

fn another_device_writes(again: bool) {
    let (mut world, relay, ann, bob) = friends(11);
    set_about(&mut world, ann, "of the first");
    world.run(10 * MINUTE);
    let second = world.copy(ann);
    world.kill(ann);
    world.start_with(second, [7; 32]);
    world.run(MINUTE);
    world.unlock(second);
    world.run(MINUTE);
    set_about(&mut world, second, "of the second");
    world.run(2 * HOUR);
    assert_eq!(about(&world, bob, second), "of the second");
    world.kill(second);
    world.kill(bob);
    world.start(ann);
    world.run(MINUTE);
    world.unlock(ann);
    let own = |world: &World| {
        let mut told = world.hosts[ann].events.iter().rev();
        told.find_map(|event| match event {
            Event::Profile { about, .. } => Some(about.clone()),
            _ => None,
        })
    };
    world.run(HOUR);
    assert_eq!(own(&world).as_deref(), Some("of the first"));
    // When it puts its own again, a day later at the next link, a relay says that there is a newer
    // one; were it not for that, it would find it when it is time to write.
    match again {
        true => world.set_cut(ann, relay, true),
        false => world.run(DAY),
    }
    world.run(DAY);
    world.set_cut(ann, relay, false);
    world.run(if again { HOUR } else { 91 * DAY });
    assert_eq!(own(&world).as_deref(), Some("of the second"));
    world.start(bob);
    world.run(MINUTE);
    world.unlock(bob);
    world.run(10 * MINUTE);
    assert_eq!(about(&world, bob, ann), "of the second");
}

/// Whenever the process dies: the change is written, and once.
#[test]
fn a_crash_forgets_and_repeats_nothing() {
    for saves in 1..=14 {
        let (mut world, _, ann, bob) = friends(20 + saves);
        set_about(&mut world, ann, "kept");
        // From the first save after that of the change to the last one that follows from it.
        world.seen = Some(Vec::new());
        let so_far = world.hosts[ann].disk.saves;
        world.kill_at_save(ann, so_far + saves);
        world.run(3 * MINUTE);
        if !world.hosts[ann].is_up() {
            world.start(ann);
            world.run(MINUTE);
            world.unlock(ann);
        }
        world.run(HOUR);
        assert_eq!(about(&world, bob, ann), "kept", "{saves} saves");
        let seen = world.seen.take().unwrap();
        let long = puts(&seen, ann).into_iter();
        let long = long.filter(|(_, header)| header[1] >> 1 & 15 == 7);
        let mut bodies: Vec<[u8; 40]> = long.map(|(_, h)| h[32..].try_into().unwrap()).collect();
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{saves} saves");
    }
}

/// For 200 days a record that nobody changes is there whenever somebody looks, and it is written
/// only as often as that needs.
#[test]
fn a_record_is_written_again_before_it_is_over() {
    let (mut world, _, ann, bob) = friends(7);
    world.kill(bob);
    set_about(&mut world, ann, "the same for ever");
    world.run(10 * MINUTE);
    world.seen = Some(Vec::new());
    let mut last = 0;
    let mut profiles: Vec<(u64, u32)> = Vec::new();
    for day in 1..=200 {
        world.run(DAY);
        for (at, header) in profiles_put(&world.seen.replace(Vec::new()).unwrap(), ann) {
            let expiry = u32::from_le_bytes(header[4..8].try_into().unwrap());
            profiles.push((at, expiry));
        }
        if let Some((_, expiry)) = profiles.last() {
            last = *expiry;
        }
        if day == 100 {
            // A restart neither forgets nor repeats it.
            let before = profiles.len();
            world.kill(ann);
            world.start(ann);
            world.run(MINUTE);
            world.unlock(ann);
            world.run(HOUR);
            let again = profiles_put(world.seen.as_ref().unwrap(), ann);
            assert!(again.len() <= 1, "put again as it is, at most");
            assert!(profiles.len() == before);
            world.seen = Some(Vec::new());
        }
    }
    let mut expiries: Vec<u32> = profiles.iter().map(|(_, expiry)| *expiry).collect();
    expiries.dedup();
    assert!((2..=3).contains(&expiries.len()), "{expiries:?}");
    let hour = (world.now / HOUR) as u32;
    assert!(last > hour + 80 * 24);
    world.start(bob);
    world.run(MINUTE);
    world.unlock(bob);
    world.say(ann, bob, "back?");
    let there = |world: &World| about(world, bob, ann) == "the same for ever";
    assert!(world.run_until(DAY, there));
}

/// Written in one month, read in later ones.
#[test]
fn records_of_earlier_months_are_found() {
    let (mut world, _, ann, bob) = friends(8);
    // Bob does not hear of it, nor of what was said of it.
    world.kill(bob);
    set_about(&mut world, ann, "since long");
    world.run(10 * MINUTE);
    world.kill(ann);
    world.run(50 * DAY);
    world.start(bob);
    world.run(MINUTE);
    world.unlock(bob);
    // Nothing is due yet at Ann's.
    world.start(ann);
    world.run(5_000);
    world.unlock(ann);
    world.seen = Some(Vec::new());
    world.say(ann, bob, "hello again");
    let there = |world: &World| about(world, bob, ann) == "since long";
    assert!(world.run_until(20 * MINUTE, there));
    let lives_long = |(_, header): &(u64, [u8; 72])| header[1] >> 1 & 15 == 7;
    let seen = world.seen.take().unwrap();
    // What lies there is that of two months ago, put again as it is at most.
    let expiry = |h: &[u8; 72]| u32::from_le_bytes(h[4..8].try_into().unwrap());
    let hour = (world.now / HOUR) as u32;
    for (_, header) in puts(&seen, ann).iter().filter(|put| lives_long(put)) {
        assert!(expiry(header) < hour + 4_320 - 49 * 24);
    }
}

/// Who was away for longer than messages live finds what they told of, all with few questions.
#[test]
fn who_was_away_catches_up() {
    let (mut world, _, ann, bob) = friends(10);
    let cid = world.person("Cid", "relay");
    world.stay_open(cid);
    world.meet(cid, bob);
    world.run(10 * MINUTE);
    world.kill(bob);
    set_about(&mut world, ann, "new at Ann's");
    set_about(&mut world, cid, "new at Cid's");
    world.run(20 * DAY);
    world.start(bob);
    world.run(MINUTE);
    world.seen = Some(Vec::new());
    world.unlock(bob);
    world.run(10 * MINUTE);
    assert_eq!(about(&world, bob, ann), "new at Ann's");
    assert_eq!(about(&world, bob, cid), "new at Cid's");
    let seen = world.seen.take().unwrap();
    let finds = seen
        .iter()
        .filter(|s| s.client == bob && s.to_relay && s.bytes[0] == FIND);
    assert!(finds.count() <= 4);
}

/// Many keys that are looked up at once are one question to a relay that has few records.
#[test]
fn many_lookups_are_one_find() {
    let mut world = World::new(9);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    world.stay_open(ann);
    let mut others = Vec::new();
    for n in 0..18 {
        let at = world.person(&format!("P{n}"), "relay");
        world.stay_open(at);
        world.meet(ann, at);
        others.push(at);
    }
    world.run(20 * MINUTE);
    world.kill(ann);
    world.run(10 * DAY);
    world.seen = Some(Vec::new());
    world.start(ann);
    world.run(MINUTE);
    world.unlock(ann);
    world.run(MINUTE);
    let seen = world.seen.take().unwrap();
    let finds = seen
        .iter()
        .filter(|s| s.client == ann && s.to_relay && s.bytes[0] == FIND);
    let finds = finds.count();
    // Keys and profiles, each at most once before and once after the relay said how many it has.
    assert!((1..=4).contains(&finds), "{finds} Finds");
    for at in others {
        world.say(ann, at, "still there?");
        assert!(world.hears(at, ann, "still there?", 10 * MINUTE));
    }
}
