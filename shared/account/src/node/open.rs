//! An unlocked account in memory: every row but the messages, and what is derived from them.
//!
//! Invariant: whatever a row holds is changed together with `cx.touch(row)`.

use super::audit::Audits;
use super::authority::Authority;
use super::carry::Carry;
use super::commands::Loading;
use super::cx::Cx;
use super::expected::ExpectedTags;
use super::fetch::Sync;
use super::heads::{Heads, Watched};
use super::jobs::Jobs;
use super::lookups::Lookups;
use super::model::*;
use super::named::Named;
use super::outbox::Puts;
use super::own::Own;
use super::recovery::Recovery;
use super::relays::{NodeKey, Relays};
use super::returns::Returns;
use super::shelf::Shelf;
use super::state::State;
use super::{limits, views};
use crate::acceptance::PendingAcceptance;
use crate::agreed_time::AgreedTime;
use crate::api::{Event, WaitsFor};
use crate::comeback::PendingReturn;
use crate::epoch_keys::{ContactKeys, EpochKeys};
use crate::greeting::PendingGreeting;
use crate::invite::Invitation;
use crate::profile::ProfileText;
use crate::rows::Rows;
use crate::session::{Old, Session};
use crate::vault::DataKey;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use shared::crypto::{PublicKey, SigningKey};
use shared::io::Token;

/// A contact with its decoded session.
pub struct Contact {
    pub row: ContactRow,
    pub session: Option<Session>,
    pub greeting: Option<PendingGreeting>,
    pub acceptance: Option<PendingAcceptance>,
    pub coming_back: Option<PendingReturn>,
    /// Where a return of theirs may come.
    pub returns: Returns,
    /// Their public epoch keys, as far as known, once they have told the secret that opens their
    /// record.
    pub keys: Option<ContactKeys>,
    /// What they show of themselves, as far as it was found.
    pub shown: Option<ProfileText>,
    /// The newest chunk of received message ids, and the older ones.
    pub seen: BTreeMap<u64, SeenRow>,
}

/// An invitation with its decoded secret.
pub struct Invite {
    pub row: InviteRow,
    pub secret: Option<Invitation>,
}

/// What a tag that was found leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    Greeting {
        invite: Id16,
        j: u8,
    },
    Acceptance {
        who: Who,
        n: u8,
    },
    /// The session knows its slot.
    Session {
        who: Who,
    },
    Return {
        who: Who,
    },
    /// The answer to a return of ours.
    ReturnAccepted {
        who: Who,
        n: u8,
    },
    /// A letter of another device of ours: as with contacts, the session knows its slot.
    Own,
}

/// What is owed until the object that carries it is stored.
pub struct Ride {
    pub acks: Vec<Id16>,
    pub name: Option<String>,
    pub no_acks: bool,
    pub heads: Heads,
    pub read: Option<[u8; 32]>,
    pub recovery: bool,
}

impl Ride {
    /// Nothing but acknowledgements.
    pub fn acks(acks: Vec<Id16>) -> Ride {
        Ride {
            acks,
            name: None,
            no_acks: false,
            heads: Heads::default(),
            read: None,
            recovery: false,
        }
    }
}

/// Everything an unlocked account works with.
pub struct Open {
    pub rows: Rows,
    pub data: DataKey,
    pub authority: Authority,
    /// The account's public key.
    pub me: PublicKey,
    pub device: SigningKey,
    pub profile: Profile,
    pub epoch_keys: EpochKeys,
    pub clock: AgreedTime,
    pub relays: Relays,
    pub named: Named,
    pub sync: Sync,
    pub carry: Carry,
    pub audits: Audits,
    pub contacts: BTreeMap<Who, Contact>,
    pub invites: BTreeMap<Id16, Invite>,
    pub greetings: BTreeMap<Id16, GreetingRow>,
    pub outgoing: BTreeMap<(Who, Id16), MessageRow>,
    pub state: State,
    /// This account's other devices.
    pub own: Own,
    pub parcels: BTreeMap<Owner, ParcelRow>,
    /// What is being put on each relay's link.
    pub puts: BTreeMap<NodeKey, Puts>,
    /// How often an object was made again because relays refused it.
    pub remakes: BTreeMap<Owner, u32>,
    /// What rides on an object under way beside its text.
    pub rides: BTreeMap<Owner, Ride>,
    pub loads: BTreeMap<Token, Loading>,
    pub jobs: Jobs,
    pub lookups: Lookups,
    pub shelf: Shelf,
    pub recovery: Recovery,
    /// What this account shows of itself; the name stands in `profile`. Time 0: nothing yet.
    pub shown: ProfileText,
    pub watched: Watched,
    pub expected: ExpectedTags,
    /// The assumed and the agreed epoch that sessions were last brought to.
    pub epochs: (u32, u32),
    /// The epoch whose keys were last put into the record.
    pub published_epoch: u32,
    /// When what is owed leaves next (mono); faster until then.
    pub tick_at: u64,
    pub fast_until: u64,
    /// When expiry and epochs are looked after next (mono).
    pub house_at: u64,
}

impl Open {
    /// The row's present value; `None` if it is no more.
    pub fn encode(&self, key: &RowKey) -> Option<Vec<u8>> {
        fn cbor<T: minicbor::Encode<()>>(value: T) -> Option<Vec<u8>> {
            minicbor::to_vec(value).ok()
        }
        match key {
            RowKey::Profile => cbor(&self.profile),
            RowKey::EpochKeys => Some(self.epoch_keys.encode()),
            RowKey::Clock => Some(self.clock.encode()),
            RowKey::Named => cbor(self.named.row()),
            RowKey::Relay(node) => self.relays.row(node).and_then(cbor),
            RowKey::Contact(who) => self.contacts.get(who).and_then(|c| cbor(c.encoded())),
            RowKey::Seen(who, chunk) => self
                .contacts
                .get(who)
                .and_then(|c| c.seen.get(chunk))
                .and_then(cbor),
            RowKey::Invite(id) => self.invites.get(id).and_then(|i| cbor(i.encoded())),
            RowKey::Greeting(id) => self.greetings.get(id).and_then(cbor),
            RowKey::Outgoing(who, id) => self.outgoing.get(&(*who, *id)).and_then(|m| {
                cbor(OutgoingRow {
                    who: *who,
                    message: m.clone(),
                })
            }),
            RowKey::Parcel(owner) => self.parcels.get(owner).and_then(cbor),
            RowKey::Record(slot) => self.shelf.records.get(slot).and_then(cbor),
            RowKey::TakenBack(id) => self.shelf.taken_back.get(id).and_then(cbor),
            RowKey::Shown => (self.shown.time > 0).then(|| self.shown.encode()),
            RowKey::ShownBy(who) => {
                let contact = self.contacts.get(who)?;
                Some(contact.shown.as_ref()?.encode())
            }
            RowKey::StateEntry(hash) => self.state.row(hash),
            RowKey::StateParts => cbor(self.state.parts_row()),
            RowKey::Own => self.own.row().and_then(cbor),
            RowKey::Letter(id) => self.own.letters.row(id).and_then(cbor),
            RowKey::Message(..) => None,
        }
    }

    /// Contacts that were accepted and are not blocked.
    pub fn active(&self) -> impl Iterator<Item = (&Who, &Contact)> {
        self.contacts.iter().filter(|(_, c)| c.row.state == 1)
    }

    /// Tells people how a contact stands now.
    pub fn show_contact(&self, cx: &mut Cx, who: &Who) {
        if let Some(contact) = self.contacts.get(who) {
            let view = views::contact(contact, self.waits_for(who));
            cx.event(Event::Contact { contact: view });
        }
    }

    /// Tells people how a message stands now, and writes its row.
    pub fn show_message(&self, cx: &mut Cx, who: &Who, message: &MessageRow) {
        let waits_for = self.message_waits_for(who, &message.id);
        let view = views::message(who, message, waits_for);
        cx.event(Event::Message { message: view });
    }

    /// What a queued message of this contact waits for, work aside.
    pub fn waits_for(&self, who: &Who) -> WaitsFor {
        let Some(contact) = self.contacts.get(who) else {
            return WaitsFor::Relay;
        };
        let now = self.clock.assumed_epoch();
        match (&contact.session, contact.has_keys(now)) {
            (None, _) => WaitsFor::Acceptance,
            _ if self.is_to_be_confirmed(who) => WaitsFor::Confirmation,
            (Some(_), false) => WaitsFor::Keys,
            _ => WaitsFor::Work,
        }
    }

    /// What this queued message waits for.
    pub fn message_waits_for(&self, who: &Who, id: &Id16) -> WaitsFor {
        let owner = match self.is_plain_message(who, id) {
            true => Owner::Message(*who, *id),
            false => Owner::Greeting(*who),
        };
        if self.parcels.contains_key(&owner) {
            return match self.has_room() {
                true => WaitsFor::Relay,
                false => WaitsFor::RelayRoom,
            };
        }
        match owner {
            Owner::Message(..) => self.waits_for(who),
            _ => WaitsFor::Work,
        }
    }
}

impl Contact {
    /// Whether our greeting waits for its first acceptance.
    pub fn is_greeting(&self) -> bool {
        let waits = |g: &PendingGreeting| self.row.handshake == Some(g.message_id);
        self.greeting.as_ref().is_some_and(waits)
    }

    /// An acknowledgement that is owed whoever has switched them off.
    pub fn owe_anyway(&mut self, id: Id16) {
        let owed = &mut self.row.owed_anyway;
        if !owed.contains(&OwedAck(id)) {
            if owed.len() >= limits::OWED_ANYWAY_MAX {
                owed.remove(0);
            }
            owed.push(OwedAck(id));
        }
    }

    /// Whether there is something to tell them beside texts. `head` is the time of our profile.
    pub fn has_news(&self, head: u64) -> bool {
        let row = &self.row;
        !row.owed.is_empty()
            || !row.owed_anyway.is_empty()
            || row.switch_untold
            || row.told.has_news(head)
    }

    /// What becomes of the pairs there are when our own greeting or return is answered: if we have
    /// answered theirs too, both stand.
    pub fn what_becomes_of_old(&self) -> Old {
        match self.acceptance {
            Some(_) => Old::Stands,
            None => Old::Retires,
        }
    }

    /// Takes what a handshake made, beside what there is: [`Session::adopt`]. True if it was with
    /// another device than the one known in its place.
    pub fn take_session(&mut self, session: Session, old: Old) -> bool {
        match &mut self.session {
            Some(known) => known.adopt(session, old),
            none => {
                *none = Some(session);
                false
            }
        }
    }

    /// Whether something can be sealed for them now.
    pub fn has_keys(&self, epoch: u32) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.usable(epoch))
    }

    /// The row with the session and handshakes encoded as they are now.
    pub fn encoded(&self) -> ContactRow {
        let mut row = self.row.clone();
        row.session = self.session.as_ref().map(Session::encode);
        row.greeting = self.greeting.as_ref().map(PendingGreeting::encode);
        row.keys = self.keys.as_ref().map(ContactKeys::encode);
        row.acceptance = self.acceptance.as_ref().map(PendingAcceptance::encode);
        row.coming_back = self.coming_back.as_ref().map(PendingReturn::encode);
        row
    }

    /// Whether a message id was received before.
    pub fn has_seen(&self, id: &Id16) -> bool {
        self.seen
            .values()
            .any(|chunk| chunk.ids.contains(&OwedAck(*id)))
    }

    /// Remembers a received message id, forgetting the oldest chunk beyond the bound.
    pub fn saw(&mut self, cx: &mut Cx, id: Id16) {
        let chunk = self.row.seen / SEEN_CHUNK;
        self.row.seen += 1;
        self.seen.entry(chunk).or_default().ids.push(OwedAck(id));
        cx.touch(RowKey::Seen(self.row.who, chunk));
        while self.seen.len() > SEEN_CHUNKS_MAX {
            if let Some((old, _)) = self.seen.pop_first() {
                cx.touch(RowKey::Seen(self.row.who, old));
            }
        }
    }
}

impl Invite {
    /// The row with its secret encoded as it is now.
    pub fn encoded(&self) -> InviteRow {
        let mut row = self.row.clone();
        row.secret = self.secret.as_ref().map(Invitation::encode);
        row
    }
}

/// Received message ids in one row.
const SEEN_CHUNK: u64 = 64;
/// 2,048 ids: a sender has 256 messages under way at most, so none older can come again.
const SEEN_CHUNKS_MAX: usize = 32;
