//! The device that has the account: it finds who is behind a code, and hands the account over when
//! its person said yes. PROTOCOL.md section 15.
//!
//! Invariant: that a device has a slot is saved before anything is sealed for it.

use super::Account;
use super::cx::Cx;
use super::entry::{PAGE_ROWS, after, all_rows};
use super::history::Gather;
use super::linking::{Linking, Side, code_problem, show, show_failed};
use super::meet::Meet;
use super::open::Open;
use super::problems;
use super::unlock::Outcome;
use crate::api::{LinkStep, Problem};
use crate::identity::CERTIFICATE_LEN;
use crate::linking::{
    ApproveError, Failure, LinkCode, Me, MessageCopy, Moment, Newcomer, OldDevice, OldEvent, Reply,
    digits,
};
use crate::rows;
use crate::state::values::DeviceKind;
use alloc::{boxed::Box, string::String, vec::Vec};
use shared::io::{Row, Token};
use shared::time::Millis;

/// Parts that are sealed and not stored, at most.
const PARTS_AHEAD: usize = 3;
const DAY_MS: Millis = 86_400_000;

/// A run on the device that has the account.
pub struct OldSide {
    run: OldDevice,
    newcomer: Option<Newcomer>,
    /// What the new device was given.
    slot: Option<u8>,
    said_yes: bool,
    /// Conversations that are being read.
    gather: Option<Gather>,
    /// Parts that were put, of so many.
    parts: Vec<u32>,
    count: u32,
    told: u32,
}

impl OldSide {
    pub(super) fn next_timer(&self) -> Option<Millis> {
        self.run.deadline()
    }

    pub(super) fn may_confirm(&self) -> bool {
        self.newcomer.is_some() && !self.said_yes
    }

    /// Whether the new device asks for the words.
    pub(super) fn asks_full(&self) -> bool {
        let newcomer = self.newcomer.as_ref();
        newcomer.is_some_and(|newcomer| newcomer.kind == DeviceKind::Full)
    }

    /// The slot of the new device, which counts as linked.
    pub(super) fn given(&self) -> Option<u8> {
        self.slot
    }

    /// Everything that came, and the time. Why it is over, if it is.
    fn drive(&mut self, cx: &mut Cx, meet: &mut Meet, at: &Moment) -> Option<OldEvent> {
        let reply = self.run.on_time(at, &mut cx.rng);
        let mut over = self.on_reply(cx, meet, reply);
        while over.is_none()
            && let Some((header, body)) = meet.next_found()
        {
            let reply = self.run.on_envelope(&header, &body, at, &mut cx.rng);
            over = self.on_reply(cx, meet, reply);
        }
        if over.is_none() {
            self.send_parts(cx, meet, at);
        }
        over
    }

    fn on_reply(
        &mut self,
        cx: &mut Cx,
        meet: &mut Meet,
        reply: Reply<OldEvent>,
    ) -> Option<OldEvent> {
        for sealed in reply.put {
            meet.put(cx, sealed);
        }
        meet.expect(self.run.address(), self.run.expected());
        let newcomer = match reply.event? {
            OldEvent::Compare(newcomer) => newcomer,
            over => return Some(over),
        };
        let step = LinkStep::Compare {
            digits: digits(newcomer.number),
            name: newcomer.name.clone(),
            account: String::new(),
            full: newcomer.kind == DeviceKind::Full,
        };
        self.newcomer = Some(newcomer);
        show(cx, step);
        None
    }

    /// Parts are sealed as there is room for them.
    fn send_parts(&mut self, cx: &mut Cx, meet: &mut Meet, at: &Moment) {
        if self.slot.is_none() {
            return;
        }
        while meet.unsent() < PARTS_AHEAD
            && let Some(sealed) = self.run.next_chunk(at, &mut cx.rng)
        {
            self.parts.push(meet.put(cx, sealed));
        }
        let stored = self.parts.iter().filter(|part| meet.is_stored(**part));
        let have = stored.count() as u32;
        if have != self.told {
            self.told = have;
            let of = self.count;
            show(cx, LinkStep::Moving { have, of });
        }
    }
}

fn moment(cx: &Cx, open: &Open, meet: &Meet) -> Moment {
    Moment {
        mono: cx.now.mono,
        now: open.clock.assumed(),
        network: cx.config.network,
        effort: meet.effort(),
    }
}

impl Account {
    /// A code was scanned: whoever is behind it is looked for.
    pub(super) fn link_scan(&mut self, id: u64, text: &str) -> Outcome {
        match self.begin_old(text) {
            Ok((step, linking)) => {
                self.cx.done(id, None);
                show(&mut self.cx, step);
                self.linking = linking;
                None
            }
            Err(problem) => Some(Err(problem)),
        }
    }

    /// What is shown, and the run that begins if it was a good code.
    fn begin_old(&mut self, text: &str) -> Result<(LinkStep, Option<Linking>), Problem> {
        let is_linking = self.is_linking();
        let not_open = self.not_open();
        let open = self.open.as_mut().ok_or(not_open)?;
        let cx = &mut self.cx;
        let certificate: Option<[u8; CERTIFICATE_LEN]> =
            open.certificate(cx).filter(|_| open.is_full());
        let certificate = certificate.ok_or_else(problems::needs_full_device)?;
        if is_linking {
            return Err(problems::busy());
        }
        if open.free_slot().is_none() {
            return Err(problems::devices_full());
        }
        if let Some(before) = self.linking.take() {
            before.meet.close(cx);
        }
        let code = match LinkCode::parse(text.trim(), open.clock.assumed()) {
            Ok(code) => code,
            Err(error) => {
                let problem = code_problem(error);
                return Ok((LinkStep::Failed { problem }, None));
            }
        };
        // The key lies there since the code is shown.
        let mut meet = Meet::new(cx, &code.hints, 1);
        let me = Me {
            account: open.me,
            certificate: &certificate,
            name: &open.profile.name,
        };
        let at = moment(cx, open, &meet);
        let run = OldDevice::new(code, me, &at, &mut cx.rng);
        let run = run.map_err(|_| problems::name_invalid())?;
        meet.expect(run.address(), run.expected());
        let old = OldSide {
            run,
            newcomer: None,
            slot: None,
            said_yes: false,
            gather: None,
            parts: Vec::new(),
            count: 0,
            told: 0,
        };
        let linking = Linking::new(meet, Side::Old(Box::new(old)));
        Ok((LinkStep::Asking, Some(linking)))
    }

    pub(super) fn drive_old(&mut self, linking: &mut Linking) {
        let (Side::Old(old), Some(open)) = (&mut linking.side, &self.open) else {
            return;
        };
        let at = moment(&self.cx, open, &linking.meet);
        if let Some(over) = old.drive(&mut self.cx, &mut linking.meet, &at) {
            self.end_old(linking, over);
        }
    }

    /// The person said yes, and the passcode was right where it is asked for.
    pub(super) fn link_approve(&mut self, full: bool, history_days: u32) {
        self.with_linking(|account, linking| {
            let (Side::Old(old), Some(open)) = (&mut linking.side, &account.open) else {
                return;
            };
            old.said_yes = true;
            show(&mut account.cx, LinkStep::Waiting);
            let kind = match full {
                true => DeviceKind::Full,
                false => DeviceKind::Linked,
            };
            if history_days == 0 {
                return account.give(linking, kind, Vec::new());
            }
            let since = u64::from(history_days).saturating_mul(DAY_MS);
            let since = open.clock.assumed().saturating_sub(since);
            let token = account.cx.load(all_rows(rows::MESSAGES, Vec::new()));
            old.gather = Some(Gather::new(token, kind, since));
        });
    }

    /// A page of the conversations that are handed over. False: it is of something else.
    pub(super) fn on_history_rows(&mut self, token: Token, page: &[Row]) -> bool {
        let mut taken = false;
        self.with_linking(|account, linking| {
            let (Side::Old(old), Some(open)) = (&mut linking.side, &account.open) else {
                return;
            };
            let Some(mut gather) = old.gather.take_if(|gather| gather.token == token) else {
                return;
            };
            taken = true;
            gather.take(open, page);
            if let Some(last) = page.last().filter(|_| page.len() == PAGE_ROWS as usize) {
                let from = after(&last.key);
                gather.token = account.cx.load(all_rows(rows::MESSAGES, from));
                old.gather = Some(gather);
                return;
            }
            let kind = gather.kind;
            let copies = gather.copies(open);
            account.give(linking, kind, copies);
        });
        taken
    }

    fn give(&mut self, linking: &mut Linking, kind: DeviceKind, history: Vec<MessageCopy>) {
        if let Err(why) = self.hand_over(linking, kind, history) {
            self.end_old(linking, OldEvent::Failed(why));
        }
    }

    /// Certifies the new device, and begins to send it everything.
    fn hand_over(
        &mut self,
        linking: &mut Linking,
        kind: DeviceKind,
        history: Vec<MessageCopy>,
    ) -> Result<(), Failure> {
        let (Side::Old(old), Some(open)) = (&mut linking.side, &mut self.open) else {
            return Ok(());
        };
        let cx = &mut self.cx;
        let at = moment(cx, open, &linking.meet);
        let newcomer = old.newcomer.clone().ok_or(Failure::Malformed)?;
        let slot = open.free_slot().ok_or(Failure::Malformed)?;
        let mut bundle = open
            .certify(cx, &newcomer, kind, slot)
            .and_then(|certificate| open.bundle(cx, &certificate, kind))
            .ok_or(Failure::Malformed)?;
        bundle.history = history;
        let mut approved = old.run.approve(&bundle, &at);
        if approved == Err(ApproveError::TooLong) {
            bundle.history.clear();
            approved = old.run.approve(&bundle, &at);
        }
        match approved {
            Ok(count) => {
                (old.count, old.slot) = (count.into(), Some(slot));
                old.send_parts(cx, &mut linking.meet, &at);
                Ok(())
            }
            Err(error) => {
                open.unlist(cx, slot);
                Err(match error {
                    ApproveError::NotNow => Failure::TimedOut(crate::linking::Late::Person),
                    ApproveError::NotForThem | ApproveError::TooLong => Failure::Malformed,
                })
            }
        }
    }

    /// The run is over, in whichever way.
    fn end_old(&mut self, linking: &mut Linking, over: OldEvent) {
        let Side::Old(old) = &linking.side else {
            return;
        };
        if let (Some(slot), Some(open)) = (old.slot, &mut self.open) {
            open.sure(&mut self.cx, slot);
        }
        match over {
            OldEvent::Done => show(&mut self.cx, LinkStep::Done),
            OldEvent::Failed(why) => {
                let says_no = matches!(why, Failure::NotTaken | Failure::RefusedThere);
                // Who was sent everything may have taken it, whatever it says.
                let has_all = old.slot.is_some() && old.parts.len() >= old.count as usize;
                if let (Some(slot), Some(open), true) = (old.slot, &mut self.open, says_no)
                    && !has_all
                {
                    open.unlist(&mut self.cx, slot);
                }
                show_failed(
                    &mut self.cx,
                    if says_no && has_all {
                        Failure::NoWord
                    } else {
                        why
                    },
                );
            }
            OldEvent::Compare(_) => return,
        }
        linking.end(&self.cx);
    }

    /// The person leaves. Who was sent everything counts as linked.
    pub(super) fn cancel_old(&mut self, linking: &mut Linking) {
        let (Side::Old(old), Some(open)) = (&mut linking.side, &mut self.open) else {
            return;
        };
        let at = moment(&self.cx, open, &linking.meet);
        if let Some(slot) = old.slot {
            open.sure(&mut self.cx, slot);
            show_failed(&mut self.cx, Failure::NoWord);
        } else {
            for sealed in old.run.refuse(&at, &mut self.cx.rng).put {
                linking.meet.put(&mut self.cx, sealed);
            }
        }
        linking.end(&self.cx);
    }
}
