//! The bundle in its envelopes: order, completeness, size.

use super::chunks::{BUNDLE_BYTES_MAX, CHUNKS_MAX, Incoming, Outgoing, PART_BYTES, Progress};
use super::code::CodeSecret;
use super::exchange::{Agreed, Meeting, Message, Secrets};
use super::*;
use crate::session::{PairSeed, Session};
use crate::state::values::{Access, Existence, Standing};
use shared::time::epoch;
extern crate std;

/// One as there are many: two pairs, a name, an own name for them, R.
pub fn contact(of: &Account, state: &mut Vec<Entry>, rng: &mut Rng) -> SharedContact {
    let who = SigningKey::draw(rng).public();
    let mailbox = Mailbox::draw(12, rng);
    let device = SigningKey::draw(rng).public();
    let mut session = Session::new(of.key.public(), who, mailbox, (0, device), START);
    for back in [2, 9] {
        let seed = PairSeed {
            epoch: epoch(START) - back,
            rz: Key::new(rng.array()),
        };
        session.add_pair(&seed, true);
    }
    let access = Access {
        read_secret: rng.array(),
        mailbox,
        recovery: Some(rng.array()),
    };
    let existence = Existence {
        standing: Standing::Active,
        added: START,
    };
    state.extend([
        entry(&who, ContactField::Existence, existence.encode()),
        entry(&who, ContactField::Access, access.encode()),
        entry(&who, ContactField::Name, values::name("Zoë Example")),
        entry(&who, ContactField::ReadTo, values::order(12_345)),
    ]);
    SharedContact {
        who,
        session: Some(session.share()),
        met: START,
        return_secret: Some(ReturnSecret(Key::new(rng.array()))),
        order: Some(7),
    }
}

fn agreed(n: u8) -> Agreed {
    let secrets = Secrets {
        shared: Key::new([n; 32]),
        code: [1; 32],
        ct: [2; 32],
    };
    secrets.agreed(b"hello", b"device")
}

fn secret() -> CodeSecret {
    CodeSecret::new([5; 16])
}

/// The outer texts of a bundle's parts, as who has seen the code gets at them.
fn outers(outgoing: &mut Outgoing, agreed: &Agreed) -> Vec<Vec<u8>> {
    let (secret, mut rng) = (secret(), Rng::new([6; 32]));
    let meeting = Meeting(&secret);
    let open = |(number, chunk): (u16, Sealed)| {
        let opened = meeting.open(Message::Chunk(number), &chunk.header, &chunk.body);
        opened.unwrap()
    };
    let next = || outgoing.next(&meeting, agreed, &at(0), &mut rng);
    (0..).zip(core::iter::from_fn(next)).map(open).collect()
}

fn incoming() -> Incoming {
    Incoming::new(&Meeting(&secret()))
}

fn many(contacts: usize) -> Bundle {
    let mut rng = Rng::new([7; 32]);
    let ada = Account::draw(&mut rng);
    let device = SigningKey::draw(&mut rng).public();
    bundle(&ada, device, DeviceKind::Full, contacts, &mut rng)
}

/// Conversations take no more room than they are counted for, and texts that nobody could have
/// written are refused.
#[test]
fn history_is_in_bounds() {
    let mut bundle = many(0);
    let device = PublicKey::from_bytes(bundle.certificate[1..33].try_into().unwrap()).unwrap();
    let account = bundle.account;
    let read = |bundle: &Bundle| {
        let bytes = bundle.encode().unwrap();
        let read = Bundle::read(&bytes, &account, &device, DeviceKind::Full, START);
        read.map(|bundle| bundle.history)
    };
    assert_eq!(read(&bundle), Ok(bundle.history.clone()));
    let empty = bundle.encode().unwrap().len();
    let text = "a".repeat(2_000);
    let mut said = Said {
        id: [7; 16],
        mine: true,
        text,
        at: (1 << 47) - 1,
        order: u64::MAX,
    };
    let one = MessageCopy::new(account, said.clone(), said.at, Way::GivenUp);
    let counted = MessageCopy::bytes(&said.text);
    bundle.history = alloc::vec![one; 100];
    let took = bundle.encode().unwrap().len() - empty;
    assert!(took <= 100 * counted, "{took}");
    assert_eq!(read(&bundle), Ok(bundle.history.clone()));
    said.text.push('a');
    bundle.history[50] = MessageCopy::new(account, said, 0, Way::Arrived);
    assert_eq!(read(&bundle), Err(Failure::Malformed));
}

#[test]
fn five_hundred_contacts_fit() {
    let bundle = many(500);
    let bytes = bundle.encode().unwrap();
    let mut outgoing = Outgoing::new(&bundle).unwrap();
    let count = outgoing.count();
    std::println!("500 contacts: {} bytes, {count} chunks", bytes.len());
    assert!(count <= 20, "{count}");
    let mut parts: Vec<_> = (0..).zip(outers(&mut outgoing, &agreed(1))).collect();
    let mut rng = Rng::new([8; 32]);
    for _ in 0..10 {
        // Any order.
        for at in (1..parts.len()).rev() {
            parts.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let mut incoming = incoming();
        for (nth, (number, outer)) in parts.iter().enumerate() {
            assert!(incoming.whole().is_none());
            let progress = incoming.take(*number, outer, &agreed(1)).unwrap();
            assert_eq!(progress == Progress::Whole, nth + 1 == parts.len());
        }
        assert_eq!(incoming.awaited().count(), 0);
        assert_eq!(*incoming.whole().unwrap().unwrap(), *bytes);
    }
    let me = bundle.account;
    let device = PublicKey::from_bytes(bundle.certificate[1..33].try_into().unwrap()).unwrap();
    let read = Bundle::read(&bytes, &me, &device, DeviceKind::Full, START).unwrap();
    assert_eq!(read.contacts.len(), 500);
    assert_eq!(read.state.len(), 2_000);
    assert!(
        read.contacts
            .iter()
            .all(|contact| contact.session(me).is_some())
    );
    assert_eq!(read.state, bundle.state);
}

#[test]
fn parts_open_in_their_place_alone() {
    let bundle = many(100);
    let mine = outers(&mut Outgoing::new(&bundle).unwrap(), &agreed(1));
    let other = outers(&mut Outgoing::new(&bundle).unwrap(), &agreed(2));
    let count = mine.len() as u16;
    assert!(count >= 3);
    let numbered: Vec<(u16, &Vec<u8>)> = (0..).zip(&mine).collect();
    for (number, outer) in &numbered {
        for place in 0..count + 2 {
            let taken = incoming().take(place, outer, &agreed(1));
            assert_eq!(taken.is_ok(), place == *number, "{number} in {place}");
        }
        assert_eq!(
            incoming().take(*number, outer, &agreed(2)),
            Err(Failure::Disturbed)
        );
        let foreign = &other[usize::from(*number)];
        assert_eq!(
            incoming().take(*number, foreign, &agreed(1)),
            Err(Failure::Disturbed)
        );
        for len in (0..outer.len()).step_by(97) {
            let cut = incoming().take(*number, &outer[..len], &agreed(1));
            assert_eq!(cut, Err(Failure::Disturbed));
        }
    }
    // One that is missing, whichever: not whole.
    for missing in 0..count {
        let mut incoming = incoming();
        for (number, outer) in numbered.iter().filter(|(number, _)| *number != missing) {
            let progress = incoming.take(*number, outer, &agreed(1)).unwrap();
            assert!(matches!(progress, Progress::Some { .. }));
        }
        assert!(incoming.whole().is_none());
        assert_eq!(incoming.awaited().count(), 1);
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let mut bundle = many(1);
    let big = values::settings(alloc::vec![0; 4_096]).unwrap();
    let entry = |n: u32| Entry {
        key: StateKey::parse(&[&[9][..], &n.to_le_bytes()].concat()).unwrap(),
        stamp: Stamp::default(),
        value: Some(big.clone()),
    };
    bundle.state = (0..2_030).map(entry).collect();
    assert!(bundle.encode().unwrap().len() <= BUNDLE_BYTES_MAX);
    assert_eq!(Outgoing::new(&bundle).unwrap().count(), CHUNKS_MAX - 3);
    bundle.state.extend((2_030..2_060).map(entry));
    assert!(bundle.encode().is_err() && Outgoing::new(&bundle).is_err());
}

/// Texts that only the other side can have sealed, and no version does.
#[test]
fn parts_that_say_nonsense_are_refused() {
    let (secret, agreed) = (secret(), agreed(1));
    let meeting = Meeting(&secret);
    let mut rng = Rng::new([9; 32]);
    let mut outer = |number: u16, last: bool, text: &[u8]| {
        let (message, key) = (Message::Chunk(number), agreed.chunk_key(number, last));
        let put = meeting.put_sealed(message, (&[], &key), text, &at(0), &mut rng);
        meeting.open(message, &put.header, &put.body).unwrap()
    };
    let full = |len: u32| {
        let mut text = alloc::vec![0; PART_BYTES];
        text[..4].copy_from_slice(&len.to_le_bytes());
        text
    };
    let three = (2 * PART_BYTES + 100) as u32;
    let wrong = Err(Failure::Malformed);
    // Longer than may be; shorter than its part; no length at all.
    let long = full(BUNDLE_BYTES_MAX as u32 + 1);
    assert_eq!(incoming().take(0, &outer(0, false, &long), &agreed), wrong);
    assert_eq!(
        incoming().take(0, &outer(0, false, &full(three)[..100]), &agreed),
        wrong
    );
    assert_eq!(incoming().take(0, &outer(0, true, &[0; 3]), &agreed), wrong);
    // The first says three, and the last is another one.
    for last in [1, 3, 500] {
        let mut incoming = incoming();
        let text = outer(0, false, &full(three));
        let progress = Progress::Some {
            have: 1,
            of: Some(3),
        };
        assert_eq!(incoming.take(0, &text, &agreed), Ok(progress));
        let text = outer(last, true, b"text");
        assert!(incoming.take(last, &text, &agreed).is_err());
    }
    // The last came first, and the first says something else; or something lies behind it.
    for (last, first) in [(1, three), (3, three), (2, 10)] {
        let mut incoming = incoming();
        incoming
            .take(last, &outer(last, true, b"text"), &agreed)
            .unwrap();
        assert_eq!(
            incoming.take(0, &outer(0, false, &full(first)), &agreed),
            wrong
        );
    }
    let mut behind = incoming();
    behind.take(5, &outer(5, false, &full(0)), &agreed).unwrap();
    assert_eq!(behind.take(2, &outer(2, true, b"text"), &agreed), wrong);
    // All are there, and it is not as long as it says.
    let mut short = incoming();
    for (number, last, text) in [(0, false, full(three)), (1, false, full(0))] {
        short
            .take(number, &outer(number, last, &text), &agreed)
            .unwrap();
    }
    let progress = short.take(2, &outer(2, true, &[0; 103]), &agreed);
    assert_eq!(progress, Ok(Progress::Whole));
    assert!(matches!(short.whole(), Some(Err(Failure::Malformed))));
}

#[test]
fn bundles_are_read_to_the_last_byte() {
    let bundle = many(2);
    let bytes = bundle.encode().unwrap();
    let device = PublicKey::from_bytes(bundle.certificate[1..33].try_into().unwrap()).unwrap();
    let account = bundle.account;
    let read = |bytes: &[u8]| Bundle::read(bytes, &account, &device, DeviceKind::Full, START);
    assert!(read(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert_eq!(read(&bytes[..len]).err(), Some(Failure::Malformed), "{len}");
    }
    assert!(read(&[&bytes[..], &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            if let Ok(bundle) = read(&changed) {
                let certificate = bundle.certificate(START).unwrap();
                assert_eq!((bundle.account, certificate.device), (account, device));
                assert!(bundle.keys.is_in_bounds());
                let _: Vec<_> = bundle.contacts.iter().map(|c| c.session(account)).collect();
            }
        }
    }
    let other = Account::draw(&mut Rng::new([3; 32])).key.public();
    let theirs =
        |account, device, kind, now| Bundle::read(&bytes, account, device, kind, now).map(|_| ());
    let (full, linked) = (DeviceKind::Full, DeviceKind::Linked);
    assert_eq!(theirs(&other, &device, full, START), Err(Failure::NotForUs));
    assert_eq!(
        theirs(&account, &other, full, START),
        Err(Failure::NotForUs)
    );
    assert_eq!(
        theirs(&account, &device, linked, START),
        Err(Failure::NotForUs)
    );
    let late = START + 400 * 3_600_000;
    assert_eq!(
        theirs(&account, &device, full, late),
        Err(Failure::BadCertificate)
    );
    let mut forged = bundle.clone();
    forged.certificate[60] ^= 1;
    let read = read(&forged.encode().unwrap());
    assert_eq!(read.err(), Some(Failure::BadCertificate));
}
