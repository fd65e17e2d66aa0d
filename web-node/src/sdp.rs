//! The answer that no relay sends: made up from its hint, for the browser's own offer. PROTOCOL.md
//! section 3.
//!
//! Invariant: nothing of the offer reaches the answer but its media id, and that only when it is
//! short and plain.

use std::fmt::Write;
use std::net::IpAddr;

use shared::limits::OFFERED_PORTS_MAX;
use shared::wire::RelayHint;

/// What a relay announces; links carry less (`shared::limits::FRAME_BYTES_MAX`).
const ANNOUNCED_BYTES_MAX: usize = 65_536;
/// RFC 8445 section 5.1.2.1: type preference 126 (host), first of its kind, component 1.
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// The relay's answer to `offer`; `None` when that has no usable media id.
pub fn answer_from_hint(offer: &str, hint: &RelayHint) -> Option<String> {
    let mid = media_id(offer)?;
    let ice = hint.ice();
    let fingerprint: Vec<String> = hint
        .certificate
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect();
    let family = match hint.address {
        IpAddr::V4(_) => "IP4 127.0.0.1",
        IpAddr::V6(_) => "IP6 ::1",
    };
    let mut text = format!(
        "v=0\r\no=- 1 1 IN {family}\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE {mid}\r\n\
         a=fingerprint:sha-256 {}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=mid:{mid}\r\na=setup:passive\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
         a=sctp-port:5000\r\na=max-message-size:{ANNOUNCED_BYTES_MAX}\r\n",
        fingerprint.join(":"),
        ice.ufrag,
        ice.pwd,
    );
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "a=candidate:0 1 udp {PRIORITY} {} {} typ host\r\na=end-of-candidates\r\n",
        hint.address, hint.port
    );
    Some(text)
}

/// SHA-256 of the certificate that the browser will use, from its own offer.
pub fn fingerprint(offer: &str) -> Option<[u8; 32]> {
    let value = attribute(offer, "a=fingerprint:")?;
    let (algorithm, digits) = value.split_once(' ')?;
    if !algorithm.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = digits.trim().split(':');
    for byte in &mut bytes {
        let hex = |pair: &&str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        let pair = pairs.next().filter(hex)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}

/// UDP ports of a browser as a STUN server sees them, those of its own candidates where it saw
/// none, from the browser's own offer.
pub fn ports(offer: &str) -> Vec<u16> {
    let of = |kind: &str| {
        let mut found: Vec<u16> = Vec::new();
        for line in offer.lines() {
            let Some(candidate) = line.trim_end().strip_prefix("a=candidate:") else {
                continue;
            };
            // Foundation, component, transport, priority, address, port, `typ`, type (RFC 8839).
            let fields: Vec<&str> = candidate.split(' ').take(8).collect();
            if let [_, "1", transport, _, _, port, "typ", typ] = fields[..]
                && transport.eq_ignore_ascii_case("udp")
                && typ == kind
                && let Ok(port) = port.parse()
                && port != 0
                && !found.contains(&port)
                && found.len() < OFFERED_PORTS_MAX
            {
                found.push(port);
            }
        }
        found
    };
    let seen = of("srflx");
    if seen.is_empty() { of("host") } else { seen }
}

fn media_id(offer: &str) -> Option<&str> {
    let mid = attribute(offer, "a=mid:")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    ((1..=32).contains(&mid.len()) && mid.bytes().all(plain)).then_some(mid)
}

fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim_end().strip_prefix(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const OFFER: &str = "v=0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP x\r\na=mid:0\r\n";

    fn hint(address: &str) -> RelayHint {
        RelayHint {
            address: address.parse().unwrap(),
            port: 8420,
            certificate: [0xab; 32],
            node_key: [7; 32],
        }
    }

    #[test]
    fn an_answer_says_what_the_hint_says() {
        let hint = hint("192.0.2.1");
        let text = answer_from_hint(OFFER, &hint).unwrap();
        let ice = hint.ice();
        for line in [
            "a=ice-lite",
            "a=setup:passive",
            "a=mid:0",
            &format!("a=ice-ufrag:{}", ice.ufrag),
            &format!("a=ice-pwd:{}", ice.pwd),
            "a=sctp-port:5000",
            "a=candidate:0 1 udp 2130706431 192.0.2.1 8420 typ host",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert_eq!(text.matches("AB").count(), 32);
        assert!(text.split_inclusive('\n').all(|l| l.ends_with("\r\n")));
    }

    #[test]
    fn media_ids_are_plain_or_refused() {
        let answer = |mid: &str| answer_from_hint(&OFFER.replace("mid:0", mid), &hint("::1"));
        assert!(answer("mid:data-7").unwrap().contains("a=mid:data-7\r\n"));
        for bad in ["mid:", "mid:a b", "nothing:0", "mid:\u{e9}"] {
            assert_eq!(answer(bad), None);
        }
        assert_eq!(answer(&format!("mid:{}", "x".repeat(33))), None);
    }

    #[test]
    fn fingerprints_are_read_exactly() {
        let digits = ["0F"; 32].join(":");
        let of = |value: &str| fingerprint(&format!("v=0\r\na=fingerprint:{value}\r\nm=x\r\n"));
        assert_eq!(of(&format!("sha-256 {digits}")), Some([15; 32]));
        assert_eq!(of(&format!("SHA-256 {digits}")), Some([15; 32]));
        for bad in [
            format!("sha-1 {digits}"),
            format!("sha-256 {digits}:00"),
            format!("sha-256 {}", &digits[3..]),
            format!("sha-256 {}", digits.replacen("0F", "+F", 1)),
            "sha-256".to_string(),
        ] {
            assert_eq!(of(&bad), None, "{bad}");
        }
        assert_eq!(fingerprint("v=0\r\n"), None);
    }

    #[test]
    fn the_ports_are_those_that_others_see() {
        let host = "a=candidate:1 1 udp 2113937151 a-b-c.local 50001 typ host generation 0\r\n";
        let tcp = "a=candidate:2 1 tcp 1518280447 a-b-c.local 9 typ host tcptype active\r\n";
        let seen =
            "a=candidate:3 1 udp 1677729535 5.6.7.8 60001 typ srflx raddr 0.0.0.0 rport 0\r\n";
        let all = |parts: &[&str]| ports(&parts.concat());
        assert_eq!(all(&[OFFER, host, tcp]), [50_001]);
        assert_eq!(all(&[OFFER, host, tcp, seen, seen]), [60_001]);
        let others: Vec<String> = (1..5)
            .map(|n| seen.replace("60001", &n.to_string()))
            .collect();
        assert_eq!(ports(&others.concat()), [1, 2]);
        for bad in [
            "a=candidate:",
            "a=candidate:3 1 udp 1 5.6.7.8 65536 typ srflx",
            "",
            OFFER,
        ] {
            assert_eq!(ports(bad), [0u16; 0], "{bad}");
        }
    }
}
