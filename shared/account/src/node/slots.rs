//! Slots of devices, as a device sees them that links another: which one is free, and what the
//! state says of who has it. PROTOCOL.md sections 13 and 15.
//!
//! Invariant: a slot that a device was given is given to no other one as long as its certificate
//! may hold, whatever came of the linking.

use super::cx::Cx;
use super::model::RowKey;
use super::open::Open;
use crate::identity::{CERTIFICATE_HOURS, Certificate, DEVICE_SLOTS};
use crate::linking::{Failure, Newcomer};
use crate::state::Key;
use crate::state::values::{Device, DeviceKind};
use alloc::string::String;
use minicbor::{Decode, Encode};
use shared::crypto::{KemSecret, sha256};
use shared::time;

/// Of a device that nobody has named.
const NAME: &str = "First device";

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
        });
        cx.touch(RowKey::Profile);
        self.list_own(cx);
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
    }

    fn list(&mut self, cx: &mut Cx, slot: u8, device: &Device) {
        if let Some(value) = device.encode() {
            self.write_state(cx, Key::Device(slot), value);
        }
    }

    /// This device is in the list, now that there is another one.
    fn list_own(&mut self, cx: &mut Cx) {
        let slot = self.profile.slot;
        if self.state.set.get(&Key::Device(slot)).is_some() {
            return;
        }
        let kind = match self.is_full() {
            true => DeviceKind::Full,
            false => DeviceKind::Linked,
        };
        let device = Device {
            key: *self.device.public().as_bytes(),
            kem_hash: self.kem_hash(cx),
            name: String::from(NAME),
            kind,
            since: self.profile.created,
        };
        self.list(cx, slot, &device);
    }

    /// H of this device's X-Wing public key, which is drawn when it is first asked for.
    fn kem_hash(&mut self, cx: &mut Cx) -> [u8; 32] {
        let drawn = cx.rng.array();
        let secret = *self.profile.kem.get_or_insert(drawn);
        cx.touch(RowKey::Profile);
        sha256(&[KemSecret::from_bytes(secret).public().as_bytes()])
    }
}
