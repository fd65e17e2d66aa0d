//! Rows as people see them.
//!
//! Invariant: nothing secret passes here; ids and texts only.

use super::model::*;
use super::open::{Contact, Invite};
use crate::api::*;
use crate::identity::AccountId;
use crate::profile::ProfileText;
use alloc::format;
use alloc::string::{String, ToString};
use data_encoding::HEXLOWER;
use shared::crypto::{PublicKey, kdf};

/// Hex digits of an id.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Reads 32 hex digits.
pub fn id16(text: &str) -> Option<Id16> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

/// The 52 characters of an account.
pub fn account(who: &Who) -> String {
    PublicKey::from_bytes(who).map_or_else(|_| hex(who), |key| AccountId::new(key).to_string())
}

/// Reads an account id.
pub fn who(text: &str) -> Option<Who> {
    AccountId::parse(text).ok().map(|id| *id.key().as_bytes())
}

pub fn contact(contact: &Contact, waits_for: WaitsFor) -> ContactView {
    let (row, shown) = (&contact.row, contact.shown.as_ref());
    ContactView {
        contact: account(&row.who),
        name: row.name.clone(),
        state: match row.state {
            0 => ContactState::Greeted,
            1 => ContactState::Active,
            _ => ContactState::Blocked,
        },
        unread: row.unread,
        messages: row.next_index,
        last: row
            .last
            .as_ref()
            .map(|last| message(&row.who, last, waits_for)),
        acknowledge: row.acknowledge,
        confirms: row.acknowledge && !row.wants_no_acks,
        added: row.added,
        changed: row.changed,
        about: shown.map(|shown| shown.about.clone()).unwrap_or_default(),
        avatar: shown.and_then(avatar),
        confirm_until: row.returned.filter(|r| r.waits).map(|r| r.until),
    }
}

/// What names a picture.
pub fn avatar(shown: &ProfileText) -> Option<String> {
    shown.avatar_hash().map(|hash| hex(&hash))
}

pub fn message(who: &Who, row: &MessageRow, waits_for: WaitsFor) -> MessageView {
    MessageView {
        message: hex(&row.id),
        contact: account(who),
        mine: row.mine,
        text: row.text.clone(),
        at: row.at,
        order: row.order,
        index: row.index,
        delivery: row.delivery.view(waits_for),
        notice: row.notice.map(|notice| match notice {
            NoticeRow::DeviceChanged => Notice::DeviceChanged,
            NoticeRow::CameBack => Notice::CameBack,
            NoticeRow::DeviceRemoved => Notice::DeviceRemoved,
        }),
    }
}

pub fn invite(invite: &Invite) -> InviteView {
    let row = &invite.row;
    InviteView {
        invite: hex(&row.id),
        fragment: row.fragment.clone(),
        until: row.until,
        single_use: row.single_use,
        state: match row.state {
            0 => InviteState::Publishing,
            1 => InviteState::Live,
            2 if row.tombstone => InviteState::Revoking,
            2 => InviteState::Revoked,
            3 => InviteState::Used,
            _ => InviteState::Expired,
        },
    }
}

pub fn greeting(row: &GreetingRow) -> GreetingView {
    GreetingView {
        greeting: hex(&row.id),
        account: account(&row.who),
        name: row.name.clone(),
        text: row.text.clone(),
        at: row.at,
    }
}

/// 60 digits that both sides see alike and nobody in between can bring about. PROTOCOL.md section
/// 1.
pub fn safety_number(a: &Who, b: &Who) -> String {
    let mut digest = [0; 60];
    kdf(&[a.min(b), a.max(b)], "safety number", &[], &mut digest);
    let group = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
            % 100_000
    };
    digest
        .chunks(5)
        .map(|bytes| format!("{:05}", group(bytes)))
        .collect()
}
