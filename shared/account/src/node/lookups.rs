//! Records asked for: an invitation somebody opened or answered, a contact's records, this
//! account's own. PROTOCOL.md section 4.
//!
//! Invariant: a lookup asks each open relay once and ends when all answered or its time is over. Of
//! one relay nothing is asked twice at a time: who wants the same waits for the same answer.

use super::cx::Cx;
use super::limits::{FINDS_UNDER_WAY_MAX, FOUND_BYTES_MAX, LOOKUPS_MAX};
use super::model::Who;
use super::open::Open;
use super::relay::Relay;
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
use shared::wire::{Header, Welcome};

/// How long relays have to come up and answer, others that they ask included.
const LOOKUP_MS_MAX: Millis = 30_000;
/// Records kept for one lookup.
const FOUND_MAX: usize = 4 * super::relays::RELAYS_MAX;

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
    /// What an account keeps in a slot, under the read secret known when it was asked for.
    Record {
        of: Whose,
        slot: u16,
        read: [u8; 32],
    },
}

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// This account's own.
    Own,
    Contact(Who),
}

struct Lookup {
    purpose: Purpose,
    /// Where it may lie, the most likely place first.
    places: Vec<Place>,
    /// Relays asked on their present links, and how many Finds of each have no end yet.
    asked: BTreeMap<NodeKey, u32>,
    /// Relays that said all they have.
    answered: BTreeSet<NodeKey>,
    /// Records from one of the places.
    found: Vec<Held>,
    /// Some relay was asked: it had its turn.
    began: bool,
    deadline: Millis,
}

impl Lookup {
    /// A guest is asked for the invitation that named it, and for nothing else.
    fn may_ask(&self, relay: &Relay) -> bool {
        !relay.is_guest()
            || match &self.purpose {
                Purpose::Record { .. } | Purpose::Again { .. } => false,
                Purpose::Open { link, .. } | Purpose::Greet { link, .. } => {
                    let key = relay.hint.node_key;
                    link.hints.iter().any(|hint| hint.node_key == key)
                }
            }
    }

    /// Whether some relay still owes an answer.
    fn is_open(&self) -> bool {
        self.asked.values().any(|open| *open > 0)
    }

    /// What has to be asked of a relay for it.
    fn prefixes(&self, welcome: &Welcome) -> BTreeSet<(u8, u64)> {
        let prefix =
            |place: &Place| record::find_prefix(place, welcome.live_records, welcome.range);
        self.places.iter().map(prefix).collect()
    }
}

/// A record that was found.
#[derive(Clone)]
pub struct Held {
    pub header: Header,
    pub body: Vec<u8>,
    /// Who gave it.
    pub by: BTreeSet<NodeKey>,
}

/// A Find without an end yet.
struct Find {
    of: (u8, u64),
    /// When it was asked (mono). Who comes later may want what the relay has stored since.
    at: Millis,
    waiting: BTreeSet<u64>,
}

/// All lookups under way.
#[derive(Default)]
pub struct Lookups {
    lookups: BTreeMap<u64, Lookup>,
    /// Lookups by where what they want may lie.
    wanted: BTreeMap<(u32, [u8; 16]), Vec<u64>>,
    finds: BTreeMap<(NodeKey, ReqId), Find>,
    next: u64,
    /// Of all that is found and not taken yet.
    found_bytes: usize,
    /// Keys not found: when to ask again (mono), and the pause after that.
    pub retry: BTreeMap<Who, (Millis, Millis)>,
    /// Greetings that wait: when to look their invitation up again (mono).
    pub again: BTreeMap<Who, Millis>,
}

/// A lookup that ended with records which may answer it.
pub struct Settled {
    pub lookup: u64,
    pub purpose: Purpose,
    pub places: Vec<Place>,
    pub records: Vec<Held>,
    /// Relays that said all they have.
    pub answered: BTreeSet<NodeKey>,
}

impl Lookups {
    /// Starts a lookup; false if too many are under way.
    pub fn start(&mut self, cx: &mut Cx, purpose: Purpose, places: Vec<Place>) -> bool {
        if self.lookups.len() >= LOOKUPS_MAX {
            return false;
        }
        for place in &places {
            let wanted = self.wanted.entry((place.address, place.tag)).or_default();
            wanted.push(self.next);
        }
        let lookup = Lookup {
            purpose,
            places,
            asked: BTreeMap::new(),
            answered: BTreeSet::new(),
            found: Vec::new(),
            began: false,
            deadline: cx.now.mono + LOOKUP_MS_MAX,
        };
        self.lookups.insert(self.next, lookup);
        self.next += 1;
        true
    }

    /// Whether this record is being looked up.
    pub fn seeks(&self, whose: Whose, wanted: u16) -> bool {
        self.lookups.values().any(|l| {
            matches!(&l.purpose, Purpose::Record { of, slot, .. }
                if (*of, *slot) == (whose, wanted))
        })
    }

    /// Whether any was not asked for yet.
    pub fn is_waiting(&self) -> bool {
        self.lookups.values().any(|l| l.asked.is_empty())
    }

    /// Keeps a record for the lookups it may answer. What follows from it waits for the end of the
    /// answer: acting at once would tell the relay which of the records was meant.
    pub fn hold(&mut self, key: NodeKey, request: ReqId, header: &Header, body: &[u8]) {
        if !self.finds.contains_key(&(key, request)) {
            return;
        }
        let wanted = self.wanted.get(&(header.address, header.tag));
        for id in wanted.into_iter().flatten() {
            let Some(lookup) = self.lookups.get_mut(id) else {
                continue;
            };
            let same = |held: &&mut Held| held.header.id() == header.id();
            if let Some(held) = lookup.found.iter_mut().find(same) {
                held.by.insert(key);
            } else if lookup.found.len() < FOUND_MAX
                && self.found_bytes + body.len() <= FOUND_BYTES_MAX
            {
                self.found_bytes += body.len();
                lookup.found.push(Held {
                    header: *header,
                    body: body.to_vec(),
                    by: [key].into(),
                });
            }
        }
    }

    /// Lookups whose answers are complete, or whose time is over, with what they brought.
    pub fn take_settled(&mut self, now: Millis) -> Vec<Settled> {
        let over = |l: &Lookup| (!l.is_open() || l.deadline <= now) && !l.found.is_empty();
        let settled = self.lookups.iter_mut().filter(|(_, l)| over(l));
        let settled: Vec<Settled> = settled
            .map(|(id, l)| Settled {
                lookup: *id,
                purpose: l.purpose.clone(),
                places: l.places.clone(),
                records: core::mem::take(&mut l.found),
                answered: l.answered.clone(),
            })
            .collect();
        let records = settled.iter().flat_map(|s| &s.records);
        self.found_bytes -= records.map(|held| held.body.len()).sum::<usize>();
        settled
    }

    /// It is over. False if it was before.
    pub fn finish(&mut self, lookup: u64) -> bool {
        self.take(lookup).is_some()
    }

    fn take(&mut self, id: u64) -> Option<Lookup> {
        let lookup = self.lookups.remove(&id)?;
        self.found_bytes -= lookup
            .found
            .iter()
            .map(|held| held.body.len())
            .sum::<usize>();
        for place in &lookup.places {
            let place = (place.address, place.tag);
            if let Some(wanted) = self.wanted.get_mut(&place) {
                wanted.retain(|of| *of != id);
                if wanted.is_empty() {
                    self.wanted.remove(&place);
                }
            }
        }
        self.finds.retain(|_, find| {
            find.waiting.remove(&id);
            !find.waiting.is_empty()
        });
        Some(lookup)
    }

    /// A Find is complete, or (`!complete`) refused. False if the request was not one of these.
    pub fn on_end(&mut self, key: NodeKey, request: ReqId, complete: bool) -> bool {
        let Some(find) = self.finds.remove(&(key, request)) else {
            return false;
        };
        for id in find.waiting {
            let Some(lookup) = self.lookups.get_mut(&id) else {
                continue;
            };
            let Some(open) = lookup.asked.get_mut(&key) else {
                continue;
            };
            *open = open.saturating_sub(1);
            if complete && *open == 0 {
                lookup.answered.insert(key);
            }
        }
        true
    }

    /// The link is gone: what it owed does not come. Another relay, or the same one again, may be
    /// asked.
    pub fn on_link_down(&mut self, key: &NodeKey) {
        self.finds.retain(|(of, _), _| of != key);
        for lookup in self.lookups.values_mut() {
            lookup.asked.remove(key);
        }
    }

    /// Lookups that ended with nothing, their time over or every relay having said so; and whether
    /// any relay said so.
    pub fn take_failed(&mut self, now: Millis, relays: &Relays) -> Vec<(Purpose, bool)> {
        let over = |l: &Lookup| {
            let answered = |(key, relay): (&NodeKey, &Relay)| {
                !l.may_ask(relay) || relay.is_open() && l.asked.contains_key(key)
            };
            l.deadline <= now || !l.is_open() && !l.asked.is_empty() && relays.all().all(answered)
        };
        let over = self.lookups.iter().filter(|(_, l)| over(l));
        let ids: Vec<u64> = over.map(|(id, _)| *id).collect();
        ids.into_iter()
            .filter_map(|id| self.take(id))
            .map(|lookup| (lookup.purpose, !lookup.answered.is_empty()))
            .collect()
    }

    pub fn next_timer(&self) -> Option<Millis> {
        let deadlines = self.lookups.values().map(|l| l.deadline);
        deadlines
            .chain(self.retry.values().map(|(at, _)| *at))
            .min()
    }

    /// Asks a relay for what a lookup wants, as far as nobody else has. False if that is too much
    /// now.
    fn ask(&mut self, cx: &mut Cx, id: u64, key: NodeKey, relay: &mut Relay) -> bool {
        let (Some(lookup), Some((link, client, welcome))) =
            (self.lookups.get_mut(&id), relay.opened_link())
        else {
            return false;
        };
        let wanted = lookup.prefixes(welcome);
        let of_link = self.finds.iter_mut().filter(|((of, _), _)| *of == key);
        let mut under_way = 0;
        let mut joined = Vec::new();
        for (_, find) in of_link {
            under_way += 1;
            if find.at == cx.now.mono && wanted.contains(&find.of) {
                joined.push(find);
            }
        }
        let mut new = wanted.clone();
        joined.iter().for_each(|find| {
            new.remove(&find.of);
        });
        // Always with room for something else on the link. What is larger than all there is has it
        // alone.
        let room = FINDS_UNDER_WAY_MAX.saturating_sub(under_way);
        let fits = new.len() <= room || under_way == 0;
        if !new.is_empty() && (!fits || client.room() <= new.len()) {
            return false;
        }
        for find in joined {
            find.waiting.insert(id);
        }
        lookup.asked.insert(key, wanted.len() as u32);
        for (bits, prefix) in new {
            let Some((request, frame)) = client.find(cx.now, bits, prefix) else {
                // Cannot be: there is room. It is not waited for.
                lookup.asked.entry(key).and_modify(|open| *open -= 1);
                continue;
            };
            let find = Find {
                of: (bits, prefix),
                at: cx.now.mono,
                waiting: [id].into(),
            };
            self.finds.insert((key, request), find);
            cx.send(link, frame);
        }
        true
    }
}

impl Open {
    /// Asks every open relay that was not asked yet.
    pub fn pump_lookups(&mut self, cx: &mut Cx) {
        let ids: Vec<u64> = self.lookups.lookups.keys().copied().collect();
        for id in ids {
            for (key, relay) in self.relays.values_mut() {
                let Some(lookup) = self.lookups.lookups.get(&id) else {
                    break;
                };
                if !relay.is_open() || lookup.asked.contains_key(key) || !lookup.may_ask(relay) {
                    continue;
                }
                let asked = self.lookups.ask(cx, id, *key, relay);
                if let Some(lookup) = self.lookups.lookups.get_mut(&id)
                    && !lookup.began
                {
                    // Its time begins with its turn.
                    lookup.began = asked;
                    lookup.deadline = cx.now.mono + LOOKUP_MS_MAX;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;
