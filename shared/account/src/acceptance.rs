//! Acceptances: the inviter's answer to a greeting. With it both have a pair. PROTOCOL.md section
//! 5.
//!
//! Invariant: every sealing of an acceptance makes a pair of its own, and the session has it before
//! it leaves.

use crate::cbor::{self, StateError};
use crate::epoch_keys::{ContactKeys, EpochKeys, KeyNotice, NOTICE_KEYS_MAX};
use crate::greeting::{
    Exchange, GreetError, Greeting, Introduction, PendingGreeting, certificate_now,
};
use crate::identity::CERTIFICATE_LEN;
use crate::sealed::{Mailbox, Sealed, Sender, Step};
use crate::session::{MessageId, PairSeed, Session, split_signed};
use crate::shown::{self, NAME_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{CIPHERTEXT_LEN, Key, PublicKey, Rng, hedge, kdf_key, sha256};
use shared::time::{Millis, epoch};
use shared::wire::{Header, SizeClass};

const VERSION: u8 = 1;

/// Our answer to a greeting, until it is acknowledged.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PendingAcceptance {
    #[n(0)]
    greeting: Greeting,
    #[cbor(n(1), with = "cbor::key")]
    read: Key,
    #[n(2)]
    mailbox: Mailbox,
    #[n(3)]
    name: String,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub message_id: MessageId,
    #[n(5)]
    time: Millis,
}

/// The map on the wire.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Text {
    #[cbor(n(1), with = "minicbor::bytes")]
    certificate: [u8; CERTIFICATE_LEN],
    #[cbor(n(3), with = "cbor::key")]
    read: Key,
    #[n(4)]
    mailbox: u32,
    #[n(5)]
    mailbox_bits: u8,
    #[n(6)]
    name: String,
    #[cbor(n(8), with = "minicbor::bytes")]
    message_id: MessageId,
    #[n(9)]
    time: Millis,
    #[n(10)]
    pair_epoch: u32,
    #[n(11)]
    keys: Option<KeyNotice>,
}

impl PendingAcceptance {
    /// Accepts a greeting: the answer to be sealed, and a session, which gets its pairs by that.
    pub fn new(
        greeting: Greeting,
        me: &PublicKey,
        intro: Introduction,
    ) -> Result<(PendingAcceptance, Session), GreetError> {
        if intro.name.len() > NAME_BYTES_MAX {
            return Err(GreetError::NameTooLong {
                bytes_max: NAME_BYTES_MAX,
            });
        }
        let g = &greeting;
        let session = Session::new(*me, g.from, g.mailbox, g.slot, g.device);
        let pending = PendingAcceptance {
            greeting,
            read: Key::new(intro.read),
            mailbox: intro.mailbox,
            name: intro.name,
            message_id: intro.message_id,
            time: intro.time,
        };
        Ok((pending, session))
    }

    /// The greeting came again: answers to that from now on. False if it is the sealing that is
    /// answered already.
    pub fn renew(&mut self, greeting: Greeting) -> bool {
        let before = self.greeting.exchange.transcript;
        let anew = greeting.exchange.transcript != before;
        self.greeting = greeting;
        anew
    }

    /// Seals it, for the first time or anew, and adds the pair it makes to the session. Save the
    /// session before it leaves. `own` are our epoch keys.
    pub fn seal(
        &self,
        session: &mut Session,
        from: &Sender,
        own: &EpochKeys,
        rng: &mut Rng,
    ) -> Sealed {
        let greeting = &self.greeting;
        // One epoch back, so that a greeter whose clock is behind ours can use the pair at once.
        let pair_epoch = epoch(from.now).saturating_sub(1);
        let text = cbor::to_vec(&Text {
            certificate: *from.certificate,
            read: self.read.clone(),
            mailbox: self.mailbox.prefix(),
            mailbox_bits: self.mailbox.bits(),
            name: self.name.clone(),
            message_id: self.message_id,
            time: self.time,
            pair_epoch,
            keys: own.notice(epoch(from.now), NOTICE_KEYS_MAX),
        });
        let exchange = &greeting.exchange;
        let pre = exchange.pre();
        let now = from.now.to_le_bytes();
        let bound: [&[u8]; 4] = [&text, pre.as_bytes(), greeting.ephemeral.as_bytes(), &now];
        let random = hedge(&rng.array(), "acceptance", &bound);
        let (ct, shared) = greeting.ephemeral.encapsulate(random);
        let bind = Binding::new(&from.account, &greeting.from, exchange, &ct, &text);
        let signature = from.device.sign(&bind.signed());
        let inner = inner_key(&shared, &pre, &bind.ct);
        let signed = [&text[..], &signature].concat();
        let front = Step::front(from, SizeClass::KIB_4, greeting.mailbox, rng);
        let Ok(sealed) = step(&pre).seal_inner(&front, &ct, &inner, &signed, rng) else {
            unreachable!("an acceptance within its bounds fits");
        };
        session.add_pair(&pair(exchange, &shared, &bind.ct, pair_epoch), false);
        sealed
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<PendingAcceptance, StateError> {
        cbor::decode_state(VERSION, bytes)
    }
}

/// An acceptance that was opened.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The session it makes, to become the contact's or to be adopted by the one there is.
    pub session: Session,
    /// With the keys it carried.
    pub keys: ContactKeys,
    /// The inviter's, cleaned for showing.
    pub name: String,
    /// To be acknowledged.
    pub message_id: MessageId,
    /// Unix ms by the sender's clock.
    pub time: Millis,
}

/// Why an acceptance was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It answers to no sealing of this greeting.
    NotExpected,
    /// Not sealed by the inviter, or changed.
    Forged,
    Malformed,
    BadCertificate,
    BadSignature,
}

impl PendingGreeting {
    /// Opens the acceptance of the n-th sealing. `me` is our account, `now` assumed time (Unix ms).
    pub fn open_acceptance(
        &self,
        me: &PublicKey,
        n: u8,
        header: &Header,
        body: &[u8],
        now: Millis,
    ) -> Result<Accepted, OpenError> {
        let exchange = self
            .sealings
            .get(usize::from(n))
            .ok_or(OpenError::NotExpected)?;
        let pre = exchange.pre();
        let outer = step(&pre)
            .open_outer(header, body)
            .map_err(|_| OpenError::Forged)?;
        let shared = self.ephemeral.decapsulate(&outer.ct);
        let inner = inner_key(&shared, &pre, &sha256(&[&outer.ct[..]]));
        let signed = outer.open(&inner).map_err(|_| OpenError::Forged)?;
        let (bytes, signature) = split_signed(&signed).ok_or(OpenError::Malformed)?;
        let text: Text = cbor::from_slice(bytes).map_err(|_| OpenError::Malformed)?;
        if text.name.len() > NAME_BYTES_MAX {
            return Err(OpenError::Malformed);
        }
        let mailbox = Mailbox::new(text.mailbox, text.mailbox_bits).ok_or(OpenError::Malformed)?;
        let certificate = certificate_now(&text.certificate, &self.inviter, now)
            .ok_or(OpenError::BadCertificate)?;
        let bind = Binding::new(&self.inviter, me, exchange, &outer.ct, bytes);
        certificate
            .device
            .verify(&bind.signed(), signature)
            .map_err(|_| OpenError::BadSignature)?;
        let mut session = Session::new(
            *me,
            self.inviter,
            mailbox,
            certificate.slot,
            certificate.device,
        );
        session.add_pair(&pair(exchange, &shared, &bind.ct, text.pair_epoch), true);
        let mut keys = ContactKeys::new(*text.read.as_bytes());
        if let Some(notice) = &text.keys {
            keys.learn(notice, text.time, epoch(now));
        }
        let name = shown::name(&text.name);
        Ok(Accepted {
            session,
            keys,
            name,
            message_id: text.message_id,
            time: text.time,
        })
    }
}

/// Locator, mac key and outer key of the acceptance.
pub(crate) fn step(pre: &Key) -> Step {
    Step::derive(pre.as_bytes(), "acceptance", &[])
}

pub(crate) fn inner_key(shared: &Key, pre: &Key, ct_hash: &[u8; 32]) -> Key {
    kdf_key(
        &[shared.as_bytes(), pre.as_bytes()],
        "acceptance inner",
        &[ct_hash],
    )
}

pub(crate) fn pair(exchange: &Exchange, shared: &Key, ct_hash: &[u8; 32], epoch: u32) -> PairSeed {
    let secrets = [&exchange.shared.as_bytes()[..], shared.as_bytes()];
    PairSeed {
        epoch,
        rz: kdf_key(&secrets, "pair", &[&exchange.transcript, ct_hash]),
    }
}

/// What the signature is made over.
pub(crate) struct Binding<'a> {
    inviter: &'a PublicKey,
    greeter: &'a PublicKey,
    transcript: &'a [u8; 32],
    pub ct: [u8; 32],
    text: [u8; 32],
}

impl<'a> Binding<'a> {
    pub fn new(
        inviter: &'a PublicKey,
        greeter: &'a PublicKey,
        exchange: &'a Exchange,
        ct: &[u8; CIPHERTEXT_LEN],
        text: &[u8],
    ) -> Self {
        let (ct, text) = (sha256(&[ct]), sha256(&[text]));
        Binding {
            inviter,
            greeter,
            transcript: &exchange.transcript,
            ct,
            text,
        }
    }

    pub fn signed(&self) -> [&[u8]; 6] {
        let (inviter, greeter) = (self.inviter.as_bytes(), self.greeter.as_bytes());
        [
            b"wm-acceptance",
            inviter,
            greeter,
            self.transcript,
            &self.ct,
            &self.text,
        ]
    }
}
