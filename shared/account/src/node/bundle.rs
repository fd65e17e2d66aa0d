//! What a new device gets, put together here; and an account opened from it there. PROTOCOL.md
//! section 15.
//!
//! Invariant: a device that was not given the seed keeps nothing that leads to it. What the sending
//! device alone has (its key, its chains, what it has under way) stays there.

use super::authority::{Authority, LEAVES_MAX, LinkedRow};
use super::cx::Cx;
use super::limits::{self, ORDER_MAX};
use super::model::*;
use super::open::{Invite, Open};
use super::recovery::Recovering;
use crate::agreed_time::AgreedTime;
use crate::identity::Certificate;
use crate::invite::Invitation;
use crate::linking::{Bundle, SharedContact};
use crate::sealed::Mailbox;
use crate::shown;
use crate::state::values::{DeviceKind, SharedInvitation};
use crate::vault::DataKey;
use alloc::vec::Vec;
use shared::time;

/// What the new device drew for itself.
pub struct Drawn {
    /// Secret of its signing key, and of its X-Wing key.
    pub device: [u8; 32],
    pub kem: [u8; 32],
}

impl Open {
    /// Everything for the device of that certificate. `None` on one that has not the seed.
    pub(super) fn bundle(
        &mut self,
        cx: &mut Cx,
        certificate: &Certificate,
        kind: DeviceKind,
    ) -> Option<Bundle> {
        self.authority.full()?;
        let state_read = self.state_secret();
        let open = |invite: &&Invite| invite.row.state <= 1;
        let invites = self.invites.values().filter(open);
        let invitations = invites.filter_map(|i| Some(i.secret.as_ref()?.share()));
        let (linked, device) = (kind == DeviceKind::Linked, certificate.device);
        Some(Bundle {
            account: self.me,
            name: self.profile.name.clone(),
            kind,
            seed: self.seed().filter(|_| !linked),
            certificate: certificate.to_bytes(),
            read: shared::crypto::Key::new(self.profile.read_secret),
            mailbox: self.profile.mailbox,
            place: self.profile.place,
            invites_place: self.profile.invites_place,
            wider: self.profile.wider,
            recovery: self.authority.recovery(),
            keys: self.epoch_keys.clone(),
            state_read,
            delegations: match linked {
                true => self.leaves_for(device),
                false => Vec::new(),
            },
            invitations: invitations.collect(),
            contacts: self
                .active()
                .filter_map(|(who, _)| self.shared_contact(who))
                .collect(),
            state: self.state.set.iter().cloned().collect(),
            self_pair: self.self_pair(cx),
            history: Vec::new(),
        })
    }

    /// The account on the new device: all but its contacts and invitations, for which see
    /// [`Open::take_bundle`]. `None` for a bundle that no device could be made of.
    pub(super) fn of_bundle(
        cx: &mut Cx,
        data: DataKey,
        drawn: &Drawn,
        bundle: &Bundle,
        clock: AgreedTime,
    ) -> Option<Open> {
        let certificate = bundle.certificate(clock.assumed())?;
        let row = LinkedRow {
            account: *bundle.account.as_bytes(),
            recovery: bundle.recovery,
            leaves: bundle
                .delegations
                .iter()
                .take(LEAVES_MAX)
                .cloned()
                .collect(),
        };
        let profile = Profile {
            seed: bundle.seed.as_ref().map(|seed| *seed.as_bytes()),
            name: shown::name(&bundle.name),
            device: drawn.device,
            slot: certificate.slot,
            certificate: bundle.certificate.to_vec(),
            read_secret: *bundle.read.as_bytes(),
            restored: false,
            created: cx.now.unix,
            mailbox: bundle.mailbox,
            record_version: 0,
            greetings_day: 0,
            greetings_count: 0,
            place: bundle.place,
            invites_place: bundle.invites_place,
            wider: bundle.wider,
            recovering: Recovering::No,
            superseded: None,
            keys_looked: 0,
            linked: bundle.seed.is_none().then_some(row),
            given: Vec::new(),
            kem: Some(drawn.kem),
            removed: Vec::new(),
            is_removed: false,
        };
        let authority = Authority::of(&profile)?;
        let kept = (bundle.keys.clone(), clock);
        let mut open = Open::new(cx, data, profile, authority, kept);
        for row in [RowKey::Profile, RowKey::EpochKeys, RowKey::Clock] {
            cx.touch(row);
        }
        if let Some(told) = &bundle.state_read {
            open.take_state_secret(cx, told);
        }
        open.load_state(cx, bundle.state.clone());
        Some(open)
    }

    /// Contacts and invitations, once the account is open.
    pub(super) fn take_bundle(&mut self, cx: &mut Cx, bundle: Bundle) {
        self.take_all_state(cx);
        for contact in bundle.contacts {
            self.begin_contact(cx, contact);
        }
        self.take_history(cx, bundle.history);
        for told in bundle.invitations.iter().take(limits::INVITES_MAX) {
            self.take_invitation(cx, told);
        }
        self.begin_own(cx, &bundle.self_pair);
        self.hold_relays(cx);
        self.queue_missing(None);
        self.pump_jobs(cx);
    }

    /// The state says that there is this contact.
    fn begin_contact(&mut self, cx: &mut Cx, shared: SharedContact) {
        let who = *shared.who.as_bytes();
        let session = shared.session(self.me);
        let (epoch, agreed) = (self.clock.assumed_epoch(), self.clock.agreed());
        let Some(contact) = self.contacts.get_mut(&who).filter(|c| c.row.state == 1) else {
            return;
        };
        contact.row.met = shared.met;
        contact.row.return_secret = shared.return_secret.map(|rt| *rt.0.as_bytes());
        contact.row.order = contact
            .row
            .order
            .max(shared.order.unwrap_or(0).min(ORDER_MAX));
        contact.session = session.map(|mut session| {
            session.on_epoch(epoch, agreed);
            session
        });
        cx.touch(RowKey::Contact(who));
        self.refresh_expected(&who);
        self.expect_returns(&who);
        self.want_keys(cx, &who);
        self.show_contact(cx, &who);
    }

    /// Another device's invitation: greetings to it are shown here too.
    fn take_invitation(&mut self, cx: &mut Cx, told: &SharedInvitation) {
        let hour = time::hour(self.clock.assumed());
        let bits = self.profile.mailbox.bits();
        let Some(mailbox) = Mailbox::new(self.profile.invites_place, bits) else {
            return;
        };
        let secret = Invitation::shared(told, mailbox, hour);
        let id = secret.id();
        if secret.expiry <= hour || self.invites.contains_key(&id) {
            return;
        }
        let row = InviteRow {
            id,
            secret: None,
            fragment: secret.link(self.me, self.relays.hints()).fragment(),
            until: u64::from(secret.expiry) * 3_600_000,
            single_use: secret.single_use,
            state: 1,
            tombstone: false,
            elsewhere: true,
        };
        let secret = Some(secret);
        self.invites.insert(id, Invite { row, secret });
        cx.touch(RowKey::Invite(id));
        self.expect_greetings(&id);
        self.show_invite(cx, &id);
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
