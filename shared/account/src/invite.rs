//! Invitations: the link, the record it leads to, and the secrets behind both. PROTOCOL.md section
//! 5.
//!
//! Invariant: an invitation ends by its secrets being dropped; there is no other copy of them than
//! [`Invitation`].

use crate::cbor::{self, StateError};
use crate::record::{self, Author, NO_PERIOD, Place, SLOT_INVITATION, WriteError, Writing};
use crate::sealed::{Mailbox, Sealed, Step};
use crate::shown::{self, NAME_BYTES_MAX};
use crate::state::values::SharedInvitation;
use alloc::{string::String, vec::Vec};
use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};
use shared::crypto::{KemPublic, KemSecret, Key, PublicKey, Rng, kdf_key, sha256};
use shared::wire::{Header, Lifetime, Reader, RelayHint, SizeClass};

/// Greetings to one invitation choose among that many locators.
pub const LOCATORS: u8 = 64;
/// Relay hints in a link, at most.
pub const HINTS_MAX: usize = 3;
/// Hours an invitation may be valid, at most.
pub const HOURS_MAX: u32 = 720;

const LINK_VERSION: u8 = 1;
const SINGLE_USE: u8 = 1;
/// A pasted text longer than that is not looked at, bytes.
const TEXT_BYTES_MAX: usize = 8_192;
const STATE_VERSION: u8 = 1;

/// What a link says.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    pub inviter: PublicKey,
    pub secret: Key,
    /// Hour at which it ends.
    pub expiry: u32,
    pub single_use: bool,
    /// 1 to 3.
    pub hints: Vec<RelayHint>,
}

impl core::fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("InviteLink(..)")
    }
}

/// Why a text does not open an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// No invitation in it.
    NotALink,
    /// Cut off or changed on its way: ask for it again.
    Mangled,
    /// Made by a newer program.
    NewerVersion { version: u8 },
    /// It ended at that hour.
    Expired { hour: u32 },
    /// It names no relay this program can dial.
    NoHints,
}

impl InviteLink {
    /// Reads a whole address, the part behind `#`, or `wiremin:`, with whatever a chat program put
    /// around it.
    pub fn parse(text: &str, now_hour: u32) -> Result<InviteLink, LinkError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(LinkError::NotALink);
        }
        let (encoded, certain) = encoded_part(text);
        if encoded.is_empty() {
            return Err(LinkError::NotALink);
        }
        let bytes = match BASE64URL_NOPAD.decode(encoded.as_bytes()) {
            Ok(bytes) => bytes,
            Err(_) if certain => return Err(LinkError::Mangled),
            Err(_) => return Err(LinkError::NotALink),
        };
        let link = Self::from_bytes(&bytes).map_err(|error| match error {
            LinkError::Mangled if !certain && bytes.first() != Some(&LINK_VERSION) => {
                LinkError::NotALink
            }
            error => error,
        })?;
        if link.expiry <= now_hour {
            return Err(LinkError::Expired { hour: link.expiry });
        }
        Ok(link)
    }

    fn from_bytes(bytes: &[u8]) -> Result<InviteLink, LinkError> {
        let (all, check) = bytes.split_last_chunk::<4>().ok_or(LinkError::Mangled)?;
        let right = sha256(&[b"wm-inv", all])[..4] == *check;
        let (&version, rest) = all.split_first().ok_or(LinkError::Mangled)?;
        if !right || version == 0 {
            return Err(LinkError::Mangled);
        }
        if version > LINK_VERSION {
            return Err(LinkError::NewerVersion { version });
        }
        Self::read(&mut Reader::new(rest))
            .ok_or(LinkError::Mangled)
            .and_then(|link| {
                if link.hints.is_empty() {
                    Err(LinkError::NoHints)
                } else {
                    Ok(link)
                }
            })
    }

    /// What is kept of one that was answered: it leads to the record, and to no relay.
    pub(crate) fn answered(inviter: PublicKey, secret: [u8; 16], expiry: u32) -> InviteLink {
        InviteLink {
            inviter,
            secret: Key::new(widen(secret)),
            expiry,
            single_use: false,
            hints: Vec::new(),
        }
    }

    /// The fields behind the version. A hint of an unknown kind ends the list: its length is not
    /// known.
    fn read(r: &mut Reader<'_>) -> Option<InviteLink> {
        let flags = r.u8().ok()?;
        let inviter = PublicKey::from_bytes(r.array_ref().ok()?).ok()?;
        let secret = Key::new(r.array::<16>().ok().map(widen)?);
        let expiry = r.u32().ok()?;
        let count = usize::from(r.u8().ok()?);
        let hints = (0..count.min(HINTS_MAX))
            .map_while(|_| RelayHint::read(r).ok())
            .collect();
        Some(InviteLink {
            inviter,
            secret,
            expiry,
            single_use: flags & SINGLE_USE != 0,
            hints,
        })
    }

    /// The part behind `#`, or behind `wiremin:`.
    pub fn fragment(&self) -> String {
        let mut bytes = alloc::vec![LINK_VERSION, u8::from(self.single_use) * SINGLE_USE];
        bytes.extend_from_slice(self.inviter.as_bytes());
        bytes.extend_from_slice(self.secret16());
        bytes.extend_from_slice(&self.expiry.to_le_bytes());
        let hints = self.hints.get(..HINTS_MAX).unwrap_or(&self.hints);
        bytes.push(hints.len() as u8);
        for hint in hints {
            bytes.extend_from_slice(&hint.encode());
        }
        let check = sha256(&[b"wm-inv", &bytes]);
        bytes.extend_from_slice(&check[..4]);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Names the invitation on this device and in what it tells; says nothing about the secret.
    pub fn id(&self) -> [u8; 16] {
        invite_id(self.secret16())
    }

    /// Where the invitation's record lies.
    pub fn place(&self) -> Place {
        Place::find(
            &self.inviter,
            &self.read_secret(),
            SLOT_INVITATION,
            NO_PERIOD,
        )
    }

    /// Opens the invitation's record.
    pub fn open(&self, header: &Header, body: &[u8], now_hour: u32) -> Result<Offer, OfferError> {
        let read = self.read_secret();
        let record = record::open(&self.place(), &read, header, body, now_hour)
            .map_err(OfferError::Record)?;
        if record.is_tombstone() {
            return Err(OfferError::Revoked);
        }
        let text: OfferText = cbor::from_slice(&record.text).map_err(|_| OfferError::Malformed)?;
        if text.expiry <= now_hour {
            return Err(OfferError::Expired { hour: text.expiry });
        }
        if text.name.len() > NAME_BYTES_MAX {
            return Err(OfferError::Malformed);
        }
        let mailbox = Mailbox::new(text.mailbox, text.mailbox_bits).ok_or(OfferError::Malformed)?;
        Ok(Offer {
            key: text.key,
            mailbox,
            name: shown::name(&text.name),
            expiry: text.expiry,
        })
    }

    pub(crate) fn secret16(&self) -> &[u8; 16] {
        narrow(&self.secret)
    }

    fn read_secret(&self) -> [u8; 32] {
        read_secret(self.secret16(), &self.inviter)
    }
}

/// The base64url in a text, and whether something before it says that an invitation is meant.
fn encoded_part(text: &str) -> (String, bool) {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let marks = ["#", "%23", "wiremin:"];
    let behind = marks
        .iter()
        .find_map(|mark| lower.find(mark).map(|at| at + mark.len()));
    let part = text.get(behind.unwrap_or(0)..).unwrap_or("");
    let part: String = part.chars().filter(|c| !c.is_whitespace()).collect();
    let wanted = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    // `wiremin://..` and a full stop or bracket behind the link.
    let part = part
        .trim_start_matches('/')
        .trim_end_matches(|c| !wanted(c));
    (part.into(), behind.is_some())
}

/// What an invitation's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub(crate) key: KemPublic,
    pub(crate) mailbox: Mailbox,
    /// The inviter's, cleaned for showing.
    pub name: String,
    /// Hour.
    pub expiry: u32,
}

/// Why an invitation's record opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferError {
    Record(record::OpenError),
    /// The inviter took it back, or it was used up.
    Revoked,
    Expired {
        hour: u32,
    },
    Malformed,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct OfferText {
    #[cbor(n(0), with = "cbor::kem_public")]
    key: KemPublic,
    #[n(1)]
    mailbox: u32,
    #[n(2)]
    mailbox_bits: u8,
    #[n(3)]
    name: String,
    #[n(4)]
    expiry: u32,
    #[n(5)]
    flags: u8,
}

/// An invitation of ours, with its secrets.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Invitation {
    /// 16 bytes, the rest zero.
    #[cbor(n(0), with = "cbor::key")]
    secret: Key,
    #[cbor(n(1), with = "cbor::kem_secret")]
    kem: KemSecret,
    #[n(2)]
    mailbox: Mailbox,
    /// Hour at which the secrets are dropped.
    #[n(3)]
    pub expiry: u32,
    #[n(4)]
    pub single_use: bool,
    /// What it was made for: says which lifetime its record needs.
    #[n(5)]
    hours: u32,
}

impl Invitation {
    /// Draws one, whose greetings come to this mailbox. It lasts 720 hours at most.
    pub fn draw(
        now_hour: u32,
        hours: u32,
        single_use: bool,
        mailbox: Mailbox,
        rng: &mut Rng,
    ) -> Self {
        let hours = hours.clamp(1, HOURS_MAX);
        Invitation {
            secret: Key::new(widen(rng.array())),
            kem: KemSecret::draw(rng),
            mailbox,
            expiry: now_hour.saturating_add(hours),
            single_use,
            hours,
        }
    }

    /// What the other devices of the account need to be greeted by it too.
    pub fn share(&self) -> SharedInvitation {
        SharedInvitation {
            secret: *self.secret16(),
            expiry: self.expiry,
            flags: u8::from(self.single_use) * SINGLE_USE,
            kem: *self.kem.as_bytes(),
        }
    }

    /// One that another device of the account made, whose greetings come to this mailbox.
    pub fn shared(told: &SharedInvitation, mailbox: Mailbox, now_hour: u32) -> Invitation {
        Invitation {
            secret: Key::new(widen(told.secret)),
            kem: KemSecret::from_bytes(told.kem),
            mailbox,
            expiry: told.expiry,
            single_use: told.flags & SINGLE_USE != 0,
            hours: told.expiry.saturating_sub(now_hour).clamp(1, HOURS_MAX),
        }
    }

    /// Puts a key nobody uses in the place of the one greetings are sealed to: none opens any more.
    /// What the tombstone needs is kept.
    pub fn forget_key(&mut self, rng: &mut Rng) {
        self.kem = KemSecret::draw(rng);
    }

    /// Names it; the same as [`InviteLink::id`].
    pub fn id(&self) -> [u8; 16] {
        invite_id(self.secret16())
    }

    /// The mailbox greetings come to.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox
    }

    /// Its link, with up to three relay hints.
    pub fn link(&self, inviter: PublicKey, hints: Vec<RelayHint>) -> InviteLink {
        InviteLink {
            inviter,
            secret: self.secret.clone(),
            expiry: self.expiry,
            single_use: self.single_use,
            hints,
        }
    }

    /// The locators of the greetings to it, with j behind each.
    pub fn locators(&self, inviter: &PublicKey) -> impl Iterator<Item = (u64, u8)> {
        (0..LOCATORS).map(|j| (greeting_step(self.secret16(), inviter, j).locator, j))
    }

    /// The record to publish. `fresh` is new randomness.
    pub fn record(&self, by: Author, name: &str, fresh: &[u8; 32]) -> Result<Sealed, WriteError> {
        if name.len() > NAME_BYTES_MAX {
            return Err(WriteError::TooLong);
        }
        let text = cbor::to_vec(&OfferText {
            key: self.kem.public(),
            mailbox: self.mailbox.prefix(),
            mailbox_bits: self.mailbox.bits(),
            name: name.into(),
            expiry: self.expiry,
            flags: u8::from(self.single_use) * SINGLE_USE,
        });
        self.write(by, &text, fresh)
    }

    /// The record that takes it back; its version is above the published one's.
    pub fn tombstone(&self, by: Author, fresh: &[u8; 32]) -> Result<Sealed, WriteError> {
        self.write(by, &[], fresh)
    }

    fn write(&self, by: Author, text: &[u8], fresh: &[u8; 32]) -> Result<Sealed, WriteError> {
        let lifetimes = [
            Lifetime::H6,
            Lifetime::H12,
            Lifetime::H24,
            Lifetime::H48,
            Lifetime::H168,
        ];
        let enough = lifetimes.into_iter().find(|t| t.hours() >= self.hours);
        let writing = Writing {
            by,
            read: &read_secret(self.secret16(), &by.signer.owner()),
            slot: SLOT_INVITATION,
            period: NO_PERIOD,
            size: SizeClass::KIB_2,
            lifetime: enough.unwrap_or(Lifetime::H720),
            expiry: self.expiry,
        };
        record::write(&writing, text, fresh)
    }

    pub(crate) fn secret16(&self) -> &[u8; 16] {
        narrow(&self.secret)
    }

    pub(crate) fn kem(&self) -> &KemSecret {
        &self.kem
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(STATE_VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Invitation, StateError> {
        cbor::decode_state(STATE_VERSION, bytes)
    }
}

/// The step of the j-th locator of an invitation.
pub(crate) fn greeting_step(secret: &[u8; 16], inviter: &PublicKey, j: u8) -> Step {
    Step::derive(secret, "greeting", &[inviter.as_bytes(), &[j]])
}

fn invite_id(secret: &[u8; 16]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&[b"wm-invite-id", secret])[..16]);
    id
}

fn read_secret(secret: &[u8; 16], inviter: &PublicKey) -> [u8; 32] {
    *kdf_key(&[secret], "invite read", &[inviter.as_bytes()]).as_bytes()
}

/// A 16-byte secret in a [`Key`], which is zeroized and redacted.
fn widen(secret: [u8; 16]) -> [u8; 32] {
    let mut wide = [0; 32];
    wide[..16].copy_from_slice(&secret);
    wide
}

fn narrow(secret: &Key) -> &[u8; 16] {
    let (narrow, _) = secret.as_bytes().split_at(16);
    let Ok(narrow) = narrow.try_into() else {
        unreachable!("16 of 32 bytes");
    };
    narrow
}

#[cfg(test)]
#[path = "invite_tests.rs"]
mod tests;
