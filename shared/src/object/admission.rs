//! Whether a relay takes an object. PROTOCOL.md section 2, the last rule.
//!
//! Invariant: the checks come in the protocol's order, and none before the body's hash reads more
//! than the header.

use super::pow;
use crate::crypto::sha256;
use crate::limits::EXPIRY_SLACK_HOURS;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Header, Refused};

/// What a relay asks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    pub network: u32,
    /// The hour it is.
    pub hour: u32,
    pub effort_floor: u8,
    /// 1, but in test networks.
    pub work_divisor: u64,
}

/// The first check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionError {
    /// Version, kind, size, lifetime or reserved bits; or a body of another length than the size
    /// says.
    Malformed,
    WrongNetwork,
    /// Expired, or expiring later than its lifetime allows.
    WrongExpiry,
    LowEffort,
    NoWork,
    BodyMismatch,
}

impl AdmissionError {
    /// How a relay says so.
    pub fn refused(self, rules: &Admission) -> (Refused, u32) {
        match self {
            AdmissionError::Malformed => (Refused::Malformed, 0),
            AdmissionError::WrongNetwork => (Refused::WrongNetwork, 0),
            AdmissionError::WrongExpiry => (Refused::Expired, rules.hour),
            AdmissionError::LowEffort | AdmissionError::NoWork => {
                (Refused::TooLittleWork, rules.effort_floor.into())
            }
            AdmissionError::BodyMismatch => (Refused::BodyMismatch, 0),
        }
    }
}

/// The header of an object that may be stored.
pub fn admit(
    header: &[u8; HEADER_BYTES],
    body: &[u8],
    rules: &Admission,
) -> Result<Header, AdmissionError> {
    let size = Header::parse(header).map_err(|_| AdmissionError::Malformed)?;
    if body.len() != size.size.bytes() {
        return Err(AdmissionError::Malformed);
    }
    let header = admit_header(header, rules)?;
    if sha256(&[body]) != header.body_hash {
        return Err(AdmissionError::BodyMismatch);
    }
    Ok(header)
}

/// The header of an object that may be stored, should its body match.
pub fn admit_header(
    header: &[u8; HEADER_BYTES],
    rules: &Admission,
) -> Result<Header, AdmissionError> {
    let header = Header::parse(header).map_err(|_| AdmissionError::Malformed)?;
    if header.network != rules.network {
        return Err(AdmissionError::WrongNetwork);
    }
    if !expires_in_time(&header, rules.hour) {
        return Err(AdmissionError::WrongExpiry);
    }
    if header.effort < rules.effort_floor {
        return Err(AdmissionError::LowEffort);
    }
    if !pow::is_paid(&header, rules.work_divisor) {
        return Err(AdmissionError::NoWork);
    }
    Ok(header)
}

/// Whether the expiry lies in (hour, hour + T + 2].
pub fn expires_in_time(header: &Header, hour: u32) -> bool {
    let last = hour.saturating_add(header.lifetime.hours() + EXPIRY_SLACK_HOURS);
    header.expiry > hour && header.expiry <= last
}

/// The first four bytes of H("wm-net" || name). The main network's name is "main".
pub fn network_id(name: &str) -> u32 {
    let [a, b, c, d, ..] = sha256(&[b"wm-net", name.as_bytes()]);
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::wire::{Front, Kind, Lifetime, SizeClass};

    const RULES: Admission = Admission {
        network: 3,
        hour: 1000,
        effort_floor: 1,
        work_divisor: 1 << 10,
    };
    const BODY: [u8; 1024] = [5; 1024];

    fn solved(change: impl FnOnce(&mut Header)) -> [u8; 72] {
        let mut h = Front {
            kind: Kind::Envelope,
            size: SizeClass::KIB_1,
            lifetime: Lifetime::H48,
            effort: 1,
            expiry: 1049,
            address: 2,
            network: 3,
        }
        .header([4; 16], &BODY);
        change(&mut h);
        h.nonce = (0..)
            .find(|n| pow::is_paid(&Header { nonce: *n, ..h }, 1 << 10))
            .unwrap();
        h.encode()
    }

    #[test]
    fn takes_what_is_right() {
        let h = solved(|_| ());
        assert_eq!(admit(&h, &BODY, &RULES), Ok(Header::parse(&h).unwrap()));
    }

    #[test]
    fn refuses_each_fault_by_its_name() {
        let refusal = |h: &[u8; 72]| admit(h, &BODY, &RULES).unwrap_err();
        let mut bad = solved(|_| ());
        bad[3] = 1;
        assert_eq!(refusal(&bad), AdmissionError::Malformed);
        assert_eq!(
            refusal(&solved(|h| h.front.size = SizeClass::KIB_2)),
            AdmissionError::Malformed
        );
        assert_eq!(
            refusal(&solved(|h| h.front.network = 4)),
            AdmissionError::WrongNetwork
        );
        for (expiry, fine) in [(1000, false), (1001, true), (1050, true), (1051, false)] {
            let answer = admit(&solved(|h| h.front.expiry = expiry), &BODY, &RULES);
            assert_eq!(answer.is_ok(), fine, "{expiry}");
            assert!(fine || answer == Err(AdmissionError::WrongExpiry));
        }
        assert_eq!(
            refusal(&solved(|h| h.front.effort = 0)),
            AdmissionError::LowEffort
        );
        assert_eq!(
            admit(&solved(|_| ()), &[6; 1024], &RULES),
            Err(AdmissionError::BodyMismatch)
        );
        let strict = Admission {
            work_divisor: 1,
            ..RULES
        };
        assert_eq!(
            admit(&solved(|_| ()), &BODY, &strict),
            Err(AdmissionError::NoWork)
        );
        assert_eq!(
            AdmissionError::NoWork.refused(&RULES),
            (Refused::TooLittleWork, RULES.effort_floor.into())
        );
    }

    #[test]
    fn the_first_failing_check_names_the_refusal() {
        // Everything is wrong with it; the header's network is checked first.
        let h = solved(|h| {
            h.front.network = 9;
            h.front.expiry = 1;
            h.front.effort = 0;
        });
        assert_eq!(
            admit(&h, &[6; 1024], &RULES),
            Err(AdmissionError::WrongNetwork)
        );
    }
}
