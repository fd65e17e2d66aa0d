//! Relays among themselves, the core alone: what an object costs in memory, how fast bad work is
//! refused and good work taken, and what a reconciliation puts on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::{Rng, SigningKey, sha256};
use shared::io::{Change, Input, LinkId, Node, Origin, Output, Query, Row};
use shared::object::pow;
use shared::relay::{HEADS, Relay, RelayConfig, SCHEMA, stored};
use shared::time::Now;
use shared::wire::{Frame, Front, Header, Kind, Lifetime, SizeClass};
use std::collections::BTreeMap;
use std::time::Instant;

const NETWORK: u32 = 7;
const UNIX_MS: u64 = 1_795_392_000_000;
const NOW: Now = Now {
    mono: 1_000,
    unix: UNIX_MS,
};

fn header(n: u64, born_hours_ago: u32) -> Header {
    let mut front = Front::from_now(
        UNIX_MS,
        Kind::Envelope,
        SizeClass::KIB_1,
        Lifetime::ENVELOPE,
        NETWORK,
    );
    front.expiry -= born_hours_ago;
    let name = sha256(&[b"bench", &n.to_le_bytes()]);
    let mut tag = [0; 16];
    tag.copy_from_slice(&name[..16]);
    Header {
        front,
        tag,
        body_hash: name,
        nonce: n,
    }
}

/// Rows of HEADS, and the arrival of each.
type Heads = BTreeMap<Vec<u8>, Vec<u8>>;

fn add(heads: &mut Heads, n: u64, born_hours_ago: u32) {
    let header = header(n, born_hours_ago);
    let arrival = (UNIX_MS - u64::from(born_hours_ago) * 3_600_000) * 1000 - n;
    let [head, _] = stored(arrival, &header, &[]);
    let Change::Put { key, value, .. } = head else {
        unreachable!("a row is put");
    };
    heads.insert(key, value);
}

/// A relay with its store, whose effects are done at once.
struct Side {
    relay: Relay,
    heads: Heads,
    sent: Vec<Vec<u8>>,
}

impl Side {
    fn new(n: u8, heads: Heads) -> Self {
        let mut config = RelayConfig::new(SigningKey::from_bytes(&[n; 32]), NETWORK);
        config.work_divisor = u64::MAX;
        config.store_bytes_max = u64::MAX;
        config.store_objects_max = u64::MAX;
        let mut side = Side {
            relay: Relay::new(config, [n; 32], NOW),
            heads,
            sent: Vec::new(),
        };
        side.drain();
        let addresses = vec![([20, n, 1, 1], 8420).into()];
        side.input(Input::Reachable { addresses });
        side
    }

    fn input(&mut self, input: Input<'_, core::convert::Infallible>) {
        self.relay.handle_input(NOW, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            let input = match Node::poll_output(&mut self.relay) {
                Output::WaitUntil(_) => return,
                Output::Send { bytes, .. } => {
                    self.sent.push(bytes);
                    continue;
                }
                Output::Load { token, query } => {
                    let rows = self.rows(query);
                    Input::Loaded { token, rows }
                }
                Output::Save { token, .. } => Input::Saved { token },
                Output::Solve { token, .. } => Input::Solved { token, nonce: 0 },
                _ => continue,
            };
            self.relay.handle_input(NOW, input);
        }
    }

    fn rows(&self, query: Query) -> Vec<Row> {
        let row = |(key, value): (&Vec<u8>, &Vec<u8>)| Row {
            key: key.clone(),
            value: value.clone(),
        };
        match query {
            Query::Range {
                table, from, limit, ..
            } if table == HEADS => self
                .heads
                .range(from..)
                .take(limit as usize)
                .map(row)
                .collect(),
            Query::Keys { keys, .. } if keys.contains(&b"schema".to_vec()) => {
                let schema = [SCHEMA.to_le_bytes(), NETWORK.to_le_bytes()].concat();
                vec![Row {
                    key: b"schema".to_vec(),
                    value: schema,
                }]
            }
            _ => Vec::new(),
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn memory() {
    const OBJECTS: u64 = 1_000_000;
    let mut heads = Heads::new();
    for n in 0..OBJECTS {
        add(&mut heads, n, (n % 48) as u32);
    }
    let before = resident_kib();
    let started = Instant::now();
    let side = Side::new(1, heads);
    let took = started.elapsed();
    let grown = (resident_kib() - before) * 1024;
    assert_eq!(side.relay.status().objects, OBJECTS);
    println!("index of 1,000,000 objects");
    println!(
        "  memory                  {} bytes an object   goal 200",
        grown / OBJECTS
    );
    println!(
        "  from rows to serving    {:.2} s of the core   goal 5 s, the database included",
        took.as_secs_f64()
    );
}

fn puts() {
    let mut side = Side::new(2, Heads::new());
    let link = LinkId(2);
    side.input(Input::LinkUp {
        link,
        dialled: None,
        from: Origin::default(),
        binding: [0; 32],
    });
    let hello = Frame::Hello {
        version: 1,
        network: NETWORK,
        nonce: [0; 32],
    };
    side.input(Input::LinkMessage {
        link,
        bytes: &hello.encode(0),
    });
    let mut rng = Rng::new([1; 32]);
    let frames: Vec<Vec<u8>> = (0..40_000u32)
        .map(|n| {
            let mut body = vec![0; 1024];
            rng.fill(&mut body);
            let front = header(0, 0).front;
            let header = &front.header(rng.array(), &body).encode();
            Frame::Put {
                header,
                body: &body,
            }
            .encode(n + 1)
        })
        .collect();
    let started = Instant::now();
    for bytes in &frames {
        side.input(Input::LinkMessage { link, bytes });
    }
    let rate = frames.len() as f64 / started.elapsed().as_secs_f64();
    assert_eq!(side.relay.status().objects, frames.len() as u64);
    println!(
        "puts of 1 KiB, checked, indexed, signed for: {rate:.0} a second   goal 20,000 with the \
         database, in batches"
    );
    let bad = header(1, 0);
    let target = pow::target(pow::work(&bad, 1));
    let started = Instant::now();
    let mut refused = 0u64;
    for n in 0..2_000_000u64 {
        let bad = Header { nonce: n, ..bad };
        refused += u64::from(!pow::check(&bad.prefix(), n, &target));
    }
    println!(
        "bad work refused: {:.2} M a second   goal 1 M",
        refused as f64 / started.elapsed().as_secs_f64() / 1e6
    );
}

/// Everything both sides say until neither has anything to say.
fn reconcile(name: &str, mine: Heads, theirs: Heads) {
    let mut sides = [Side::new(3, mine), Side::new(4, theirs)];
    sides.iter_mut().for_each(|side| side.sent.clear());
    // A link between them, dialled by the first.
    let token = dial(&mut sides);
    let link = LinkId(2);
    let binding = [9; 32];
    let from = Origin::default();
    sides[1].input(Input::LinkUp {
        link,
        dialled: None,
        from,
        binding,
    });
    sides[0].input(Input::LinkUp {
        link,
        dialled: Some(token),
        from,
        binding,
    });
    let (mut bytes, mut turns) = (0, 0);
    loop {
        let mut moved = false;
        for at in [0, 1] {
            for frame in std::mem::take(&mut sides[at].sent) {
                moved = true;
                if (0x40..=0x42).contains(&frame[0]) {
                    bytes += frame.len();
                    turns += usize::from(frame[0] == 0x40);
                }
                sides[1 - at].input(Input::LinkMessage {
                    link,
                    bytes: &frame,
                });
            }
        }
        if !moved {
            break;
        }
    }
    // Both sides begin one.
    println!(
        "  {name:<44} {:>7} bytes, {} round trips",
        bytes / 2,
        turns / 2
    );
}

fn dial(sides: &mut [Side; 2]) -> shared::io::Token {
    let address = ([20, 4, 1, 1], 8420).into();
    let by = shared::io::Finder::Named;
    sides[0]
        .relay
        .handle_input(NOW, Input::Found { address, by });
    let later = Now {
        mono: NOW.mono + 1_000,
        ..NOW
    };
    sides[0].relay.handle_input(later, Input::Wake);
    loop {
        match Node::poll_output(&mut sides[0].relay) {
            Output::Dial { token, .. } => return token,
            Output::WaitUntil(_) => panic!("nobody is dialled"),
            Output::Save { token, .. } => sides[0].relay.handle_input(NOW, Input::Saved { token }),
            _ => {}
        }
    }
}

fn reconciliations() {
    const OBJECTS: u64 = 100_000;
    let all = |skip: &dyn Fn(u64) -> bool| {
        let mut heads = Heads::new();
        for n in (0..OBJECTS).filter(|n| !skip(*n)) {
            add(&mut heads, n, (n % 48) as u32);
        }
        heads
    };
    println!("reconciling 100,000 objects of 48 hours");
    reconcile("equal", all(&|_| false), all(&|_| false));
    // Every 20th of the last hour's, half of them on either side.
    let last_hour = |n: u64| n.is_multiple_of(48);
    let mine = all(&|n| last_hour(n) && n / 48 % 40 == 0);
    let theirs = all(&|n| last_hour(n) && n / 48 % 40 == 20);
    reconcile("104 differences among the last hour's", mine, theirs);
    reconcile(
        "100 differences anywhere",
        all(&|n| n % 2000 == 0),
        all(&|n| n % 2000 == 999),
    );
}

fn main() {
    memory();
    puts();
    reconciliations();
}
