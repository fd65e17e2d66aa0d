//! Everything that an open account holds in memory, as rows: for a store that was emptied, and for
//! a file. PROTOCOL.md section 8.
//!
//! Invariant: an account that is opened from these rows goes on where this one stands; what it
//! lacks are texts of the past.

use super::cx::Cx;
use super::jobs::keeps_parcel;
use super::model::*;
use super::open::Open;
use crate::export::ExportRow;
use crate::rows;
use alloc::{collections::BTreeMap, vec::Vec};
use zeroize::Zeroizing;

impl Open {
    /// Writes everything.
    pub fn write_all(&self, cx: &mut Cx) {
        for row in self.state() {
            cx.touch(row);
        }
        for (row, message) in self.messages() {
            cx.write(row, minicbor::to_vec(message).ok());
        }
        cx.all_is_written();
    }

    /// The store was emptied: what is not in memory is no more, and the rest is written.
    pub fn write_back(&mut self, cx: &mut Cx) {
        let mut left: BTreeMap<Who, (u64, u32)> = BTreeMap::new();
        for (row, message) in self.messages() {
            let RowKey::Message(who, index) = row else {
                continue;
            };
            let (first, theirs) = left.entry(who).or_insert((index, 0));
            *first = index.min(*first);
            *theirs += u32::from(!message.mine);
        }
        for (who, contact) in &mut self.contacts {
            let row = &mut contact.row;
            let (first, theirs) = left.get(who).copied().unwrap_or((row.next_index, 0));
            row.cleared_to = row.cleared_to.max(first);
            row.unread = row.unread.min(theirs);
        }
        self.write_all(cx);
        for who in self.contacts.keys() {
            self.show_contact(cx, who);
        }
    }

    /// Everything for a file, but for messages of the past.
    pub fn export_state(&self) -> Vec<ExportRow> {
        let state = self.state().into_iter();
        let entry = |key: RowKey| {
            let value = Zeroizing::new(self.encode(&key)?);
            let (table, key) = (rows::STATE, key.bytes());
            Some(ExportRow { table, key, value })
        };
        state.filter_map(entry).collect()
    }

    /// The messages that are in memory, for a file.
    pub fn export_messages(&self) -> Vec<ExportRow> {
        let messages = self.messages().into_iter();
        let entry = |(key, message): (RowKey, &MessageRow)| {
            let value = Zeroizing::new(minicbor::to_vec(message).ok()?);
            let (table, key) = (rows::MESSAGES, key.bytes());
            Some(ExportRow { table, key, value })
        };
        messages.filter_map(entry).collect()
    }

    /// Every row of the state table.
    fn state(&self) -> Vec<RowKey> {
        let mut all = alloc::vec![
            RowKey::Profile,
            RowKey::EpochKeys,
            RowKey::Clock,
            RowKey::Named,
        ];
        all.extend(self.relays.kept().map(|(key, _)| RowKey::Relay(*key)));
        for (who, contact) in &self.contacts {
            all.push(RowKey::Contact(*who));
            all.extend(contact.seen.keys().map(|chunk| RowKey::Seen(*who, *chunk)));
        }
        all.extend(self.state.rows());
        all.extend(self.own.session.iter().map(|_| RowKey::Own));
        all.extend(self.own.letters.rows().map(|id| RowKey::Letter(*id)));
        all.extend(self.invites.keys().map(|id| RowKey::Invite(*id)));
        all.extend(self.greetings.keys().map(|id| RowKey::Greeting(*id)));
        all.extend(self.shelf.records.keys().map(|slot| RowKey::Record(*slot)));
        all.extend(
            self.shelf
                .taken_back
                .keys()
                .map(|id| RowKey::TakenBack(*id)),
        );
        all.push(RowKey::Shown);
        let shown = self.contacts.iter().filter(|(_, c)| c.shown.is_some());
        all.extend(shown.map(|(who, _)| RowKey::ShownBy(*who)));
        let outgoing = self.outgoing.keys();
        all.extend(outgoing.map(|(who, id)| RowKey::Outgoing(*who, *id)));
        let parcels = self.parcels.keys().filter(|owner| keeps_parcel(owner));
        all.extend(parcels.map(|owner| RowKey::Parcel(*owner)));
        all
    }

    /// Messages that are in memory: those under way, and the last of each conversation.
    fn messages(&self) -> BTreeMap<RowKey, &MessageRow> {
        let place = |who: &Who, m: &MessageRow| RowKey::Message(*who, m.index);
        let last = self.contacts.iter().filter_map(|(who, contact)| {
            let last = contact.row.last.as_ref()?;
            Some((place(who, last), last))
        });
        let outgoing = self.outgoing.iter();
        let outgoing = outgoing.map(|((who, _), message)| (place(who, message), message));
        last.chain(outgoing).collect()
    }
}
