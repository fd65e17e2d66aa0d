//! What this device may do in the account's name: all of it with the seed, or what a device that
//! has the seed gave it leave for. PROTOCOL.md sections 4 and 15.
//!
//! Invariant: nothing that a linked device keeps leads to the account key, the record key or the
//! recovery key. What only these can do, it refuses.

use super::cx::Cx;
use super::model::{Profile, RowKey, Who};
use super::open::Open;
use super::problems;
use crate::delegation::{Delegation, Scope};
use crate::identity::{CERTIFICATE_LEN, Certificate, Identity, RecoveryPublic, Seed};
use crate::linking::Leave;
use crate::record::{self, Place, SLOT_EPOCH_KEYS, SLOT_PROFILE, Signer};
use crate::state::Parts;
use crate::state::parts::PARTS_MAX;
use alloc::{boxed::Box, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{PublicKey, SigningKey};
use shared::time;

/// Leaves that are kept: of all slots in some periods.
pub const LEAVES_MAX: usize = 512;
/// Periods for which leave is given.
const PERIODS_AHEAD: u32 = 2;

/// In whose name this device speaks, and by what.
pub enum Authority {
    /// It has the seed.
    Full(Box<Identity>),
    Linked(Linked),
}

/// A device without the seed.
pub struct Linked {
    account: PublicKey,
    recovery: RecoveryPublic,
    leaves: Vec<(u16, u32, Delegation)>,
}

/// What a device without the seed keeps in its place.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct LinkedRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub account: Who,
    /// R, which contacts are told.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub recovery: RecoveryPublic,
    #[n(2)]
    pub leaves: Vec<Leave>,
}

/// What is to be written where.
pub struct Spot<'a> {
    pub read: &'a [u8; 32],
    pub slot: u16,
    pub period: u32,
    pub expiry: u32,
}

impl Authority {
    /// As a profile says it. `None` for one that has neither a seed nor anything in its place.
    pub fn of(profile: &Profile) -> Option<Authority> {
        match (&profile.seed, &profile.linked) {
            (Some(seed), _) => {
                let identity = Identity::from_seed(&Seed::from_bytes(*seed));
                Some(Authority::Full(Box::new(identity)))
            }
            (None, Some(row)) => Some(Authority::Linked(Linked::read(row)?)),
            (None, None) => None,
        }
    }

    pub fn account(&self) -> PublicKey {
        match self {
            Authority::Full(identity) => *identity.id().key(),
            Authority::Linked(linked) => linked.account,
        }
    }

    /// The keys of the account, on a device that has them.
    pub fn full(&self) -> Option<&Identity> {
        match self {
            Authority::Full(identity) => Some(identity),
            Authority::Linked(_) => None,
        }
    }

    /// R, which contacts are told.
    pub fn recovery(&self) -> RecoveryPublic {
        match self {
            Authority::Full(identity) => identity.recovery_key().public(),
            Authority::Linked(linked) => linked.recovery,
        }
    }

    /// Who signs a record there. `None`: this device may not write it.
    pub fn signer<'a>(&'a self, device: &'a SigningKey, at: &Spot) -> Option<Signer<'a>> {
        let linked = match self {
            Authority::Full(identity) => return Some(Signer::Account(identity.account_key())),
            Authority::Linked(linked) => linked,
        };
        let place = Place::find(&linked.account, at.read, at.slot, at.period);
        let key = device.public();
        let holds = |(slot, period, leave): &&(u16, u32, Delegation)| {
            (*slot, *period) == (at.slot, at.period) && place.allows(leave, &key, at.expiry)
        };
        let (_, _, leave) = linked.leaves.iter().find(holds)?;
        Some(Signer::Delegate {
            owner: &linked.account,
            device,
            leave,
        })
    }
}

impl Linked {
    fn read(row: &LinkedRow) -> Option<Linked> {
        let leave = |leave: &Leave| {
            let read = Delegation::read(&leave.bytes)?;
            Some((leave.slot, leave.period, read))
        };
        Some(Linked {
            account: PublicKey::from_bytes(&row.account).ok()?,
            recovery: row.recovery,
            leaves: row.leaves.iter().filter_map(leave).collect(),
        })
    }
}

impl Open {
    pub fn is_full(&self) -> bool {
        self.authority.full().is_some()
    }

    /// This device's certificate: a full one renews its own when half its time is over. `None`: it
    /// has ended, and this device cannot make another.
    pub(super) fn certificate(&mut self, cx: &mut Cx) -> Option<[u8; CERTIFICATE_LEN]> {
        let hour = time::hour(self.clock.assumed());
        let kept = Certificate::read(&self.profile.certificate, &self.me, hour).ok();
        let Some(identity) = self.authority.full() else {
            return kept.map(|kept| kept.to_bytes());
        };
        if let Some(certificate) = kept.filter(|kept| !kept.is_due(hour)) {
            return Some(certificate.to_bytes());
        }
        let (account, device) = (identity.account_key(), self.device.public());
        let bytes = Certificate::issue(account, self.profile.slot, device, hour).to_bytes();
        self.profile.certificate = bytes.to_vec();
        cx.touch(RowKey::Profile);
        Some(bytes)
    }

    /// Whether a device without the seed has no certificate any more.
    pub fn is_expired(&self) -> bool {
        let hour = time::hour(self.clock.assumed());
        let holds = || Certificate::read(&self.profile.certificate, &self.me, hour).is_ok();
        !self.is_full() && !holds()
    }

    /// Tells people when nothing can be sealed any more, and when it can again.
    pub(super) fn look_after_certificate(&mut self, cx: &mut Cx) {
        match (self.is_expired(), cx.is_told("certificate_ended")) {
            (true, false) => cx.trouble(problems::certificate_ended()),
            (false, true) => {
                cx.trouble_over("certificate_ended");
                self.queue_missing(None);
                self.pump_jobs(cx);
            }
            _ => {}
        }
    }

    /// Leave for a device of that key to write what all devices write, in this period and the next.
    /// None on a device that has not the seed.
    pub(super) fn leaves_for(&self, device: PublicKey) -> Vec<Leave> {
        let Some(identity) = self.authority.full() else {
            return Vec::new();
        };
        let now = record::period(time::hour(self.clock.assumed()));
        let own = &self.profile.read_secret;
        let mut slots = [(SLOT_EPOCH_KEYS, own), (SLOT_PROFILE, own)].to_vec();
        if let Some(root) = self.state_root() {
            // When parts double there is leave for the new ones, too.
            let parts = (2 * self.state_parts()).min(PARTS_MAX);
            slots.extend((0..parts).map(|part| (Parts::slot(part), root.read.as_bytes())));
        }
        let leave = |slot, read, period| {
            let scope = Scope { read, slot, period };
            let bytes = Delegation::issue(identity.account_key(), &scope, device).to_bytes();
            Leave {
                slot,
                period,
                bytes,
            }
        };
        let of_period = |period| slots.iter().map(move |(slot, read)| (*slot, *read, period));
        let all = (now..now + PERIODS_AHEAD).flat_map(of_period);
        all.map(|(slot, read, period)| leave(slot, read, period))
            .collect()
    }

    /// What a device with the seed gave this one anew: a certificate for its key and slot, and
    /// leave to write. False if it is not for this device, or says less than what is here.
    pub fn renew_authority(&mut self, cx: &mut Cx, certificate: &[u8], leaves: Vec<Leave>) -> bool {
        let hour = time::hour(self.clock.assumed());
        let read = |bytes: &[u8]| Certificate::read(bytes, &self.me, hour).ok();
        let Some(fresh) = read(certificate) else {
            return false;
        };
        let known = read(&self.profile.certificate).map_or(0, |known| known.until);
        let ours = fresh.device == self.device.public() && fresh.slot == self.profile.slot;
        let Some(row) = self.profile.linked.as_mut().filter(|_| ours) else {
            return false;
        };
        if fresh.until < known {
            return false;
        }
        let period = record::period(hour);
        row.leaves.retain(|old| {
            let again = |new: &Leave| (new.slot, new.period) == (old.slot, old.period);
            old.period >= period && !leaves.iter().any(again)
        });
        row.leaves.extend(leaves);
        row.leaves.truncate(LEAVES_MAX);
        self.profile.certificate = certificate.to_vec();
        if let Some(authority) = Authority::of(&self.profile) {
            self.authority = authority;
        }
        cx.touch(RowKey::Profile);
        self.look_after_certificate(cx);
        true
    }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
