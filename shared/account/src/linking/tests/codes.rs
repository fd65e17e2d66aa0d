//! The QR code as text.

use super::*;
use alloc::{format, string::ToString};
use data_encoding::BASE64URL_NOPAD;
use shared::crypto::sha256;
extern crate std;

fn code(hints: &[RelayHint]) -> LinkCode {
    let mut rng = Rng::new([1; 32]);
    let asks = asks(DeviceKind::Linked, &mut rng);
    let (n, _) = NewDevice::new(asks, hints, &at(0), &mut rng).unwrap();
    n.code().clone()
}

/// The bytes of a code behind a right check.
fn again(bytes: &[u8]) -> String {
    let check = sha256(&[b"wm-link-code", bytes]);
    format!(
        "{PREFIX}{}",
        BASE64URL_NOPAD.encode(&[bytes, &check[..4]].concat())
    )
}

fn bytes(text: &str) -> Vec<u8> {
    let bytes = BASE64URL_NOPAD
        .decode(&text.as_bytes()[PREFIX.len()..])
        .unwrap();
    bytes[..bytes.len() - 4].to_vec()
}

#[test]
fn codes_round_trip_and_are_short() {
    let v6 = RelayHint {
        address: core::net::Ipv6Addr::LOCALHOST.into(),
        ..hint(1)
    };
    // What QR codes of versions 11 to 17 take in byte mode, with 15 % of errors corrected.
    for (hints, characters_max) in [
        (&[hint(1)][..], 251),
        (&[v6][..], 251),
        (&[hint(1), hint(2)], 331),
        (&[hint(1), hint(2), hint(3)], 450),
        (&[v6, v6, v6], 504),
        (&[v6, v6, v6, v6], 504),
    ] {
        let code = code(hints);
        let text = code.text();
        std::println!("{} hints: {} characters", hints.len(), text.len());
        assert!(text.len() <= characters_max, "{}", text.len());
        for text in [
            text.clone(),
            format!(" {text}\n"),
            text.replace("wiremin", "WireMin"),
        ] {
            let read = LinkCode::parse(&text, START).unwrap();
            assert_eq!(read.text(), code.text());
            assert_eq!((read.hash(), read.time), (code.hash(), code.time));
            assert_eq!(read.hints, hints[..hints.len().min(3)]);
        }
    }
}

#[test]
fn what_is_no_code_is_told_apart() {
    let text = code(&[hint(1)]).text();
    let parse = |text: &str| LinkCode::parse(text, START).map(|_| ());
    for other in [
        "",
        "wiremin:",
        "wiremin:AQFq",
        "https://a.example/#AQ",
        &"x".repeat(2_000),
    ] {
        assert_eq!(parse(other), Err(CodeError::NotACode));
    }
    for len in 0..text.len() {
        let expected = match len < PREFIX.len() {
            true => CodeError::NotACode,
            false => CodeError::Mangled,
        };
        assert_eq!(parse(&text[..len]), Err(expected), "{len}");
    }
    let all = BASE64URL_NOPAD
        .decode(&text.as_bytes()[PREFIX.len()..])
        .unwrap();
    for at in 0..all.len() {
        for bit in 0..8 {
            let mut changed = all.clone();
            changed[at] ^= 1 << bit;
            let text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&changed));
            assert_eq!(parse(&text), Err(CodeError::Mangled));
        }
    }
    for len in 0..bytes(&text).len() {
        let parsed = parse(&again(&bytes(&text)[..len]));
        let no_hint = len >= bytes(&text).len() - 71;
        let expected = [CodeError::Mangled, CodeError::NoHints][usize::from(no_hint)];
        assert_eq!(parsed, Err(expected), "{len}");
    }
    let mut newer = bytes(&text);
    newer[0] = 2;
    assert_eq!(
        parse(&again(&newer)),
        Err(CodeError::NewerVersion { version: 2 })
    );
    newer[0] = 0;
    assert_eq!(parse(&again(&newer)), Err(CodeError::Mangled));
    assert_eq!(parse(&code(&[]).text()), Err(CodeError::NoHints));
}

/// A hint of a later kind ends the list, and what is hashed are the bytes that were shown.
#[test]
fn what_is_not_understood_is_hashed() {
    let mut bytes = bytes(&code(&[hint(1), hint(2)]).text());
    let second = bytes.len() - 71;
    bytes[second] = 9;
    let text = again(&bytes);
    let read = LinkCode::parse(&text, START).unwrap();
    assert_eq!(read.hints, [hint(1)]);
    assert_eq!(read.text(), text);
    assert_eq!(read.hash(), sha256(&[&bytes]));
}

#[test]
fn a_code_lives_a_minute() {
    let text = code(&[hint(1)]).text();
    let parse = |now: u64| LinkCode::parse(&text, now).map(|code| code.time.to_string().len());
    for now in [START, START + 60_000, START + 90_000, START - 30_000] {
        assert!(parse(now).is_ok());
    }
    assert_eq!(parse(START + 91_000), Err(CodeError::Old { seconds: 91 }));
    assert_eq!(parse(START - 31_000), Err(CodeError::Ahead { seconds: 31 }));
    let years = u32::try_from(u64::MAX / 1000).unwrap_or(u32::MAX);
    assert_eq!(parse(u64::MAX), Err(CodeError::Old { seconds: years }));
    assert!(matches!(parse(0), Err(CodeError::Ahead { .. })));
}
