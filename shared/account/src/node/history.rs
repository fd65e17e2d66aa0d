//! Conversations of the past, for a new device: gathered from the store here, and put into the one
//! there. PROTOCOL.md section 15.
//!
//! Invariant: what is gathered is bounded, the newest first; what is taken in is shown once,
//! whatever else comes of it later.

use super::cx::Cx;
use super::limits::ORDER_MAX;
use super::model::*;
use super::open::Open;
use crate::linking::{HISTORY_BYTES_MAX, MessageCopy, Said, Way};
use crate::rows;
use crate::shown;
use crate::state::values::DeviceKind;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;
use shared::crypto::PublicKey;
use shared::io::{Row, Token};
use shared::time::Millis;

/// What is being read from the store.
pub struct Gather {
    pub token: Token,
    pub kind: DeviceKind,
    /// Older ones stay here (Unix ms).
    since: Millis,
    found: Vec<(Who, MessageRow)>,
    bytes: usize,
}

impl Gather {
    pub fn new(token: Token, kind: DeviceKind, since: Millis) -> Gather {
        Gather {
            token,
            kind,
            since,
            found: Vec::new(),
            bytes: 0,
        }
    }

    /// A page of the store.
    pub fn take(&mut self, open: &Open, page: &[Row]) {
        for row in page {
            let Some((who, message)) = read(open, row) else {
                continue;
            };
            let active = open.contacts.get(&who).is_some_and(|c| c.row.state == 1);
            if active && message.at >= self.since && message.notice.is_none() {
                self.bytes += MessageCopy::bytes(&message.text);
                self.found.push((who, message));
            }
        }
        if self.bytes > 2 * HISTORY_BYTES_MAX {
            self.cut();
        }
    }

    /// The newest, as many as there is room for.
    fn cut(&mut self) {
        self.found.sort_by_key(|(_, message)| Reverse(message.at));
        let (mut bytes, mut keep) = (0, 0);
        for (_, message) in &self.found {
            let one = MessageCopy::bytes(&message.text);
            if bytes + one > HISTORY_BYTES_MAX {
                break;
            }
            bytes += one;
            keep += 1;
        }
        self.found.truncate(keep);
        self.bytes = bytes;
    }

    /// What is handed over, each conversation in its order.
    pub fn copies(mut self, open: &Open) -> Vec<MessageCopy> {
        self.cut();
        self.found
            .sort_by_key(|(who, message)| (*who, message.index));
        let copy = |(who, message): (Who, MessageRow)| {
            // What is in memory is newer than what is stored.
            let live = open.outgoing.get(&(who, message.id));
            let way = way(&live.unwrap_or(&message).delivery);
            let (time, who) = (message.at, PublicKey::from_bytes(&who).ok()?);
            let said = Said {
                id: message.id,
                mine: message.mine,
                text: message.text,
                at: message.at,
                order: message.order,
            };
            Some(MessageCopy::new(who, said, time, way))
        };
        self.found.into_iter().filter_map(copy).collect()
    }
}

fn read(open: &Open, row: &Row) -> Option<(Who, MessageRow)> {
    let row = open.rows.open(rows::MESSAGES, &row.key, &row.value).ok()?;
    match RowKey::parse(&row.key)? {
        RowKey::Message(who, _) => Some((who, minicbor::decode(&row.value).ok()?)),
        _ => None,
    }
}

fn way(delivery: &DeliveryRow) -> Way {
    match delivery {
        DeliveryRow::Queued | DeliveryRow::Stored(..) | DeliveryRow::Elsewhere(_) => Way::OnTheWay,
        DeliveryRow::Received | DeliveryRow::Delivered(_) => Way::Arrived,
        DeliveryRow::Cancelled(_)
        | DeliveryRow::Refused(_)
        | DeliveryRow::Unanswered
        | DeliveryRow::TooLate
        | DeliveryRow::DeviceGone => Way::GivenUp,
    }
}

impl Open {
    /// Puts copies at the end of conversations, which are empty. Nothing of them is unread.
    pub(super) fn take_history(&mut self, cx: &mut Cx, copies: Vec<MessageCopy>) {
        let mut known: BTreeSet<(Who, Id16)> = BTreeSet::new();
        let mut grown = BTreeSet::new();
        for copy in copies {
            let who = *copy.who.as_bytes();
            if known.insert((who, copy.id)) && self.take_past(cx, &who, copy) {
                grown.insert(who);
            }
        }
        for who in grown {
            self.show_contact(cx, &who);
        }
    }

    fn take_past(&mut self, cx: &mut Cx, who: &Who, copy: MessageCopy) -> bool {
        let Some(contact) = self.contacts.get_mut(who).filter(|c| c.row.state == 1) else {
            return false;
        };
        if contact.has_seen(&copy.id) {
            return false;
        }
        let text = shown::text(&copy.text);
        let row = &mut contact.row;
        let message = MessageRow {
            order: copy.order.min(ORDER_MAX),
            index: row.next_index,
            delivery: match (copy.mine, copy.way) {
                (false, _) => DeliveryRow::Received,
                // The other device sends it, and tells how far it comes.
                (true, Way::OnTheWay) => DeliveryRow::Elsewhere(None),
                (true, Way::Arrived) => DeliveryRow::Delivered(copy.time),
                (true, Way::GivenUp) => DeliveryRow::Cancelled(true),
            },
            was_stored: copy.mine,
            mine: copy.mine,
            ..MessageRow::theirs(copy.id, text, copy.at)
        };
        row.next_index += 1;
        row.order = row.order.max(message.order);
        row.changed = row.changed.max(copy.time.min(cx.now.unix));
        row.last = Some(message.clone());
        cx.touch(RowKey::Contact(*who));
        let key = RowKey::Message(*who, message.index);
        cx.write(key, minicbor::to_vec(&message).ok());
        contact.saw(cx, copy.id);
        if matches!(message.delivery, DeliveryRow::Elsewhere(_)) {
            self.outgoing.insert((*who, copy.id), message);
            cx.touch(RowKey::Outgoing(*who, copy.id));
        }
        true
    }
}
