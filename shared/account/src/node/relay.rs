//! One relay of an account: where it is, how far its link is, how often it failed.
//!
//! Invariant: what it says of itself counts once its link is open, where it is said to have moved
//! to once it has answered there.

use super::cx::Cx;
use super::limits::PROMISES_BROKEN_MAX;
use super::model::{Chooser, RelayRow};
use super::offers::is_somewhere;
use super::relays::NodeKey;
use crate::api::Problem;
use shared::io::{LinkId, Token};
use shared::link::{ClientLink, ReqId};
use shared::range::Range;
use shared::time::Millis;
use shared::wire::{RelayHint, Welcome};

/// A relay that could not be reached so often in a row is not waited for before people are told.
const HOPELESS_ATTEMPTS: u32 = 10;
/// After so many failures in a row another one is held in its place.
const HELD_ATTEMPTS: u32 = 2;
pub(super) const PAUSE_MS_MIN: Millis = 1_000;
const PAUSE_MS_MAX: Millis = 60_000;

/// One relay and the state of its link.
pub struct Relay {
    pub hint: RelayHint,
    pub row: RelayRow,
    pub stage: Stage,
    /// Until when it stays, if it is a guest (mono).
    pub(super) guest_until: Option<Millis>,
    /// The effort it last asked for: in its Welcome, since then, or when it refused something.
    pub effort_floor: u8,
    /// Where it may have moved to, as somebody said. Kept once it has answered there.
    pub(super) moved: Option<RelayHint>,
    /// Whether the last dial went there.
    pub(super) dials_moved: bool,
    /// The relay that named it, which leads to it if dialling it does not.
    pub through: Option<NodeKey>,
    /// Whether the present or the next dial is made by an offer.
    pub(super) by_offer: bool,
    /// Whether its last link was: nobody dials it who is not led there.
    pub hidden: bool,
    /// The Offer that is not answered, and where it was said.
    pub(super) asked: Option<(NodeKey, ReqId)>,
    /// Where the answer leads.
    pub(super) answered: Option<RelayHint>,
    pub error: Option<Problem>,
    /// What it keeps, as far as that is known.
    pub range: Option<Range>,
    /// Up to this bucket only scan records are watched: there was too much to take whole.
    pub records_until: u32,
    pub(super) attempts: u32,
    /// How often in a row it had lost what it had signed for.
    pub promises_broken: u8,
    /// Another relay had a newer record than it gave when both were asked last.
    pub withheld: bool,
}

/// How far a link is.
pub enum Stage {
    /// Dialled again at that time (mono).
    Down {
        until: Millis,
    },
    Dialling {
        token: Token,
        deadline: Millis,
    },
    /// Hello was sent.
    Greeting {
        link: LinkId,
        client: ClientLink,
        deadline: Millis,
    },
    Open {
        link: LinkId,
        client: ClientLink,
        welcome: Welcome,
        caught_up: bool,
    },
}

impl Relay {
    pub(super) fn new(hint: RelayHint, row: RelayRow, stage: Stage) -> Self {
        Self {
            hint,
            row,
            stage,
            guest_until: None,
            effort_floor: 0,
            moved: None,
            dials_moved: false,
            through: None,
            by_offer: false,
            hidden: !is_somewhere(&hint),
            asked: None,
            answered: None,
            error: None,
            range: None,
            records_until: 0,
            attempts: 0,
            promises_broken: 0,
            withheld: false,
        }
    }

    pub fn is_guest(&self) -> bool {
        self.guest_until.is_some()
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Whether it counts among those that are held: it is there, or was a moment ago.
    pub fn is_held(&self) -> bool {
        self.attempts < HELD_ATTEMPTS && !self.is_broken()
    }

    /// Whether it is there, or may be again soon.
    pub fn is_hoped_for(&self) -> bool {
        self.attempts < HOPELESS_ATTEMPTS && !self.is_broken()
    }

    /// Whether what it signs for is not relied on.
    pub fn is_broken(&self) -> bool {
        self.promises_broken >= PROMISES_BROKEN_MAX
    }

    /// Its open link, and what it said of itself.
    pub fn opened_link(&mut self) -> Option<(LinkId, &mut ClientLink, &Welcome)> {
        match &mut self.stage {
            Stage::Open {
                link,
                client,
                welcome,
                ..
            } => Some((*link, client, welcome)),
            _ => None,
        }
    }

    pub fn link(&self) -> Option<LinkId> {
        match &self.stage {
            Stage::Greeting { link, .. } | Stage::Open { link, .. } => Some(*link),
            _ => None,
        }
    }

    pub(super) fn fail(&mut self, cx: &mut Cx, problem: Problem) {
        let was_open = self.is_open();
        self.attempts = if was_open {
            0
        } else {
            self.attempts.saturating_add(1)
        };
        let pause = (PAUSE_MS_MIN << self.attempts.min(6)).min(PAUSE_MS_MAX);
        let jitter = cx.visible.below(pause / 2 + 1);
        // The other way has its turn.
        self.by_offer ^= !was_open;
        self.error = Some(problem);
        self.stage = Stage::Down {
            until: cx.now.mono + pause / 2 + jitter,
        };
    }

    /// Welcome arrived: the link is open. True if that was at another address than before.
    pub fn opened(&mut self, welcome: &Welcome) -> bool {
        self.effort_floor = welcome.effort_floor;
        self.range = Some(welcome.range);
        let moved = self.moved.take().filter(|_| self.dials_moved);
        self.dials_moved = false;
        // An address that somebody chose is not given up for one that another relay said.
        let is_unsure = !is_somewhere(&self.hint) || self.row.by == Chooser::Relay;
        let led_to = self.answered.take().filter(|_| self.by_offer && is_unsure);
        let moved = led_to.or(moved);
        // Its door may still be open for a direct dial, a moment later.
        self.hidden = self.by_offer || self.hidden && self.through.is_some();
        if let Some(hint) = moved {
            self.row.hint = hint.encode();
            self.hint = hint;
        }
        let taken = core::mem::replace(&mut self.stage, Stage::Down { until: 0 });
        self.stage = match taken {
            Stage::Greeting { link, client, .. } => {
                self.attempts = 0;
                self.error = None;
                Stage::Open {
                    link,
                    client,
                    welcome: *welcome,
                    caught_up: false,
                }
            }
            other => other,
        };
        moved.is_some()
    }
}
