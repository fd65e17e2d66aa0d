//! The account's state: what its devices and the network agree on. PROTOCOL.md section 13.
//!
//! ```text
//! entry   a key, when and where it was written, a value: how each looks in bytes
//! values  what the values say
//! set     all entries; of two values of one key it is said which one holds
//! parts   the set in the texts of a few records, and what those that were found say
//! ```
//!
//! Invariant: replicas that were given the same entries, in whatever order and however often, hold
//! the same values.

pub mod entry;
pub mod parts;
pub mod set;
pub mod values;

#[cfg(test)]
mod tests;

pub use entry::{ContactField, Entry, Id16, Key, ProfileField, Stamp, Value, Who};
pub use parts::{Found, Parts};
pub use set::{Change, Clock, Full, Set, WriteError};
