//! The list of this account's devices, in the state and as people see it. PROTOCOL.md sections 13
//! and 16.
//!
//! Invariant: each device writes its own entry, once there is another one, and leaves what a device
//! that linked it has written.

use super::cx::Cx;
use super::model::RowKey;
use super::open::Open;
use crate::api::{DeviceView, Event};
use crate::state::values::{Device, DeviceKind};
use crate::state::{Key, Value};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use shared::crypto::{KemPublic, KemSecret, sha256};

/// Of a device that nobody has named.
const NAME: &str = "First device";

impl Open {
    /// This device's own entry, if the state has none for its key.
    pub(super) fn write_own_device(&mut self, cx: &mut Cx) {
        if self.own.session.is_none() {
            return;
        }
        let known = self.device_entry(self.profile.slot);
        let public = *self.device.public().as_bytes();
        if known.as_ref().is_some_and(|device| device.key == public) {
            return;
        }
        let device = Device {
            key: public,
            kem_hash: self.kem_hash(cx),
            name: known.map_or_else(|| String::from(NAME), |known| known.name),
            kind: self.kind(),
            since: self.profile.created.max(1),
        };
        if let Some(value) = device.encode() {
            self.write_state(cx, Key::Device(self.profile.slot), value);
            self.show_devices(cx);
        }
    }

    /// Notes since when devices are there that others name.
    pub(super) fn meet_devices(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        for slot in self.other_devices() {
            if self.own.note_met(slot, now) {
                cx.touch(RowKey::Own);
            }
        }
    }

    fn kind(&self) -> DeviceKind {
        match self.is_full() {
            true => DeviceKind::Full,
            false => DeviceKind::Linked,
        }
    }

    fn kem_hash(&mut self, cx: &mut Cx) -> [u8; 32] {
        sha256(&[self.kem_public(cx).as_bytes()])
    }

    /// This device's X-Wing public key, which is drawn when it is first asked for.
    pub(super) fn kem_public(&mut self, cx: &mut Cx) -> KemPublic {
        let drawn = cx.rng.array();
        let secret = *self.profile.kem.get_or_insert(drawn);
        cx.touch(RowKey::Profile);
        KemSecret::from_bytes(secret).public()
    }

    /// What the state says of the device in that slot.
    pub(super) fn device_entry(&self, slot: u8) -> Option<Device> {
        let value = self.state.set.get(&Key::Device(slot))?;
        Device::decode(value).ok()
    }

    /// What the state says of each slot that has a device.
    pub(super) fn device_entries(&self) -> BTreeMap<u8, Device> {
        let named = self.state.set.range(Key::Device(0)..=Key::Device(u8::MAX));
        let read = |(key, value): (&Key, &Value)| match (key, Device::decode(value)) {
            (Key::Device(slot), Ok(device)) => Some((*slot, device)),
            _ => None,
        };
        named.filter_map(read).collect()
    }

    /// The account's devices, this one among them, by slot.
    pub(super) fn devices(&self) -> Vec<DeviceView> {
        let own = self.profile.slot;
        let entries = self.device_entries().into_iter();
        let mut devices: Vec<DeviceView> = entries
            .map(|(slot, device)| self.device_view(slot, &device))
            .collect();
        if !devices.iter().any(|device| device.slot == own) {
            devices.push(DeviceView {
                slot: own,
                name: String::from(NAME),
                full: self.is_full(),
                this: true,
                since: self.profile.created,
                heard: None,
            });
            devices.sort_by_key(|device| device.slot);
        }
        devices
    }

    fn device_view(&self, slot: u8, device: &Device) -> DeviceView {
        DeviceView {
            slot,
            name: crate::shown::name(&device.name),
            full: device.kind == DeviceKind::Full,
            this: slot == self.profile.slot,
            since: device.since,
            heard: self.own.heard(slot),
        }
    }

    pub(super) fn show_devices(&self, cx: &mut Cx) {
        let devices = self.devices();
        cx.event(Event::Devices { devices });
    }
}
