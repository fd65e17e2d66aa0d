//! Slots of devices, as a device sees them that links another: which one is free, and what the
//! state says of who has it. PROTOCOL.md sections 13 and 15.
//!
//! Invariant: a slot that a device was given is given to no other one as long as its certificate
//! may hold, whatever came of the linking.

use super::cx::Cx;
use super::model::RowKey;
use super::open::Open;
use crate::identity::{CERTIFICATE_HOURS, Certificate, DEVICE_SLOTS};
use crate::letter::{Issued, Item};
use crate::linking::{Failure, Newcomer};
use crate::state::Key;
use crate::state::values::{Device, DeviceKind};
use alloc::boxed::Box;
use minicbor::{Decode, Encode};
use shared::crypto::PublicKey;
use shared::time;

/// Certificates of others are renewed when so many hours of theirs are over.
const RENEWED_HOURS: u32 = 24;

/// A slot that was given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct GivenRow {
    #[n(0)]
    pub slot: u8,
    /// Hour at which its certificate is over.
    #[n(1)]
    pub until: u32,
    /// Whether the device took it is not known, and nobody was told so.
    #[n(2)]
    pub unsure: bool,
    /// The device's key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub device: [u8; 32],
}

impl Open {
    /// A slot that no other device has, or may have.
    pub fn free_slot(&self) -> Option<u8> {
        let hour = time::hour(self.clock.assumed());
        let given = |slot: u8| {
            let mut given = self.profile.given.iter();
            given.any(|g| g.slot == slot && g.until > hour)
        };
        let known = |slot: u8| self.state.set.get(&Key::Device(slot)).is_some();
        let taken = |slot: u8| slot == self.profile.slot || known(slot) || given(slot);
        (0..DEVICE_SLOTS).find(|slot| !taken(*slot))
    }

    /// Certifies another device for a slot, which is its own from now on; the list of devices says
    /// so. `None` on a device that has not the seed.
    pub(super) fn certify(
        &mut self,
        cx: &mut Cx,
        newcomer: &Newcomer,
        kind: DeviceKind,
        slot: u8,
    ) -> Option<Certificate> {
        let hour = time::hour(self.clock.assumed());
        let account = self.authority.full()?.account_key();
        let certificate = Certificate::issue(account, slot, newcomer.device, hour);
        self.profile
            .given
            .retain(|g| g.slot != slot && g.until > hour);
        let until = hour.saturating_add(CERTIFICATE_HOURS);
        let unsure = true;
        self.profile.given.push(GivenRow {
            slot,
            until,
            unsure,
            device: *newcomer.device.as_bytes(),
        });
        cx.touch(RowKey::Profile);
        // With it this device is in the list, too.
        drop(self.self_pair(cx));
        self.own.meet_anew(slot, self.clock.assumed());
        let device = Device {
            key: *newcomer.device.as_bytes(),
            kem_hash: newcomer.kem_hash,
            name: newcomer.name.clone(),
            kind,
            since: self.clock.assumed(),
        };
        self.list(cx, slot, &device);
        Some(certificate)
    }

    /// Devices without the seed get a certificate and leave to write anew, every day: one that is
    /// seldom there hears of the last one all the same.
    pub(super) fn renew_linked(&mut self, cx: &mut Cx) {
        if !self.is_full() {
            return;
        }
        let hour = time::hour(self.clock.assumed());
        let due = hour.saturating_add(CERTIFICATE_HOURS - RENEWED_HOURS);
        for (slot, device) in self.device_entries() {
            let given = self.profile.given.iter().find(|given| given.slot == slot);
            let until = given.map_or(0, |given| given.until);
            if device.kind == DeviceKind::Linked
                && until <= due
                && self.has_certified(slot, &device)
            {
                self.renew_device(cx, slot, &device);
            }
        }
    }

    /// Whether the account has certified that key for that slot before. The list of devices alone
    /// does not say so: any device may write it.
    fn has_certified(&self, slot: u8, device: &Device) -> bool {
        let given = |g: &GivenRow| g.slot == slot && g.device == device.key;
        let heard = || {
            let key = PublicKey::from_bytes(&device.key).ok();
            let session = self.own.session.as_ref().zip(key);
            session.is_some_and(|(session, key)| session.knows(slot, &key))
        };
        self.profile.given.iter().any(given) || heard()
    }

    /// Another device that has the seed has renewed it.
    pub(super) fn note_renewed(&mut self, cx: &mut Cx, issued: &Issued) {
        let hour = time::hour(self.clock.assumed());
        let Ok(certificate) = Certificate::read(&issued.certificate, &self.me, hour) else {
            return;
        };
        let mut given = self.profile.given.iter_mut();
        let ours = |g: &&mut GivenRow| {
            g.slot == certificate.slot && g.device == *certificate.device.as_bytes()
        };
        if let Some(given) = given.find(ours) {
            given.until = given.until.max(certificate.until);
            cx.touch(RowKey::Profile);
        }
    }

    pub(super) fn renew_device(&mut self, cx: &mut Cx, slot: u8, device: &Device) {
        let hour = time::hour(self.clock.assumed());
        let key = PublicKey::from_bytes(&device.key).ok();
        let Some((identity, key)) = self.authority.full().zip(key) else {
            return;
        };
        let certificate = Certificate::issue(identity.account_key(), slot, key, hour);
        let issued = Issued {
            slot,
            certificate: certificate.to_bytes(),
            delegations: self.leaves_for(key),
        };
        self.tell(cx, &Item::Certificate(Box::new(issued)));
        let until = certificate.until;
        let mut given = self.profile.given.iter_mut();
        match given.find(|given| given.slot == slot) {
            Some(given) => (given.until, given.device) = (until, device.key),
            None => self.profile.given.push(GivenRow {
                slot,
                until,
                unsure: false,
                device: device.key,
            }),
        }
        cx.touch(RowKey::Profile);
    }

    /// The person knows what became of the device in that slot.
    pub(super) fn sure(&mut self, cx: &mut Cx, slot: u8) {
        let mut given = self.profile.given.iter_mut();
        if let Some(given) = given.find(|given| given.slot == slot) {
            given.unsure = false;
            cx.touch(RowKey::Profile);
        }
    }

    /// Tells of a device that was sent something when this process ended.
    pub(super) fn tell_unsure(&mut self, cx: &mut Cx) {
        let mut any = false;
        for given in &mut self.profile.given {
            any |= core::mem::take(&mut given.unsure);
        }
        if any {
            cx.touch(RowKey::Profile);
            super::linking::show_failed(cx, Failure::NoWord);
        }
    }

    /// The device in that slot says that it took nothing.
    pub(super) fn unlist(&mut self, cx: &mut Cx, slot: u8) {
        self.delete_state(cx, &Key::Device(slot));
        self.show_devices(cx);
    }

    fn list(&mut self, cx: &mut Cx, slot: u8, device: &Device) {
        if let Some(value) = device.encode() {
            self.write_state(cx, Key::Device(slot), value);
            self.show_devices(cx);
        }
    }
}
