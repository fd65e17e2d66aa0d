//! Greetings: how somebody with an invitation makes themselves known to the inviter. PROTOCOL.md
//! section 5.
//!
//! Invariant: a [`Greeting`] was signed by the account it names, for this inviter, this invitation
//! and this exchange.

use crate::acceptance::{self, Accepted, Asker, Awaited};
use crate::cbor::{self, StateError};
use crate::identity::{CERTIFICATE_LEN, Certificate, DEVICE_SLOTS, RecoveryPublic};
use crate::invite::{Invitation, InviteLink, LOCATORS, Offer, greeting_step};
use crate::sealed::{Mailbox, Sealed, Sender, Step};
use crate::session::{MessageId, read_certificate, split_signed};
use crate::shown::{self, GREETING_BYTES_MAX, NAME_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{
    CIPHERTEXT_LEN, KemPublic, KemSecret, Key, PublicKey, Rng, hedge, kdf_key, sha256,
};
use shared::time::{Millis, hour};
use shared::wire::{Header, SizeClass};

/// Bits of work a greeting costs more than a message.
pub const EFFORT_MIN: u8 = 4;
/// New greetings a day; more are dropped.
pub const A_DAY_MAX: usize = 32;
/// Greetings in the list; more are dropped.
pub const LIST_MAX: usize = 256;

const VERSION: u8 = 1;
/// Hours of the longest invitation, the begun one included.
const HOURS_MAX: u32 = 721;
/// Sealings whose acceptance is awaited: one for each 48 hours of the longest invitation.
pub(crate) const SEALINGS_MAX: usize = 16;
/// Hours a greeting or acceptance may have been under way, clocks that differ included.
pub(crate) const UNDER_WAY_HOURS: u32 = 52;

/// What each side of a handshake tells of itself.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Our contact read secret: it opens our record of epoch keys.
    pub read: [u8; 32],
    pub mailbox: Mailbox,
    /// 64 bytes at most.
    pub name: String,
    pub message_id: MessageId,
    /// Unix ms, assumed.
    pub time: Millis,
    /// R, by which we can come back.
    pub recovery: RecoveryPublic,
}

/// Why a greeting was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetError {
    NameTooLong {
        bytes_max: usize,
    },
    TextTooLong {
        bytes_max: usize,
    },
    /// The invitation is our own.
    Own,
}

/// A greeting of ours, until it is accepted.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PendingGreeting {
    #[cbor(n(0), with = "cbor::public_key")]
    pub(crate) inviter: PublicKey,
    #[cbor(n(1), with = "minicbor::bytes")]
    secret: [u8; 16],
    #[cbor(n(2), with = "cbor::kem_public")]
    to: KemPublic,
    #[n(3)]
    mailbox: Mailbox,
    /// Hour at which the invitation ends: after it, sealing it anew is of no use.
    #[n(4)]
    pub expiry: u32,
    #[cbor(n(5), with = "cbor::kem_secret")]
    pub(crate) ephemeral: KemSecret,
    #[cbor(n(6), with = "cbor::key")]
    read: Key,
    #[n(7)]
    own_mailbox: Mailbox,
    #[n(8)]
    name: String,
    #[n(9)]
    text: String,
    #[cbor(n(10), with = "minicbor::bytes")]
    pub message_id: MessageId,
    #[n(11)]
    time: Millis,
    #[n(12)]
    pub(crate) sealings: Vec<Exchange>,
    /// Hour from which it is too late: its invitation was seen to be revoked or used up.
    #[n(13)]
    pub too_late: Option<u32>,
    #[cbor(n(14), with = "minicbor::bytes")]
    recovery: Option<RecoveryPublic>,
}

/// What one sealing of a greeting or return made common.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Exchange {
    #[cbor(n(0), with = "cbor::key")]
    pub shared: Key,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub transcript: [u8; 32],
}

impl Exchange {
    /// RZpre: locates the acceptance.
    pub fn pre(&self) -> Key {
        kdf_key(&[self.shared.as_bytes()], "pair pre", &[&self.transcript])
    }

    /// One more whose acceptance may come; the oldest gives way.
    pub fn keep(self, sealings: &mut Vec<Exchange>) {
        if sealings.len() >= SEALINGS_MAX {
            sealings.remove(0);
        }
        sealings.push(self);
    }
}

impl PendingGreeting {
    /// Begins a greeting to the inviter of an opened invitation. `me` is our account.
    pub fn new(
        link: &InviteLink,
        offer: &Offer,
        me: &PublicKey,
        intro: Introduction,
        text: String,
        rng: &mut Rng,
    ) -> Result<PendingGreeting, GreetError> {
        if link.inviter == *me {
            return Err(GreetError::Own);
        }
        if intro.name.len() > NAME_BYTES_MAX {
            return Err(GreetError::NameTooLong {
                bytes_max: NAME_BYTES_MAX,
            });
        }
        if text.len() > GREETING_BYTES_MAX {
            return Err(GreetError::TextTooLong {
                bytes_max: GREETING_BYTES_MAX,
            });
        }
        Ok(PendingGreeting {
            inviter: link.inviter,
            secret: *link.secret16(),
            to: offer.key.clone(),
            mailbox: offer.mailbox,
            // An invitation that says to last for years makes nobody work for years.
            expiry: offer
                .expiry
                .min(link.expiry)
                .min(hour(intro.time).saturating_add(HOURS_MAX)),
            ephemeral: KemSecret::draw(rng),
            read: Key::new(intro.read),
            own_mailbox: intro.mailbox,
            name: intro.name,
            text,
            message_id: intro.message_id,
            time: intro.time,
            sealings: Vec::new(),
            too_late: None,
            recovery: Some(intro.recovery),
        })
    }

    /// The invitation it answers, without the relays that the link named.
    pub fn invitation(&self) -> InviteLink {
        InviteLink::answered(self.inviter, self.secret, self.expiry)
    }

    /// Seals it, for the first time or anew after its 48 hours. Save before it leaves: the
    /// acceptance answers to this very sealing.
    pub fn seal(&mut self, from: &Sender, rng: &mut Rng) -> Sealed {
        let text = cbor::to_vec(&Text {
            from: from.account,
            certificate: *from.certificate,
            ephemeral: self.ephemeral.public(),
            read: self.read.clone(),
            mailbox: self.own_mailbox.prefix(),
            mailbox_bits: self.own_mailbox.bits(),
            name: self.name.clone(),
            text: self.text.clone(),
            message_id: self.message_id,
            time: self.time,
            recovery: self.recovery,
        });
        let from = Sender {
            effort: from.effort.max(EFFORT_MIN),
            ..*from
        };
        let now = from.now.to_le_bytes();
        let bound: [&[u8]; 4] = [&text, &self.secret, self.to.as_bytes(), &now];
        let (ct, shared) = self.to.encapsulate(hedge(&rng.array(), "greeting", &bound));
        let bind = Binding::new(&self.inviter, &self.secret, &ct, &text);
        let signature = from.device.sign(&bind.signed());
        let exchange = Exchange {
            shared,
            transcript: bind.transcript(&from.account),
        };
        let inner = inner_key(&exchange.shared, &bind.ct);
        let step = greeting_step(
            &self.secret,
            &self.inviter,
            rng.below(LOCATORS.into()) as u8,
        );
        let front = Step::front(&from, SizeClass::KIB_4, self.mailbox, rng);
        let signed = [&text[..], &signature].concat();
        let Ok(sealed) = step.seal_inner(&front, &ct, &inner, &signed, rng) else {
            unreachable!("a greeting within its bounds fits");
        };
        exchange.keep(&mut self.sealings);
        sealed
    }

    fn awaited(&self) -> Awaited<'_> {
        Awaited {
            by: &self.inviter,
            ephemeral: &self.ephemeral,
            sealings: &self.sealings,
        }
    }

    /// Locators of the acceptances that may come, with the number of the sealing each answers to.
    pub fn locators(&self) -> impl Iterator<Item = (u64, u8)> {
        self.awaited().locators()
    }

    /// Opens the acceptance of the n-th sealing. `me` is our account, `now` assumed time (Unix ms).
    pub fn open_acceptance(
        &self,
        me: &PublicKey,
        n: u8,
        header: &Header,
        body: &[u8],
        now: Millis,
    ) -> Result<Accepted, acceptance::OpenError> {
        self.awaited().open(me, n, header, body, now)
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<PendingGreeting, StateError> {
        let pending: PendingGreeting = cbor::decode_state(VERSION, bytes)?;
        if pending.sealings.len() > SEALINGS_MAX {
            return Err(StateError::Malformed);
        }
        Ok(pending)
    }
}

/// The map on the wire.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Text {
    #[cbor(n(0), with = "cbor::public_key")]
    from: PublicKey,
    #[cbor(n(1), with = "minicbor::bytes")]
    certificate: [u8; CERTIFICATE_LEN],
    #[cbor(n(2), with = "cbor::kem_public")]
    ephemeral: KemPublic,
    #[cbor(n(3), with = "cbor::key")]
    read: Key,
    #[n(4)]
    mailbox: u32,
    #[n(5)]
    mailbox_bits: u8,
    #[n(6)]
    name: String,
    #[n(7)]
    text: String,
    #[cbor(n(8), with = "minicbor::bytes")]
    message_id: MessageId,
    #[n(9)]
    time: Millis,
    #[cbor(n(10), with = "minicbor::bytes")]
    recovery: Option<RecoveryPublic>,
}

/// A greeting that was opened, with all that accepting needs.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Greeting {
    #[cbor(n(0), with = "cbor::public_key")]
    pub from: PublicKey,
    /// Cleaned for showing.
    #[n(1)]
    pub name: String,
    /// Cleaned for showing.
    #[n(2)]
    pub text: String,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub message_id: MessageId,
    /// Unix ms by the sender's clock.
    #[n(4)]
    pub time: Millis,
    #[n(5)]
    pub(crate) slot: u8,
    #[cbor(n(6), with = "cbor::public_key")]
    pub(crate) device: PublicKey,
    #[cbor(n(7), with = "cbor::kem_public")]
    pub(crate) ephemeral: KemPublic,
    #[cbor(n(8), with = "cbor::key")]
    read: Key,
    #[n(9)]
    pub(crate) mailbox: Mailbox,
    #[n(10)]
    pub(crate) exchange: Exchange,
    /// By which they can come back.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub recovery: Option<RecoveryPublic>,
}

impl From<Greeting> for Asker {
    fn from(greeting: Greeting) -> Asker {
        Asker {
            account: greeting.from,
            time: greeting.time,
            slot: greeting.slot,
            device: greeting.device,
            ephemeral: greeting.ephemeral,
            mailbox: greeting.mailbox,
            exchange: greeting.exchange,
        }
    }
}

/// Why a greeting was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Less work than greetings cost.
    TooLittleWork,
    /// Not sealed by a holder of the invitation, to its key, or changed.
    Forged,
    /// It says something no greeting says, or too much of it.
    Malformed,
    BadCertificate,
    BadSignature,
    /// It names ourselves.
    Own,
}

impl Greeting {
    /// Opens what was found under the j-th locator of an invitation of ours. `me` is our account,
    /// `now` assumed time (Unix ms).
    pub fn open(
        invitation: &Invitation,
        me: &PublicKey,
        j: u8,
        header: &Header,
        body: &[u8],
        now: Millis,
    ) -> Result<Greeting, OpenError> {
        let secret = invitation.secret16();
        let step = greeting_step(secret, me, j);
        let outer = step
            .open_outer(header, body)
            .map_err(|_| OpenError::Forged)?;
        if header.effort < EFFORT_MIN {
            return Err(OpenError::TooLittleWork);
        }
        let shared = invitation.kem().decapsulate(&outer.ct);
        let inner = inner_key(&shared, &sha256(&[&outer.ct[..]]));
        let signed = outer.open(&inner).map_err(|_| OpenError::Forged)?;
        let (bytes, signature) = split_signed(&signed).ok_or(OpenError::Malformed)?;
        let text: Text = cbor::from_slice(bytes).map_err(|_| OpenError::Malformed)?;
        if text.name.len() > NAME_BYTES_MAX || text.text.len() > GREETING_BYTES_MAX {
            return Err(OpenError::Malformed);
        }
        let mailbox = Mailbox::new(text.mailbox, text.mailbox_bits).ok_or(OpenError::Malformed)?;
        if text.from == *me {
            return Err(OpenError::Own);
        }
        let certificate =
            certificate_now(&text.certificate, &text.from, now).ok_or(OpenError::BadCertificate)?;
        let bind = Binding::new(me, secret, &outer.ct, bytes);
        certificate
            .device
            .verify(&bind.signed(), signature)
            .map_err(|_| OpenError::BadSignature)?;
        Ok(Greeting {
            from: text.from,
            name: shown::name(&text.name),
            text: shown::text(&text.text),
            message_id: text.message_id,
            time: text.time,
            slot: certificate.slot,
            device: certificate.device,
            ephemeral: text.ephemeral,
            read: text.read,
            mailbox,
            exchange: Exchange {
                shared,
                transcript: bind.transcript(&text.from),
            },
            recovery: text.recovery,
        })
    }

    /// What names it in the list and tells copies: the same for every sealing of one greeting,
    /// another for everybody who might copy its message id.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        let hash = sha256(&[b"wm-greeting-id", self.from.as_bytes(), &self.message_id]);
        id.copy_from_slice(&hash[..16]);
        id
    }

    /// The secret that opens the greeter's record of epoch keys.
    pub fn read_secret(&self) -> [u8; 32] {
        *self.read.as_bytes()
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Greeting, StateError> {
        let greeting: Greeting = cbor::decode_state(VERSION, bytes)?;
        if greeting.slot >= DEVICE_SLOTS {
            return Err(StateError::Malformed);
        }
        Ok(greeting)
    }
}

/// A certificate that came in something made during the last hours.
pub(crate) fn certificate_now(
    bytes: &[u8; CERTIFICATE_LEN],
    account: &PublicKey,
    now: Millis,
) -> Option<Certificate> {
    let hour = hour(now);
    let (from, to) = (hour.saturating_sub(UNDER_WAY_HOURS), hour.saturating_add(2));
    read_certificate(bytes, account, from, to).ok()
}

pub(crate) fn inner_key(shared: &Key, ct_hash: &[u8; 32]) -> Key {
    kdf_key(&[shared.as_bytes()], "greeting inner", &[ct_hash])
}

/// The hashes that signature and transcript are made over. In a return the inviter is who is asked,
/// and the secret RT.
pub(crate) struct Binding {
    pub inviter: PublicKey,
    secret: [u8; 32],
    pub ct: [u8; 32],
    pub text: [u8; 32],
}

impl Binding {
    pub fn new(
        inviter: &PublicKey,
        secret: &[u8],
        ct: &[u8; CIPHERTEXT_LEN],
        text: &[u8],
    ) -> Binding {
        let (secret, ct, text) = (sha256(&[secret]), sha256(&[ct]), sha256(&[text]));
        Binding {
            inviter: *inviter,
            secret,
            ct,
            text,
        }
    }

    pub fn signed(&self) -> [&[u8]; 5] {
        [
            b"wm-greeting",
            self.inviter.as_bytes(),
            &self.secret,
            &self.ct,
            &self.text,
        ]
    }

    pub fn transcript(&self, greeter: &PublicKey) -> [u8; 32] {
        let [_, inviter, secret, ct, text] = self.signed();
        sha256(&[b"wm-pair", inviter, greeter.as_bytes(), secret, ct, text])
    }
}
