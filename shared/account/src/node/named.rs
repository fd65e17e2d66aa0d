//! Relays that relays name: an account holds three where there are so many, in different networks.
//!
//! Invariant: a relay that was only named is told what any relay is told, but believed no time, and
//! gives way before one that a person chose.

use super::cx::Cx;
use super::limits::{NAMED_KEPT, NAMED_MAX, RELAYS_NAMED_MAX};
use super::model::{NamedRow, RowKey};
use super::offers::{is_somewhere, nowhere};
use super::open::Open;
use super::relay::{Relay, Stage};
use super::relays::{NodeKey, Relays};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use shared::book::Group;
use shared::range::Range;
use shared::time::{self, Millis};
use shared::wire::{Descriptor, Reader, RelayHint};

/// Between two questions for names while there are too few relays, and otherwise.
const ASK_SOON_MS: Millis = 20_000;
const ASK_LATER_MS: Millis = 30 * 60_000;

/// A relay that another one named.
#[derive(Clone, Copy)]
pub struct Heard {
    pub hint: RelayHint,
    /// What it keeps.
    pub range: Option<Range>,
    /// Who leads to it, if nobody dials it.
    pub by: Option<NodeKey>,
}

/// Relays heard of and not in use.
#[derive(Default)]
pub struct Named {
    heard: BTreeMap<NodeKey, Heard>,
    /// Removed by the person since this start.
    unwanted: BTreeSet<NodeKey>,
    ask_at: Millis,
    /// There are too few for something that is read.
    lonely: bool,
    /// The bucket since when that is so, or one that was taken since is not read yet.
    lonely_since: Option<u32>,
}

impl Open {
    /// A relay says that there is another one.
    pub fn on_named(
        &mut self,
        cx: &mut Cx,
        by: NodeKey,
        (descriptor, range): (&Descriptor, Range),
        undialled: bool,
    ) {
        let reach = |ip: IpAddr| Group::of(ip).reach();
        let teller = self.relays.kept().find(|(key, _)| **key == by);
        let Some((_, teller)) = teller else { return };
        // Nobody may name what is nearer to this device than they are: its own network, itself.
        let nearest = reach(teller.hint.address);
        let address = descriptor
            .addresses
            .iter()
            .find(|address| reach(address.ip()) >= nearest);
        let mut hint = nowhere(descriptor);
        match address {
            _ if undialled => {}
            Some(address) => (hint.address, hint.port) = (address.ip(), address.port()),
            None => return,
        }
        let key = &descriptor.node_key;
        if undialled {
            self.relays.note_door(key, by);
        }
        let known = self.relays.is_known(key) || self.named.unwanted.contains(key);
        // Of use is only one that lists what is read here.
        if known || !descriptor.browsers || !self.is_read_from(range) {
            return;
        }
        let heard = &mut self.named.heard;
        // Nobody takes away an address by saying that it is of no use.
        let better = |heard: &Heard| undialled && is_somewhere(&heard.hint);
        if heard.get(key).is_some_and(better) {
            return;
        }
        if heard.len() >= NAMED_MAX {
            let at = cx.visible.below(NAMED_MAX as u64) as usize;
            if let Some(key) = heard.keys().nth(at).copied() {
                heard.remove(&key);
            }
        }
        let (range, by) = (Some(range), undialled.then_some(by));
        heard.insert(*key, Heard { hint, range, by });
        cx.touch_lazily(RowKey::Named);
    }

    /// Asks for names when it is time, drops named relays that are gone, and takes others in their
    /// place.
    pub fn hold_relays(&mut self, cx: &mut Cx) {
        let reads = self.reads();
        for key in self.relays.drop_named(cx, &reads) {
            self.on_relay_lost(cx, key);
        }
        let held = self.relays.kept().filter(|(_, relay)| relay.is_held());
        let held = held.map(|(_, r)| (r.hint.address, r.range));
        let mut held: Vec<(IpAddr, Option<Range>)> = held.collect();
        // One that nobody dials depends on others: one of them is enough.
        let mut hidden = (self.relays.kept()).any(|(_, relay)| relay.is_held() && relay.hidden);
        let mut lonely = false;
        for (part, wanted) in self.parts() {
            loop {
                let relays = &self.relays;
                let of_part = held.iter().filter(|(_, it)| relays.may_list(*it, part));
                let groups: Vec<Group> = of_part.map(|(ip, _)| Group::of(*ip)).collect();
                if groups.len() >= wanted {
                    break;
                }
                let heard = self.named.take(cx, relays, &groups, (part, hidden));
                let Some(heard) = heard.filter(|heard| self.relays.add_named(cx, *heard)) else {
                    lonely = true;
                    break;
                };
                cx.touch_lazily(RowKey::Named);
                held.push((heard.hint.address, heard.range));
                hidden |= !is_somewhere(&heard.hint);
            }
        }
        self.feed_from_others(cx);
        if lonely && !self.named.lonely {
            // What is read is more than before, an invitation's mailbox say: nobody is held for it
            // until somebody is heard of, and who was passed by so far may do now.
            self.named.hurry();
        }
        self.named.lonely = lonely;
        let unread = |(_, relay): (_, &Relay)| relay.is_held() && relay.row.cursor == 0;
        if lonely || self.relays.kept().any(unread) {
            let bucket = time::bucket(self.clock.assumed());
            self.named.lonely_since.get_or_insert(bucket);
        } else {
            self.named.lonely_since = None;
        }
        if self.named.ask_at <= cx.now.mono {
            let pause = if lonely { ASK_SOON_MS } else { ASK_LATER_MS };
            self.named.ask_at = cx.now.mono + pause + cx.visible.below(pause / 2);
            self.ask_names(cx);
        }
    }

    /// Relays that were of no use to read from may be now, and the other way round.
    fn feed_from_others(&mut self, cx: &mut Cx) {
        let open = self.relays.kept().filter(|(_, relay)| relay.is_open());
        let keys: Vec<NodeKey> = open.map(|(key, _)| *key).collect();
        for key in keys {
            let time = self.relays.time_of(&key, cx.now);
            if let Some(time) = time
                && !self.sync.feeds.contains_key(&key)
                && self.reads_from(&key)
            {
                self.begin_feed(cx, key, time);
            }
        }
    }

    /// Whoever is linked may know others.
    fn ask_names(&mut self, cx: &mut Cx) {
        let now = cx.now;
        // Some relay for each part is looked for, in turn.
        let parts = self.parts();
        let part = cx.visible.choose(&parts);
        let part = part.map_or(Range::ALL, |(part, _)| *part);
        let near = part.fill(cx.visible.u64() as u32);
        let mut frames = Vec::new();
        for (_, relay) in self.relays.values_mut() {
            if relay.is_guest() {
                continue;
            }
            if let Stage::Open { link, client, .. } = &mut relay.stage
                && let Some((_, frame)) = client.relays(now, RELAYS_NAMED_MAX, near)
            {
                frames.push((*link, frame));
            }
        }
        for (link, frame) in frames {
            cx.send(link, frame);
        }
    }
}

impl Named {
    /// What is kept of it, for a start at which none of those in use is there.
    pub fn row(&self) -> NamedRow {
        let hints = self.heard.values().map(|heard| heard.hint);
        let hints = hints.filter(is_somewhere).take(NAMED_KEPT);
        NamedRow {
            hints: hints.flat_map(|hint| hint.encode()).collect(),
        }
    }

    /// A row read from the store.
    pub fn restore(&mut self, row: NamedRow) {
        let mut r = Reader::new(&row.hints);
        while let Ok(hint) = RelayHint::read(&mut r) {
            let (range, by) = (None, None);
            self.heard.insert(hint.node_key, Heard { hint, range, by });
        }
    }

    /// The person does not want that one.
    pub fn refuse(&mut self, key: NodeKey) {
        self.heard.remove(&key);
        self.unwanted.insert(key);
    }

    /// Since when there may have been nobody to read something from.
    pub fn lonely_since(&self) -> Option<u32> {
        self.lonely_since
    }

    /// Asks again soon: a new relay may know others.
    pub fn hurry(&mut self) {
        self.ask_at = 0;
    }

    /// Any of them that lists a part of what is read, in a network that is not among these if there
    /// is one. Where one without an address is held, one with an address if there is one.
    fn take(
        &mut self,
        cx: &mut Cx,
        relays: &Relays,
        groups: &[Group],
        (part, hidden): (Range, bool),
    ) -> Option<Heard> {
        let fit = self.heard.values();
        let fit = fit.filter(|heard| relays.may_list(heard.range, part));
        let mut fit: Vec<Heard> = fit.copied().collect();
        let prefer = |fit: &mut Vec<Heard>, better: &dyn Fn(&Heard) -> bool| {
            if fit.iter().any(better) {
                fit.retain(better);
            }
        };
        prefer(&mut fit, &|h| !hidden || is_somewhere(&h.hint));
        prefer(&mut fit, &|h| !groups.contains(&Group::of(h.hint.address)));
        let found = *cx.visible.choose(&fit)?;
        self.heard.remove(&found.hint.node_key);
        Some(found)
    }
}
