//! The little of STUN that an ICE-lite endpoint speaks (RFC 8489, RFC 8445): it reads binding
//! requests and writes short answers, in place, without allocating.
//!
//! Invariant: nothing of a check is believed, stored or answered before its MESSAGE-INTEGRITY has
//! been verified, and an answer is never longer than the check it answers. What asks for no more
//! than its own address is a question: whom it is answered is decided in `paths.rs`.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::net::{IpAddr, SocketAddr};

/// Longest answer: header 20, XOR-MAPPED-ADDRESS 12 (IPv4) or 24 (IPv6), MESSAGE-INTEGRITY 24,
/// FINGERPRINT 8. So 64 bytes to an IPv4 and 76 bytes to an IPv6 address.
pub const ANSWER_BYTES_MAX: usize = 76;
/// Longest request read. Browsers send about 110 bytes.
pub const REQUEST_BYTES_MAX: usize = 1_280;
/// Longest ICE username fragment of a client: browsers use 4 to 8 letters.
pub const UFRAG_BYTES_MAX: usize = 32;

const HEADER: usize = 20;
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;
const MAC_BYTES: usize = 20;

/// A transaction id.
pub type Transaction = [u8; 12];

/// An ICE username fragment and the key made of its password.
#[derive(Clone)]
pub struct IceKey {
    ufrag: Box<[u8]>,
    mac: Hmac<Sha1>,
}

impl std::fmt::Debug for IceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IceKey(..)")
    }
}

impl IceKey {
    /// `ufrag` is 4 to 32 bytes, `pwd` 22 to 256 (RFC 8839 section 5.4); `None` otherwise.
    pub fn new(ufrag: &str, pwd: &str) -> Option<Self> {
        let fits = |text: &str, least, most| {
            (least..=most).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        };
        if !fits(ufrag, 4, UFRAG_BYTES_MAX) || !fits(pwd, 22, 256) {
            return None;
        }
        let mac = Hmac::new_from_slice(pwd.as_bytes()).ok()?;
        Some(Self {
            ufrag: ufrag.as_bytes().into(),
            mac,
        })
    }
}

/// A binding request whose integrity has been verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub transaction: Transaction,
    /// The sender's username fragment, 1 to 32 bytes.
    pub from: &'a [u8],
    /// Of the sender's ICE agent: 64 random bits, the same in all of its checks.
    pub tie_breaker: u64,
    /// The sender has chosen this path.
    pub nominates: bool,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not a well-formed binding request with USERNAME, ICE-CONTROLLING and MESSAGE-INTEGRITY.
    Malformed,
    /// Meant for another username fragment.
    NotForUs,
    /// The MESSAGE-INTEGRITY is wrong.
    WrongPassword,
}

/// Whether a datagram is STUN rather than DTLS (RFC 7983) and long enough to have a header.
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.first().is_some_and(|b| *b < 4)
        && bytes.get(4..8) == Some(&MAGIC)
}

/// The transaction of an answer (success or error) to a request of ours.
pub fn answered_transaction(bytes: &[u8]) -> Option<Transaction> {
    let kind = read_u16(bytes, 0)?;
    if !is_stun(bytes) || !matches!(kind, BINDING_SUCCESS | BINDING_ERROR) {
        return None;
    }
    bytes.get(8..HEADER)?.try_into().ok()
}

/// Read a binding request addressed to `key`.
pub fn read_request<'a>(bytes: &'a [u8], key: &IceKey) -> Result<Request<'a>, Refused> {
    if !is_stun(bytes) || bytes.len() > REQUEST_BYTES_MAX {
        return Err(Refused::Malformed);
    }
    let length = usize::from(read_u16(bytes, 2).ok_or(Refused::Malformed)?);
    if read_u16(bytes, 0) != Some(BINDING_REQUEST) || HEADER + length != bytes.len() {
        return Err(Refused::Malformed);
    }
    let found = Attributes::read(bytes).ok_or(Refused::Malformed)?;
    let (username, integrity) = found
        .username
        .zip(found.integrity)
        .ok_or(Refused::Malformed)?;
    let colon = username
        .iter()
        .position(|b| *b == b':')
        .ok_or(Refused::Malformed)?;
    let (to, from) = username.split_at(colon);
    let from = from.get(1..).unwrap_or_default();
    if to != &*key.ufrag {
        return Err(Refused::NotForUs);
    }
    if from.is_empty() || from.len() > UFRAG_BYTES_MAX {
        return Err(Refused::Malformed);
    }
    let tie_breaker = found.tie_breaker.ok_or(Refused::Malformed)?;
    let transaction = bytes
        .get(8..HEADER)
        .and_then(|t| t.try_into().ok())
        .ok_or(Refused::Malformed)?;
    if !integrity_holds(bytes, integrity, key) {
        return Err(Refused::WrongPassword);
    }
    if !ends_well(bytes, integrity + 4 + MAC_BYTES) {
        return Err(Refused::Malformed);
    }
    Ok(Request {
        transaction,
        from,
        tie_breaker,
        nominates: found.nominates,
    })
}

/// The transaction of a binding request without a name: a client asks where it comes from.
pub fn read_question(bytes: &[u8]) -> Option<Transaction> {
    if !is_stun(bytes) || bytes.len() > REQUEST_BYTES_MAX {
        return None;
    }
    let length = usize::from(read_u16(bytes, 2)?);
    if read_u16(bytes, 0) != Some(BINDING_REQUEST) || HEADER + length != bytes.len() {
        return None;
    }
    let found = Attributes::read(bytes)?;
    let nameless = found.username.is_none() && found.integrity.is_none();
    bytes.get(8..HEADER)?.try_into().ok().filter(|_| nameless)
}

/// A short message, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    bytes: [u8; ANSWER_BYTES_MAX + 36],
    length: usize,
}

impl Answer {
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    /// Set the header's length to what is there now and `more` bytes to come.
    fn promise(&mut self, more: usize) {
        let length = u16::try_from(self.length + more - HEADER).unwrap_or_default();
        if let Some(room) = self.bytes.get_mut(2..4) {
            room.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn new(kind: u16, transaction: &Transaction) -> Self {
        let mut answer = Self {
            bytes: [0; ANSWER_BYTES_MAX + 36],
            length: 0,
        };
        answer.put(&kind.to_be_bytes());
        answer.put(&[0, 0]);
        answer.put(&MAGIC);
        answer.put(transaction);
        answer
    }

    /// MESSAGE-INTEGRITY and FINGERPRINT end every message (RFC 8489 sections 14.5 and 14.7).
    fn seal(mut self, mac: &Hmac<Sha1>) -> Self {
        self.promise(4 + MAC_BYTES);
        let tag = mac
            .clone()
            .chain_update(self.as_bytes())
            .finalize()
            .into_bytes();
        self.put(&attribute(MESSAGE_INTEGRITY, MAC_BYTES));
        self.put(&tag);
        self.promise(8);
        let crc = crc32(self.as_bytes()) ^ 0x5354_554e;
        self.put(&attribute(FINGERPRINT, 4));
        self.put(&crc.to_be_bytes());
        self
    }
}

/// The success answer to a request that came from `source`.
pub fn success(transaction: &Transaction, source: SocketAddr, key: &IceKey) -> Answer {
    located(transaction, source).seal(&key.mac)
}

/// The answer to a question that came from `source`: 32 bytes to an IPv4, 44 to an IPv6 address.
pub fn located(transaction: &Transaction, source: SocketAddr) -> Answer {
    let mut answer = Answer::new(BINDING_SUCCESS, transaction);
    let port = source.port() ^ 0x2112;
    match source.ip() {
        IpAddr::V4(ip) => {
            answer.put(&attribute(XOR_MAPPED_ADDRESS, 8));
            answer.put(&[0, 1]);
            answer.put(&port.to_be_bytes());
            let masked: [u8; 4] = std::array::from_fn(|i| ip.octets()[i] ^ MAGIC[i]);
            answer.put(&masked);
        }
        IpAddr::V6(ip) => {
            answer.put(&attribute(XOR_MAPPED_ADDRESS, 20));
            answer.put(&[0, 2]);
            answer.put(&port.to_be_bytes());
            let octets = ip.octets();
            let masked: [u8; 16] = std::array::from_fn(|i| {
                octets[i] ^ if i < 4 { MAGIC[i] } else { transaction[i - 4] }
            });
            answer.put(&masked);
        }
    }
    answer.promise(0);
    answer
}

/// The error 400 (Bad Request), without a reason phrase, 60 bytes: browsers give the path up at
/// once, where they would go on asking for seconds after no answer.
pub fn refusal(transaction: &Transaction, key: &IceKey) -> Answer {
    let mut answer = Answer::new(BINDING_ERROR, transaction);
    answer.put(&attribute(ERROR_CODE, 4));
    answer.put(&[0, 0, 4, 0]);
    answer.seal(&key.mac)
}

/// A request that proves, by any answer to its transaction, that `client` receives at an address.
/// Its password is unknown to us, so the integrity is wrong on purpose: browsers answer with
/// error 401, and that is answer enough. At most 108 bytes; 72 for a browser's 4 letters.
pub fn challenge(transaction: &Transaction, client: &[u8], key: &IceKey) -> Answer {
    let mut request = Answer::new(BINDING_REQUEST, transaction);
    let length = client.len() + 1 + key.ufrag.len();
    request.put(&attribute(USERNAME, length));
    request.put(client);
    request.put(b":");
    request.put(&key.ufrag);
    request.put(
        [0u8; 3]
            .get(..length.next_multiple_of(4) - length)
            .unwrap_or_default(),
    );
    request.seal(&key.mac)
}

#[derive(Default)]
struct Attributes<'a> {
    username: Option<&'a [u8]>,
    tie_breaker: Option<u64>,
    nominates: bool,
    /// Where the MESSAGE-INTEGRITY attribute begins.
    integrity: Option<usize>,
}

impl<'a> Attributes<'a> {
    /// Each attribute is at least 4 bytes, so this ends. What comes after the integrity is not
    /// covered by it.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut at = HEADER;
        while at < bytes.len() {
            let kind = read_u16(bytes, at)?;
            let length = usize::from(read_u16(bytes, at + 2)?);
            let value = bytes.get(at + 4..at + 4 + length)?;
            match kind {
                USERNAME if found.username.is_none() => found.username = Some(value),
                ICE_CONTROLLING => {
                    found.tie_breaker = Some(u64::from_be_bytes(value.try_into().ok()?))
                }
                USE_CANDIDATE => found.nominates = true,
                MESSAGE_INTEGRITY if length == MAC_BYTES => {
                    found.integrity = Some(at);
                    break;
                }
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        Some(found)
    }
}

fn integrity_holds(bytes: &[u8], at: usize, key: &IceKey) -> bool {
    // The length that was signed ends with the integrity itself.
    let Ok(signed_length) = u16::try_from(at + 4 + MAC_BYTES - HEADER) else {
        return false;
    };
    let parts = (
        bytes.get(..2),
        bytes.get(4..at),
        bytes.get(at + 4..at + 4 + MAC_BYTES),
    );
    let (Some(kind), Some(rest), Some(tag)) = parts else {
        return false;
    };
    key.mac
        .clone()
        .chain_update(kind)
        .chain_update(signed_length.to_be_bytes())
        .chain_update(rest)
        .verify_slice(tag)
        .is_ok()
}

/// After the integrity, which ends at `end`, comes nothing or a right fingerprint.
fn ends_well(bytes: &[u8], end: usize) -> bool {
    let (before, after) = bytes.split_at_checked(end).unwrap_or((bytes, &[0]));
    let fingerprint = after.split_first_chunk::<4>();
    let crc = || (crc32(before) ^ 0x5354_554e).to_be_bytes();
    after.is_empty()
        || fingerprint.is_some_and(|(head, v)| *head == attribute(FINGERPRINT, 4) && v == crc())
}

fn attribute(kind: u16, length: usize) -> [u8; 4] {
    let ([a, b], [c, d]) = (
        kind.to_be_bytes(),
        u16::try_from(length).unwrap_or_default().to_be_bytes(),
    );
    [a, b, c, d]
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

/// CRC-32 of ISO 3309, bit by bit: it runs over fewer than 112 bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
#[path = "stun_tests.rs"]
pub mod tests;
