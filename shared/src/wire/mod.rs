//! The bytes of the protocol as typed values: header, frames, hints. PROTOCOL.md sections 2 and 3.
//!
//! Invariant: parsing never panics, never allocates, and what parses encodes to the same bytes.

pub mod codec;
pub mod descriptor;
pub mod frame;
pub mod header;
pub mod hint;
pub mod proof;
pub mod reason;
mod receipt;
pub mod scan;

pub use codec::{Malformed, Reader};
pub use descriptor::Descriptor;
pub use frame::{Frame, FrameError, Welcome};
pub use header::{Front, Header, Id, Kind, Lifetime, SizeClass};
pub use hint::{IceCredentials, RelayHint};
pub use reason::{Bye, Refused};
pub use receipt::{Receipt, Receipts};
pub use scan::{Records, ScanRecord};
