//! The harness: a world in which the same nodes run that ship, with every clock, link and disk in
//! the hands of a seed.

// A test that cannot go on ends with what it saw.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

pub mod crowd;
pub mod devices;
pub mod disk;
pub mod faults;
pub mod host;
pub mod linking;
pub mod net;
pub mod network;
pub mod observer;
pub mod people;
pub mod thief;
pub mod world;
