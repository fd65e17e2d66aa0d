//! Returns: how an account that lost its sessions makes itself known to a contact again, by a
//! secret that follows from both accounts' words. PROTOCOL.md section 14.
//!
//! Invariant: a [`Return`] was signed by the account itself, for this recipient and this exchange
//! (no device that lacks the words makes one); nobody but the recipient's epoch key opens it.

use crate::acceptance::{Accepted, Asker, Awaited, OpenError as AcceptanceError};
use crate::cbor::{self, StateError};
use crate::epoch_keys::{ContactKeys, EPOCHS_KEPT, EpochKeys, KeyNotice};
use crate::greeting::{Binding, Exchange, Introduction, SEALINGS_MAX, certificate_now};
use crate::identity::{CERTIFICATE_LEN, RecoveryPublic};
use crate::sealed::{Mailbox, Sealed, Sender, Step};
use crate::session::{MessageId, split_signed};
use crate::shown::{self, NAME_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{KemPublic, KemSecret, Key, PublicKey, Rng, SigningKey};
use shared::crypto::{hedge, kdf_key, sha256};
use shared::time::{Millis, epoch};
use shared::wire::{Header, SizeClass};

/// Returns to one contact in one epoch choose among that many locators.
pub const LOCATORS: u8 = 4;
/// Hours for which a return is sealed anew, if it is not answered.
pub const HOURS_MAX: u32 = 720;

const VERSION: u8 = 1;
/// Keys of theirs are looked for again before a return is sealed anew after that long.
const KEYS_OLD_MS: Millis = 24 * 3_600_000;
/// Our keys in a return: there is no room for more.
const KEYS: usize = 1;

/// Between whom a return goes, and the secret it is found by.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    pub from: &'a PublicKey,
    /// R of `from`.
    pub recovery: &'a RecoveryPublic,
    pub to: &'a PublicKey,
    /// RT of these two, in this direction: [`crate::identity::RecoveryKey::return_secret`].
    pub secret: &'a Key,
}

/// Which return: what its locator and outer key depend on beside RT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Which {
    /// Of the recipient's key.
    pub epoch: u32,
    pub j: u8,
}

impl Which {
    pub(crate) fn bytes(&self) -> [u8; 5] {
        let [a, b, c, d] = self.epoch.to_le_bytes();
        [a, b, c, d, self.j]
    }

    pub(crate) fn step(&self, secret: &Key) -> Step {
        Step::derive(secret.as_bytes(), "return step", &[&self.bytes()])
    }

    pub fn locator(&self, secret: &Key) -> u64 {
        Step::derive_locator(secret.as_bytes(), "return step", &[&self.bytes()])
    }

    /// All that may come in an epoch.
    pub fn expected(now_epoch: u32) -> impl Iterator<Item = Which> {
        let epochs = now_epoch.saturating_sub(EPOCHS_KEPT)..=now_epoch.saturating_add(1);
        epochs.flat_map(|epoch| (0..LOCATORS).map(move |j| Which { epoch, j }))
    }
}

/// A return of ours, until they have answered and know that we have the answer.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PendingReturn {
    #[cbor(n(0), with = "cbor::public_key")]
    to: PublicKey,
    /// Theirs.
    #[n(1)]
    mailbox: Mailbox,
    #[cbor(n(2), with = "cbor::kem_secret")]
    ephemeral: KemSecret,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub message_id: MessageId,
    /// When we came back, Unix ms: what was agreed on before is lost.
    #[n(4)]
    pub time: Millis,
    #[n(5)]
    sealings: Vec<Exchange>,
    /// There is a pair by it, or by something of theirs: it is not sealed any more.
    #[n(6)]
    pub answered: bool,
    /// The generation of their keys that it was sealed to last.
    #[n(7)]
    pub generation: u32,
    /// When that was, Unix ms.
    #[n(8)]
    sealed: Millis,
}

impl PendingReturn {
    /// Begins a return to a contact with that mailbox. `time` is assumed (Unix ms).
    pub fn new(
        to: PublicKey,
        mailbox: Mailbox,
        message_id: MessageId,
        time: Millis,
        rng: &mut Rng,
    ) -> PendingReturn {
        PendingReturn {
            to,
            mailbox,
            ephemeral: KemSecret::draw(rng),
            message_id,
            time,
            sealings: Vec::new(),
            answered: false,
            generation: 0,
            sealed: 0,
        }
    }

    /// Whether it was sealed so long ago that they may have other keys now.
    pub fn is_old(&self, now: Millis) -> bool {
        self.sealed > 0 && now.abs_diff(self.sealed) >= KEYS_OLD_MS
    }

    /// Where it goes.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox
    }

    /// Whether it is still to be sealed, or sealed anew.
    pub fn is_asking(&self, now: Millis) -> bool {
        !self.answered && now < self.until()
    }

    /// When it is not sealed any more, Unix ms.
    pub fn until(&self) -> Millis {
        self.time.saturating_add(u64::from(HOURS_MAX) * 3_600_000)
    }

    /// Seals it, for the first time or anew after its 48 hours: to the recipient's key of now, with
    /// what we tell of ourselves now. `None` without such a key. Save before it leaves: the
    /// acceptance answers to this very sealing.
    pub fn seal(
        &mut self,
        secret: &Key,
        keys: &ContactKeys,
        intro: &Introduction,
        (from, account, own): (&Sender, &SigningKey, &EpochKeys),
        rng: &mut Rng,
    ) -> Option<Sealed> {
        let (key_epoch, key) = keys.pick(epoch(from.now), 0)?;
        let text = cbor::to_vec(&Text {
            from: from.account,
            certificate: *from.certificate,
            ephemeral: self.ephemeral.public(),
            read: Key::new(intro.read),
            mailbox: intro.mailbox.prefix(),
            mailbox_bits: intro.mailbox.bits(),
            name: intro.name.clone(),
            message_id: self.message_id,
            time: self.time,
            recovery: intro.recovery,
            keys: own.notice(epoch(from.now), KEYS),
        });
        let now = from.now.to_le_bytes();
        let bound: [&[u8]; 4] = [&text, secret.as_bytes(), key.as_bytes(), &now];
        let (ct, shared) = key.encapsulate(hedge(&rng.array(), "return", &bound));
        let which = Which {
            epoch: key_epoch,
            j: rng.below(LOCATORS.into()) as u8,
        };
        let bind = Binding::new(&self.to, secret.as_bytes(), &ct, &text);
        let signature = account.sign(&signed(&bind, &which.bytes()));
        let inner = inner_key(&shared, &bind.ct);
        let front = Step::front(from, SizeClass::KIB_4, self.mailbox, rng);
        let signed = [&text[..], &signature].concat();
        let sealed = which
            .step(secret)
            .seal_inner(&front, &ct, &inner, &signed, rng)
            .ok()?;
        let transcript = bind.transcript(&from.account);
        Exchange { shared, transcript }.keep(&mut self.sealings);
        (self.generation, self.sealed) = (keys.generation(), from.now);
        Some(sealed)
    }

    fn awaited(&self) -> Awaited<'_> {
        Awaited {
            by: &self.to,
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
    ) -> Result<Accepted, AcceptanceError> {
        self.awaited().open(me, n, header, body, now)
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<PendingReturn, StateError> {
        let pending: PendingReturn = cbor::decode_state(VERSION, bytes)?;
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
    #[cbor(n(8), with = "minicbor::bytes")]
    message_id: MessageId,
    #[n(9)]
    time: Millis,
    #[cbor(n(10), with = "minicbor::bytes")]
    recovery: RecoveryPublic,
    #[n(11)]
    keys: Option<KeyNotice>,
}

/// A return that was opened, with all that answering needs.
#[derive(Clone, Debug)]
pub struct Return {
    pub asker: Asker,
    /// Cleaned for showing.
    pub name: String,
    pub message_id: MessageId,
    /// When they came back, Unix ms by their clock.
    pub time: Millis,
    /// Their keys as told here, and the secret that opens their record. What was known of them
    /// before, of whatever generation, is no more.
    pub keys: ContactKeys,
}

/// Why a return was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Sealed to a key of ours that was erased, or lost.
    NoKey,
    /// Not sealed by who shares this secret, to this key, or changed.
    Forged,
    /// It says something no return says, or names another account.
    Malformed,
    BadCertificate,
    BadSignature,
}

impl Return {
    /// Opens what was found under the locator of that return. `own` are our epoch keys, `now`
    /// assumed time (Unix ms).
    pub fn open(
        way: &Way,
        which: &Which,
        header: &Header,
        body: &[u8],
        own: &EpochKeys,
        now: Millis,
    ) -> Result<Return, OpenError> {
        let outer = which
            .step(way.secret)
            .open_outer(header, body)
            .map_err(|_| OpenError::Forged)?;
        let ct_hash = sha256(&[&outer.ct[..]]);
        let mut error = OpenError::NoKey;
        let opened = own.secrets(which.epoch).find_map(|secret| {
            error = OpenError::Forged;
            let shared = secret.decapsulate(&outer.ct);
            Some((outer.open(&inner_key(&shared, &ct_hash)).ok()?, shared))
        });
        let (text, shared) = opened.ok_or(error)?;
        let (bytes, signature) = split_signed(&text).ok_or(OpenError::Malformed)?;
        let text: Text = cbor::from_slice(bytes).map_err(|_| OpenError::Malformed)?;
        let is_theirs = text.from == *way.from && text.recovery == *way.recovery;
        if !is_theirs || text.name.len() > NAME_BYTES_MAX {
            return Err(OpenError::Malformed);
        }
        let mailbox = Mailbox::new(text.mailbox, text.mailbox_bits).ok_or(OpenError::Malformed)?;
        let certificate =
            certificate_now(&text.certificate, way.from, now).ok_or(OpenError::BadCertificate)?;
        let bind = Binding::new(way.to, way.secret.as_bytes(), &outer.ct, bytes);
        way.from
            .verify(&signed(&bind, &which.bytes()), signature)
            .map_err(|_| OpenError::BadSignature)?;
        let mut keys = ContactKeys::new(*text.read.as_bytes());
        if let Some(notice) = &text.keys {
            keys.learn(notice, text.time, epoch(now));
        }
        let asker = Asker {
            account: text.from,
            time: text.time,
            slot: certificate.slot,
            device: certificate.device,
            ephemeral: text.ephemeral,
            mailbox,
            exchange: Exchange {
                shared,
                transcript: bind.transcript(way.from),
            },
        };
        Ok(Return {
            asker,
            name: shown::name(&text.name),
            message_id: text.message_id,
            time: text.time,
            keys,
        })
    }
}

pub(crate) fn inner_key(shared: &Key, ct_hash: &[u8; 32]) -> Key {
    kdf_key(&[shared.as_bytes()], "return inner", &[ct_hash])
}

/// What the signature is made over.
pub(crate) fn signed<'a>(bind: &'a Binding, which: &'a [u8; 5]) -> [&'a [u8]; 5] {
    let to = bind.inviter.as_bytes();
    [b"wm-return", to, which, &bind.ct, &bind.text]
}
