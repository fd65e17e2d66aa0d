//! Objects: the work that pays for them, who may take them, and what a record must prove.
//! PROTOCOL.md sections 2 and 4.

pub mod admission;
pub mod pow;
pub mod record;

pub use admission::{Admission, AdmissionError, admit, network_id};
pub use record::{Record, RecordError};
