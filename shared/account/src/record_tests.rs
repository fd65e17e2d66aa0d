#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

const READ: [u8; 32] = [7; 32];

fn writing(account: &SigningKey) -> Writing<'_> {
    Writing {
        by: Author {
            signer: Signer::Account(account),
            version: 3,
            effort: 0,
            network: 5,
        },
        read: &READ,
        slot: 1,
        period: 9,
        size: SizeClass::KIB_2,
        lifetime: Lifetime::H168,
        expiry: 9 * 720 + 100,
    }
}

#[test]
fn who_may_read_finds_and_opens() {
    let account = SigningKey::from_bytes(&[1; 32]);
    let w = writing(&account);
    let sealed = write(&w, b"text", &[4; 32]).unwrap();
    assert_eq!(sealed.body.len(), 2048);
    let place = Place::find(&account.public(), &READ, 1, 9);
    let opened = open(&place, &READ, &sealed.header, &sealed.body, 9 * 720).unwrap();
    assert_eq!(
        opened,
        Opened {
            version: 3,
            text: b"text".into()
        }
    );
    assert!(!opened.is_tombstone());
    let gone = write(
        &Writing {
            by: Author { version: 4, ..w.by },
            ..w
        },
        b"",
        &[4; 32],
    )
    .unwrap();
    assert!(
        open(&place, &READ, &gone.header, &gone.body, 0)
            .unwrap()
            .is_tombstone()
    );

    // Room: front, nonce, length and tag are taken off.
    let most = 2048 - 218 - 16 - 2;
    let full = write(&w, &alloc::vec![1; most], &[4; 32]).unwrap();
    assert_eq!(
        open(&place, &READ, &full.header, &full.body, 0)
            .unwrap()
            .text
            .len(),
        most
    );
    assert_eq!(
        write(&w, &alloc::vec![1; most + 1], &[4; 32]),
        Err(WriteError::TooLong)
    );
}

#[test]
fn places_do_not_link() {
    let account = SigningKey::from_bytes(&[1; 32]).public();
    let base = Place::find(&account, &READ, 1, 9);
    for other in [
        Place::find(&SigningKey::from_bytes(&[2; 32]).public(), &READ, 1, 9),
        Place::find(&account, &[8; 32], 1, 9),
        Place::find(&account, &READ, 16, 9),
        Place::find(&account, &READ, 1, 10),
    ] {
        assert_ne!(other.blinded, base.blinded);
        assert_ne!(other.tag, base.tag);
    }
}

#[test]
fn any_change_is_noticed() {
    let account = SigningKey::from_bytes(&[1; 32]);
    let sealed = write(&writing(&account), b"text", &[4; 32]).unwrap();
    let place = Place::find(&account.public(), &READ, 1, 9);
    let read = |header: &Header, body: &[u8]| open(&place, &READ, header, body, 0);
    // Every signed byte of the front, and some of the text.
    for at in (0..218).chain((218..2048).step_by(97)) {
        let mut body = sealed.body.clone();
        body[at] ^= 1;
        assert!(read(&sealed.header, &body).is_err(), "byte {at}");
    }
    for at in 0..32 {
        let mut bytes = sealed.header.encode();
        bytes[at] ^= 1;
        if let Ok(header) = Header::parse(&bytes) {
            assert!(read(&header, &sealed.body).is_err(), "byte {at}");
        }
    }
    // Written by somebody else who may read: the place is another one.
    let thief = SigningKey::from_bytes(&[3; 32]);
    let forged = write(&writing(&thief), b"text", &[4; 32]).unwrap();
    assert_eq!(
        read(&forged.header, &forged.body),
        Err(OpenError::Elsewhere)
    );
    let wrong = open(&place, &[8; 32], &sealed.header, &sealed.body, 0);
    assert_eq!(wrong, Err(OpenError::Forged));
}

#[test]
fn prefixes_keep_a_crowd() {
    let owner = SigningKey::from_bytes(&[1; 32]).public();
    let place = Place {
        address: u32::MAX,
        tag: [0xff; 16],
        ..Place::find(&owner, &READ, 1, 9)
    };
    let prefix = |records, bits| find_prefix(&place, records, Range::of(0, bits));
    assert_eq!(prefix(0, 0), (0, 0));
    assert_eq!(prefix(127, 0), (0, 0));
    assert_eq!(prefix(128, 0), (1, 1 << 63));
    assert_eq!(prefix(u32::MAX, 0), (25, u64::MAX << 39));
    // So many in a part of all.
    assert_eq!(prefix(0, 3), (3, u64::MAX << 61));
    assert_eq!(prefix(128, 3), (4, u64::MAX << 60));
    assert_eq!(prefix(u32::MAX, 32), (57, u64::MAX << 7));
}

#[test]
fn periods_are_those_of_live_records() {
    let of = |slot, hour| periods(slot, hour).collect::<Vec<_>>();
    assert_eq!(of(SLOT_EPOCH_KEYS, 7_300), [10, 9]);
    assert_eq!(of(SLOT_EPOCH_KEYS, 7_400), [10]);
    assert_eq!(of(SLOT_PROFILE, 7_300), [10, 9, 8, 7, 6, 5, 4]);
    assert_eq!(of(SLOT_PROFILE, 7_917), [10, 9, 8, 7, 6, 5, 4]);
    assert_eq!(of(SLOT_PROFILE, 7_918)[..2], [11, 10]);
    assert_eq!(of(SLOT_STATE, 0), [0]);
    // Whatever is alive at some hour was written in one of them.
    for slot in [SLOT_EPOCH_KEYS, SLOT_PROFILE, SLOT_ROOT, SLOT_STATE] {
        for hour in (6_000..8_000).step_by(7) {
            for age in (0..lifetime(slot).hours()).step_by(13) {
                assert!(of(slot, hour).contains(&period(hour - age)));
            }
        }
    }
    let owner = SigningKey::from_bytes(&[1; 32]).public();
    let since = |since| places_since(&owner, &READ, SLOT_PROFILE, 7_300, since).len();
    assert_eq!([0, 6_000, 7_201, 7_202, 7_300].map(since), [7, 3, 2, 1, 1]);
    assert_eq!(since(u32::MAX), 1);
    let first = Place::find(&owner, &READ, SLOT_PROFILE, 10);
    assert_eq!(places(&owner, &READ, SLOT_PROFILE, 7_300)[0], first);
}

#[test]
fn the_least_size_that_fits() {
    let size = |bytes| least_size(&alloc::vec![1; bytes]);
    assert_eq!(size(0), Some(SizeClass::KIB_1));
    for class in [0, 1, 2, 3, 4] {
        let class = SizeClass::new(class).unwrap();
        assert_eq!(size(room(class)), Some(class));
        assert!(size(room(class) + 1) != Some(class));
        let account = SigningKey::from_bytes(&[1; 32]);
        let w = Writing {
            size: class,
            ..writing(&account)
        };
        assert!(write(&w, &alloc::vec![1; room(class)], &[4; 32]).is_ok());
        assert!(write(&w, &alloc::vec![1; room(class) + 1], &[4; 32]).is_err());
    }
    assert_eq!(size(room(SizeClass::KIB_16) + 1), None);
}
