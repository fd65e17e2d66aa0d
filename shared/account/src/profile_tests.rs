#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::picture::tests::a_png;
use crate::record::least_size;
use shared::crypto::Rng;
use shared::wire::SizeClass;

fn full() -> ProfileText {
    ProfileText {
        name: "Ann".into(),
        about: "two\nlines".into(),
        avatar: Some(a_png(64, 64)),
        time: 1_795_392_000_123,
    }
}

#[test]
fn round_trips() {
    for profile in [full(), ProfileText::default()] {
        assert_eq!(ProfileText::decode(&profile.encode()), Ok(profile));
    }
    let bytes = full().encode();
    for cut in 0..bytes.len() {
        assert_eq!(ProfileText::decode(&bytes[..cut]), Err(Malformed));
    }
    assert_eq!(full().picture().unwrap().1, Kind::Png);
}

#[test]
fn bounds_hold() {
    let decode = |change: &dyn Fn(&mut ProfileText)| {
        let mut profile = full();
        change(&mut profile);
        ProfileText::decode(&profile.encode())
    };
    assert!(decode(&|p| p.name = "x".repeat(64)).is_ok());
    assert!(decode(&|p| p.name = "x".repeat(65)).is_err());
    assert!(decode(&|p| p.about = "x".repeat(500)).is_ok());
    assert!(decode(&|p| p.about = "x".repeat(501)).is_err());
    assert!(decode(&|p| p.avatar = Some(b"GIF89a".to_vec())).is_err());
    assert!(decode(&|p| p.avatar = Some(a_png(64, 300))).is_err());
    let shown = decode(&|p| p.about = "a\u{202e}b\u{0}".into()).unwrap();
    assert_eq!(shown.about, "ab");
    // The largest of all goes into one record.
    let mut largest = full();
    let mut avatar = a_png(256, 256);
    avatar.resize(crate::picture::PICTURE_BYTES_MAX, 1);
    largest.avatar = Some(avatar);
    largest.about = "x".repeat(500);
    largest.name = "x".repeat(64);
    assert_eq!(least_size(&largest.encode()), Some(SizeClass::KIB_16));
}

#[test]
fn unknown_keys_are_skipped() {
    // {0: "A", 3: 5, 9: [[1]]}
    let bytes = [0xa3, 0, 0x61, b'A', 3, 5, 9, 0x81, 0x81, 1];
    let read = ProfileText::decode(&bytes).unwrap();
    assert_eq!((read.name.as_str(), read.time), ("A", 5));
}

#[test]
fn one_of_two_holds_wherever_they_meet() {
    let (a, mut b) = (full(), full());
    assert!(!a.holds_against(&b) && !b.holds_against(&a));
    b.about = "other".into();
    assert!(a.holds_against(&b) != b.holds_against(&a));
    b.time += 1;
    assert!(b.holds_against(&a));
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = Rng::new([3; 32]);
    let good = full().encode();
    for _ in 0..5_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        if let Ok(profile) = ProfileText::decode(&bytes) {
            assert!(profile.about.len() <= ABOUT_BYTES_MAX);
        }
    }
}
