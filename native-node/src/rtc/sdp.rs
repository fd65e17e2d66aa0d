//! The session descriptions that nobody sends: each side makes up the other's.
//!
//! Invariant: nothing of a foreign offer reaches an answer but its media id, and that only when it
//! is short and plain.

use super::session::{PEER, PEER_PWD, PEER_UFRAG};
use crate::transport::MESSAGE_BYTES_MAX;
use std::fmt::Write;
use std::net::SocketAddr;

/// Longest offer read, bytes. A browser's for one data channel takes 500 to 2,000.
pub const OFFER_BYTES_MAX: usize = 16_384;
/// What both sides announce. Links allow less ([`MESSAGE_BYTES_MAX`]); browsers send up to this.
const ANNOUNCED_BYTES_MAX: usize = 65_536;
const _: () = assert!(MESSAGE_BYTES_MAX <= ANNOUNCED_BYTES_MAX);

/// Why an offer was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Longer than 16,384 bytes.
    TooLong,
    /// Not exactly one media section, for a data channel over DTLS and UDP.
    NoDataChannel,
    /// The media section has no id, or not a short plain one.
    BadMediaId,
    /// No address to reach the relay at was given.
    NoAddress,
}

impl std::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the offer is longer than 16,384 bytes",
            Self::NoDataChannel => "the offer must have exactly one section, for a data channel",
            Self::BadMediaId => "the offer's section has no usable a=mid",
            Self::NoAddress => "this relay does not know its own address",
        })
    }
}

impl std::error::Error for AnswerError {}

/// The relay's answer to `offer`, made up from what a relay hint says. `addresses` are where the
/// relay listens, best first (at most 8 are used).
pub fn answer_from_hint(
    offer: &str,
    addresses: &[SocketAddr],
    fingerprint: &[u8; 32],
    ufrag: &str,
    pwd: &str,
) -> Result<String, AnswerError> {
    let mid = media_id(offer)?;
    if addresses.is_empty() {
        return Err(AnswerError::NoAddress);
    }
    Ok(describe(&Description {
        mid,
        setup: "passive",
        addresses,
        fingerprint,
        ufrag,
        pwd,
    }))
}

/// The offer that the relay's peer connection is told: from a peer that is ice-lite, so that the
/// connection checks and nominates, and DTLS client, so that the connection is the server. Its
/// fingerprint is never compared; the link handshake binds the real one.
pub fn made_up_offer() -> String {
    describe(&Description {
        mid: "0",
        setup: "active",
        addresses: &[PEER],
        fingerprint: &[0; 32],
        ufrag: PEER_UFRAG,
        pwd: PEER_PWD,
    })
}

struct Description<'a> {
    mid: &'a str,
    setup: &'a str,
    addresses: &'a [SocketAddr],
    fingerprint: &'a [u8; 32],
    ufrag: &'a str,
    pwd: &'a str,
}

fn describe(d: &Description<'_>) -> String {
    let fingerprint: Vec<String> = d.fingerprint.iter().map(|b| format!("{b:02X}")).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE {mid}\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=mid:{mid}\r\na=setup:{setup}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n\
         a=sctp-port:5000\r\na=max-message-size:{ANNOUNCED_BYTES_MAX}\r\n",
        mid = d.mid,
        fingerprint = fingerprint.join(":"),
        setup = d.setup,
        ufrag = d.ufrag,
        pwd = d.pwd,
    );
    for (index, address) in d.addresses.iter().take(8).enumerate() {
        // RFC 8445 section 5.1.2.1: type preference 126 (host), then our order.
        let priority = (126 << 24) | ((65_535 - index) << 8) | 255;
        let (ip, port) = (address.ip(), address.port());
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "a=candidate:{index} 1 udp {priority} {ip} {port} typ host\r\n"
        );
    }
    text.push_str("a=end-of-candidates\r\n");
    text
}

/// The id of the one media section of an offer.
fn media_id(offer: &str) -> Result<&str, AnswerError> {
    if offer.len() > OFFER_BYTES_MAX {
        return Err(AnswerError::TooLong);
    }
    let lines = || offer.lines().map(str::trim_end);
    let mut media = lines().filter_map(|line| line.strip_prefix("m="));
    let is_channel = |m: &str| {
        m.starts_with("application ") && m.contains("DTLS/SCTP") && m.contains("webrtc-datachannel")
    };
    if !media.next().is_some_and(is_channel) || media.next().is_some() {
        return Err(AnswerError::NoDataChannel);
    }
    let mid = lines()
        .find_map(|line| line.strip_prefix("a=mid:"))
        .ok_or(AnswerError::BadMediaId)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    if (1..=32).contains(&mid.len()) && mid.bytes().all(plain) {
        Ok(mid)
    } else {
        Err(AnswerError::BadMediaId)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=setup:actpass\r\na=sctp-port:5000\r\n";

    fn answer(offer: &str) -> Result<String, AnswerError> {
        let addresses = [
            "192.0.2.1:443".parse().unwrap(),
            "[2001:db8::1]:443".parse().unwrap(),
        ];
        answer_from_hint(
            offer,
            &addresses,
            &[0xab; 32],
            "relayFrg",
            "abcdefghijklmnopqrstuvwx",
        )
    }

    #[test]
    fn an_answer_says_what_the_hint_says() {
        let text = answer(OFFER).unwrap();
        for line in [
            "a=ice-lite",
            "a=setup:passive",
            "a=mid:0",
            "a=ice-ufrag:relayFrg",
            "a=ice-pwd:abcdefghijklmnopqrstuvwx",
            "a=sctp-port:5000",
            "a=candidate:0 1 udp 2130706431 192.0.2.1 443 typ host",
            "a=candidate:1 1 udp 2130706175 2001:db8::1 443 typ host",
            "a=end-of-candidates",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing from\n{text}"
            );
        }
        assert_eq!(text.matches("AB").count(), 32);
        assert!(
            text.split_inclusive('\n')
                .all(|line| line.ends_with("\r\n"))
        );
    }

    #[test]
    fn the_media_id_is_taken_over_and_nothing_else() {
        let text = answer(&OFFER.replace("a=mid:0", "a=mid:data-7")).unwrap();
        assert!(text.contains("a=mid:data-7\r\n") && text.contains("a=group:BUNDLE data-7\r\n"));
        for mid in ["a=mid:", "a=mid:a b", "a=mid:\u{e9}", "a=nothing:0"] {
            assert_eq!(
                answer(&OFFER.replace("a=mid:0", mid)),
                Err(AnswerError::BadMediaId)
            );
        }
        let long = format!("a=mid:{}", "x".repeat(33));
        assert_eq!(
            answer(&OFFER.replace("a=mid:0", &long)),
            Err(AnswerError::BadMediaId)
        );
    }

    #[test]
    fn other_offers_are_refused() {
        assert_eq!(answer(""), Err(AnswerError::NoDataChannel));
        let audio = OFFER.replace("m=application", "m=audio");
        assert_eq!(answer(&audio), Err(AnswerError::NoDataChannel));
        let two = format!("{OFFER}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
        assert_eq!(answer(&two), Err(AnswerError::NoDataChannel));
        assert_eq!(answer(&"x".repeat(20_000)), Err(AnswerError::TooLong));
        let none = answer_from_hint(OFFER, &[], &[0; 32], "abcd", "efgh");
        assert_eq!(none, Err(AnswerError::NoAddress));
    }
}
