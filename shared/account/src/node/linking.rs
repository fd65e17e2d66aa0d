//! Linking a device: the commands, and the run that is under way, on whichever side this device is.
//! PROTOCOL.md section 15; `crate::linking` for the protocol.
//!
//! Invariant: one run at a time, in memory alone. What it brings is saved before the other side is
//! told; a run that ends in any other way leaves no account on a new device.

use super::Account;
use super::cx::Cx;
use super::entry::{Stage, What};
use super::linking_new::NewSide;
use super::linking_old::OldSide;
use super::meet::Meet;
use super::problems;
use super::unlock::{Outcome, check_passcode};
use crate::api::{Command, Event, LinkStep, Problem, Request};
use crate::invite::HINTS_MAX;
use crate::linking::{CodeError, Failure, STEP_MS};
use crate::passcode::COST;
use alloc::{boxed::Box, string::String, vec::Vec};
use shared::io::{Input, Output};
use shared::time::Millis;
use shared::wire::RelayHint;

/// How long a last word may take to get away: the other side waits for it no longer.
const LAST_WORD_MS: Millis = STEP_MS;

/// A run, and its links.
pub struct Linking {
    pub(super) meet: Meet,
    pub(super) side: Side,
    /// It is over, and what it put last may take until then (mono).
    closes_at: Option<Millis>,
}

pub(super) enum Side {
    New(Box<NewSide>),
    Old(Box<OldSide>),
    Over,
}

/// What a new device asks for, until its passcode's key is there.
pub(super) struct NewDraft {
    pub device: String,
    pub full: bool,
    pub hints: Vec<RelayHint>,
}

impl Linking {
    pub(super) fn new(meet: Meet, side: Side) -> Linking {
        Linking {
            meet,
            side,
            closes_at: None,
        }
    }

    /// Nothing is waited for any more but the last word getting away.
    pub(super) fn end(&mut self, cx: &Cx) {
        self.side = Side::Over;
        self.meet.expect_nothing();
        self.closes_at = Some(cx.now.mono + LAST_WORD_MS);
    }

    fn is_closed(&self, now: Millis) -> bool {
        let over = |until: Millis| until <= now || self.meet.unsent() == 0;
        self.closes_at.is_some_and(over)
    }

    fn next_timer(&self) -> Option<Millis> {
        let side = match &self.side {
            Side::New(new) => new.next_timer(),
            Side::Old(old) => old.next_timer(),
            Side::Over => self.closes_at,
        };
        side.into_iter().chain(self.meet.next_timer()).min()
    }
}

impl Account {
    pub(super) fn link_command(&mut self, id: u64, command: Command) -> Outcome {
        match command {
            Command::LinkNew {
                device,
                full,
                passcode,
                remember,
                relays,
            } => match self.link_draft(&device, full, &relays) {
                Ok(draft) => self.link_new(id, draft, passcode, remember),
                Err(problem) => Some(Err(problem)),
            },
            Command::LinkScan { code } => self.link_scan(id, &code),
            Command::LinkConfirm {
                full,
                history_days,
                passcode,
            } => self.link_confirm(id, full, history_days, passcode),
            _ => {
                self.link_cancel();
                Some(Ok(None))
            }
        }
    }

    /// Whether a run is under way.
    pub(super) fn is_linking(&self) -> bool {
        let runs = |linking: &Linking| !matches!(linking.side, Side::Over);
        self.linking.as_ref().is_some_and(runs)
    }

    fn link_draft(&self, device: &str, full: bool, relays: &[String]) -> Result<NewDraft, Problem> {
        match self.entry.stage {
            Stage::Empty if self.is_linking() => return Err(problems::busy()),
            Stage::Empty => {}
            Stage::Locked | Stage::Open => return Err(problems::account_exists()),
            _ => return Err(self.not_open()),
        }
        let hint = |hint: &String| RelayHint::from_text(hint.trim());
        let hints: Result<Vec<RelayHint>, _> = relays.iter().take(HINTS_MAX).map(hint).collect();
        let hints = hints.map_err(|_| problems::hint_invalid())?;
        match hints.is_empty() {
            true => Err(problems::no_relay()),
            false => Ok(NewDraft {
                device: super::commands::clean_name(device)?,
                full,
                hints,
            }),
        }
    }

    fn link_new(&mut self, id: u64, draft: NewDraft, passcode: String, remember: bool) -> Outcome {
        if let Err(problem) = check_passcode(&passcode) {
            return Some(Err(problem));
        }
        let salt = self.cx.rng.array();
        let what = What::LinkNew {
            draft,
            salt,
            remember,
        };
        self.derive(id, passcode, salt, COST, what)
    }

    fn link_confirm(
        &mut self,
        id: u64,
        full: bool,
        history_days: u32,
        passcode: Option<String>,
    ) -> Outcome {
        let asks_full = match self.linking.as_ref().map(|linking| &linking.side) {
            Some(Side::New(new)) if new.may_confirm() => {
                self.cx.done(id, None);
                self.with_linking(|account, linking| account.confirm_new(linking));
                return None;
            }
            Some(Side::Old(old)) if old.may_confirm() => old.asks_full(),
            _ => return Some(Err(problems::not_possible())),
        };
        match (full && asks_full, passcode) {
            (false, _) => {
                self.cx.done(id, None);
                self.link_approve(false, history_days);
                None
            }
            // It hands over the words.
            (true, Some(passcode)) => {
                self.try_passcode(id, passcode, What::LinkFull { history_days })
            }
            (true, None) => Some(Err(problems::wrong_passcode())),
        }
    }

    /// The person leaves. The other side is told, if it waits for a word.
    fn link_cancel(&mut self) {
        let deriving = |step: &mut super::entry::Step| matches!(step.what, What::LinkNew { .. });
        if let Some(step) = self.entry.step.take_if(deriving) {
            self.cx.failed(step.request, problems::link_refused());
        }
        self.with_linking(|account, linking| match &linking.side {
            Side::New(_) => account.cancel_new(linking),
            Side::Old(_) => account.cancel_old(linking),
            Side::Over => {}
        });
    }

    /// The account is closed or erased: a run that is under way ends at once.
    pub(super) fn drop_linking(&mut self, whatever: bool) {
        let here = |linking: &mut Linking| whatever || matches!(linking.side, Side::Old(_));
        if let Some(linking) = self.linking.take_if(here) {
            let given = match &linking.side {
                Side::Old(old) => old.given(),
                _ => None,
            };
            match (given, &mut self.open) {
                (Some(slot), Some(open)) => {
                    open.sure(&mut self.cx, slot);
                    show_failed(&mut self.cx, Failure::NoWord);
                }
                _ if matches!(linking.side, Side::Over) => {}
                _ => show_failed(&mut self.cx, Failure::RefusedHere),
            }
            linking.meet.close(&mut self.cx);
        }
    }

    /// An input of the run's links and puzzles; what is not of them comes back.
    pub(super) fn on_link_input<'a>(
        &mut self,
        input: Input<'a, Request>,
    ) -> Option<Input<'a, Request>> {
        let cx = &mut self.cx;
        let left = match &mut self.linking {
            Some(linking) => linking.meet.on_input(cx, input),
            None => Some(input),
        };
        if let (Some(Input::LinkUp { link, .. }), None) = (&left, &self.open) {
            // Of a run that is over.
            cx.at_once(Output::Close { link: *link });
        }
        if left.is_none() {
            self.drive_linking();
        }
        left
    }

    pub(super) fn on_link_timer(&mut self) {
        let due = |at: Millis| at <= self.cx.now.mono;
        if self.next_link_timer().is_some_and(due) {
            if let Some(linking) = &mut self.linking {
                linking.meet.on_timer(&mut self.cx);
            }
            self.drive_linking();
        }
    }

    pub(super) fn next_link_timer(&self) -> Option<Millis> {
        self.linking.as_ref().and_then(Linking::next_timer)
    }

    /// Goes on with whatever came.
    pub(super) fn drive_linking(&mut self) {
        self.with_linking(|account, linking| match &linking.side {
            Side::New(_) => account.drive_new(linking),
            Side::Old(_) => account.drive_old(linking),
            Side::Over => {}
        });
    }

    /// The run is handed to what may need all of the account.
    pub(super) fn with_linking(&mut self, then: impl FnOnce(&mut Self, &mut Linking)) {
        let Some(mut linking) = self.linking.take() else {
            return;
        };
        then(self, &mut linking);
        match linking.is_closed(self.cx.now.mono) {
            true => linking.meet.close(&mut self.cx),
            false => self.linking = Some(linking),
        }
    }
}

pub(super) fn show(cx: &mut Cx, step: LinkStep) {
    cx.event(Event::Linking { step });
}

pub(super) fn show_failed(cx: &mut Cx, why: Failure) {
    let problem = match why {
        Failure::TimedOut(_) => problems::link_timed_out(),
        Failure::RefusedHere | Failure::RefusedThere => problems::link_refused(),
        Failure::Disturbed | Failure::NotCommitted => problems::link_disturbed(),
        Failure::BadCertificate | Failure::NotForUs | Failure::Malformed => {
            problems::link_malformed()
        }
        Failure::NotTaken => problems::link_not_taken(),
        Failure::NoWord => problems::link_unsure(),
    };
    show(cx, LinkStep::Failed { problem });
}

/// Why a text that was scanned begins no run.
pub(super) fn code_problem(error: CodeError) -> Problem {
    match error {
        CodeError::Old { .. } | CodeError::Ahead { .. } => problems::link_old_code(),
        CodeError::NewerVersion { .. } => problems::link_malformed(),
        CodeError::NotACode | CodeError::Mangled | CodeError::NoHints => {
            problems::link_not_a_code()
        }
    }
}
