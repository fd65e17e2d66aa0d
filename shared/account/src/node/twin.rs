//! A second device of an account, made of a copy of the first: what tests of several devices begin
//! with, until a device can be linked by itself. Nothing but tests calls this.
//!
//! Invariant: the copy has no device key, chain or counter of the first, as a linked one has not.

use super::Account;
use super::cx::Cx;
use super::model::*;
use super::open::Open;
use crate::session::Session;
use alloc::vec::Vec;
use shared::crypto::SigningKey;
use shared::time::Now;

impl Account {
    /// There will be other devices: what they begin with is drawn.
    #[doc(hidden)]
    pub fn begin_devices(&mut self, now: Now) {
        self.cx.now = now;
        if let Some(open) = &mut self.open {
            drop(open.self_pair(&mut self.cx));
        }
        self.on_timer();
        self.flush();
    }

    /// This account was imported from the file of a device that had called
    /// [`Account::begin_devices`]: it is one of its own from now on, in that slot.
    #[doc(hidden)]
    pub fn become_device(&mut self, now: Now, slot: u8) {
        self.cx.now = now;
        if let Some(open) = &mut self.open {
            open.become_device(&mut self.cx, slot);
        }
        self.on_timer();
        self.flush();
    }
}

impl Open {
    fn become_device(&mut self, cx: &mut Cx, slot: u8) {
        let pair = self.self_pair(cx);
        self.profile.slot = slot;
        self.profile.device = cx.rng.array();
        self.profile.certificate.clear();
        self.device = SigningKey::from_bytes(&self.profile.device);
        cx.touch(RowKey::Profile);
        let owners: Vec<Owner> = self.parcels.keys().copied().collect();
        for owner in owners {
            self.parcels.remove(&owner);
            cx.touch(RowKey::Parcel(owner));
        }
        let outgoing: Vec<(Who, Id16)> = self.outgoing.keys().copied().collect();
        for (who, id) in outgoing {
            self.drop_job(cx, &Owner::Message(who, id));
            self.outgoing.remove(&(who, id));
            cx.touch(RowKey::Outgoing(who, id));
        }
        let everybody: Vec<Who> = self.contacts.keys().copied().collect();
        for who in everybody {
            self.forget_expected(&who);
            if let Some(contact) = self.contacts.get_mut(&who) {
                let told = contact.session.as_ref().map(Session::share);
                let peer = contact.session.as_ref().map(|session| *session.peer());
                let session = told.zip(peer);
                let session = session.and_then(|(t, p)| Session::shared(self.me, p, t).ok());
                contact.session = session;
                (contact.greeting, contact.acceptance, contact.coming_back) = (None, None, None);
                contact.returns = Default::default();
                cx.touch(RowKey::Contact(who));
            }
        }
        let old = self.own.session.take();
        for (locator, _) in old.iter().flat_map(Session::expected) {
            self.expected.remove(&locator);
        }
        self.own = Default::default();
        self.begin_own(cx, &pair);
        self.epochs = (0, 0);
        self.on_epoch(cx);
    }
}
