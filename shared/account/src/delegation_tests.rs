#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::record::*;
use alloc::vec::Vec;
use shared::object::RecordError;
use shared::object::record::check;
use shared::wire::{Header, Lifetime, SizeClass};

const READ: [u8; 32] = [7; 32];
const SCOPE: Scope = Scope {
    read: &READ,
    slot: SLOT_PROFILE,
    period: 9,
};
const HOUR: u32 = 9 * 720 + 5;

struct Parties {
    account: SigningKey,
    owner: PublicKey,
    device: SigningKey,
}

fn parties() -> Parties {
    let account = SigningKey::from_bytes(&[1; 32]);
    Parties {
        owner: account.public(),
        account,
        device: SigningKey::from_bytes(&[2; 32]),
    }
}

impl Parties {
    fn leave(&self) -> Delegation {
        Delegation::issue(&self.account, &SCOPE, self.device.public())
    }

    fn write(
        &self,
        leave: &Delegation,
        change: impl FnOnce(&mut Writing),
    ) -> Result<(Header, Vec<u8>), WriteError> {
        let mut w = Writing {
            by: Author {
                signer: Signer::Delegate {
                    owner: &self.owner,
                    device: &self.device,
                    leave,
                },
                version: 3,
                effort: 0,
                network: 5,
            },
            read: &READ,
            slot: SLOT_PROFILE,
            period: 9,
            size: SizeClass::KIB_1,
            lifetime: Lifetime::H4320,
            expiry: HOUR + 4_320,
        };
        change(&mut w);
        write(&w, b"text", &[4; 32]).map(|sealed| (sealed.header, sealed.body))
    }
}

#[test]
fn a_delegate_writes_where_the_account_would() {
    let p = parties();
    let (header, body) = p.write(&p.leave(), |_| ()).unwrap();
    let place = Place::find(&p.owner, &READ, SLOT_PROFILE, 9);
    // Readers and relays take it as long as it lives.
    for hour in [HOUR, HOUR + 4_320] {
        assert!(check(&header, &body, hour).is_ok());
        let opened = open(&place, &READ, &header, &body, hour).unwrap();
        assert_eq!((opened.version, &opened.text[..]), (3, &b"text"[..]));
    }
    let last = 10 * 720 - 1;
    assert!(p.write(&p.leave(), |w| w.expiry = last + 4_320 + 2).is_ok());
}

#[test]
fn leave_is_for_one_device_slot_period_and_secret() {
    let p = parties();
    let refused = Err(WriteError::NotDelegated);
    let leave = p.leave();
    assert_eq!(p.write(&leave, |w| w.slot = SLOT_EPOCH_KEYS), refused);
    assert_eq!(p.write(&leave, |w| w.period = 10), refused);
    assert_eq!(p.write(&leave, |w| w.read = &[8; 32]), refused);
    assert_eq!(p.write(&leave, |w| w.expiry = leave.until + 1), refused);
    let other = Parties {
        device: SigningKey::from_bytes(&[3; 32]),
        ..parties()
    };
    assert_eq!(other.write(&leave, |_| ()), refused);
    let stranger = Delegation::issue(&SigningKey::from_bytes(&[9; 32]), &SCOPE, p.device.public());
    assert_eq!(p.write(&stranger, |_| ()), refused);
}

/// What a device does that does not keep to it.
#[test]
fn relays_and_readers_refuse_what_is_not_allowed() {
    let p = parties();
    let until = HOUR + 4_320;
    let leave = Delegation::issue_until(&p.account, &SCOPE, p.device.public(), until);
    let (header, body) = p.write(&leave, |_| ()).unwrap();
    let place = Place::find(&p.owner, &READ, SLOT_PROFILE, 9);
    let over = Err(RecordError::BadDelegation);
    assert!(check(&header, &body, until - 1).is_ok());
    assert_eq!(check(&header, &body, until), over);
    assert_eq!(
        open(&place, &READ, &header, &body, until),
        Err(OpenError::Invalid(RecordError::BadDelegation))
    );
    // Every changed bit of it, and every other signer.
    for at in 42..142 {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(check(&header, &changed, HOUR).is_err(), "byte {at}");
    }
    // Put into a record of another slot, signed by the device.
    let keys = Scope {
        slot: SLOT_EPOCH_KEYS,
        ..SCOPE
    };
    let own = Delegation::issue(&p.account, &keys, p.device.public());
    let written = p.write(&own, |w| {
        w.slot = SLOT_EPOCH_KEYS;
        w.expiry = HOUR + 168;
    });
    let (header, mut body) = written.unwrap();
    body[42..142].copy_from_slice(&leave.to_bytes());
    let header = header.front.header(header.tag, &body);
    assert_eq!(check(&header, &body, HOUR), over);
}

#[test]
fn bytes_are_read_again() {
    let leave = parties().leave();
    let bytes = leave.to_bytes();
    assert_eq!(Delegation::read(&bytes), Some(leave));
    for cut in 0..DELEGATION_LEN {
        assert_eq!(Delegation::read(&bytes[..cut]), None);
    }
    assert_eq!(Delegation::read(&[bytes.as_slice(), &[0]].concat()), None);
}
