//! A message of a conversation, as it lies in the store.
//!
//! Invariant: CBOR keys are never used again for something else.

use super::model::{Id16, Who};
use crate::api::{Delivery, WaitsFor};
use crate::letter::{Copy, Progress};
use alloc::string::String;
use minicbor::{Decode, Encode};

/// A message as it stands in the history.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct MessageRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: Id16,
    #[n(1)]
    pub mine: bool,
    #[n(2)]
    pub text: String,
    #[n(3)]
    pub at: u64,
    #[n(4)]
    pub order: u64,
    #[n(5)]
    pub index: u64,
    #[n(6)]
    pub delivery: DeliveryRow,
    #[n(7)]
    pub notice: Option<NoticeRow>,
    /// A relay has had it at some time.
    #[n(8)]
    pub was_stored: bool,
    /// When it was put here, by our clock, Unix ms. 0: before that was noted.
    #[cbor(n(9), default)]
    pub arrived: u64,
}

impl MessageRow {
    /// A text of ours, to be sent.
    pub fn mine(id: Id16, text: String, at: u64) -> Self {
        Self {
            id,
            mine: true,
            text,
            at,
            order: 0,
            index: 0,
            delivery: DeliveryRow::Queued,
            notice: None,
            was_stored: false,
            arrived: 0,
        }
    }

    /// A text that came.
    pub fn theirs(id: Id16, text: String, at: u64) -> Self {
        Self {
            mine: false,
            delivery: DeliveryRow::Received,
            ..Self::mine(id, text, at)
        }
    }

    /// As our other devices are told of it; `time` and `delivery` are by what is known here.
    pub fn copy(&self, who: &Who, time: u64, delivery: Progress) -> Copy {
        Copy {
            who: *who,
            id: self.id,
            mine: self.mine,
            text: self.text.clone(),
            at: self.at,
            order: self.order,
            time,
            delivery,
        }
    }

    /// Something to be known, told among the texts that came.
    pub fn notice(id: Id16, notice: NoticeRow, at: u64) -> Self {
        Self {
            notice: Some(notice),
            ..Self::theirs(id, String::new(), at)
        }
    }
}

/// [`crate::api::Notice`] in the store.
#[derive(Clone, Copy, Encode, Decode, PartialEq, Eq)]
#[cbor(index_only)]
pub enum NoticeRow {
    #[n(0)]
    DeviceChanged,
    #[n(1)]
    CameBack,
    #[n(2)]
    DeviceRemoved,
}

/// [`Delivery`] in the store; a failure is kept by its code alone.
#[derive(Clone, Encode, Decode, PartialEq, Eq)]
pub enum DeliveryRow {
    #[n(0)]
    Received,
    #[n(1)]
    Queued,
    #[n(2)]
    Stored(#[n(0)] u32, #[n(1)] u64),
    #[n(3)]
    Delivered(#[n(0)] u64),
    #[n(4)]
    Cancelled(#[n(0)] bool),
    #[n(5)]
    Refused(#[n(0)] u8),
    /// A greeting that was not answered before its invitation ended.
    #[n(6)]
    Unanswered,
    /// A greeting whose invitation was revoked or used up.
    #[n(7)]
    TooLate,
    /// Another device of ours sends it: in that slot, if it is known.
    #[n(8)]
    Elsewhere(#[n(0)] Option<u8>),
    /// The device that was to send it is none of ours any more.
    #[n(9)]
    DeviceGone,
}

impl DeliveryRow {
    /// Whether we are still trying to deliver it.
    pub fn is_on_the_way(&self) -> bool {
        matches!(self, Self::Queued | Self::Stored(..))
    }

    /// As people see it; `waits_for` says what a queued one waits for.
    pub fn view(&self, waits_for: WaitsFor) -> Delivery {
        match *self {
            Self::Received => Delivery::Received,
            Self::Queued => Delivery::Queued { waits_for },
            Self::Stored(relays, until) => Delivery::Stored { relays, until },
            Self::Delivered(at) => Delivery::Delivered { at },
            Self::Cancelled(was_stored) => Delivery::Cancelled { was_stored },
            Self::Refused(code) => Delivery::Failed {
                problem: super::problems::relay_refused(code),
            },
            Self::Unanswered => Delivery::Failed {
                problem: super::problems::greeting_unanswered(),
            },
            Self::TooLate => Delivery::Failed {
                problem: super::problems::greeting_too_late(),
            },
            Self::DeviceGone => Delivery::Failed {
                problem: super::problems::device_removed_unsent(),
            },
            Self::Elsewhere(_) => Delivery::Queued {
                waits_for: WaitsFor::Device,
            },
        }
    }
}
