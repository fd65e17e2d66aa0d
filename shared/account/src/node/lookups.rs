//! Records asked for: an invitation somebody opened or answered, a contact's epoch keys.
//! PROTOCOL.md section 4.
//!
//! Invariant: a lookup asks each open relay once and ends when all answered or its time is over.

use super::cx::Cx;
use super::model::Who;
use super::open::Open;
use super::relay::{Relay, Stage};
use super::relays::{NodeKey, Relays};
use crate::invite::InviteLink;
use crate::record::{self, Place};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use shared::link::ReqId;
use shared::time::Millis;
use shared::wire::Header;

/// How long relays have to come up and answer, others that they ask included.
const LOOKUP_MS_MAX: Millis = 30_000;
/// Lookups at once; more wait for their next turn.
const LOOKUPS_MAX: usize = 32;
/// Records kept for one lookup.
const FOUND_MAX: usize = 2 * super::relays::RELAYS_MAX;

/// What somebody waits for.
#[derive(Clone)]
pub enum Purpose {
    /// `OpenInvite`: the command's number.
    Open { request: u64, link: InviteLink },
    /// `Greet`: the command's number and the text.
    Greet {
        request: u64,
        link: InviteLink,
        text: String,
    },
    /// Whether an invitation that was answered still stands.
    Again { link: InviteLink },
    /// A contact's epoch keys.
    Keys { who: Who },
}

struct Lookup {
    purpose: Purpose,
    /// Where it may lie, the most likely place first.
    places: Vec<Place>,
    asked: BTreeSet<NodeKey>,
    /// Finds without an end yet.
    open: u32,
    /// Records from one of the places.
    found: Vec<(Header, Vec<u8>)>,
    deadline: Millis,
}

impl Lookup {
    /// A guest is asked for the invitation that named it, and for nothing else.
    fn may_ask(&self, relay: &Relay) -> bool {
        !relay.is_guest()
            || match &self.purpose {
                Purpose::Keys { .. } | Purpose::Again { .. } => false,
                Purpose::Open { link, .. } | Purpose::Greet { link, .. } => {
                    let key = relay.hint.node_key;
                    link.hints.iter().any(|hint| hint.node_key == key)
                }
            }
    }
}

/// All lookups under way.
#[derive(Default)]
pub struct Lookups {
    lookups: BTreeMap<u64, Lookup>,
    finds: BTreeMap<(NodeKey, ReqId), u64>,
    next: u64,
    /// Keys not found: when to ask again (mono), and the pause after that.
    pub retry: BTreeMap<Who, (Millis, Millis)>,
    /// Greetings that wait: when to look their invitation up again (mono).
    pub again: BTreeMap<Who, Millis>,
}

/// A lookup that ended with records which may answer it.
pub struct Settled {
    pub lookup: u64,
    pub purpose: Purpose,
    pub records: Vec<(Header, Vec<u8>)>,
}

impl Lookups {
    /// Starts a lookup; false if too many are under way.
    pub fn start(&mut self, cx: &mut Cx, purpose: Purpose, places: Vec<Place>) -> bool {
        if self.lookups.len() >= LOOKUPS_MAX {
            return false;
        }
        let deadline = cx.now.mono + LOOKUP_MS_MAX;
        let lookup = Lookup {
            purpose,
            places,
            asked: BTreeSet::new(),
            open: 0,
            found: Vec::new(),
            deadline,
        };
        self.lookups.insert(self.next, lookup);
        self.next += 1;
        true
    }

    /// Whether this contact's keys are being looked up.
    pub fn seeks_keys(&self, of: &Who) -> bool {
        self.lookups
            .values()
            .any(|l| matches!(&l.purpose, Purpose::Keys { who } if who == of))
    }

    /// Keeps a record for the lookups it may answer. What follows from it waits for the end of the
    /// answer: acting at once would tell the relay which of the records was meant.
    pub fn hold(&mut self, header: &Header, body: &[u8]) {
        let here = |place: &Place| (place.address, place.tag) == (header.address, header.tag);
        let wanted = |l: &&mut Lookup| l.places.iter().any(here) && l.found.len() < FOUND_MAX;
        for lookup in self.lookups.values_mut().filter(wanted) {
            lookup.found.push((*header, body.to_vec()));
        }
    }

    /// Lookups whose answers are complete, or whose time is over, with what they brought.
    pub fn take_settled(&mut self, now: Millis) -> Vec<Settled> {
        let settled = self
            .lookups
            .iter_mut()
            .filter(|(_, l)| (l.open == 0 || l.deadline <= now) && !l.found.is_empty());
        settled
            .map(|(id, l)| Settled {
                lookup: *id,
                purpose: l.purpose.clone(),
                records: core::mem::take(&mut l.found),
            })
            .collect()
    }

    /// It is over. False if it was before.
    pub fn finish(&mut self, lookup: u64) -> bool {
        self.finds.retain(|_, of| *of != lookup);
        self.lookups.remove(&lookup).is_some()
    }

    /// A Find is complete or refused. False if the request was not one of these.
    pub fn on_end(&mut self, key: NodeKey, request: ReqId) -> bool {
        let Some(id) = self.finds.remove(&(key, request)) else {
            return false;
        };
        if let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.open = lookup.open.saturating_sub(1);
        }
        true
    }

    /// The link is gone: what it owed does not come. Another relay, or the same one again, may be
    /// asked.
    pub fn on_link_down(&mut self, key: &NodeKey) {
        let gone: Vec<_> = self
            .finds
            .keys()
            .filter(|(of, _)| of == key)
            .copied()
            .collect();
        for find in gone {
            self.on_end(find.0, find.1);
        }
        for lookup in self.lookups.values_mut() {
            lookup.asked.remove(key);
        }
    }

    /// Lookups that ended with nothing: their time is over, or every relay said so.
    pub fn take_failed(&mut self, now: Millis, relays: &Relays) -> Vec<Purpose> {
        let over = |l: &Lookup| {
            let answered = |(key, relay): (&NodeKey, &Relay)| {
                !l.may_ask(relay) || relay.is_open() && l.asked.contains(key)
            };
            l.deadline <= now || l.open == 0 && !l.asked.is_empty() && relays.all().all(answered)
        };
        let ids: Vec<u64> = self
            .lookups
            .iter()
            .filter(|(_, l)| over(l))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter()
            .filter_map(|id| {
                let purpose = self.lookups.get(&id).map(|l| l.purpose.clone());
                self.finish(id);
                purpose
            })
            .collect()
    }

    pub fn next_timer(&self) -> Option<Millis> {
        let deadlines = self.lookups.values().map(|l| l.deadline);
        deadlines
            .chain(self.retry.values().map(|(at, _)| *at))
            .min()
    }
}

impl Open {
    /// Asks every open relay that was not asked yet.
    pub fn pump_lookups(&mut self, cx: &mut Cx) {
        for (id, lookup) in &mut self.lookups.lookups {
            for (key, relay) in self.relays.values_mut() {
                if !lookup.may_ask(relay) {
                    continue;
                }
                let Stage::Open {
                    link,
                    client,
                    welcome,
                    ..
                } = &mut relay.stage
                else {
                    continue;
                };
                if lookup.asked.contains(key) || client.room() <= lookup.places.len() {
                    continue;
                }
                lookup.asked.insert(*key);
                for place in &lookup.places {
                    let (bits, prefix) =
                        record::find_prefix(place, welcome.live_records, welcome.range);
                    let Some((request, frame)) = client.find(cx.now, bits, prefix) else {
                        break;
                    };
                    self.lookups.finds.insert((*key, request), *id);
                    lookup.open += 1;
                    cx.send(*link, frame);
                    if bits == 0 {
                        break;
                    }
                }
            }
        }
    }
}
