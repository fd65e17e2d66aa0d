//! The new device: it links to relays before it has an account, shows a code, and opens the account
//! that it is given. PROTOCOL.md section 15.
//!
//! Invariant: nothing is stored before the whole bundle is there and the person said yes; what was
//! received is saved before the other side hears of it.

use super::Account;
use super::bundle::Drawn;
use super::cx::Cx;
use super::linking::{Linking, NewDraft, Side, show, show_failed};
use super::meet::Meet;
use super::open::Open;
use super::problems;
use super::relay::Stage;
use super::views;
use crate::agreed_time::AgreedTime;
use crate::api::LinkStep;
use crate::linking::{Asks, Bundle, Moment, NewDevice, NewEvent, Reply, SHOWN_MS, digits};
use crate::state::values::DeviceKind;
use alloc::{boxed::Box, vec::Vec};
use shared::crypto::{KemSecret, Key, SigningKey, sha256};
use shared::time::Millis;
use shared::wire::RelayHint;

/// Other relays than the first one that answered are waited for so long.
const OTHERS_MS: Millis = 1_500;
/// A relay has to answer in that time.
const CONNECT_MS: Millis = 60_000;

/// A run on the new device.
pub struct NewSide {
    draft: NewDraft,
    drawn: Drawn,
    /// The passcode's key and salt, and whether the vault opens without it for a while.
    vault: (Key, [u8; 16], bool),
    clock: AgreedTime,
    run: Option<NewDevice>,
    /// When it has to be linked to a relay, and since when it is (mono).
    connects_until: Millis,
    linked_at: Option<Millis>,
    /// The envelope with our key, and until when the code is shown (mono).
    first: u32,
    shown_until: Millis,
    is_shown: bool,
    compares: bool,
    said_yes: bool,
    progress: Option<(u32, u32)>,
}

/// What a step of the run leads to.
enum Next {
    Received(Box<Bundle>),
    Over,
}

impl NewSide {
    pub(super) fn next_timer(&self) -> Option<Millis> {
        match &self.run {
            Some(run) => run.deadline(),
            None => {
                let others = self.linked_at.map(|at| at + OTHERS_MS);
                Some(others.unwrap_or(self.connects_until))
            }
        }
    }

    pub(super) fn may_confirm(&self) -> bool {
        self.compares && !self.said_yes
    }

    fn moment(&mut self, cx: &Cx, meet: &Meet) -> Moment {
        self.clock.tick(cx.now);
        Moment {
            mono: cx.now.mono,
            now: self.clock.assumed(),
            network: cx.config.network,
            effort: meet.effort(),
        }
    }

    /// Draws the code, once enough relays are linked. True if there will be none.
    fn begin(&mut self, cx: &mut Cx, meet: &mut Meet) -> bool {
        let now = cx.now.mono;
        let open: Vec<_> = meet.relays.open().map(|(key, _)| *key).collect();
        let dialling =
            |stage: &Stage| matches!(stage, Stage::Dialling { .. } | Stage::Greeting { .. });
        let waits = meet.relays.all().any(|(_, relay)| dialling(&relay.stage));
        if open.is_empty() {
            self.linked_at = None;
            if now < self.connects_until {
                return false;
            }
            let problem = problems::link_timed_out();
            show(cx, LinkStep::Failed { problem });
            return true;
        }
        let since = *self.linked_at.get_or_insert(now);
        if waits && now < since + OTHERS_MS {
            return false;
        }
        self.clock.tick(cx.now);
        self.clock.listen_to(&open);
        for key in &open {
            if let Some(unix) = meet.relays.time_of(key, cx.now) {
                self.clock.on_relay(*key, unix);
            }
        }
        self.draw(cx, meet)
    }

    fn draw(&mut self, cx: &mut Cx, meet: &mut Meet) -> bool {
        let at = self.moment(cx, meet);
        let linked = |hint: &&RelayHint| meet.relays.link_of(&hint.node_key).is_some();
        let range = |hint: &RelayHint| meet.relays.range_of(&hint.node_key);
        let linked: Vec<RelayHint> = self.draft.hints.iter().filter(linked).copied().collect();
        // All envelopes lie where the first one keeps them.
        let kept = linked.first().map(range).unwrap_or_default();
        let lists = |hint: &RelayHint| meet.relays.listed(range(hint)).wider_or_same(kept);
        let hints: Vec<RelayHint> = linked.into_iter().filter(|hint| lists(hint)).collect();
        let kem = KemSecret::from_bytes(self.drawn.kem);
        let asks = Asks {
            device: SigningKey::from_bytes(&self.drawn.device).public(),
            kem_hash: sha256(&[kem.public().as_bytes()]),
            name: self.draft.device.clone(),
            kind: match self.draft.full {
                true => DeviceKind::Full,
                false => DeviceKind::Linked,
            },
        };
        let Ok((run, put)) = NewDevice::within(asks, (&hints, kept), &at, &mut cx.rng) else {
            // Its name was cleaned.
            return true;
        };
        meet.expect(run.address(), run.expected());
        self.first = meet.put(cx, put);
        self.shown_until = cx.now.mono + SHOWN_MS;
        self.run = Some(run);
        false
    }

    /// Shows the code once it leads somewhere.
    fn show_code(&mut self, cx: &mut Cx, meet: &Meet) {
        let Some(run) = self.run.as_ref().filter(|_| !self.is_shown) else {
            return;
        };
        if meet.is_stored(self.first) {
            self.is_shown = true;
            let left = self.shown_until.saturating_sub(cx.now.mono);
            let code = run.code().text();
            let until = cx.now.unix + left;
            show(cx, LinkStep::Shown { code, until });
        }
    }

    /// Everything that came, and the time.
    fn drive(&mut self, cx: &mut Cx, meet: &mut Meet) -> Option<Next> {
        if self.run.is_none() && self.begin(cx, meet) {
            return Some(Next::Over);
        }
        self.show_code(cx, meet);
        let at = self.moment(cx, meet);
        let reply = self.run.as_mut()?.on_time(&at, &mut cx.rng);
        let mut next = self.on_reply(cx, meet, reply);
        while next.is_none()
            && let Some((header, body)) = meet.next_found()
        {
            let run = self.run.as_mut()?;
            let reply = run.on_envelope(&header, &body, &at, &mut cx.rng);
            meet.expect(run.address(), run.expected());
            next = self.on_reply(cx, meet, reply);
        }
        next
    }

    fn on_reply(&mut self, cx: &mut Cx, meet: &mut Meet, reply: Reply<NewEvent>) -> Option<Next> {
        for sealed in reply.put {
            meet.put(cx, sealed);
        }
        match reply.event? {
            NewEvent::Compare(host) => {
                self.compares = true;
                let step = LinkStep::Compare {
                    digits: digits(host.number),
                    name: host.name,
                    account: views::account(host.account.key().as_bytes()),
                    full: self.draft.full,
                };
                show(cx, step);
                None
            }
            NewEvent::Progress { have, of } => {
                self.progress = Some((have.into(), of.unwrap_or(0).into()));
                if self.said_yes {
                    self.show_progress(cx);
                }
                None
            }
            NewEvent::Received(bundle) => Some(Next::Received(bundle)),
            NewEvent::Failed(why) => {
                show_failed(cx, why);
                Some(Next::Over)
            }
        }
    }

    fn show_progress(&self, cx: &mut Cx) {
        if let Some((have, of)) = self.progress {
            show(cx, LinkStep::Moving { have, of });
        }
    }
}

impl Account {
    /// The passcode's key is there: relays are dialled.
    pub(super) fn begin_new(&mut self, draft: NewDraft, vault: (Key, [u8; 16], bool)) {
        let cx = &mut self.cx;
        let drawn = Drawn {
            device: cx.rng.array(),
            kem: cx.rng.array(),
        };
        // What was there before the code is not for it.
        let meet = Meet::new(cx, &draft.hints, 0);
        let new = NewSide {
            draft,
            drawn,
            vault,
            clock: AgreedTime::new(),
            run: None,
            connects_until: cx.now.mono + CONNECT_MS,
            linked_at: None,
            first: 0,
            shown_until: 0,
            is_shown: false,
            compares: false,
            said_yes: false,
            progress: None,
        };
        if let Some(before) = self.linking.take() {
            before.meet.close(cx);
        }
        show(cx, LinkStep::Connecting);
        self.linking = Some(Linking::new(meet, Side::New(Box::new(new))));
    }

    pub(super) fn drive_new(&mut self, linking: &mut Linking) {
        if let Side::New(new) = &mut linking.side {
            let next = new.drive(&mut self.cx, &mut linking.meet);
            self.on_next(linking, next);
        }
    }

    pub(super) fn confirm_new(&mut self, linking: &mut Linking) {
        let Side::New(new) = &mut linking.side else {
            return;
        };
        new.said_yes = true;
        show(&mut self.cx, LinkStep::Waiting);
        new.show_progress(&mut self.cx);
        let at = new.moment(&self.cx, &linking.meet);
        let Some(run) = &mut new.run else { return };
        let reply = run.confirm(true, &at, &mut self.cx.rng);
        let next = new.on_reply(&mut self.cx, &mut linking.meet, reply);
        self.on_next(linking, next);
    }

    /// The person leaves: who waits for a word gets it.
    pub(super) fn cancel_new(&mut self, linking: &mut Linking) {
        let Side::New(new) = &mut linking.side else {
            return;
        };
        let at = new.moment(&self.cx, &linking.meet);
        let said_yes = new.said_yes;
        if let Some(run) = &mut new.run {
            let rng = &mut self.cx.rng;
            let put = match said_yes {
                true => run.cancel(&at, rng).into_iter().collect(),
                false => run.confirm(false, &at, rng).put,
            };
            for sealed in put {
                linking.meet.put(&mut self.cx, sealed);
            }
        }
        linking.end(&self.cx);
    }

    fn on_next(&mut self, linking: &mut Linking, next: Option<Next>) {
        match next {
            Some(Next::Received(bundle)) => self.receive(linking, *bundle),
            Some(Next::Over) => linking.end(&self.cx),
            None => {}
        }
    }

    /// Opens the account that came, and says so once it is saved.
    fn receive(&mut self, linking: &mut Linking, bundle: Bundle) {
        let side = core::mem::replace(&mut linking.side, Side::Over);
        let Side::New(mut new) = side else { return };
        let at = new.moment(&self.cx, &linking.meet);
        let taken = self.take_account(&mut new, bundle);
        let Some(run) = &mut new.run else { return };
        let rng = &mut self.cx.rng;
        let (word, step) = match taken {
            true => (run.taken(&at, rng), LinkStep::Done),
            false => {
                let problem = problems::link_not_taken();
                (run.cancel(&at, rng), LinkStep::Failed { problem })
            }
        };
        if let Some(sealed) = word {
            linking.meet.put(&mut self.cx, sealed);
        }
        show(&mut self.cx, step);
        linking.end(&self.cx);
    }

    fn take_account(&mut self, new: &mut NewSide, bundle: Bundle) -> bool {
        let (key, salt, remember) = &new.vault;
        let Some(data) = self.make_vault(bundle.account, key, *salt) else {
            return false;
        };
        let clock = new.clock.clone();
        let cx = &mut self.cx;
        let Some(mut open) = Open::of_bundle(cx, data.clone(), &new.drawn, &bundle, clock) else {
            self.entry.vault = None;
            return false;
        };
        for hint in &new.draft.hints {
            // The relays at which the two met; there is room for them.
            let _ = open.relays.add(cx, *hint);
        }
        self.remember(*remember, &data);
        self.save_vault(Vec::new());
        self.opened(open, None);
        if let Some(open) = &mut self.open {
            open.take_bundle(&mut self.cx, bundle);
        }
        true
    }
}
