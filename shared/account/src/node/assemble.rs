//! An open account put together: from a new seed, or from its rows.
//!
//! Invariant: what is derived (expected tags, jobs) follows from the rows alone, so that a crash at
//! any point leaves nothing half done.

use super::authority::Authority;
use super::carry::Carry;
use super::cx::Cx;
use super::expected::ExpectedTags;
use super::model::*;
use super::open::{Contact, Invite, Open};
use super::problems;
use super::recovery::Recovering;
use super::relays::Relays;
use super::returns::Returns;
use super::state::State;
use crate::acceptance::PendingAcceptance;
use crate::agreed_time::AgreedTime;
use crate::api::Problem;
use crate::comeback::PendingReturn;
use crate::epoch_keys::{ContactKeys, EpochKeys};
use crate::export::ExportRow;
use crate::greeting::PendingGreeting;
use crate::identity::{Identity, Seed};
use crate::invite::Invitation;
use crate::profile::ProfileText;
use crate::rows::{PlainRow, Rows};
use crate::sealed::Mailbox;
use crate::session::Session;
use crate::vault::DataKey;
use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use shared::crypto::SigningKey;
use shared::io::Token;

impl Open {
    /// A new account, or one made again from its words.
    pub fn create(cx: &mut Cx, data: DataKey, seed: Seed, name: String, restored: bool) -> Self {
        let place = cx.rng.u64() as u32;
        let profile = Profile {
            seed: Some(*seed.as_bytes()),
            name,
            device: cx.rng.array(),
            slot: 0,
            certificate: Vec::new(),
            read_secret: cx.rng.array(),
            restored,
            created: cx.now.unix,
            mailbox: Mailbox::default(),
            record_version: 0,
            greetings_day: 0,
            greetings_count: 0,
            place,
            invites_place: 0,
            wider: None,
            recovering: match restored {
                true => Recovering::Looking,
                false => Recovering::No,
            },
            superseded: None,
            keys_looked: 0,
            linked: None,
            given: Vec::new(),
            kem: None,
            removed: Vec::new(),
            is_removed: false,
        };
        cx.touch(RowKey::Profile);
        cx.touch(RowKey::Clock);
        cx.touch(RowKey::EpochKeys);
        let authority = Authority::Full(Box::new(Identity::from_seed(&seed)));
        let kept = (EpochKeys::new(), AgreedTime::new());
        Self::new(cx, data, profile, authority, kept)
    }

    pub(super) fn new(
        cx: &mut Cx,
        data: DataKey,
        profile: Profile,
        authority: Authority,
        (epoch_keys, mut clock): (EpochKeys, AgreedTime),
    ) -> Self {
        clock.tick(cx.now);
        let restored = profile.restored;
        Self {
            rows: Rows::new(&data),
            data,
            me: authority.account(),
            authority,
            device: SigningKey::from_bytes(&profile.device),
            profile,
            epoch_keys,
            clock,
            state: State::new(restored),
            own: Default::default(),
            relays: Relays::new(cx.config.scan_wider_bits),
            named: Default::default(),
            sync: Default::default(),
            carry: Carry::new(cx.config.carried_bytes_max),
            audits: Default::default(),
            contacts: BTreeMap::new(),
            invites: BTreeMap::new(),
            greetings: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            parcels: BTreeMap::new(),
            puts: BTreeMap::new(),
            remakes: BTreeMap::new(),
            rides: BTreeMap::new(),
            jobs: Default::default(),
            lookups: Default::default(),
            shelf: Default::default(),
            recovery: Default::default(),
            shown: Default::default(),
            watched: Default::default(),
            loads: BTreeMap::new(),
            expected: ExpectedTags::new(cx.rng.array()),
            epochs: (0, 0),
            published_epoch: 0,
            tick_at: cx.now.mono,
            fast_until: 0,
            house_at: cx.now.mono,
        }
    }

    /// From the rows of the state table; `None` if the account itself is not among them. A row that
    /// cannot be read is left out and told.
    pub fn from_rows(cx: &mut Cx, data: DataKey, state: Vec<PlainRow>) -> Option<Self> {
        let mut parsed = BTreeMap::new();
        for row in state {
            if let Some(key) = RowKey::parse(&row.key) {
                parsed.insert(key, row.value);
            }
        }
        let profile: Profile = minicbor::decode(parsed.get(&RowKey::Profile)?).ok()?;
        let epoch_keys = EpochKeys::decode(parsed.get(&RowKey::EpochKeys)?).ok()?;
        let clock = AgreedTime::decode(parsed.get(&RowKey::Clock)?).ok()?;
        let authority = Authority::of(&profile)?;
        let mut open = Self::new(cx, data, profile, authority, (epoch_keys, clock));
        let mut damaged = false;
        for (key, value) in &parsed {
            damaged |= open.restore(key, value).is_none();
        }
        if damaged {
            cx.trouble(problems::store_damaged());
        }
        Some(open)
    }

    fn restore(&mut self, key: &RowKey, value: &[u8]) -> Option<()> {
        match key {
            RowKey::Named => self.named.restore(minicbor::decode(value).ok()?),
            RowKey::Relay(_) => self.relays.restore(minicbor::decode(value).ok()?),
            RowKey::Contact(who) => {
                let contact = Contact::decode(minicbor::decode(value).ok()?)?;
                self.contacts.insert(*who, contact);
            }
            // Contacts come before their rows of ids: the kind byte is smaller.
            RowKey::Seen(who, chunk) => {
                let seen = minicbor::decode(value).ok()?;
                self.contacts.get_mut(who)?.seen.insert(*chunk, seen);
            }
            RowKey::Invite(id) => {
                let row: InviteRow = minicbor::decode(value).ok()?;
                let secret = row
                    .secret
                    .as_deref()
                    .map(Invitation::decode)
                    .transpose()
                    .ok()?;
                self.invites.insert(*id, Invite { row, secret });
            }
            RowKey::Greeting(id) => {
                self.greetings.insert(*id, minicbor::decode(value).ok()?);
            }
            RowKey::Outgoing(who, id) => {
                let row: OutgoingRow = minicbor::decode(value).ok()?;
                self.outgoing.insert((*who, *id), row.message);
            }
            RowKey::Parcel(owner) => {
                let parcel: ParcelRow = minicbor::decode(value).ok()?;
                self.jobs.restore_sequence(parcel.sequence);
                self.parcels.insert(*owner, parcel);
            }
            RowKey::Record(slot) => {
                let row = minicbor::decode(value).ok()?;
                self.shelf.records.insert(*slot, row);
            }
            RowKey::TakenBack(id) => {
                let row = minicbor::decode(value).ok()?;
                self.shelf.taken_back.insert(*id, row);
            }
            RowKey::Shown => self.shown = ProfileText::decode(value).ok()?,
            RowKey::ShownBy(who) => {
                let shown = ProfileText::decode(value).ok()?;
                self.contacts.get_mut(who)?.shown = Some(shown);
            }
            RowKey::StateEntry(_) => self.state.restore(value)?,
            RowKey::StateParts => self.state.restore_parts(minicbor::decode(value).ok()?),
            RowKey::Own => self.own.restore(minicbor::decode(value).ok()?)?,
            RowKey::Letter(id) => self.own.letters.restore(*id, minicbor::decode(value).ok()?),
            RowKey::Profile | RowKey::EpochKeys | RowKey::Clock | RowKey::Message(..) => {}
        }
        Some(())
    }

    /// Starts everything: expected tags, the queue, the relays.
    pub fn begin(&mut self, cx: &mut Cx) {
        self.own_begin(cx);
        self.on_epoch(cx);
        self.note_all(cx);
        let invites: Vec<Id16> = self.invites.keys().copied().collect();
        for id in invites {
            self.expect_greetings(&id);
        }
        let contacts: Vec<Who> = self.contacts.keys().copied().collect();
        for who in contacts {
            self.expect_acceptance(&who);
            self.expect_return_accepted(&who);
            let (assumed, agreed) = (self.clock.assumed_epoch(), self.clock.agreed());
            if let Some(session) = self.contacts.get_mut(&who).and_then(|c| c.session.as_mut()) {
                session.on_epoch(assumed, agreed);
            }
            self.refresh_expected(&who);
        }
        for who in self.eager() {
            self.want_keys(cx, &who);
        }
        self.begin_records(cx);
        self.begin_heads(cx);
        self.queue_missing(None);
        self.tick_at = cx.now.mono + cx.visible.exponential(super::limits::TICK_MS_MEAN).max(1);
        self.relays.on_timer(cx);
        self.pump_jobs(cx);
    }

    /// The seed, for showing its words, on a device that has it.
    pub fn seed(&self) -> Option<Seed> {
        self.profile.seed.map(Seed::from_bytes)
    }

    /// Whose account the rows of an export are.
    pub fn account_of(entries: &[ExportRow]) -> Option<Who> {
        let key = RowKey::Profile.bytes();
        let entry = entries.iter().find(|entry| entry.key == key)?;
        let profile: Profile = minicbor::decode(&entry.value).ok()?;
        Some(*Authority::of(&profile)?.account().as_bytes())
    }

    /// A load failed: its command is answered.
    pub fn load_failed(&mut self, cx: &mut Cx, token: Token, problem: Problem) {
        use super::commands::Loading;
        match self.loads.remove(&token) {
            Some(Loading::History { request, .. } | Loading::Delete { request, .. }) => {
                cx.failed(request, problem);
            }
            Some(Loading::ToTell { slot, .. }) => self.end_answer(slot),
            _ => cx.trouble(problem),
        }
    }

    /// The account is closed: commands that wait are answered.
    pub fn fail_pending(&mut self, cx: &mut Cx, problem: Problem) {
        use super::commands::Loading;
        use super::lookups::Purpose;
        for (purpose, _) in self.lookups.take_failed(u64::MAX, &self.relays) {
            if let Purpose::Open { request, .. } | Purpose::Greet { request, .. } = purpose {
                cx.failed(request, problem.clone());
            }
        }
        for loading in core::mem::take(&mut self.loads).into_values() {
            if let Loading::History { request, .. } | Loading::Delete { request, .. } = loading {
                cx.failed(request, problem.clone());
            }
        }
    }
}

impl Contact {
    fn decode(mut row: ContactRow) -> Option<Self> {
        let session = row
            .session
            .take()
            .map(|s| Session::decode(&s))
            .transpose()
            .ok()?;
        let greeting = row
            .greeting
            .take()
            .map(|g| PendingGreeting::decode(&g))
            .transpose()
            .ok()?;
        let acceptance = row
            .acceptance
            .take()
            .map(|a| PendingAcceptance::decode(&a))
            .transpose()
            .ok()?;
        let coming_back = row
            .coming_back
            .take()
            .map(|r| PendingReturn::decode(&r))
            .transpose()
            .ok()?;
        let keys = row
            .keys
            .take()
            .map(|k| ContactKeys::decode(&k))
            .transpose()
            .ok()?;
        Some(Self {
            row,
            session,
            greeting,
            acceptance,
            coming_back,
            returns: Returns::default(),
            keys,
            shown: None,
            seen: BTreeMap::new(),
        })
    }
}
