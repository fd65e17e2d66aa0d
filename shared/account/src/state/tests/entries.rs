//! Bytes of keys, entries and values.

use super::*;
use crate::cbor::Malformed;
use crate::state::values::*;
use alloc::vec;
use minicbor::Encoder;

const WHO: Who = [7; 32];

fn keys() -> Vec<Key> {
    use ContactField::*;
    use ProfileField::{About, Avatar, Mailbox, ReadSecret};
    let mut keys = vec![Key::Profile(ProfileField::Name)];
    keys.extend([About, Avatar, Mailbox, ReadSecret].map(Key::Profile));
    let fields = [Existence, Access, Name, Nickname, Acknowledge, ReadTo];
    keys.extend(fields.map(|field| Key::Contact(WHO, field)));
    keys.extend([
        Key::Settings(0),
        Key::Settings(255),
        Key::Device(7),
        Key::Invitation([9; 16]),
    ]);
    keys
}

#[test]
fn keys_round_trip_and_unknown_ones_are_kept() {
    for key in keys() {
        assert_eq!(Key::parse(&key.bytes()), Some(key.clone()));
        assert!(!matches!(key, Key::Other(_)));
    }
    let contact = Key::Contact(WHO, ContactField::ReadTo).bytes();
    let mut newer_field = contact.clone();
    newer_field[33] = 6;
    for bytes in [
        vec![1, 6],
        vec![1],
        vec![2, 0, 0],
        vec![5, 1],
        newer_field,
        [&contact[..], &[0]].concat(),
        vec![0x85; 16],
        vec![255; KEY_BYTES_MAX],
    ] {
        let key = Key::parse(&bytes).unwrap();
        assert!(matches!(key, Key::Other(_)), "{bytes:?}");
        assert_eq!(key.bytes(), bytes);
        assert_eq!(key.is_for_devices(), bytes[0] >= 0x80);
    }
    for bytes in [vec![], vec![0], vec![0, 0, 1], vec![1; KEY_BYTES_MAX + 1]] {
        assert_eq!(Key::parse(&bytes), None);
    }
    assert!(Key::Invitation([0; 16]).is_for_devices());
}

#[test]
fn entries_round_trip_and_are_read_to_their_end() {
    for key in keys().into_iter().chain(Key::parse(&[99, 1, 2])) {
        for value in [Some("value"), Some(""), None] {
            let entry = entry(key.clone(), NOW, 3, value);
            let bytes = entry.encode();
            assert_eq!(Entry::decode(&bytes), Ok(entry));
            for cut in 0..bytes.len() {
                assert_eq!(Entry::decode(&bytes[..cut]), Err(Malformed));
            }
            assert_eq!(Entry::decode(&[&bytes[..], &[0]].concat()), Err(Malformed));
        }
    }
}

fn encoded(elements: u64, key: &[u8], time: u64, slot: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.array(elements).unwrap().bytes(key).unwrap();
    e.u64(time)
        .unwrap()
        .u64(slot)
        .unwrap()
        .bytes(value)
        .unwrap();
    out
}

#[test]
fn entries_out_of_bounds_are_refused() {
    let good = |bytes: &[u8]| Entry::decode(bytes).is_ok();
    let key = vec![9; KEY_BYTES_MAX];
    let value = vec![0; VALUE_BYTES_MAX];
    assert!(good(&encoded(4, &key, TIME_MAX, 255, &value)));
    assert!(!good(&encoded(4, &[9; 65], 1, 0, &value)));
    assert!(!good(&encoded(4, &[], 1, 0, &value)));
    assert!(!good(&encoded(4, &key, 1, 0, &[0; 4_097])));
    assert!(!good(&encoded(4, &key, TIME_MAX + 1, 0, &value)));
    assert!(!good(&encoded(4, &key, 1, 256, &value)));
    assert!(!good(&encoded(3, &key, 1, 0, &value)));
    assert!(!good(&encoded(2, &key, 1, 0, &value)), "no stamp before it");
    // Nothing stands before it that its key could begin with.
    assert!(!good(&encoded(4, &[0, 1, 9], 1, 0, &value)));
    assert!(good(&encoded(4, &[9], 1, 0, b"")));
    // Claims of length size nothing.
    assert!(!good(&[0x84, 0x5b, 255, 255, 255, 255, 255, 255, 255, 255]));
    assert!(!good(&[
        0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 0x41, 9
    ]));
    // What a newer version puts behind is skipped.
    let mut longer = encoded(5, &[9], 1, 0, b"x");
    longer.extend_from_slice(&[0x82, 1, 2]);
    assert_eq!(
        Entry::decode(&longer),
        Ok(entry(Key::parse(&[9]).unwrap(), 1, 0, Some("x")))
    );
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = Rng::new([5; 32]);
    let good = entry(name_of(1), NOW, 1, Some("a value of some length")).encode();
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        if let Ok(entry) = Entry::decode(&bytes) {
            assert!(entry.key.bytes().len() <= KEY_BYTES_MAX);
            assert!(entry.stamp.time <= TIME_MAX);
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }
}

fn cut_everywhere<T>(value: &Value, read: impl Fn(&Value) -> Result<T, Malformed>) {
    let bytes = value.as_bytes();
    assert!(read(value).is_ok());
    for cut in 0..bytes.len() {
        assert!(read(&Value::new(bytes[..cut].into()).unwrap()).is_err());
    }
    let longer = Value::new([bytes, &[0]].concat()).unwrap();
    assert!(read(&longer).is_err());
}

#[test]
fn values_round_trip() {
    let existence = Existence {
        standing: Standing::Blocked,
        added: NOW,
    };
    let value = existence.encode().unwrap();
    assert_eq!(Existence::decode(&value), Ok(existence));
    cut_everywhere(&value, Existence::decode);

    for recovery in [Some([3; 32]), None] {
        let access = Access {
            read_secret: [2; 32],
            mailbox: Mailbox::new(0xabc0_0000, 12).unwrap(),
            recovery,
        };
        let value = access.encode().unwrap();
        assert_eq!(Access::decode(&value).as_ref(), Ok(&access));
        assert!(!alloc::format!("{access:?} {value:?}").contains("[2"));
        if recovery.is_some() {
            cut_everywhere(&value, Access::decode);
        }
    }

    let device = Device {
        key: [1; 32],
        kem_hash: [2; 32],
        name: "Laptop".into(),
        kind: DeviceKind::Linked,
        since: NOW,
    };
    let value = device.encode().unwrap();
    assert_eq!(Device::decode(&value).as_ref(), Ok(&device));
    cut_everywhere(&value, Device::decode);

    let invitation = SharedInvitation {
        secret: [4; 16],
        expiry: 480_000,
        flags: 1,
        kem: [5; 32],
    };
    let value = invitation.encode().unwrap();
    assert_eq!(SharedInvitation::decode(&value).as_ref(), Ok(&invitation));
    cut_everywhere(&value, SharedInvitation::decode);

    assert_eq!(read_flag(&flag(true).unwrap()), Ok(true));
    assert_eq!(read_order(&order(u64::MAX).unwrap()), Ok(u64::MAX));
    assert_eq!(*read_bytes32(&bytes32(&[6; 32]).unwrap()).unwrap(), [6; 32]);
    cut_everywhere(&bytes32(&[6; 32]).unwrap(), read_bytes32);
    let value = place(0xf123_4567, 4).unwrap();
    assert_eq!(read_place(&value), Ok((0xf123_4567, 4)));
    cut_everywhere(&value, read_place);
    assert_eq!(place(0, 33), None);
    assert_eq!(settings(b"{}".to_vec()).unwrap().as_bytes(), b"{}");
}

#[test]
fn values_keep_their_bounds() {
    assert_eq!(
        read_name(&name(&"x".repeat(64)).unwrap()),
        Ok("x".repeat(64))
    );
    assert_eq!(name(&"x".repeat(65)), None);
    assert_eq!(read_name(&about(&"x".repeat(65)).unwrap()), Err(Malformed));
    assert_eq!(
        read_about(&about(&"ä".repeat(250)).unwrap()),
        Ok("ä".repeat(250))
    );
    assert_eq!(about(&"ä".repeat(251)), None);
    assert_eq!(settings(vec![0; VALUE_BYTES_MAX + 1]), None);
    // Not UTF-8; a standing nobody knows; a mailbox of 33 bits.
    let read = |bytes: &[u8]| Value::new(bytes.into()).unwrap();
    assert_eq!(read_name(&read(&[0x61, 0xff])), Err(Malformed));
    assert_eq!(Existence::decode(&read(&[0x82, 9, 0])), Err(Malformed));
    assert_eq!(read_place(&read(&[0x82, 0, 0x18, 33])), Err(Malformed));
    // An element that a newer version put behind.
    assert_eq!(
        Existence::decode(&read(&[0x83, 1, 5, 0x81, 7])),
        Ok(Existence {
            standing: Standing::Active,
            added: 5
        })
    );
}
