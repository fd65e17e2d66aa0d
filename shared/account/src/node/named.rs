//! Relays that relays name: an account holds three where there are so many, in different networks.
//!
//! Invariant: a relay that was only named is told what any relay is told, but believed no time, and
//! gives way before one that a person chose.

use super::cx::Cx;
use super::limits::{NAMED_KEPT, NAMED_MAX, RELAYS_HELD, RELAYS_NAMED_MAX};
use super::model::{NamedRow, RowKey};
use super::open::Open;
use super::relays::{NodeKey, Stage};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use shared::book::Group;
use shared::time::Millis;
use shared::wire::{Descriptor, Reader, RelayHint};

/// Between two questions for names while there are too few relays, and otherwise.
const ASK_SOON_MS: Millis = 20_000;
const ASK_LATER_MS: Millis = 30 * 60_000;

/// Relays heard of and not in use.
#[derive(Default)]
pub struct Named {
    hints: BTreeMap<NodeKey, RelayHint>,
    /// Removed by the person since this start.
    unwanted: BTreeSet<NodeKey>,
    ask_at: Millis,
}

impl Open {
    /// A relay says that there is another one.
    pub fn on_named(&mut self, cx: &mut Cx, by: NodeKey, descriptor: &Descriptor) {
        let reach = |ip: IpAddr| Group::of(ip).reach();
        let teller = self.relays.kept().find(|(key, _)| **key == by);
        let Some((_, teller)) = teller else { return };
        // Nobody may name what is nearer to this device than they are: its own network, itself.
        let nearest = reach(teller.hint.address);
        let address = descriptor
            .addresses
            .iter()
            .find(|address| reach(address.ip()) >= nearest);
        let key = &descriptor.node_key;
        let known = self.relays.is_known(key) || self.named.unwanted.contains(key);
        let Some(address) = address.filter(|_| descriptor.browsers && !known) else {
            return;
        };
        let hint = RelayHint {
            address: address.ip(),
            port: address.port(),
            certificate: descriptor.certificate,
            node_key: descriptor.node_key,
        };
        let hints = &mut self.named.hints;
        if hints.len() >= NAMED_MAX {
            let at = cx.visible.below(NAMED_MAX as u64) as usize;
            if let Some(key) = hints.keys().nth(at).copied() {
                hints.remove(&key);
            }
        }
        hints.insert(hint.node_key, hint);
        cx.touch_lazily(RowKey::Named);
    }

    /// Asks for names when it is time, drops named relays that are gone, and takes others in their
    /// place.
    pub fn hold_relays(&mut self, cx: &mut Cx) {
        for key in self.relays.drop_named(cx) {
            self.on_relay_lost(cx, key);
        }
        let held = self.relays.kept().filter(|(_, relay)| relay.is_held());
        let held: Vec<(NodeKey, IpAddr)> = held.map(|(k, r)| (*k, r.hint.address)).collect();
        let mut groups: BTreeSet<Group> = held.iter().map(|(_, ip)| Group::of(*ip)).collect();
        let mut count = held.len();
        while count < RELAYS_HELD {
            let Some(hint) = self.named.take(cx, &groups) else {
                break;
            };
            if !self.relays.add_named(cx, hint) {
                break;
            }
            cx.touch_lazily(RowKey::Named);
            groups.insert(Group::of(hint.address));
            count += 1;
        }
        if self.named.ask_at <= cx.now.mono {
            let lonely = count < RELAYS_HELD;
            let pause = if lonely { ASK_SOON_MS } else { ASK_LATER_MS };
            self.named.ask_at = cx.now.mono + pause + cx.visible.below(pause / 2);
            self.ask_names(cx);
        }
    }

    /// Whoever is linked may know others.
    fn ask_names(&mut self, cx: &mut Cx) {
        let now = cx.now;
        let near = self.profile.mailbox.prefix();
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
        let hints = self.hints.values().take(NAMED_KEPT);
        NamedRow {
            hints: hints.flat_map(RelayHint::encode).collect(),
        }
    }

    /// A row read from the store.
    pub fn restore(&mut self, row: NamedRow) {
        let mut r = Reader::new(&row.hints);
        while let Ok(hint) = RelayHint::read(&mut r) {
            self.hints.insert(hint.node_key, hint);
        }
    }

    /// The person does not want that one.
    pub fn refuse(&mut self, key: NodeKey) {
        self.hints.remove(&key);
        self.unwanted.insert(key);
    }

    /// Asks again soon: a new relay may know others.
    pub fn hurry(&mut self) {
        self.ask_at = 0;
    }

    /// Any of them, in a network that is not among these if there is one.
    fn take(&mut self, cx: &mut Cx, groups: &BTreeSet<Group>) -> Option<RelayHint> {
        let elsewhere = |hint: &&RelayHint| !groups.contains(&Group::of(hint.address));
        let mut hints: Vec<RelayHint> = self.hints.values().filter(elsewhere).copied().collect();
        if hints.is_empty() {
            hints = self.hints.values().copied().collect();
        }
        let at = cx.visible.below(hints.len() as u64) as usize;
        let hint = *hints.get(at)?;
        self.hints.remove(&hint.node_key);
        Some(hint)
    }
}
