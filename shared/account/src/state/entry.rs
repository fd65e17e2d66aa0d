//! One entry of the state: what it is about, when and on which device it was written, and what it
//! says. PROTOCOL.md section 13.
//!
//! Invariant: an entry is within its bounds. A key that this version does not know is kept byte for
//! byte, so an older device passes on what a newer one wrote.

use crate::cbor::{self, Malformed};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::RangeInclusive;
use minicbor::{Decode, Decoder, Encode, Encoder, data::Type, decode, encode};
use shared::crypto::sha256;
use shared::time::Millis;
use zeroize::Zeroizing;

/// Longest key, bytes.
pub const KEY_BYTES_MAX: usize = 64;
/// Longest value, bytes.
pub const VALUE_BYTES_MAX: usize = 4_096;
/// Latest time of an entry that is taken, Unix ms (in the year 6429).
pub const TIME_MAX: Millis = (1 << 47) - 1;
/// So many bytes of a key say in which part it is: a contact's fields stay together.
pub(super) const PLACED_BYTES: usize = 33;
/// Keys whose first byte has this bit are for devices alone.
const DEVICES_ONLY: u8 = 0x80;

/// An account's public key.
pub type Who = [u8; 32];
/// Names an invitation.
pub type Id16 = [u8; 16];

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Profile(ProfileField),
    /// A group of settings; the core does not look into them.
    Settings(u8),
    Contact(Who, ContactField),
    /// A device, by its slot.
    Device(u8),
    /// For devices alone.
    Invitation(Id16),
    Other(OtherKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ProfileField {
    Name = 1,
    About = 2,
    Avatar = 3,
    Mailbox = 4,
    ReadSecret = 5,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ContactField {
    /// That there is this contact; without it the others mean nothing.
    Existence = 0,
    Access = 1,
    /// As they call themselves.
    Name = 2,
    /// As they are called here.
    Nickname = 3,
    Acknowledge = 4,
    ReadTo = 5,
}

impl ContactField {
    /// The first and the last one.
    pub const ENDS: (ContactField, ContactField) = (ContactField::Existence, ContactField::ReadTo);
}

/// The bytes of a key of a kind that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherKey(Vec<u8>);

const PROFILE: u8 = 1;
const SETTINGS: u8 = 2;
const CONTACT: u8 = 3;
const DEVICE: u8 = 4;
const INVITATION: u8 = DEVICES_ONLY | 5;

impl Key {
    pub fn bytes(&self) -> Vec<u8> {
        let join = |kind: u8, parts: &[&[u8]]| [&[kind][..], &parts.concat()].concat();
        match self {
            Key::Profile(field) => join(PROFILE, &[&[*field as u8]]),
            Key::Settings(group) => join(SETTINGS, &[&[*group]]),
            Key::Contact(who, field) => join(CONTACT, &[who, &[*field as u8]]),
            Key::Device(slot) => join(DEVICE, &[&[*slot]]),
            Key::Invitation(id) => join(INVITATION, &[id]),
            Key::Other(OtherKey(bytes)) => bytes.clone(),
        }
    }

    /// `None`: not a key of any version.
    pub fn parse(bytes: &[u8]) -> Option<Key> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == SHORTENED || bytes.len() > KEY_BYTES_MAX {
            return None;
        }
        let known = match (kind, rest) {
            (PROFILE, [field]) => profile_field(*field).map(Key::Profile),
            (SETTINGS, [group]) => Some(Key::Settings(*group)),
            (CONTACT, [who @ .., field]) => contact_key(who, *field),
            (DEVICE, [slot]) => Some(Key::Device(*slot)),
            (INVITATION, id) => id.try_into().ok().map(Key::Invitation),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Key::Other(OtherKey(bytes.to_vec()))))
    }

    /// All that is known of a contact.
    pub fn fields_of(who: Who) -> RangeInclusive<Key> {
        let (first, last) = ContactField::ENDS;
        Key::Contact(who, first)..=Key::Contact(who, last)
    }

    /// Whether it stays among devices: such an entry is in no record.
    pub fn is_for_devices(&self) -> bool {
        match self {
            Key::Invitation(_) => true,
            Key::Other(OtherKey(bytes)) => {
                bytes.first().is_some_and(|kind| kind & DEVICES_ONLY > 0)
            }
            _ => false,
        }
    }
}

fn profile_field(field: u8) -> Option<ProfileField> {
    use ProfileField::*;
    [Name, About, Avatar, Mailbox, ReadSecret]
        .into_iter()
        .find(|known| *known as u8 == field)
}

fn contact_key(who: &[u8], field: u8) -> Option<Key> {
    use ContactField::*;
    let known = [Existence, Access, Name, Nickname, Acknowledge, ReadTo];
    let field = known.into_iter().find(|known| *known as u8 == field)?;
    Some(Key::Contact(who.try_into().ok()?, field))
}

/// What an entry says, see [`super::values`].
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// `None`: it is too long.
    pub fn new(bytes: Vec<u8>) -> Option<Value> {
        let bytes = Zeroizing::new(bytes);
        (bytes.len() <= VALUE_BYTES_MAX).then_some(Value(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Value({} bytes)", self.0.len())
    }
}

/// When and on which device something was written. Of two the greater one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Unix ms by the device that wrote.
    pub time: Millis,
    /// Slot of that device.
    pub slot: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub stamp: Stamp,
    /// `None`: deleted.
    pub value: Option<Value>,
}

impl Entry {
    /// Whether it holds, and not that other one of the same key.
    pub fn beats(&self, other: &Entry) -> bool {
        let later = self.stamp.cmp(&other.stamp);
        let hash = |value: &Option<Value>| value.as_ref().map(|value| sha256(&[value.as_bytes()]));
        // One device wrote twice at one time only if it was set back in between.
        later.then_with(|| match self.value == other.value {
            true => Ordering::Equal,
            false => hash(&self.value).cmp(&hash(&other.value)),
        }) == Ordering::Greater
    }

    /// The entry by itself.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(&Line::first(self))
    }

    pub fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
        let mut decoder = Decoder::new(bytes);
        let entry = Lines::default().read(&mut decoder).map_err(|_| Malformed)?;
        match decoder.position() == bytes.len() {
            true => entry.ok_or(Malformed),
            false => Err(Malformed),
        }
    }
}

/// First byte of a key that begins as the one before it does.
const SHORTENED: u8 = 0;
/// Fewer bytes in common are written out.
const IN_COMMON_MIN: usize = 3;

/// An entry as it is written behind another one.
pub(super) struct Line<'a> {
    entry: &'a Entry,
    key: Vec<u8>,
    stamp: bool,
}

impl<'a> Line<'a> {
    fn first(entry: &'a Entry) -> Line<'a> {
        Line {
            entry,
            key: entry.key.bytes(),
            stamp: true,
        }
    }

    /// `before` is the entry in front of it and its whole key.
    pub fn after(entry: &'a Entry, key: &[u8], before: Option<(&Entry, &[u8])>) -> Line<'a> {
        let Some((before, key_before)) = before else {
            return Line::first(entry);
        };
        let pairs = key.iter().zip(key_before);
        let in_common = pairs.take_while(|(a, b)| a == b).count();
        let rest = key.get(in_common..).unwrap_or_default();
        Line {
            entry,
            key: match in_common >= IN_COMMON_MIN {
                true => [&[SHORTENED, in_common as u8], rest].concat(),
                false => key.to_vec(),
            },
            stamp: entry.stamp != before.stamp,
        }
    }
}

impl<C> Encode<C> for Line<'_> {
    fn encode<W: encode::Write>(
        &self,
        out: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        out.array(if self.stamp { 4 } else { 2 })?
            .bytes(&self.key)?;
        if self.stamp {
            out.u64(self.entry.stamp.time)?.u8(self.entry.stamp.slot)?;
        }
        match &self.entry.value {
            Some(value) => out.bytes(value.as_bytes())?.ok(),
            None => out.null()?.ok(),
        }
    }
}

/// Reads entries that stand one behind the other.
#[derive(Default)]
pub(super) struct Lines {
    key: Vec<u8>,
    stamp: Option<Stamp>,
}

impl Lines {
    /// The next one; `Ok(None)` for one that is out of bounds, and is left out.
    pub fn read(&mut self, from: &mut Decoder<'_>) -> Result<Option<Entry>, decode::Error> {
        let wrong = |what| Err(decode::Error::message(what));
        let elements = from.array()?.unwrap_or(0);
        let whole_key = self.take_key(from.bytes()?)?;
        let stamp = match (elements, self.stamp) {
            (4.., _) => Stamp {
                time: from.u64()?,
                slot: from.u8()?,
            },
            (2, Some(stamp)) => stamp,
            _ => return wrong("no stamp"),
        };
        self.stamp = Some(stamp);
        let value = match from.datatype()? {
            Type::Null => from.null().map(|()| None)?,
            _ => Some(from.bytes()?),
        };
        for _ in 4..elements {
            from.skip()?;
        }
        let fits = value.is_none_or(|value| value.len() <= VALUE_BYTES_MAX);
        let key = Key::parse(&self.key).filter(|_| whole_key && stamp.time <= TIME_MAX && fits);
        Ok(key.map(|key| Entry {
            key,
            stamp,
            value: value.and_then(|value| Value::new(value.to_vec())),
        }))
    }

    /// Puts a key together. False if it is too long, and cut.
    fn take_key(&mut self, bytes: &[u8]) -> Result<bool, decode::Error> {
        let mut own = bytes;
        match bytes {
            [SHORTENED, in_common, rest @ ..] => {
                let in_common = usize::from(*in_common);
                if in_common > self.key.len() {
                    return Err(decode::Error::message("nothing to begin with"));
                }
                self.key.truncate(in_common);
                own = rest;
            }
            _ => self.key.clear(),
        }
        let room = KEY_BYTES_MAX - self.key.len().min(KEY_BYTES_MAX);
        self.key.extend_from_slice(own.get(..room).unwrap_or(own));
        Ok(own.len() <= room)
    }
}

/// Entries beside other things, in an array, written as in a part. For `#[cbor(with = ..)]`.
pub(crate) mod lines {
    use super::{Entry, Line, Lines};
    use alloc::vec::Vec;
    use minicbor::{Decoder, Encoder, decode as d, encode as e};

    pub(crate) fn encode<C, W: e::Write>(
        entries: &[Entry],
        out: &mut Encoder<W>,
        cx: &mut C,
    ) -> Result<(), e::Error<W::Error>> {
        out.array(entries.len() as u64)?;
        let mut before: Option<(&Entry, Vec<u8>)> = None;
        for entry in entries {
            let key = entry.key.bytes();
            let last = before.as_ref().map(|(entry, key)| (*entry, &key[..]));
            out.encode_with(Line::after(entry, &key, last), cx)?;
            before = Some((entry, key));
        }
        Ok(())
    }

    /// What is out of bounds is left out.
    pub(crate) fn decode<'b, C>(from: &mut Decoder<'b>, _: &mut C) -> Result<Vec<Entry>, d::Error> {
        let endless = || d::Error::message("no length");
        let mut lines = Lines::default();
        let mut entries = Vec::new();
        for _ in 0..from.array()?.ok_or_else(endless)? {
            entries.extend(lines.read(from)?);
        }
        Ok(entries)
    }
}

/// An entry beside other things.
impl<C> Encode<C> for Entry {
    fn encode<W: encode::Write>(
        &self,
        out: &mut Encoder<W>,
        cx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        Line::first(self).encode(out, cx)
    }
}

impl<'b, C> Decode<'b, C> for Entry {
    fn decode(from: &mut Decoder<'b>, _: &mut C) -> Result<Entry, decode::Error> {
        let entry = Lines::default().read(from)?;
        entry.ok_or_else(|| decode::Error::message("out of bounds"))
    }
}
