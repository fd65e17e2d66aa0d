//! Epoch keys: the X-Wing pairs messages are sealed to, one for each day. Ours with their secrets,
//! and a contact's as far as we know them. PROTOCOL.md section 6.
//!
//! Invariant: a secret is a random draw of its own, and is dropped 72 hours after its epoch by
//! agreed time.

use crate::cbor::{self, Malformed, StateError};
use crate::record::{self, Author, Place, SLOT_EPOCH_KEYS, WriteError, Writing};
use crate::sealed::Sealed;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use shared::crypto::{KEM_PUBLIC_LEN, KemPublic, KemSecret, Key, PublicKey, Rng, sha256};
use shared::time::{Millis, epoch, hour};
use shared::wire::{Header, Lifetime, SizeClass};

/// Epochs a record names, from the present one.
pub const EPOCHS_AHEAD: u32 = 8;
/// Whole epochs a secret is kept after its own.
pub const EPOCHS_KEPT: u32 = 3;
/// Keys in an opener or acceptance, at most.
pub const NOTICE_KEYS_MAX: usize = 2;

const VERSION: u8 = 1;
/// Only a clock that jumps about many times gets near it.
const KEYS_MAX: usize = 256;
/// Keys of one epoch that are kept, when all were drawn anew time and again.
const GENERATIONS_MAX: usize = 4;
/// The same of what several devices drew.
const UNITED_MAX: usize = 8;

/// Public keys of consecutive epochs as they ride in messages: payload key 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyNotice {
    pub generation: u32,
    pub first_epoch: u32,
    /// 1 or 2.
    pub keys: Vec<KemPublic>,
}

impl<C> Encode<C> for KeyNotice {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2 + self.keys.len() as u64)?
            .u32(self.generation)?
            .u32(self.first_epoch)?;
        for key in &self.keys {
            e.bytes(key.as_bytes())?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for KeyNotice {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let keys = match d.array()? {
            Some(3) => 1,
            Some(4) => 2,
            _ => return Err(decode::Error::message("1 or 2 keys")),
        };
        let (generation, first_epoch) = (d.u32()?, d.u32()?);
        let keys: Result<_, _> = (0..keys).map(|_| kem_public(d.bytes()?)).collect();
        Ok(KeyNotice {
            generation,
            first_epoch,
            keys: keys?,
        })
    }
}

fn kem_public(bytes: &[u8]) -> Result<KemPublic, decode::Error> {
    KemPublic::from_bytes(bytes).map_err(|_| decode::Error::message("not an X-Wing key"))
}

/// The text of the record in slot 1.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct RecordText {
    #[n(0)]
    generation: u32,
    #[n(1)]
    first_epoch: u32,
    #[n(2)]
    keys: Vec<PublicRow>,
    /// Seconds.
    #[n(3)]
    time: u64,
}

#[derive(Debug, Encode, Decode)]
#[cbor(transparent)]
struct PublicRow(#[cbor(n(0), with = "cbor::kem_public")] KemPublic);

/// Our own, one account's worth.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct EpochKeys {
    #[n(0)]
    generation: u32,
    /// Sorted by epoch, then generation.
    #[n(1)]
    secrets: Vec<SecretRow>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct SecretRow {
    #[n(0)]
    epoch: u32,
    #[n(1)]
    generation: u32,
    #[cbor(n(2), with = "cbor::kem_secret")]
    secret: KemSecret,
}

/// An epoch, and what tells its secrets apart.
pub type KeyName = (u32, u64);

fn fingerprint(secret: &KemSecret) -> u64 {
    beginning(&sha256(&[b"wm-epoch-key", secret.as_bytes()]))
}

/// The first 8 bytes of a hash: enough to tell some keys of one account apart.
pub(crate) fn beginning(hash: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl EpochKeys {
    /// None yet: see [`EpochKeys::ensure`].
    pub fn new() -> EpochKeys {
        EpochKeys::default()
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Draws what is missing of this epoch and the seven after it. True if anything was: save, then
    /// publish. Keys drawn after a gap are a new generation, because what contacts know of the
    /// gap is not ours any more. Beyond the bound those furthest from the `agreed` epoch (0: none
    /// is) go, whatever epoch it is assumed to be.
    pub fn ensure(&mut self, now_epoch: u32, agreed: u32, rng: &mut Rng) -> bool {
        // What agreed time has passed would be erased again at once.
        let first = now_epoch.max(agreed.saturating_sub(EPOCHS_KEPT));
        let wanted = first..now_epoch.saturating_add(EPOCHS_AHEAD);
        let missing: Vec<u32> = wanted
            .filter(|e| self.secrets(*e).next().is_none())
            .collect();
        if missing.is_empty() {
            return false;
        }
        if missing.contains(&now_epoch) && !self.secrets.is_empty() {
            self.generation = self.generation.saturating_add(1);
        }
        for epoch in missing {
            self.draw(epoch, rng);
        }
        let kept_around = if agreed == 0 { now_epoch } else { agreed };
        while self.secrets.len() > KEYS_MAX {
            let far = |row: &SecretRow| row.epoch.abs_diff(kept_around);
            let first = self.secrets.first().map_or(0, far);
            let last = self.secrets.last().map_or(0, far);
            self.secrets.remove(if first >= last {
                0
            } else {
                self.secrets.len() - 1
            });
        }
        true
    }

    /// A new generation at once, when a device was lost. The old keys stay for what is under
    /// way.
    pub fn renew(&mut self, now_epoch: u32, rng: &mut Rng) {
        self.generation = self.generation.saturating_add(1);
        for epoch in now_epoch..now_epoch.saturating_add(EPOCHS_AHEAD) {
            self.draw(epoch, rng);
            while self.secrets(epoch).count() > GENERATIONS_MAX {
                if let Some(oldest) = self.secrets.iter().position(|row| row.epoch == epoch) {
                    self.secrets.remove(oldest);
                }
            }
        }
    }

    /// A generation above one that was seen elsewhere.
    pub fn renew_above(&mut self, generation: u32, now_epoch: u32, rng: &mut Rng) {
        self.generation = self.generation.max(generation);
        self.renew(now_epoch, rng);
    }

    fn draw(&mut self, epoch: u32, rng: &mut Rng) {
        let row = SecretRow {
            epoch,
            generation: self.generation,
            secret: KemSecret::draw(rng),
        };
        let key = |row: &SecretRow| (row.epoch, row.generation);
        let at = self.secrets.partition_point(|r| key(r) <= key(&row));
        self.secrets.insert(at, row);
    }

    /// Destroys keys whose epoch ended 72 hours ago or more. True if there were any: save.
    pub fn erase(&mut self, agreed_epoch: u32) -> bool {
        let before = self.secrets.len();
        self.secrets
            .retain(|row| row.epoch >= agreed_epoch.saturating_sub(EPOCHS_KEPT));
        self.secrets.len() != before
    }

    /// Takes the secrets that another device of ours has beside ours, and the higher generation.
    /// Where two were drawn for one epoch both are kept, in the same order on every device. True if
    /// any was new: save.
    pub fn unite(&mut self, other: EpochKeys) -> bool {
        let before = (self.generation, self.secrets.len());
        self.generation = self.generation.max(other.generation);
        for row in other.secrets {
            let key = |r: &SecretRow| (r.epoch, r.generation, fingerprint(&r.secret));
            let of_epoch = self.secrets.iter().filter(|r| r.epoch == row.epoch);
            if of_epoch.clone().any(|r| key(r) == key(&row)) || of_epoch.count() >= UNITED_MAX {
                continue;
            }
            if self.secrets.len() < 2 * KEYS_MAX {
                let at = self.secrets.partition_point(|r| key(r) < key(&row));
                self.secrets.insert(at, row);
            }
        }
        before != (self.generation, self.secrets.len())
    }

    /// Names of all secrets: what another device needs to have to open what is sealed to one.
    pub fn names(&self) -> BTreeSet<KeyName> {
        let name = |r: &SecretRow| (r.epoch, fingerprint(&r.secret));
        self.secrets.iter().map(name).collect()
    }

    /// The public keys of an epoch, newest generation first, with their names.
    pub fn publics_of(&self, epoch: u32) -> impl Iterator<Item = (KeyName, KemPublic)> {
        let name = move |secret: &KemSecret| ((epoch, fingerprint(secret)), secret.public());
        self.secrets(epoch).map(name)
    }

    /// The secrets of an epoch, newest generation first.
    pub fn secrets(&self, epoch: u32) -> impl Iterator<Item = &KemSecret> {
        self.secrets
            .iter()
            .rev()
            .filter(move |row| row.epoch == epoch)
            .map(|row| &row.secret)
    }

    /// The record that tells contacts the next eight keys. `read` is our contact read secret, `now`
    /// assumed time (Unix ms), `fresh` new randomness. `None` before [`EpochKeys::ensure`].
    pub fn record(
        &self,
        by: Author,
        read: &[u8; 32],
        now: Millis,
        fresh: &[u8; 32],
    ) -> Option<Result<Sealed, WriteError>> {
        let writing = Writing {
            by,
            read,
            slot: SLOT_EPOCH_KEYS,
            period: record::period(hour(now)),
            size: SizeClass::KIB_16,
            lifetime: Lifetime::H168,
            expiry: hour(now).saturating_add(Lifetime::H168.hours()),
        };
        let text = self.record_text(epoch(now), now)?;
        Some(record::write(&writing, &text, fresh))
    }

    /// Generation and time (s) in the text of such a record: what makes one newer than another.
    pub fn age_of(text: &[u8]) -> Option<(u64, u64)> {
        let text: RecordText = cbor::from_slice(text).ok()?;
        Some((text.generation.into(), text.time))
    }

    fn record_text(&self, now_epoch: u32, now: Millis) -> Option<Vec<u8>> {
        let keys = self
            .publics(now_epoch, EPOCHS_AHEAD)?
            .into_iter()
            .map(PublicRow)
            .collect();
        Some(cbor::to_vec(&RecordText {
            generation: self.generation,
            first_epoch: now_epoch,
            keys,
            time: now / 1000,
        }))
    }

    /// This epoch's key and the next ones', for a message. `None` for no keys, or if they are not
    /// drawn.
    pub fn notice(&self, now_epoch: u32, keys: usize) -> Option<KeyNotice> {
        let keys = self.publics(now_epoch, keys.min(NOTICE_KEYS_MAX) as u32)?;
        let generation = self.generation;
        (!keys.is_empty()).then_some(KeyNotice {
            generation,
            first_epoch: now_epoch,
            keys,
        })
    }

    fn publics(&self, first: u32, count: u32) -> Option<Vec<KemPublic>> {
        (0..count)
            .map(|i| Some(self.secrets(first.checked_add(i)?).next()?.public()))
            .collect()
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<EpochKeys, StateError> {
        let keys: EpochKeys = cbor::decode_state(VERSION, bytes)?;
        match keys.is_in_bounds() {
            true => Ok(keys),
            false => Err(StateError::Malformed),
        }
    }

    /// What was read from elsewhere than [`EpochKeys::decode`] has to be.
    pub(crate) fn is_in_bounds(&self) -> bool {
        let sorted = self.secrets.is_sorted_by_key(|r| (r.epoch, r.generation));
        self.secrets.len() <= 2 * KEYS_MAX && sorted
    }
}

/// A contact's public keys, from their record and their messages, and the secret that opens the
/// record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactKeys {
    read: Key,
    generation: u32,
    /// Of the newest source, Unix ms.
    time: u64,
    keys: BTreeMap<u32, KemPublic>,
}

impl ContactKeys {
    /// None known yet. `read` is the contact read secret they gave us.
    pub fn new(read: [u8; 32]) -> ContactKeys {
        ContactKeys {
            read: Key::new(read),
            generation: 0,
            time: 0,
            keys: BTreeMap::new(),
        }
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Where their record may lie at that hour, the most likely place first.
    pub fn places(&self, owner: &PublicKey, hour: u32) -> Vec<Place> {
        record::places(owner, self.read.as_bytes(), SLOT_EPOCH_KEYS, hour)
    }

    /// Exactly these, one for each epoch: for what is sealed to our own devices.
    pub(crate) fn exactly(generation: u32, keys: BTreeMap<u32, KemPublic>) -> ContactKeys {
        let (read, time) = (Key::new([0; 32]), 0);
        ContactKeys {
            read,
            generation,
            time,
            keys,
        }
    }

    /// The key of exactly that epoch.
    pub(crate) fn key(&self, epoch: u32) -> Option<&KemPublic> {
        self.keys.get(&epoch)
    }

    /// What opens their records.
    pub fn read_secret(&self) -> &[u8; 32] {
        self.read.as_bytes()
    }

    /// They have drawn another one.
    pub fn change_read(&mut self, read: [u8; 32]) {
        self.read = Key::new(read);
    }

    /// Takes what a record at one of these places says. True if anything changed.
    pub fn learn_record(
        &mut self,
        owner: &PublicKey,
        header: &Header,
        body: &[u8],
        hour: u32,
    ) -> Result<bool, LearnError> {
        let places = self.places(owner, hour);
        let place = places.iter().find(|p| p.tag == header.tag);
        let place = place.ok_or(LearnError::Record(record::OpenError::Elsewhere))?;
        let opened = record::open(place, self.read.as_bytes(), header, body, hour)
            .map_err(LearnError::Record)?;
        self.learn_text(&opened.text, hour / 24)
            .map_err(|_| LearnError::Malformed)
    }

    /// Takes the text of such a record. True if anything changed.
    pub fn learn_text(&mut self, text: &[u8], now_epoch: u32) -> Result<bool, Malformed> {
        let text: RecordText = cbor::from_slice(text)?;
        if text.keys.len() > EPOCHS_AHEAD as usize {
            return Err(Malformed);
        }
        let keys = text.keys.into_iter().map(|row| row.0);
        let time = text.time.saturating_mul(1000);
        Ok(self.take(text.generation, text.first_epoch, time, keys, now_epoch))
    }

    /// Takes what rode in a message of that time (Unix ms). True if anything changed.
    pub fn learn(&mut self, notice: &KeyNotice, time: u64, now_epoch: u32) -> bool {
        let keys = notice.keys.iter().cloned();
        self.take(notice.generation, notice.first_epoch, time, keys, now_epoch)
    }

    /// What rode with the word that a device is gone: that device may have said anything before.
    pub fn begin_anew(&mut self, notice: &KeyNotice, time: u64, now_epoch: u32) {
        (self.generation, self.time) = (notice.generation, 0);
        self.keys.clear();
        self.learn(notice, time, now_epoch);
    }

    /// An older generation is not taken again, and of one generation the newest word holds.
    fn take(
        &mut self,
        generation: u32,
        first: u32,
        time: u64,
        keys: impl Iterator<Item = KemPublic>,
        now: u32,
    ) -> bool {
        if generation < self.generation {
            return false;
        }
        let before = self.clone();
        if generation > self.generation {
            self.generation = generation;
            self.keys.clear();
            self.time = 0;
        }
        for (epoch, key) in (first..=u32::MAX).zip(keys) {
            let wanted = now.saturating_sub(1)..=now.saturating_add(2 * EPOCHS_AHEAD);
            if wanted.contains(&epoch) && (time >= self.time || !self.keys.contains_key(&epoch)) {
                self.keys.insert(epoch, key);
            }
        }
        self.time = self.time.max(time);
        self.keys.retain(|epoch, _| epoch.saturating_add(1) >= now);
        *self != before
    }

    /// Whether a message can be sealed now.
    pub fn usable(&self, now_epoch: u32) -> bool {
        self.pick(now_epoch, 0).is_some()
    }

    /// The last epoch a key is known of.
    pub fn last_epoch(&self) -> Option<u32> {
        self.keys.last_key_value().map(|(epoch, _)| *epoch)
    }

    /// The key to seal to: this epoch's, or its neighbours' at night's edge; none before `from`.
    pub fn pick(&self, now_epoch: u32, from: u32) -> Option<(u32, &KemPublic)> {
        [
            Some(now_epoch),
            now_epoch.checked_sub(1),
            now_epoch.checked_add(1),
        ]
        .into_iter()
        .flatten()
        .filter(|epoch| *epoch >= from)
        .find_map(|epoch| Some((epoch, self.keys.get(&epoch)?)))
    }

    pub fn encode(&self) -> Vec<u8> {
        let keys = self
            .keys
            .iter()
            .map(|(e, k)| (*e, PublicRow(k.clone())))
            .collect();
        let (read, generation, time) = (self.read.clone(), self.generation, self.time);
        cbor::encode_state(
            VERSION,
            &Kept {
                generation,
                time,
                keys,
                read,
            },
        )
    }

    pub fn decode(bytes: &[u8]) -> Result<ContactKeys, StateError> {
        if bytes.len() > 4 * EPOCHS_AHEAD as usize * (KEM_PUBLIC_LEN + 16) {
            return Err(StateError::Malformed);
        }
        let kept: Kept = cbor::decode_state(VERSION, bytes)?;
        let keys = kept.keys.into_iter().map(|(e, k)| (e, k.0)).collect();
        Ok(ContactKeys {
            read: kept.read,
            generation: kept.generation,
            time: kept.time,
            keys,
        })
    }
}

/// [`ContactKeys`] as stored.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Kept {
    #[n(0)]
    generation: u32,
    #[n(1)]
    time: u64,
    #[n(2)]
    keys: Vec<(u32, PublicRow)>,
    #[cbor(n(3), with = "cbor::key")]
    read: Key,
}

/// Why a record taught nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnError {
    Record(record::OpenError),
    /// Opened, but its text is not what slot 1 holds.
    Malformed,
}

#[cfg(test)]
#[path = "epoch_keys_tests.rs"]
mod tests;
