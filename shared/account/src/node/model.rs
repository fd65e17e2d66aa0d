//! What an open account keeps, as it lies in the rows of the store.
//!
//! Invariant: a struct here is one row; its CBOR keys are never used again for something else.

pub use super::message_row::{DeliveryRow, MessageRow, NoticeRow};
use crate::identity::RecoveryPublic;
use crate::removal::Removal;
use crate::rows;
use crate::sealed::Mailbox;
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::io::Table;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 16 random bytes that name a message, greeting or invitation everywhere.
pub type Id16 = [u8; 16];

/// An account's public key, as the name of a contact.
pub type Who = [u8; 32];

/// The account itself and what it is known by.
#[derive(Clone, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(map)]
pub struct Profile {
    /// Of a full device alone; a linked one has `linked`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub seed: Option<[u8; 27]>,
    #[n(1)]
    pub name: String,
    /// Secret of this device's signing key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub device: [u8; 32],
    #[n(3)]
    pub slot: u8,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
    /// Opens this account's records; contacts have it.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub read_secret: [u8; 32],
    #[n(6)]
    pub restored: bool,
    /// Unix ms.
    #[n(7)]
    pub created: u64,
    #[n(8)]
    #[zeroize(skip)]
    pub mailbox: Mailbox,
    /// Highest record version used so far; the next one is higher.
    #[n(10)]
    pub record_version: u64,
    /// Day (epoch) and number of greetings taken on it.
    #[n(11)]
    pub greetings_day: u32,
    #[n(12)]
    pub greetings_count: u32,
    /// The place of which the mailbox is the first bits, and that of the invitations' one.
    #[n(13)]
    pub place: u32,
    #[n(14)]
    pub invites_place: u32,
    /// The bits that some were told, fewer than the mailbox has now, and until which hour it is
    /// read like that.
    #[n(15)]
    #[zeroize(skip)]
    pub wider: Option<(u8, u32)>,
    /// How far it is with what the words bring back.
    #[cbor(n(16), default)]
    #[zeroize(skip)]
    pub recovering: super::recovery::Recovering,
    /// The generation of epoch keys by which another device took the account over.
    #[n(17)]
    pub superseded: Option<u32>,
    /// The epoch in which that was last looked for.
    #[cbor(n(18), default)]
    pub keys_looked: u32,
    /// What a device without the seed has in its place.
    #[n(24)]
    #[zeroize(skip)]
    pub linked: Option<super::authority::LinkedRow>,
    /// Slots that other devices were given, as far as no entry of the state says so.
    #[cbor(n(25), default)]
    #[zeroize(skip)]
    pub given: Vec<super::slots::GivenRow>,
    /// Secret half of this device's X-Wing key.
    #[cbor(n(26), with = "minicbor::bytes")]
    pub kem: Option<[u8; 32]>,
    /// Devices of this account that were shut out lately.
    #[cbor(n(27), default)]
    #[zeroize(skip)]
    pub removed: Vec<Removal>,
    /// This device is one of them.
    #[cbor(n(28), default)]
    pub is_removed: bool,
}

/// A relay this account uses.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct RelayRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub hint: Vec<u8>,
    /// The first bucket that may not be fetched to its end; 0 before the first connection.
    #[n(1)]
    pub cursor: u32,
    #[n(2)]
    pub added: u64,
    #[n(3)]
    pub by: Chooser,
}

/// Relays that others named and that are not in use.
#[derive(Clone, Default, Encode, Decode)]
pub struct NamedRow {
    /// Hints, one after the other.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub hints: Vec<u8>,
}

/// Who chose a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Chooser {
    #[n(0)]
    Person,
    /// It came with the invitation of somebody who was greeted.
    #[n(1)]
    Link,
    /// Another relay named it.
    #[n(2)]
    Relay,
}

/// A person, with all that is needed to talk to them.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ContactRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub who: Who,
    #[n(1)]
    pub name: String,
    /// 0 greeted, 1 active, 2 blocked.
    #[n(2)]
    pub state: u8,
    #[n(3)]
    pub unread: u32,
    /// The next message's index.
    #[n(4)]
    pub next_index: u64,
    /// The highest order seen on either side.
    #[n(5)]
    pub order: u64,
    #[n(6)]
    pub acknowledge: bool,
    #[n(7)]
    pub added: u64,
    #[n(8)]
    pub last: Option<MessageRow>,
    /// `session::Session`, encoded.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub session: Option<Vec<u8>>,
    /// `greeting::PendingGreeting`, encoded, while we wait for acceptance.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub greeting: Option<Vec<u8>>,
    /// `acceptance::PendingAcceptance`, encoded, until it is acknowledged.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub acceptance: Option<Vec<u8>>,
    /// Message ids we owe an acknowledgement for.
    #[n(12)]
    pub owed: Vec<OwedAck>,
    /// Ids of messages received so far, for `SeenRow`.
    #[n(13)]
    pub seen: u64,
    /// The contact asked for no acknowledgements.
    #[n(14)]
    pub wants_no_acks: bool,
    /// A name we have not told this contact yet.
    #[n(16)]
    pub name_untold: bool,
    /// `epoch_keys::ContactKeys`, encoded: their public keys, and the secret that reads their
    /// record.
    #[cbor(n(19), with = "minicbor::bytes")]
    pub keys: Option<Vec<u8>>,
    /// Messages below this index were deleted with their conversation.
    #[n(18)]
    pub cleared_to: u64,
    /// Message id of our greeting, until it is accepted or they are.
    #[cbor(n(17), with = "minicbor::bytes")]
    pub handshake: Option<[u8; 16]>,
    /// When the conversation last grew, by our clock.
    #[n(20)]
    pub changed: u64,
    /// When the newest greeting or acceptance of theirs that made a pair was written, by their
    /// clock and not later than ours. Greetings from before are of no more use.
    #[n(21)]
    pub met: u64,
    /// Ids of what made a pair, their acceptance or proposal, until a message of ours that
    /// acknowledges it is stored. Owed even where acknowledgements are switched off: without it
    /// they would never send on that pair.
    #[n(22)]
    pub owed_anyway: Vec<OwedAck>,
    /// They were not told yet whether we want acknowledgements.
    #[n(23)]
    pub switch_untold: bool,
    /// When the message was sealed that their name and wishes were last taken from.
    #[n(24)]
    pub told_at: u64,
    /// What both sides told each other of their records.
    #[n(30)]
    #[cbor(default)]
    pub told: super::heads::ToldRow,
    /// R, by which they can come back.
    #[cbor(n(34), with = "minicbor::bytes")]
    pub recovery: Option<RecoveryPublic>,
    /// They were told ours.
    #[cbor(n(31), default)]
    pub recovery_told: bool,
    /// `comeback::PendingReturn`, encoded, while we wait for its acceptance.
    #[cbor(n(32), with = "minicbor::bytes")]
    pub coming_back: Option<Vec<u8>>,
    /// They came back.
    #[n(33)]
    pub returned: Option<super::returns::ReturnedRow>,
    /// RT of returns from them, on a device that can't derive it.
    #[cbor(n(35), with = "minicbor::bytes")]
    pub return_secret: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Encode, Decode, PartialEq, Eq)]
#[cbor(transparent)]
pub struct OwedAck(#[cbor(n(0), with = "minicbor::bytes")] pub Id16);

/// 64 received message ids of a contact, so that none is shown twice.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub struct SeenRow {
    #[n(0)]
    pub ids: Vec<OwedAck>,
}

/// An invitation of ours.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct InviteRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: Id16,
    /// `invite::Invitation`, encoded; gone when the key was deleted.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub secret: Option<Vec<u8>>,
    #[n(2)]
    pub fragment: String,
    /// Unix ms.
    #[n(3)]
    pub until: u64,
    #[n(4)]
    pub single_use: bool,
    /// 0 publishing, 1 live, 2 revoked, 3 used, 4 expired.
    #[n(5)]
    pub state: u8,
    /// A tombstone is still to be stored.
    #[n(6)]
    pub tombstone: bool,
    /// Another device made it, and looks after its record.
    #[cbor(n(7), default)]
    pub elsewhere: bool,
}

/// A greeting in the list.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct GreetingRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: Id16,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub who: Who,
    #[n(2)]
    pub name: String,
    #[n(3)]
    pub text: String,
    #[n(4)]
    pub at: u64,
    /// `greeting::Greeting`, encoded: what accepting needs.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub opened: Vec<u8>,
    #[cbor(n(6), with = "minicbor::bytes")]
    pub invite: Id16,
    /// 0 in the list, 1 dealt with: kept so that it does not come back.
    #[n(7)]
    pub done: bool,
    /// When to forget it (Unix ms).
    #[n(8)]
    pub until: u64,
    #[n(9)]
    pub accepted: bool,
}

/// A message of ours that is not delivered.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct OutgoingRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub who: Who,
    #[n(1)]
    pub message: MessageRow,
}

/// A solved object that is put to relays until its owner needs it no more.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ParcelRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub header: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub body: Vec<u8>,
    #[n(2)]
    pub stored: Vec<StoredAt>,
    /// Place in the order of sending: an opener goes before what needs it.
    #[n(3)]
    pub sequence: u64,
}

/// A relay's receipt for a parcel.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct StoredAt {
    /// The relay that it was put to.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub relay: [u8; 32],
    /// By the relay's clock, Unix ms.
    #[n(1)]
    pub at: u64,
    /// [`shared::wire::Receipt::proof`].
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof: Vec<u8>,
    /// The relay that stores it and signed: the same, or one that keeps its range.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub by: [u8; 32],
}

/// Who a parcel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Message(Who, Id16),
    Greeting(Who),
    Acceptance(Who),
    Invite(Id16),
    /// What this account has in that slot.
    Record(u16),
    /// A tombstone where something of it was.
    TakenBack(Id16),
    /// An acknowledgement that rides alone.
    /// To our own other devices, if it is our own account's.
    Ack(Who),
    Return(Who),
    /// To our own other devices.
    Letter(Id16),
}

/// A row by its plain key. The store sees neither this nor its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    Profile,
    EpochKeys,
    Clock,
    /// Relays that were named and are not in use.
    Named,
    Relay([u8; 32]),
    Contact(Who),
    Seen(Who, u64),
    Invite(Id16),
    Greeting(Id16),
    Outgoing(Who, Id16),
    Parcel(Owner),
    /// What is known of the record in a slot.
    Record(u16),
    TakenBack(Id16),
    /// What this account shows of itself beside its name.
    Shown,
    /// What a contact shows of itself.
    ShownBy(Who),
    /// An entry of the state, by H of its key.
    StateEntry(Id16),
    /// What is known of the state's parts at relays.
    StateParts,
    /// What is known of this account's other devices.
    Own,
    /// A letter to them.
    Letter(Id16),
    /// In the table of messages.
    Message(Who, u64),
}

impl RowKey {
    /// The plain key: a kind byte and what it names.
    pub fn bytes(&self) -> Vec<u8> {
        let join = |kind: u8, parts: &[&[u8]]| {
            let mut out = alloc::vec![kind];
            parts.iter().for_each(|p| out.extend_from_slice(p));
            out
        };
        match self {
            Self::Profile => join(1, &[]),
            Self::EpochKeys => join(2, &[]),
            Self::Clock => join(3, &[]),
            Self::Named => join(12, &[]),
            Self::Relay(key) => join(4, &[key]),
            Self::Contact(who) => join(5, &[who]),
            Self::Seen(who, chunk) => join(6, &[who, &chunk.to_be_bytes()]),
            Self::Invite(id) => join(7, &[id]),
            Self::Greeting(id) => join(8, &[id]),
            Self::Outgoing(who, id) => join(9, &[who, id]),
            Self::Parcel(owner) => match owner {
                Owner::Message(who, id) => join(10, &[&[0], who, id]),
                Owner::Greeting(who) => join(10, &[&[1], who]),
                Owner::Acceptance(who) => join(10, &[&[2], who]),
                Owner::Invite(id) => join(10, &[&[3], id]),
                Owner::Record(slot) => join(10, &[&[6], &slot.to_be_bytes()]),
                Owner::TakenBack(id) => join(10, &[&[7], id]),
                Owner::Ack(who) => join(10, &[&[5], who]),
                Owner::Return(who) => join(10, &[&[16], who]),
                Owner::Letter(id) => join(10, &[&[17], id]),
            },
            Self::Record(slot) => join(20, &[&slot.to_be_bytes()]),
            Self::TakenBack(id) => join(21, &[id]),
            Self::Shown => join(22, &[]),
            Self::ShownBy(who) => join(23, &[who]),
            Self::StateEntry(hash) => join(40, &[hash]),
            Self::StateParts => join(41, &[]),
            Self::Own => join(50, &[]),
            Self::Letter(id) => join(51, &[id]),
            Self::Message(who, index) => join(11, &[who, &index.to_be_bytes()]),
        }
    }

    /// Messages have a table of their own: they are read page by page, the rest as a whole.
    pub fn table(&self) -> Table {
        match self {
            Self::Message(..) => rows::MESSAGES,
            _ => rows::STATE,
        }
    }

    /// Reads a plain key again; `None` for one this version does not know.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let who_and = |rest: &[u8]| -> Option<(Who, Vec<u8>)> {
            let (who, tail) = rest.split_first_chunk::<32>()?;
            Some((*who, tail.to_vec()))
        };
        Some(match kind {
            1 => Self::Profile,
            2 => Self::EpochKeys,
            3 => Self::Clock,
            12 => Self::Named,
            4 => Self::Relay(rest.try_into().ok()?),
            5 => Self::Contact(rest.try_into().ok()?),
            6 => {
                let (who, tail) = who_and(rest)?;
                Self::Seen(who, u64::from_be_bytes(tail.try_into().ok()?))
            }
            7 => Self::Invite(rest.try_into().ok()?),
            8 => Self::Greeting(rest.try_into().ok()?),
            9 => {
                let (who, tail) = who_and(rest)?;
                Self::Outgoing(who, tail.try_into().ok()?)
            }
            10 => {
                let (owner, rest) = rest.split_first()?;
                Self::Parcel(match owner {
                    0 => {
                        let (who, tail) = who_and(rest)?;
                        Owner::Message(who, tail.try_into().ok()?)
                    }
                    1 => Owner::Greeting(rest.try_into().ok()?),
                    2 => Owner::Acceptance(rest.try_into().ok()?),
                    3 => Owner::Invite(rest.try_into().ok()?),
                    6 => Owner::Record(u16::from_be_bytes(rest.try_into().ok()?)),
                    7 => Owner::TakenBack(rest.try_into().ok()?),
                    5 => Owner::Ack(rest.try_into().ok()?),
                    16 => Owner::Return(rest.try_into().ok()?),
                    17 => Owner::Letter(rest.try_into().ok()?),
                    _ => return None,
                })
            }
            20 => Self::Record(u16::from_be_bytes(rest.try_into().ok()?)),
            21 => Self::TakenBack(rest.try_into().ok()?),
            22 => Self::Shown,
            23 => Self::ShownBy(rest.try_into().ok()?),
            40 => Self::StateEntry(rest.try_into().ok()?),
            41 => Self::StateParts,
            50 => Self::Own,
            51 => Self::Letter(rest.try_into().ok()?),
            11 => {
                let (who, tail) = who_and(rest)?;
                Self::Message(who, u64::from_be_bytes(tail.try_into().ok()?))
            }
            _ => return None,
        })
    }
}
