//! The harness: a world in which the same nodes run that ship, with every clock, link and disk in the hands of a
//! seed.

pub mod disk;
pub mod host;
pub mod world;
