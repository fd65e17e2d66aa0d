//! Where this account's mail comes, and which relays list it. PROTOCOL.md sections 5 and 7.
//!
//! Invariant: a mailbox only grows more bits, of the same place: who was told fewer writes to a
//! part of the network that this account still reads, as long as it can.

use super::cx::Cx;
use super::limits::{PARTS_MAX, READ_WIDE_HOURS, RELAYS_HELD, RELAYS_OF_INVITES};
use super::model::RowKey;
use super::open::Open;
use super::relays::{NodeKey, Relays};
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use shared::range::Range;
use shared::time;

impl Relays {
    /// What a relay lists that keeps a range.
    pub fn listed(&self, range: Range) -> Range {
        range.wider(self.wider_bits)
    }

    /// Whether one that keeps a range lists something of a part. One that has not said what it
    /// keeps may.
    pub fn may_list(&self, range: Option<Range>, part: Range) -> bool {
        range.is_none_or(|range| self.listed(range).overlaps(part))
    }

    /// What those that are in use keep, as far as that is known.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        self.kept().filter_map(|(_, relay)| relay.range)
    }

    /// The same of those that are there now.
    pub fn open_ranges(&self) -> impl Iterator<Item = Range> {
        let open = self.kept().filter(|(_, relay)| relay.is_open());
        open.filter_map(|(_, relay)| relay.range)
    }
}

impl Open {
    /// What is read: this account's mailbox, as wide as anybody was told of late, and those of its
    /// invitations.
    pub fn reads(&self) -> Vec<Range> {
        let hour = time::hour(self.clock.assumed());
        let profile = &self.profile;
        let wide = profile.wider.filter(|(_, until)| *until > hour);
        let bits = wide.map_or(profile.mailbox.bits(), |(bits, _)| bits);
        let mut reads: Vec<Range> = [Range::of(profile.place, bits)].into();
        for invite in self.invites.values().filter(|i| i.row.state <= 1) {
            if let Some(secret) = &invite.secret {
                let range = secret.mailbox().range();
                if !reads.iter().any(|read| read.wider_or_same(range)) {
                    reads.push(range);
                }
            }
        }
        reads
    }

    /// The parts of what is read of which one relay each keeps the headers, and how many relays are
    /// to be held for each.
    pub fn parts(&self) -> Vec<(Range, usize)> {
        let scanned = |range: Range| self.relays.listed(range).bits();
        let mut parts = Vec::new();
        for (n, read) in self.reads().into_iter().enumerate() {
            let known = self
                .relays
                .ranges()
                .filter(|range| self.relays.listed(*range).overlaps(read));
            let bits = known.map(scanned).max().unwrap_or(0);
            let steps = bits
                .saturating_sub(read.bits())
                .min(PARTS_MAX.ilog2() as u8);
            let held = if n == 0 {
                RELAYS_HELD
            } else {
                RELAYS_OF_INVITES
            };
            parts.extend(read.split(steps).map(|part| (part, held)));
        }
        parts
    }

    /// Whether a relay that keeps this lists anything that is read.
    pub fn is_read_from(&self, range: Range) -> bool {
        let scanned = self.relays.listed(range);
        self.reads().iter().any(|read| read.overlaps(scanned))
    }

    /// Reads from an open relay, or does not, by what it keeps.
    pub fn reads_from(&self, key: &NodeKey) -> bool {
        self.is_read_from(self.relays.range_of(key))
    }

    /// Takes as many bits as the relays around divide headers by. All that are linked must say so,
    /// and as many as are held: one alone could put somebody into a mailbox of their own.
    pub fn fit_mailbox(&mut self, cx: &mut Cx) {
        let said = self
            .relays
            .open_ranges()
            .map(|range| self.relays.listed(range).bits());
        let said: Vec<u8> = said.collect();
        let least = said.iter().min().filter(|_| said.len() >= RELAYS_HELD);
        let Some(said) = least.copied() else {
            return;
        };
        let bits = self.profile.mailbox.bits();
        if said <= bits {
            return;
        }
        let hour = time::hour(self.clock.assumed());
        let told = !self.contacts.is_empty() || !self.invites.is_empty();
        let mut wanted = said;
        if told {
            // What was told is read on, in as many parts as can be.
            let wide = self.profile.wider.filter(|(_, until)| *until > hour);
            let wide = wide.map_or(bits, |(bits, _)| bits);
            wanted = said.min(wide + PARTS_MAX.ilog2() as u8);
            self.profile.wider = Some((wide, hour + READ_WIDE_HOURS));
        }
        if wanted > bits
            && let Some(mailbox) = Mailbox::new(self.profile.place, wanted)
        {
            self.profile.mailbox = mailbox;
            cx.touch(RowKey::Profile);
        }
    }

    /// The mailbox of a new invitation: one for all that are open, another one when none is.
    pub fn invite_mailbox(&mut self, cx: &mut Cx) -> Mailbox {
        let mut open = self.invites.values().filter(|i| i.row.state <= 1);
        if !open.any(|i| i.secret.is_some()) {
            self.profile.invites_place = cx.rng.u64() as u32;
            cx.touch(RowKey::Profile);
        }
        let bits = self.profile.mailbox.bits();
        Mailbox::new(self.profile.invites_place, bits).unwrap_or(self.profile.mailbox)
    }
}
