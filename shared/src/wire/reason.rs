//! Why a side leaves, and why a request was refused. PROTOCOL.md section 3.

/// Why a side leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Bye {
    Leaving = 0,
    Version = 1,
    Network = 2,
    Malformed = 3,
    Full = 4,
    Idle = 5,
}

impl Bye {
    /// Reasons of later versions read as leaving.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Bye::Version,
            2 => Bye::Network,
            3 => Bye::Malformed,
            4 => Bye::Full,
            5 => Bye::Idle,
            _ => Bye::Leaving,
        }
    }
}

/// Why a request was refused, without its detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Refused {
    UnknownRequest = 1,
    Malformed = 2,
    WrongNetwork = 3,
    /// Detail: the relay's hour.
    Expired = 4,
    /// Detail: the effort floor.
    TooLittleWork = 5,
    BodyMismatch = 6,
    /// Detail: seconds to wait.
    OverQuota = 7,
    StoreFull = 8,
    OldRecord = 9,
    BadRecord = 10,
    TooManyRequests = 11,
    StoreFailed = 12,
    /// Another relay's range.
    Elsewhere = 13,
    /// To the relay that an Offer names, or to who is to be let in.
    NoWay = 14,
}

impl Refused {
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Refused::UnknownRequest,
            2 => Refused::Malformed,
            3 => Refused::WrongNetwork,
            4 => Refused::Expired,
            5 => Refused::TooLittleWork,
            6 => Refused::BodyMismatch,
            7 => Refused::OverQuota,
            8 => Refused::StoreFull,
            9 => Refused::OldRecord,
            10 => Refused::BadRecord,
            11 => Refused::TooManyRequests,
            12 => Refused::StoreFailed,
            13 => Refused::Elsewhere,
            14 => Refused::NoWay,
            _ => return None,
        })
    }
}
