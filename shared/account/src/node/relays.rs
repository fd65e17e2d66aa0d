//! The relays an account uses: dialled, greeted, tried again with growing pauses.
//!
//! Invariant: at most [`RELAYS_MAX`] are kept, and at most one link to each. A relay that
//! somebody's invitation names is a guest until that person is greeted: asked for the invitation,
//! told and believed nothing else, and gone soon.

use super::cx::Cx;
use super::model::{Chooser, RelayRow, RowKey};
use super::named::Heard;
use super::offers::is_somewhere;
use super::problems;
use super::relay::{Relay, Stage};
use crate::api::Problem;
use crate::record::gives_all;
use alloc::{collections::BTreeMap, vec::Vec};
use shared::crypto::PublicKey;
use shared::io::{DialError, LinkId, Output, Token};
use shared::link::{ClientLink, LinkConfig, LinkFault, Reply};
use shared::range::Range;
use shared::time::{Millis, Now};
use shared::wire::RelayHint;

/// Relays of one account.
pub const RELAYS_MAX: usize = 16;
/// Of these, such as people chose or that came with an invitation.
const CHOSEN_MAX: usize = 8;
/// Relays of invitations that are being looked at.
const GUESTS_MAX: usize = 6;
/// How long after it was looked at.
const GUEST_MS: Millis = 5 * 60_000;
/// After so many a relay that was only named is dropped.
const NAMED_ATTEMPTS: u32 = 5;
/// From dialling to Welcome.
pub(super) const WELCOME_MS_MAX: Millis = 15_000;

/// A relay's node key.
pub type NodeKey = [u8; 32];

/// All relays, by node key.
pub struct Relays {
    pub(super) relays: BTreeMap<NodeKey, Relay>,
    /// Bits by which what they list is wider than what they keep.
    pub wider_bits: u8,
}

impl Relays {
    pub fn new(wider_bits: u8) -> Self {
        Relays {
            relays: BTreeMap::new(),
            wider_bits,
        }
    }

    /// The row of a relay that is kept.
    pub fn row(&self, key: &NodeKey) -> Option<&RelayRow> {
        self.kept().find(|(k, _)| *k == key).map(|(_, r)| &r.row)
    }

    /// All of them, guests too.
    pub fn all(&self) -> impl Iterator<Item = (&NodeKey, &Relay)> {
        self.relays.iter()
    }

    /// All but guests.
    pub fn kept(&self) -> impl Iterator<Item = (&NodeKey, &Relay)> {
        self.relays.iter().filter(|(_, r)| !r.is_guest())
    }

    pub fn is_guest(&self, key: &NodeKey) -> bool {
        self.relays.get(key).is_some_and(Relay::is_guest)
    }

    /// Relays that are believed the time: those that people chose themselves; where there are none,
    /// those of the people they greeted. One invitation can name several, all of one mind.
    pub fn clocks(&self) -> Vec<NodeKey> {
        let by = |wanted: Chooser| -> Vec<NodeKey> {
            let by = self.kept().filter(|(_, r)| r.row.by == wanted);
            by.map(|(key, _)| *key).collect()
        };
        let choosers = [Chooser::Person, Chooser::Link, Chooser::Relay];
        let mut all = choosers.into_iter().map(by);
        all.find(|keys| !keys.is_empty()).unwrap_or_default()
    }

    /// Relays that people chose or that came with an invitation; where there are none, all.
    pub fn trusted(&self) -> impl Iterator<Item = (&NodeKey, &Relay)> {
        let named = |r: &Relay| r.row.by == Chooser::Relay;
        let all_named = self.kept().all(|(_, r)| named(r));
        self.kept().filter(move |(_, r)| all_named || !named(r))
    }

    /// Whether a hint leads to a relay that is in use.
    pub fn knows(&self, hint: &RelayHint) -> bool {
        self.kept().any(|(key, _)| *key == hint.node_key)
    }

    /// A row read from the store. A hint of a kind this version does not know is skipped.
    pub fn restore(&mut self, row: RelayRow) {
        if let Ok(hint) = RelayHint::parse(&row.hint) {
            let key = hint.node_key;
            let stage = Stage::Down { until: 0 };
            self.relays.insert(key, Relay::new(hint, row, stage));
        }
    }

    /// Adds a relay. A known one is looked for at the other address too: what anybody may write in
    /// an invitation does not take the place of an address that works.
    pub fn add(&mut self, cx: &mut Cx, hint: RelayHint) -> Result<(), Problem> {
        let key = hint.node_key;
        if self.is_guest(&key) {
            self.keep(cx, &key)?;
            if let Some(relay) = self.relays.get_mut(&key) {
                relay.row.by = Chooser::Person;
                cx.touch(RowKey::Relay(key));
            }
            return Ok(());
        }
        if let Some(known) = self.relays.get_mut(&key) {
            let open = known.is_open();
            if known.row.hint != hint.encode() && !open {
                known.moved = Some(hint);
                // However long it was away: there it has not been looked for yet.
                known.attempts = 0;
                if matches!(known.stage, Stage::Down { .. }) {
                    known.stage = Stage::Down { until: cx.now.mono };
                }
            }
            return Ok(());
        }
        if self.chosen() >= CHOSEN_MAX {
            return Err(problems::relays_full());
        }
        self.insert(cx, hint);
        cx.touch(RowKey::Relay(key));
        Ok(())
    }

    fn insert(&mut self, cx: &Cx, hint: RelayHint) -> &mut Relay {
        let row = RelayRow {
            hint: hint.encode(),
            cursor: 0,
            added: cx.now.unix,
            by: Chooser::Person,
        };
        let stage = Stage::Down { until: cx.now.mono };
        let relay = Relay::new(hint, row, stage);
        self.relays.entry(hint.node_key).or_insert(relay)
    }

    /// Asks a relay that an invitation names for a while. Too many of them, and the one looked at
    /// longest ago goes.
    pub fn invite(&mut self, cx: &mut Cx, hint: RelayHint) {
        if self.knows(&hint) {
            // What a known one is told to have moved to is tried, as ever.
            let _ = self.add(cx, hint);
            return;
        }
        let until = cx.now.mono + GUEST_MS;
        self.invite_until(cx, hint, until);
    }

    /// The same of one that is not in use, until then (mono).
    pub fn invite_until(&mut self, cx: &mut Cx, hint: RelayHint, until: Millis) {
        let guests = self.relays.iter().filter(|(_, r)| r.is_guest());
        if !self.relays.contains_key(&hint.node_key) && guests.clone().count() >= GUESTS_MAX {
            let oldest = guests.min_by_key(|(_, r)| r.guest_until);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.drop(cx, &key);
            }
        }
        let relay = match self.relays.contains_key(&hint.node_key) {
            true => self.relays.get_mut(&hint.node_key),
            false => Some(self.insert(cx, hint)),
        };
        if let Some(relay) = relay {
            relay.guest_until = Some(until);
        }
    }

    /// The link of a relay that answered.
    pub fn link_of(&self, key: &NodeKey) -> Option<LinkId> {
        match self.relays.get(key)?.stage {
            Stage::Open { link, .. } => Some(link),
            _ => None,
        }
    }

    /// What a relay that answered keeps.
    pub fn range_of(&self, key: &NodeKey) -> Range {
        match self.relays.get(key).map(|relay| &relay.stage) {
            Some(Stage::Open { welcome, .. }) => welcome.range,
            _ => Range::ALL,
        }
    }

    /// How many people chose.
    fn chosen(&self) -> usize {
        let chosen = |r: &Relay| r.row.by != Chooser::Relay;
        self.kept().filter(|(_, r)| chosen(r)).count()
    }

    /// Whether it is here in any way.
    pub fn is_known(&self, key: &NodeKey) -> bool {
        self.relays.contains_key(key)
    }

    /// Adds a relay that another one named; false if there is no room.
    pub fn add_named(&mut self, cx: &mut Cx, heard: Heard) -> bool {
        let hint = heard.hint;
        let key = hint.node_key;
        if self.is_known(&key) || self.kept().count() >= RELAYS_MAX {
            return false;
        }
        let relay = self.insert(cx, hint);
        (relay.range, relay.through) = (heard.range, heard.by);
        relay.row.by = Chooser::Relay;
        cx.touch(RowKey::Relay(key));
        true
    }

    /// Drops named relays that cannot be reached: whether they are back can be heard again. And
    /// such as list nothing that is read here any more.
    pub fn drop_named(&mut self, cx: &mut Cx, reads: &[Range]) -> Vec<NodeKey> {
        let elsewhere = |r: &Relay| {
            let scanned = r.range.map(|range| self.listed(range));
            scanned.is_some_and(|s| !reads.iter().any(|read| read.overlaps(s)))
        };
        let gone = |r: &Relay| {
            let lost = r.attempts >= NAMED_ATTEMPTS || r.is_broken();
            r.row.by == Chooser::Relay && (lost || elsewhere(r))
        };
        let gone = self.kept().filter(|(_, r)| gone(r)).map(|(key, _)| *key);
        let gone: Vec<NodeKey> = gone.collect();
        for key in &gone {
            self.drop(cx, key);
            cx.touch(RowKey::Relay(*key));
        }
        gone
    }

    /// A guest stays.
    pub fn keep(&mut self, cx: &mut Cx, key: &NodeKey) -> Result<(), Problem> {
        if self.chosen() >= CHOSEN_MAX {
            return Err(problems::relays_full());
        }
        if let Some(relay) = self.relays.get_mut(key) {
            relay.guest_until = None;
            relay.row.by = Chooser::Link;
            cx.touch(RowKey::Relay(*key));
        }
        Ok(())
    }

    /// Stops using a relay and closes its link. Its key, if it was in use.
    pub fn remove(&mut self, cx: &mut Cx, name: &str) -> Option<NodeKey> {
        let key = *self
            .kept()
            .find(|(key, _)| super::relay_views::name_of(key) == name)?
            .0;
        self.drop(cx, &key);
        cx.touch(RowKey::Relay(key));
        Some(key)
    }

    fn drop(&mut self, cx: &mut Cx, key: &NodeKey) {
        if let Some(link) = self.relays.remove(key).and_then(|relay| relay.link()) {
            cx.at_once(Output::Close { link });
        }
    }

    /// Guests whose time is over.
    pub fn drop_guests(&mut self, cx: &mut Cx) -> Vec<NodeKey> {
        let over = |r: &Relay| r.guest_until.is_some_and(|until| until <= cx.now.mono);
        let over = self.relays.iter().filter(|(_, r)| over(r));
        let over: Vec<NodeKey> = over.map(|(key, _)| *key).collect();
        over.iter().for_each(|key| self.drop(cx, key));
        over
    }

    /// Dials what is due and gives up what takes too long.
    pub fn on_timer(&mut self, cx: &mut Cx) -> bool {
        let mut changed = false;
        let now = cx.now.mono;
        let doors = self.doors();
        for relay in self.relays.values_mut() {
            match &relay.stage {
                Stage::Down { until } if *until <= now => {
                    let door = doors.iter().find(|(key, _)| relay.through == Some(*key));
                    relay.dial(cx, door.map(|(_, link)| *link));
                    changed = true;
                }
                Stage::Dialling { deadline, .. } if *deadline <= now => {
                    relay.fail(cx, problems::relay_gone());
                    changed = true;
                }
                Stage::Greeting { deadline, link, .. } if *deadline <= now => {
                    cx.at_once(Output::Close { link: *link });
                    relay.fail(cx, problems::relay_gone());
                    changed = true;
                }
                _ => {}
            }
        }
        changed
    }

    /// The clock of a relay whose link is open.
    pub fn time_of(&self, key: &NodeKey, now: Now) -> Option<Millis> {
        match &self.relays.get(key)?.stage {
            Stage::Open { client, .. } => client.relay_time(now),
            _ => None,
        }
    }

    /// When `on_timer` has something to do next.
    pub fn next_timer(&self) -> Option<Millis> {
        self.relays
            .values()
            .map(|r| {
                let next = match &r.stage {
                    Stage::Down { until } => *until,
                    Stage::Dialling { deadline, .. } | Stage::Greeting { deadline, .. } => {
                        *deadline
                    }
                    Stage::Open { client, .. } => client.next_time(),
                };
                r.guest_until.map_or(next, |until| until.min(next))
            })
            .min()
    }

    /// Whether a dial of that token is under way.
    pub fn awaits(&self, dialled: Token) -> bool {
        let waits =
            |r: &Relay| matches!(&r.stage, Stage::Dialling { token, .. } if *token == dialled);
        self.relays.values().any(waits)
    }

    /// A dial succeeded: says Hello.
    pub fn on_link_up(&mut self, cx: &mut Cx, link: LinkId, dialled: Token, binding: [u8; 32]) {
        let relay = self
            .relays
            .values_mut()
            .find(|r| matches!(&r.stage, Stage::Dialling { token, .. } if *token == dialled));
        let Some(relay) = relay else {
            cx.at_once(Output::Close { link });
            return;
        };
        let nonce = cx.rng.array();
        let config = cx.config;
        let Ok(node_key) = PublicKey::from_bytes(&relay.hint.node_key) else {
            cx.at_once(Output::Close { link });
            return relay.fail(cx, problems::relay_false());
        };
        let link_config = LinkConfig {
            node_key,
            network: config.network,
            binding,
            nonce,
            work_divisor: config.work_divisor,
        };
        let client = ClientLink::new(link_config, cx.now);
        cx.at_once(Output::Send {
            link,
            bytes: client.hello(),
        });
        relay.stage = Stage::Greeting {
            link,
            client,
            deadline: cx.now.mono + WELCOME_MS_MAX,
        };
    }

    pub fn on_dial_failed(&mut self, cx: &mut Cx, failed: Token, error: DialError) -> bool {
        let relay = self
            .relays
            .values_mut()
            .find(|r| matches!(&r.stage, Stage::Dialling { token, .. } if *token == failed));
        let Some(relay) = relay else { return false };
        let problem = match error {
            DialError::NoAnswer => problems::relay_gone(),
            DialError::WrongCertificate => problems::relay_false(),
            DialError::Unsupported => problems::relay_unsupported(),
        };
        relay.fail(cx, problem);
        true
    }

    /// The link is gone. The key of the relay it led to, if any.
    pub fn on_link_down(&mut self, cx: &mut Cx, link: LinkId) -> Option<NodeKey> {
        let key = self.key_of(link)?;
        if let Some(relay) = self.relays.get_mut(&key) {
            relay.fail(cx, problems::relay_gone());
        }
        Some(key)
    }

    /// A frame on a link, and what it says; `None` with the key: it says what no relay may, and
    /// the link is ended.
    pub fn on_frame<'a>(
        &mut self,
        cx: &mut Cx,
        link: LinkId,
        bytes: &'a [u8],
    ) -> Option<(NodeKey, Option<Reply<'a>>)> {
        let key = self.key_of(link)?;
        let (Stage::Greeting { client, .. } | Stage::Open { client, .. }) =
            &mut self.relays.get_mut(&key)?.stage
        else {
            return None;
        };
        let problem = match client.on_frame(cx.now, bytes) {
            Ok(reply) => return Some((key, Some(reply))),
            Err(LinkFault::WrongKey | LinkFault::BadWelcome | LinkFault::BadReceipt) => {
                problems::relay_false()
            }
            Err(LinkFault::WrongVersion { .. } | LinkFault::WrongNetwork { .. }) => {
                problems::relay_other()
            }
            Err(_) => problems::relay_gone(),
        };
        self.drop_link(cx, link, problem);
        Some((key, None))
    }

    /// Pings; the relays whose links went silent, and were ended.
    pub fn tick(&mut self, cx: &mut Cx) -> Vec<NodeKey> {
        let mut silent = Vec::new();
        for (key, relay) in &mut self.relays {
            let Stage::Open { link, client, .. } = &mut relay.stage else {
                continue;
            };
            if client.next_time() > cx.now.mono {
                continue;
            }
            match client.on_timer(cx.now) {
                Ok(Some(bytes)) => cx.at_once(Output::Send { link: *link, bytes }),
                Ok(None) => {}
                Err(_) => silent.push((*key, *link)),
            }
        }
        for (_, link) in &silent {
            self.drop_link(cx, *link, problems::relay_gone());
        }
        silent.into_iter().map(|(key, _)| key).collect()
    }

    /// Ends a link that misbehaved.
    pub fn drop_link(&mut self, cx: &mut Cx, link: LinkId, problem: Problem) {
        cx.at_once(Output::Close { link });
        if let Some(relay) = self.key_of(link).and_then(|key| self.relays.get_mut(&key)) {
            relay.fail(cx, problem);
        }
    }

    /// Ends a link to open it again at once in another way.
    pub fn redial(&mut self, cx: &mut Cx, link: LinkId) {
        cx.at_once(Output::Close { link });
        if let Some(relay) = self.key_of(link).and_then(|key| self.relays.get_mut(&key)) {
            relay.stage = Stage::Down { until: cx.now.mono };
        }
    }

    pub fn key_of(&self, link: LinkId) -> Option<NodeKey> {
        self.relays
            .iter()
            .find(|(_, r)| r.link() == Some(link))
            .map(|(key, _)| *key)
    }

    pub fn get_mut(&mut self, key: &NodeKey) -> Option<&mut Relay> {
        self.relays.get_mut(key)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = (&NodeKey, &mut Relay)> {
        self.relays.iter_mut()
    }

    /// Relays that answered, guests too.
    pub fn open(&self) -> impl Iterator<Item = (&NodeKey, &Relay)> {
        self.relays.iter().filter(|(_, r)| r.is_open())
    }

    /// Whether each that answered gives all its records to one question.
    pub fn all_have_few_records(&self) -> bool {
        let few = |(_, r): (&NodeKey, &Relay)| match &r.stage {
            Stage::Open { welcome, .. } => gives_all(welcome.live_records, welcome.range),
            _ => true,
        };
        let mut open = self.in_use().peekable();
        open.peek().is_some() && open.all(few)
    }

    /// Relays that answered and are in use.
    pub fn in_use(&self) -> impl Iterator<Item = (&NodeKey, &Relay)> {
        self.kept().filter(|(_, r)| r.is_open())
    }

    /// All links, with the keys of their relays.
    pub fn links(&self) -> Vec<(NodeKey, LinkId)> {
        let link = |(key, r): (&NodeKey, &Relay)| Some((*key, r.link()?));
        self.relays.iter().filter_map(link).collect()
    }

    /// Hints for an invitation: open relays first, those that nobody dials last, three at most.
    pub fn hints(&self) -> Vec<RelayHint> {
        let relays = self.kept().map(|(_, r)| r);
        let mut relays: Vec<&Relay> = relays.filter(|r| is_somewhere(&r.hint)).collect();
        relays.sort_by_key(|r| (r.hidden, !r.is_open()));
        relays.into_iter().take(3).map(|r| r.hint).collect()
    }

    /// Closes every link (on locking and erasing).
    pub fn close_all(&mut self, cx: &mut Cx) {
        for relay in self.relays.values_mut() {
            if let Some(link) = relay.link() {
                cx.at_once(Output::Close { link });
            }
        }
    }
}
