#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::state::{Key, Stamp, Value};
use shared::crypto::{PublicKey, Rng, SigningKey};

fn somebody() -> PublicKey {
    SigningKey::from_bytes(&[3; 32]).public()
}

fn keys() -> EpochKeys {
    let mut keys = EpochKeys::new();
    keys.ensure(20_000, 0, &mut Rng::new([1; 32]));
    keys
}

fn copy(text: &str) -> Copy {
    Copy {
        who: [1; 32],
        id: [2; 16],
        mine: true,
        text: text.into(),
        at: 1,
        order: 2,
        time: 3,
        delivery: Progress::Delivered,
    }
}

fn entry(bytes: usize) -> Entry {
    Entry {
        key: Key::Settings(0),
        stamp: Stamp { time: 5, slot: 1 },
        value: Value::new(alloc::vec![7; bytes]),
    }
}

fn all() -> Vec<Item> {
    let contact = SharedContact {
        who: somebody(),
        session: None,
        met: 7,
        return_secret: None,
        order: None,
    };
    let issued = Issued {
        slot: 3,
        certificate: [4; 101],
        delegations: Vec::new(),
    };
    alloc::vec![
        Item::Entry(entry(9)),
        Item::Copy(copy("hello")),
        Item::Session(Box::new(contact)),
        Item::Keys(keys()),
        Item::Certificate(Box::new(issued)),
        Item::Answered(Answered {
            greeting: [8; 16],
            how: 1,
        }),
        Item::Away(Away { since: 1 << 40 }),
        Item::All(All {
            since: 1 << 40,
            slot: 2,
        }),
        Item::Piece(Piece {
            id: [9; 16],
            at: 1,
            of: 2,
            bytes: alloc::vec![1, 2, 3],
        }),
    ]
}

/// Every item says its kind first, and reads back as it was; cut anywhere it is none.
#[test]
fn round_trips() {
    for (item, kind) in all().iter().zip([0, 1, 2, 3, 4, 6, 8, 9, 10]) {
        let bytes = item.encode();
        assert_eq!(bytes[1], kind);
        let read = Item::decode(&bytes).unwrap().unwrap();
        assert_eq!(read.encode(), bytes);
        for cut in 0..bytes.len() {
            assert!(Item::decode(&bytes[..cut]).is_err(), "{kind} {cut}");
        }
    }
}

#[test]
fn a_letter_keeps_what_it_can() {
    let items: Vec<Vec<u8>> = all().iter().map(Item::encode).collect();
    let letter = join(items.len(), &items.concat());
    assert_eq!(split(&letter), items);
    for cut in 0..letter.len() {
        let left = split(&letter[..cut]);
        assert!(left.len() < items.len());
        assert!(left.iter().zip(&items).all(|(a, b)| a == b));
    }
    // Of a kind that nobody knows, and one that is malformed, between two that are well.
    let unknown = [0x83, 0x18, 99, 0x81, 0x80, 0xa0];
    let malformed = [0x82, 1, 0x41, 0];
    let mixed = [&items[0][..], &unknown, &malformed, &items[1]].concat();
    let letter = join(4, &mixed);
    let read: Vec<_> = split(&letter).into_iter().map(Item::decode).collect();
    assert!(matches!(read[0], Ok(Some(Item::Entry(_)))));
    assert!(matches!(read[1], Ok(None)));
    assert!(read[2].is_err());
    assert!(matches!(read[3], Ok(Some(Item::Copy(_)))));
    // A number of items that is not there sizes nothing.
    assert!(split(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_empty());
}

#[test]
fn what_is_too_long_is_cut() {
    let id = [5; 16];
    assert_eq!(Item::Entry(entry(2_000)).parts(id).len(), 1);
    let long = Item::Entry(entry(4_096));
    let parts = long.parts(id);
    assert_eq!(parts.len(), 2);
    let mut whole = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        assert!(part.len() <= ITEMS_BYTES_MAX);
        let Ok(Some(Item::Piece(piece))) = Item::decode(part) else {
            panic!("no piece");
        };
        assert_eq!((usize::from(piece.at), piece.of, piece.id), (n, 2, id));
        whole.extend(piece.bytes);
    }
    assert_eq!(whole, long.encode());
    // The longest text goes in one letter.
    let copy = Item::Copy(copy(&"x".repeat(2_000)));
    assert_eq!(copy.parts(id).len(), 1);
}

#[test]
fn bounds_hold() {
    let refused = |item: Item| Item::decode(&item.encode()).is_err();
    assert!(refused(Item::Copy(copy(&"x".repeat(2_001)))));
    let mut far = copy("x");
    far.order = ORDER_MAX;
    assert!(refused(Item::Copy(far)));
    let piece = |at, of| {
        let (id, bytes) = ([0; 16], Vec::new());
        Item::Piece(Piece { id, at, of, bytes })
    };
    assert!(refused(piece(2, 2)) && refused(piece(0, PIECES_MAX + 1)));
    assert!(!refused(piece(PIECES_MAX - 1, PIECES_MAX)));
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = Rng::new([2; 32]);
    let items: Vec<Vec<u8>> = all().iter().map(Item::encode).collect();
    let good = join(items.len(), &items.concat());
    for _ in 0..5_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        for item in split(&bytes) {
            if let Ok(Some(item)) = Item::decode(item) {
                assert!(item.is_in_bounds());
            }
        }
    }
}

/// Known answers, made by another implementation: shared/vectors/letters.py.
mod vectors {
    use super::*;
    use data_encoding::HEXLOWER;
    use serde_json::Value as Json;

    fn file() -> Json {
        serde_json::from_str(include_str!("../../vectors/letters.json")).unwrap()
    }

    fn bytes(json: &Json) -> Vec<u8> {
        HEXLOWER.decode(json.as_str().unwrap().as_bytes()).unwrap()
    }

    fn array<const N: usize>(json: &Json) -> [u8; N] {
        bytes(json).try_into().unwrap()
    }

    #[test]
    fn every_item() {
        let file = file();
        let own = bytes(&file["own"]);
        let items = split(&own);
        let told: Vec<Vec<u8>> = file["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(bytes)
            .collect();
        assert_eq!(items, told);
        assert_eq!(join(items.len(), &items.concat()), own);
        let read: Vec<Item> = items
            .iter()
            .map(|item| Item::decode(item).unwrap().unwrap())
            .collect();
        for (item, bytes) in read.iter().zip(&items) {
            assert_eq!(item.encode(), *bytes);
        }
        let time = file["time"].as_u64().unwrap();
        let [
            Item::Entry(entry),
            Item::Copy(copy),
            Item::Session(contact),
            Item::Keys(keys),
            Item::Certificate(issued),
            Item::Answered(answered),
            Item::Away(away),
            Item::All(all),
            Item::Piece(piece),
            Item::Removed(removed),
        ] = &read[..]
        else {
            panic!("other kinds");
        };
        assert_eq!((&entry.key, entry.stamp.time), (&Key::Settings(0), time));
        let (who, id) = (array(&file["ben"]), array(&file["message"]));
        assert_eq!((copy.who, copy.id, copy.mine), (who, id, true));
        assert_eq!((copy.text.as_str(), copy.order), ("Gr\u{fc}\u{df}e", 7));
        assert_eq!((copy.at, copy.time), (time, time + 5));
        assert_eq!(copy.delivery, Progress::Delivered);
        assert_eq!((contact.who.as_bytes(), contact.met), (&who, time - 9));
        assert!(
            contact
                .session(somebody())
                .unwrap()
                .knows(0, &PublicKey::from_bytes(&array(&file["device"])).unwrap())
        );
        assert_eq!((keys.generation(), keys.names().len()), (2, 3));
        assert_eq!(
            (issued.slot, issued.certificate),
            (5, array(&file["certificate"]))
        );
        assert_eq!(issued.delegations[0].bytes, array(&file["leave"]));
        assert_eq!(
            (answered.greeting, answered.how),
            (array(&file["greeting"]), 1)
        );
        assert_eq!((away.since, all.since, all.slot), (time, time, 5));
        assert_eq!(
            (piece.id, piece.at, piece.of),
            (array(&file["piece"]), 1, 2)
        );
        let account = PublicKey::from_bytes(&array(&file["account"])).unwrap();
        assert_eq!((removed.turn, removed.slot), (4, 1));
        assert_eq!(removed.gift, bytes(&file["gift"]));
        assert!(removed.is_by(&account));
        assert!(!removed.is_by(&somebody()));
        let device = array(&file["device"]);
        assert_eq!(*removed.removals[0].device.as_bytes(), device);
    }

    /// Where an opener among devices is found: direction 2 on both sides.
    #[test]
    fn openers() {
        let (file, me) = (file(), somebody());
        let opener = &file["opener"];
        let number = |name: &str| opener[name].as_u64().unwrap() as u32;
        let pair = crate::session::PairSeed {
            epoch: number("epoch"),
            rz: shared::crypto::Key::new(array(&file["rz"])),
        };
        let mut session = crate::session::Session::own(me, 0, Default::default(), &pair);
        session.on_epoch(number("epoch"), 0);
        let locator = u64::from_be_bytes(array(&opener["locator"]));
        let found = session.expected().find(|(at, _)| *at == locator);
        let crate::session::Slot::Opener {
            device, counter, ..
        } = found.unwrap().1
        else {
            panic!("no opener");
        };
        assert_eq!(
            (u32::from(device), counter),
            (number("device"), number("counter"))
        );
    }
}
