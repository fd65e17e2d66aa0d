//! Work to be done: what has to be sealed and solved, one puzzle at a time, in the order it was
//! asked for.
//!
//! Invariant: an owner is sealed only when its turn comes, so that its keys and expiry are fresh,
//! and at most one puzzle is under way.

use super::cx::Cx;
use super::model::{Owner, ParcelRow, RowKey, Who};
use super::open::{Invite, Open};
use super::{limits, views};
use crate::api::{Event, WaitsFor};
use crate::record::SLOT_EPOCH_KEYS;
use crate::sealed::Sealed;
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use shared::io::{Output, Token};
use shared::object::pow;
use shared::wire::Header;

/// The queue and the puzzle under way.
#[derive(Default)]
pub struct Jobs {
    queue: VecDeque<Owner>,
    solving: Option<Solving>,
    /// Effort that a relay asked for when it refused the last one.
    pub effort: BTreeMap<Owner, u8>,
    /// How often in a row the puzzle under way made way for another one.
    made_way: u32,
    next_sequence: u64,
}

struct Solving {
    token: Token,
    owner: Owner,
    header: Header,
    body: Vec<u8>,
    expected: u64,
}

impl Jobs {
    /// Puts an owner at the end of the queue, once.
    pub fn add(&mut self, owner: Owner) {
        let under_way = self.solving.as_ref().is_some_and(|s| s.owner == owner);
        if !under_way && !self.queue.contains(&owner) {
            self.queue.push_back(owner);
        }
    }

    /// The next owner: what people wait for, then letters, of which there may be many, then
    /// records, which take long.
    fn next(&mut self) -> Option<Owner> {
        let letter = |owner: &Owner| matches!(owner, Owner::Letter(_));
        let waited_for = |owner: &Owner| !can_wait(owner) && !letter(owner);
        let first = self.queue.iter().position(waited_for);
        let first = first.or_else(|| self.queue.iter().position(|owner| !can_wait(owner)));
        self.queue.remove(first.unwrap_or(0))
    }

    /// A record's puzzle makes way for what people wait for, and is begun anew behind it.
    fn make_way(&mut self, cx: &mut Cx) {
        let waits = self.solving.as_ref().map(|s| s.owner).filter(can_wait);
        let urgent = self.queue.iter().any(|owner| !can_wait(owner));
        if let Some(owner) = waits.filter(|_| urgent && self.made_way < MADE_WAY_MAX) {
            self.made_way += 1;
            self.stop(cx);
            self.queue.push_back(owner);
        }
    }

    /// Takes an owner out of the queue and stops its puzzle.
    pub fn remove(&mut self, cx: &mut Cx, owner: &Owner) {
        self.queue.retain(|queued| queued != owner);
        self.effort.remove(owner);
        if self.solving.as_ref().is_some_and(|s| s.owner == *owner) {
            self.stop(cx);
        }
    }

    /// Whose object the puzzle under way is for, and its size in bytes.
    pub fn under_way(&self) -> Option<(Owner, usize)> {
        self.solving.as_ref().map(|s| (s.owner, s.body.len()))
    }

    /// Stops the puzzle under way.
    pub fn stop(&mut self, cx: &mut Cx) {
        if let Some(solving) = self.solving.take() {
            cx.at_once(Output::CancelSolve {
                token: solving.token,
            });
        }
    }

    /// The next parcel's place in the order of sending.
    pub fn sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    /// A parcel of an earlier run: later ones come after it.
    pub fn restore_sequence(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence);
    }

    /// Progress of the puzzle, as an event.
    pub fn on_solving(&self, cx: &mut Cx, token: Token, hashes: u64) {
        if let Some(solving) = self.solving.as_ref().filter(|s| s.token == token) {
            let share = hashes as f32 / solving.expected.max(1) as f32;
            cx.at_once(Output::Event(Event::Work {
                what: name(&solving.owner),
                share,
            }));
        }
    }
}

/// What people call the owner: the id of its message, invitation or contact.
fn name(owner: &Owner) -> String {
    match owner {
        Owner::Message(_, id) | Owner::Invite(id) | Owner::TakenBack(id) | Owner::Letter(id) => {
            views::hex(id)
        }
        Owner::Greeting(who) | Owner::Acceptance(who) | Owner::Return(who) | Owner::Ack(who) => {
            views::account(who)
        }
        Owner::Record(SLOT_EPOCH_KEYS) => String::from("keys"),
        Owner::Record(_) => String::from("record"),
    }
}

impl Open {
    /// Seals the next owner that can be sealed and starts its puzzle.
    pub fn pump_jobs(&mut self, cx: &mut Cx) {
        if self.profile.is_removed {
            return;
        }
        self.jobs.make_way(cx);
        while self.jobs.solving.is_none() {
            let Some(owner) = self.jobs.next() else {
                return;
            };
            if self.parcels.contains_key(&owner) {
                continue;
            }
            let Some(Sealed { header, body }) = self.seal(cx, &owner) else {
                continue;
            };
            let work = pow::work(&header, cx.config.work_divisor);
            let token = cx.token();
            let solve = Output::Solve {
                token,
                prefix: header.prefix(),
                target: pow::target(work),
                expected: work,
            };
            self.jobs.solving = Some(Solving {
                token,
                owner,
                header,
                body,
                expected: work,
            });
            // The session has moved on: that is saved before the puzzle's result can be sent.
            cx.after(solve);
            self.show_owner(cx, &owner);
        }
    }

    /// The puzzle is solved: the parcel is saved, then put to every relay.
    pub fn on_solved(&mut self, cx: &mut Cx, token: Token, nonce: u64) {
        let Some(mut solving) = self.jobs.solving.take_if(|s| s.token == token) else {
            return;
        };
        solving.header.nonce = nonce;
        let target = pow::target(pow::work(&solving.header, cx.config.work_divisor));
        if !pow::check(&solving.header.prefix(), nonce, &target) {
            // A shell that solves wrongly is a bug of ours; the work is simply done again.
            self.jobs.add(solving.owner);
            return;
        }
        let parcel = ParcelRow {
            header: solving.header.encode().to_vec(),
            body: solving.body,
            stored: Vec::new(),
            sequence: self.jobs.sequence(),
        };
        self.jobs.effort.remove(&solving.owner);
        self.jobs.made_way = 0;
        self.parcels.insert(solving.owner, parcel);
        self.audits.made(solving.owner, cx.now.mono);
        if keeps_parcel(&solving.owner) {
            cx.touch(RowKey::Parcel(solving.owner));
        }
        self.show_owner(cx, &solving.owner);
        self.pump_puts(cx);
    }

    /// Shows the message or invitation again after its owner's state changed.
    pub fn show_owner(&self, cx: &mut Cx, owner: &Owner) {
        match owner {
            Owner::Message(who, id) => {
                if let Some(message) = self.outgoing.get(&(*who, *id)) {
                    self.show_message(cx, who, message);
                }
            }
            Owner::Greeting(who) => {
                let handshake = self.contacts.get(who).and_then(|c| c.row.handshake);
                let message = handshake.and_then(|id| self.outgoing.get(&(*who, id)));
                if let Some(message) = message {
                    self.show_message(cx, who, message);
                }
            }
            _ => {}
        }
    }

    /// Everything that has no valid parcel goes into the queue (after unlocking, and when keys
    /// arrive).
    pub fn queue_missing(&mut self, only: Option<&Who>) {
        let wanted = |who: &Who| only.is_none_or(|only| only == who);
        let epoch = self.clock.assumed_epoch();
        let can_seal = |who: &Who| {
            let contact = self.contacts.get(who);
            contact.is_some_and(|c| c.session.is_some() && c.has_keys(epoch))
                && !self.is_to_be_confirmed(who)
        };
        let now = self.clock.assumed();
        let mut missing = Vec::new();
        for (who, contact) in self.contacts.iter().filter(|(who, _)| wanted(who)) {
            if contact.is_greeting() && !self.greeting_is_over(who) {
                missing.push(Owner::Greeting(*who));
            }
            if contact.acceptance.is_some() {
                missing.push(Owner::Acceptance(*who));
            }
            if contact.is_coming_back(now) && contact.has_keys(epoch) {
                missing.push(Owner::Return(*who));
            }
        }
        let mut messages: Vec<_> = self
            .outgoing
            .iter()
            .filter(|((who, _), _)| wanted(who) && can_seal(who))
            .filter(|((who, id), m)| m.delivery.is_on_the_way() && self.is_plain_message(who, id))
            .map(|((who, id), message)| (message.index, Owner::Message(*who, *id)))
            .collect();
        messages.sort_unstable();
        missing.extend(messages.into_iter().map(|(_, owner)| owner));
        if only.is_none() {
            let unfinished = |invite: &&Invite| {
                let ours = invite.secret.is_some() && !invite.row.elsewhere;
                invite.row.tombstone || (invite.row.state <= 1 && ours)
            };
            let invites = self.invites.values().filter(unfinished);
            missing.extend(invites.map(|invite| Owner::Invite(invite.row.id)));
            missing.extend(self.shelf.owed());
        }
        for owner in missing
            .into_iter()
            .filter(|owner| !self.parcels.contains_key(owner))
        {
            self.jobs.add(owner);
        }
        if only.is_none() {
            self.queue_letters();
        }
    }

    /// Whether an outgoing message goes by the session (and is not the text of our greeting).
    pub fn is_plain_message(&self, who: &Who, id: &crate::node::model::Id16) -> bool {
        self.contacts
            .get(who)
            .is_some_and(|c| c.row.handshake.as_ref() != Some(id))
    }

    /// The effort for a new object of this owner: what relays ask, and at least `least`.
    pub fn effort(&self, owner: &Owner, least: u8) -> u8 {
        let floor = self
            .relays
            .trusted()
            .filter(|(_, relay)| relay.is_hoped_for())
            .map(|(_, relay)| relay.effort_floor)
            .filter(|floor| *floor <= limits::EFFORT_ASKED_MAX)
            .max()
            .unwrap_or(0);
        let asked = self.jobs.effort.get(owner).copied().unwrap_or(0);
        least.max(floor).max(asked).min(shared::limits::EFFORT_MAX)
    }

    /// Waiting states of a contact's queued messages, for people.
    pub fn show_waiting(&self, cx: &mut Cx, who: &Who) {
        if self.waits_for(who) == WaitsFor::Work {
            return;
        }
        for ((of, _), message) in self.outgoing.range((*who, [0; 16])..=(*who, [0xff; 16])) {
            self.show_message(cx, of, message);
        }
    }
}

/// After so many times in a row a record is not put off again.
const MADE_WAY_MAX: u32 = 16;

/// Whether nobody waits for it: a record of half a year takes seconds.
fn can_wait(owner: &Owner) -> bool {
    match owner {
        Owner::Record(slot) => *slot != SLOT_EPOCH_KEYS,
        Owner::TakenBack(_) => true,
        _ => false,
    }
}

/// Whether the parcel outlives the process. Acknowledgements do: one may begin the chain that kept
/// messages go on.
pub fn keeps_parcel(owner: &Owner) -> bool {
    !matches!(owner, Owner::Record(SLOT_EPOCH_KEYS))
}

/// A receipt came. That of a return may be lost in a power cut, where it is put again: of many at
/// once none waits for the disk because of the one before.
pub fn keep_receipt(cx: &mut Cx, owner: Owner) {
    match owner {
        Owner::Return(_) => cx.touch_lazily(RowKey::Parcel(owner)),
        _ if keeps_parcel(&owner) => cx.touch(RowKey::Parcel(owner)),
        _ => {}
    }
}

impl ParcelRow {
    /// The header, if it is one.
    pub fn header(&self) -> Option<Header> {
        Header::parse(self.header.first_chunk()?).ok()
    }
}
