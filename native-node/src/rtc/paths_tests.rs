#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::stun::tests::check;
use super::*;
use std::net::Ipv4Addr;

const HELLO: [u8; 14] = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
const DATA: [u8; 14] = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 1];

struct World {
    paths: Paths,
    key: IceKey,
    now: Instant,
}

fn world(limits: LinkLimits) -> World {
    let key = IceKey::new("relayFrg", "abcdefghijklmnopqrstuvwx").unwrap();
    World {
        paths: Paths::new(key.clone(), limits),
        key,
        now: Instant::now(),
    }
}

fn route(remote: &str) -> Route {
    Route {
        remote: remote.parse().unwrap(),
        local: None,
        socket: 0,
    }
}

impl World {
    fn take(&mut self, remote: &str, bytes: &[u8]) -> Verdict {
        self.paths
            .on_datagram(self.now, route(remote), bytes, || *b"fresh-random")
    }

    fn check(&mut self, remote: &str, from: &str, tie_breaker: u64, nominates: bool) -> Verdict {
        let bytes = check(from, tie_breaker, nominates, &self.key);
        self.take(remote, &bytes)
    }

    /// A check and a handshake's first packet, answered by a session.
    fn open(&mut self, remote: &str, from: &str, tie_breaker: u64) -> (ClientKey, Arc<Session>) {
        assert!(is_success(&self.check(remote, from, tie_breaker, true)));
        let Verdict::Open(client) = self.take(remote, &HELLO) else {
            panic!("no session")
        };
        let session = Arc::new(Session::new(self.now, route(remote)));
        let ip = route(remote).remote.ip();
        self.paths.on_opened(client, ip, session.clone());
        self.paths.on_proven(ip);
        session.prove();
        (client, session)
    }
}

fn is_success(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Answer(answer) if answer.as_bytes()[..2] == [1, 1])
}

fn is_refusal(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Answer(answer) if answer.as_bytes()[..2] == [1, 0x11])
}

fn is_challenge(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Answer(answer) if answer.as_bytes()[..2] == [0, 1])
}

/// What a browser answers to a challenge: an error with its transaction.
fn challenge_answer() -> Vec<u8> {
    [
        &[1, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42][..],
        b"fresh-random",
    ]
    .concat()
}

#[test]
fn strangers_leave_nothing_behind() {
    let mut world = world(LinkLimits::default());
    let wrong = IceKey::new("relayFrg", "anotherpasswordof24chars").unwrap();
    assert!(matches!(
        world.take("1.2.3.4:5", &check("abcd", 1, true, &wrong)),
        Verdict::Drop
    ));
    for bytes in [&HELLO[..], &DATA, b"GET / HTTP/1.1", &[]] {
        assert!(matches!(world.take("1.2.3.4:5", bytes), Verdict::Drop));
    }
    assert_eq!(world.paths.sizes(), (0, 0, 0));
    let counters = world.paths.counters;
    assert_eq!((counters.wrong_password, counters.dropped_unknown), (1, 2));
    assert_eq!(counters.dropped_garbage, 2);
}

#[test]
fn clients_with_the_same_fragment_are_told_apart() {
    let mut world = world(LinkLimits::default());
    let (_, first) = world.open("1.1.1.1:10", "abcd", 1);
    let (_, second) = world.open("2.2.2.2:20", "abcd", 2);
    assert!(!Arc::ptr_eq(&first, &second));
    let Verdict::Deliver(to) = world.take("1.1.1.1:10", &DATA) else {
        panic!()
    };
    assert!(Arc::ptr_eq(&to, &first));
    let Verdict::Deliver(to) = world.take("2.2.2.2:20", &DATA) else {
        panic!()
    };
    assert!(Arc::ptr_eq(&to, &second));
}

#[test]
fn a_link_moves_only_to_where_its_client_receives() {
    let mut world = world(LinkLimits::default());
    let (_, session) = world.open("1.1.1.1:10", "abcd", 1);
    // The same client from a new address: first it must show that it receives there.
    assert!(is_challenge(&world.check("3.3.3.3:30", "abcd", 1, true)));
    assert!(is_challenge(&world.check("3.3.3.3:30", "abcd", 1, true)));
    assert_eq!(session.route().remote, route("1.1.1.1:10").remote);
    // What it sends from there is taken at once.
    assert!(matches!(
        world.take("3.3.3.3:30", &DATA),
        Verdict::Deliver(_)
    ));
    // Another address cannot answer for it, nor can a wrong transaction.
    world.take("1.1.1.1:10", &challenge_answer());
    let mut wrong = challenge_answer();
    wrong[19] ^= 1;
    world.take("3.3.3.3:30", &wrong);
    assert!(is_challenge(&world.check("3.3.3.3:30", "abcd", 1, true)));

    assert!(matches!(
        world.take("3.3.3.3:30", &challenge_answer()),
        Verdict::Drop
    ));
    // A check that does not nominate changes nothing, one that does moves the link.
    assert!(is_success(&world.check("3.3.3.3:30", "abcd", 1, false)));
    assert_eq!(session.route().remote, route("1.1.1.1:10").remote);
    assert!(is_success(&world.check("3.3.3.3:30", "abcd", 1, true)));
    assert_eq!(session.route().remote, route("3.3.3.3:30").remote);
    // And back.
    assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
    assert_eq!(session.route().remote, route("1.1.1.1:10").remote);
}

#[test]
fn an_address_that_never_returned_the_cookie_proves_nothing() {
    let mut world = world(LinkLimits::default());
    // A handshake begun in a third party's name.
    assert!(is_success(&world.check("9.9.9.9:90", "abcd", 1, true)));
    let Verdict::Open(client) = world.take("9.9.9.9:90", &HELLO) else {
        panic!("no session")
    };
    let session = Arc::new(Session::new(world.now, route("9.9.9.9:90")));
    world
        .paths
        .on_opened(client, route("9.9.9.9:90").remote.ip(), session.clone());
    assert!(is_success(&world.check("9.9.9.9:90", "abcd", 1, true)));
    // It is taken over from where its sender really is, and completed there.
    assert!(is_challenge(&world.check("1.1.1.1:10", "abcd", 1, true)));
    world.take("1.1.1.1:10", &challenge_answer());
    assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
    session.prove();
    // It cannot be aimed back.
    assert!(is_challenge(&world.check("9.9.9.9:90", "abcd", 1, true)));
    assert_eq!(session.route().remote, route("1.1.1.1:10").remote);
}

#[test]
fn a_closed_links_checks_are_refused() {
    let mut world = world(LinkLimits::default());
    let (client, _) = world.open("1.1.1.1:10", "abcd", 1);
    world
        .paths
        .on_closed(client, "1.1.1.1".parse().unwrap(), true);
    assert!(is_refusal(&world.check("1.1.1.1:10", "abcd", 1, true)));
    assert!(matches!(world.take("1.1.1.1:10", &HELLO), Verdict::Drop));
    // A new peer connection from the same port is a new client.
    assert!(is_success(&world.check("1.1.1.1:10", "wxyz", 2, true)));
    assert!(matches!(world.take("1.1.1.1:10", &HELLO), Verdict::Open(_)));
}

#[test]
fn a_link_of_an_earlier_process_is_told_that_it_is_gone() {
    let mut world = world(LinkLimits::default());
    // By what it sends, or, where it has nothing to send, by what it does not.
    assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
    assert!(matches!(world.take("1.1.1.1:10", &DATA), Verdict::Drop));
    assert!(is_refusal(&world.check("1.1.1.1:10", "abcd", 1, true)));

    assert!(is_success(&world.check("2.2.2.2:20", "abcd", 2, false)));
    world.now += HELLO_WITHIN;
    assert!(is_success(&world.check("2.2.2.2:20", "abcd", 2, false)));
    world.now += Duration::from_millis(1);
    assert!(is_refusal(&world.check("2.2.2.2:20", "abcd", 2, false)));
    // From another address, too.
    assert!(is_refusal(&world.check("3.3.3.3:30", "abcd", 2, false)));
}

#[test]
fn a_client_that_begins_late_gets_in() {
    let mut world = world(LinkLimits::default());
    assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
    world.now += 2 * HELLO_WITHIN;
    assert!(is_refusal(&world.check("1.1.1.1:10", "abcd", 1, true)));
    // There was no room for it: while it goes on asking it is not told to go.
    for _ in 0..5 {
        assert!(matches!(world.take("1.1.1.1:10", &HELLO), Verdict::Open(_)));
        assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
        world.now += HELLO_WITHIN;
    }
    let Verdict::Open(client) = world.take("1.1.1.1:10", &HELLO) else {
        panic!("no session")
    };
    let session = Arc::new(Session::new(world.now, route("1.1.1.1:10")));
    world
        .paths
        .on_opened(client, route("1.1.1.1:10").remote.ip(), session);
    world.now += 2 * HELLO_WITHIN;
    assert!(is_success(&world.check("1.1.1.1:10", "abcd", 1, true)));
}

#[test]
fn limits_hold_and_silence_frees() {
    let limits = LinkLimits {
        links_max: 10,
        links_per_address_max: 2,
        ..LinkLimits::default()
    };
    let mut world = world(limits);
    let ip: IpAddr = "1.1.1.1".parse().unwrap();
    let (first, _) = world.open("1.1.1.1:1", "abcd", 1);
    assert!(world.paths.has_room(ip, 1));
    world.open("1.1.1.1:2", "abcd", 2);
    assert!(!world.paths.has_room(ip, 2));
    assert!(world.paths.has_room("2.2.2.2".parse().unwrap(), 9));
    assert!(!world.paths.has_room("2.2.2.2".parse().unwrap(), 10));
    // One /64 is one address.
    world.open("[2001:db8::1]:1", "abcd", 3);
    world.open("[2001:db8::2]:1", "abcd", 4);
    assert!(!world.paths.has_room("2001:db8::3".parse().unwrap(), 4));
    assert!(world.paths.has_room("2001:db8:0:1::3".parse().unwrap(), 4));

    // Eight paths an address here, and eight a client.
    let answered = (10..100)
        .filter(|port| is_success(&world.check(&format!("1.1.1.1:{port}"), "wxyz", 7, true)))
        .count();
    assert_eq!(answered, 6);
    let answered = (10..100)
        .filter(|n| is_success(&world.check(&format!("5.5.5.{n}:1"), "wxyz", 8, true)))
        .count();
    assert_eq!(answered, 8);
    world.paths.on_closed(first, ip, true);
    assert!(world.paths.has_room(ip, 3));

    world.now += PATH_IDLE + Duration::from_secs(1);
    let now = world.now;
    world.paths.on_timer(now);
    // Three live links are left, and the two blocks they came from.
    assert_eq!(world.paths.sizes(), (3, 0, 2));
}

#[test]
fn a_full_table_shuts_nobody_out() {
    let mut world = world(LinkLimits::default());
    let (_, session) = world.open("1.1.1.1:1", "abcd", 1);
    // Checks from everywhere, in anybody's name.
    for number in 0..20_000_u32 {
        let ip = Ipv4Addr::from(0x0a00_0000 + number * 199);
        world.now += Duration::from_micros(10);
        assert!(is_success(&world.check(
            &format!("{ip}:5"),
            "wxyz",
            u64::from(number) + 2,
            true
        )));
    }
    let (_, paths, _) = world.paths.sizes();
    assert!(paths <= LinkLimits::default().links_max + SPARE_PATHS_MAX);
    // The live link is where it was, and the last that came can open one.
    let Verdict::Deliver(to) = world.take("1.1.1.1:1", &DATA) else {
        panic!()
    };
    assert!(Arc::ptr_eq(&to, &session));
    let last = Ipv4Addr::from(0x0a00_0000 + 19_999 * 199);
    let verdict = world.take(&format!("{last}:5"), &HELLO);
    assert!(matches!(verdict, Verdict::Open(_)));
}

#[test]
fn one_network_fills_only_its_part_of_the_table() {
    let mut world = world(LinkLimits::default());
    let answered = (0..3_000_u64)
        .filter(|n| {
            let remote = format!("[2001:db8:0:{n:x}::1]:1");
            is_success(&world.check(&remote, "wxyz", *n, true))
        })
        .count();
    assert_eq!(answered, 1_024);
    assert!(is_success(&world.check(
        "[2001:db8:1::1]:1",
        "abcd",
        1,
        true
    )));
    world.now += PATH_IDLE + Duration::from_secs(1);
    world.paths.on_timer(world.now);
    assert_eq!(world.paths.sizes(), (0, 0, 0));
    assert!(world.paths.networks.is_empty());
}

#[test]
fn an_answer_is_never_longer_than_what_it_answers() {
    let mut world = world(LinkLimits::default());
    for (remote, from) in [
        ("1.1.1.1:1", "a"),
        ("[2001:db8::1]:1", "a"),
        ("1.1.1.2:1", "abcd"),
    ] {
        let bytes = check(from, 1, false, &world.key);
        if let Verdict::Answer(answer) = world.take(remote, &bytes) {
            assert!(answer.as_bytes().len() <= bytes.len());
        }
    }
}

/// A binding request without anything, as browsers send it.
fn question() -> Vec<u8> {
    [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"its-question"].concat()
}

#[test]
fn an_address_is_told_only_where_a_link_is_open_and_not_often() {
    let mut world = world(LinkLimits::default());
    assert!(matches!(
        world.take("1.2.3.4:5", &question()),
        Verdict::Drop
    ));
    // A check proves nothing, nor does the beginning of a handshake.
    world.check("1.2.3.4:5", "abcd", 1, true);
    assert!(matches!(
        world.take("1.2.3.4:5", &question()),
        Verdict::Drop
    ));
    let (client, _) = world.open("1.2.3.4:5", "abcd", 1);
    for _ in 0..QUESTIONS_MAX {
        let Verdict::Answer(answer) = world.take("1.2.3.4:258", &question()) else {
            panic!("no answer")
        };
        let expected = [
            &[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42][..],
            b"its-question",
            &[0, 0x20, 0, 8, 0, 1],
            // 1.2.3.4:258, masked.
            &[0x20, 0x10, 0x20, 0x10, 0xa7, 0x46],
        ];
        assert_eq!(answer.as_bytes(), expected.concat());
    }
    assert!(matches!(
        world.take("1.2.3.4:258", &question()),
        Verdict::Drop
    ));
    assert!(matches!(
        world.take("1.2.3.5:5", &question()),
        Verdict::Drop
    ));
    world.paths.on_timer(world.now);
    assert!(matches!(
        world.take("1.2.3.4:5", &question()),
        Verdict::Answer(_)
    ));
    let mut long = question();
    long.extend([0; 4]);
    assert!(matches!(world.take("1.2.3.4:5", &long), Verdict::Drop));
    world
        .paths
        .on_closed(client, Ipv4Addr::new(1, 2, 3, 4).into(), true);
    world.paths.on_timer(world.now);
    assert!(matches!(
        world.take("1.2.3.4:5", &question()),
        Verdict::Drop
    ));
    let told = world.paths.counters;
    assert_eq!((told.questions_answered, told.questions_dropped), (9, 5));
}
