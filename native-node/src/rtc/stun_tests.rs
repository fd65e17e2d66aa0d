#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

/// RFC 5769 section 2.1, the sample request: a published vector that this parser must agree with.
const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e\
740024 00046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56\
781ef2b5b2d3f249c1b571a280280004e57a3bcf";

fn hex(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.chunks(2).map(digits).collect()
}

fn key() -> IceKey {
    IceKey::new("relayFrg", "abcdefghijklmnopqrstuvwx").unwrap()
}

/// What a browser sends: its own username fragment `from`, signed with the relay's `key`.
pub fn check(from: &str, tie_breaker: u64, nominates: bool, key: &IceKey) -> Vec<u8> {
    let mut body = Vec::new();
    let mut put = |kind: u16, value: &[u8]| {
        body.extend(attribute(kind, value.len()));
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    };
    let username = [&*key.ufrag, b":", from.as_bytes()].concat();
    put(USERNAME, &username);
    put(0xc057, &[0, 0, 0, 10]);
    put(ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    if nominates {
        put(USE_CANDIDATE, &[]);
    }
    put(0x0024, &1_845_501_695_u32.to_be_bytes());
    let mut bytes = BINDING_REQUEST.to_be_bytes().to_vec();
    bytes.extend(u16::try_from(body.len() + 24).unwrap().to_be_bytes());
    bytes.extend(MAGIC);
    bytes.extend(*b"transaction!");
    bytes.extend(body);
    let tag = key.mac.clone().chain_update(&bytes).finalize().into_bytes();
    bytes.extend(attribute(MESSAGE_INTEGRITY, MAC_BYTES));
    bytes.extend(tag);
    let length = u16::try_from(bytes.len() + 8 - HEADER).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let crc = crc32(&bytes) ^ 0x5354_554e;
    bytes.extend(attribute(FINGERPRINT, 4));
    bytes.extend(crc.to_be_bytes());
    bytes
}

#[test]
fn the_published_integrity_and_fingerprint_vectors_hold() {
    let bytes = hex(SAMPLE);
    let key = IceKey::new("evtj", "VOkJxbRl1RmTxUk/WvJxBt").unwrap();
    let integrity = Attributes::read(&bytes).unwrap().integrity.unwrap();
    assert!(integrity_holds(&bytes, integrity, &key));
    let crc = crc32(&bytes[..bytes.len() - 8]) ^ 0x5354_554e;
    assert_eq!(crc.to_be_bytes(), bytes[bytes.len() - 4..]);
    // It is from a controlled agent, which a lite endpoint has no use for.
    assert_eq!(read_request(&bytes, &key), Err(Refused::Malformed));
}

#[test]
fn a_browsers_check_is_read() {
    let bytes = check("aB3+", 0x0102_0304_0506_0708, true, &key());
    let request = read_request(&bytes, &key()).unwrap();
    assert_eq!(request.from, b"aB3+");
    assert_eq!(request.tie_breaker, 0x0102_0304_0506_0708);
    assert!(request.nominates);
}

#[test]
fn a_wrong_password_or_name_is_refused() {
    let other = IceKey::new("relayFrg", "abcdefghijklmnopqrstuvwy").unwrap();
    let bytes = check("aB3+", 1, false, &other);
    assert_eq!(read_request(&bytes, &key()), Err(Refused::WrongPassword));
    let other = IceKey::new("relayFrh", "abcdefghijklmnopqrstuvwx").unwrap();
    let bytes = check("aB3+", 1, false, &other);
    assert_eq!(read_request(&bytes, &key()), Err(Refused::NotForUs));
}

#[test]
fn credentials_outside_the_rules_make_no_key() {
    assert!(IceKey::new("abc", "abcdefghijklmnopqrstuvwx").is_none());
    assert!(IceKey::new("abcd", "short").is_none());
    assert!(IceKey::new("ab\r\n", "abcdefghijklmnopqrstuvwx").is_none());
}

#[test]
fn an_answer_is_shorter_than_any_check_it_answers() {
    let shortest = check("a", 1, false, &key()).len();
    for (source, expected) in [("1.2.3.4:5", 64), ("[2001:db8::1]:5", 76)] {
        let answer = success(&[7; 12], source.parse().unwrap(), &key());
        assert_eq!(answer.as_bytes().len(), expected);
        assert!(expected <= shortest, "{expected} > {shortest}");
    }
}

#[test]
fn an_answer_carries_the_masked_source_and_a_valid_integrity() {
    for source in ["203.0.113.9:4660", "[2001:db8::7]:4660"] {
        let source: SocketAddr = source.parse().unwrap();
        let answer = success(&[9; 12], source, &key());
        let bytes = answer.as_bytes();
        assert_eq!(answered_transaction(bytes), Some([9; 12]));
        let at = Attributes::read(bytes).unwrap().integrity.unwrap();
        assert!(integrity_holds(bytes, at, &key()));
        let port = u16::from_be_bytes([bytes[26], bytes[27]]) ^ 0x2112;
        assert_eq!(port, source.port());
        let mut mask = MAGIC.to_vec();
        mask.extend([9; 12]);
        let ip: Vec<u8> = bytes[28..at]
            .iter()
            .zip(&mask)
            .map(|(a, b)| a ^ b)
            .collect();
        match source.ip() {
            IpAddr::V4(v4) => assert_eq!(ip, v4.octets()),
            IpAddr::V6(v6) => assert_eq!(ip, v6.octets()),
        }
    }
}

#[test]
fn a_refusal_is_a_sealed_error_shorter_than_any_check() {
    let answer = refusal(&[9; 12], &key());
    let bytes = answer.as_bytes();
    assert_eq!(bytes.len(), 60);
    assert!(bytes.len() <= check("a", 1, false, &key()).len());
    assert_eq!(answered_transaction(bytes), Some([9; 12]));
    assert_eq!(bytes[20..28], [0, 9, 0, 4, 0, 0, 4, 0]);
    let at = Attributes::read(bytes).unwrap().integrity.unwrap();
    assert!(integrity_holds(bytes, at, &key()));
}

#[test]
fn a_challenge_is_a_well_formed_request_of_72_bytes() {
    let request = challenge(&[3; 12], b"aB3+", &key());
    assert_eq!(request.as_bytes().len(), 72);
    let found = Attributes::read(request.as_bytes()).unwrap();
    assert_eq!(found.username, Some(&b"aB3+:relayFrg"[..]));
    let long = challenge(&[3; 12], &[b'x'; UFRAG_BYTES_MAX], &key());
    assert_eq!(long.as_bytes().len(), 20 + 4 + 44 + 24 + 8);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = check("aB3+", 77, true, &key());
    for end in 0..bytes.len() {
        let mut cut = bytes[..end].to_vec();
        assert!(read_request(&cut, &key()).is_err());
        // Also with a length field that agrees.
        if end >= HEADER {
            cut[2..4].copy_from_slice(&u16::try_from(end - HEADER).unwrap().to_be_bytes());
            let covered = bytes.len() - 8;
            assert_eq!(
                read_request(&cut, &key()).is_ok(),
                end == covered,
                "at {end}"
            );
        }
    }
}

#[test]
fn mutated_requests_never_panic_and_never_lie() {
    let key = key();
    let bytes = check("aB3+", 0x1122_3344_5566_7788, true, &key);
    let intact = read_request(&bytes, &key).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let mut refused = 0;
    for _ in 0..200_000 {
        let mut mutated = bytes.clone();
        for _ in 0..=random() % 4 {
            let at = random() % mutated.len();
            mutated[at] = u8::try_from(random() % 256).unwrap();
        }
        if random() % 4 == 0 {
            mutated.truncate(random() % (bytes.len() + 1));
        }
        answered_transaction(&mutated);
        match read_request(&mutated, &key) {
            // Only the fingerprint and the length's own encoding are outside the integrity.
            Ok(request) => assert_eq!(request, intact),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 150_000, "{refused}");
}
