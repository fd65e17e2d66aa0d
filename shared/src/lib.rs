//! The WireMin protocol without plaintext: objects, frames, links and the relay that keeps objects
//! for others.
//!
//! Sans-IO: no clock, socket, thread or random source in here. A shell hands in [`io::Input`] with
//! the time and drains [`io::Output`]; see `io.rs` first, then `relay`. The bytes are described in
//! PROTOCOL.md.
#![no_std]
extern crate alloc;

pub mod book;
pub mod crypto;
pub mod io;
pub mod limits;
pub mod link;
pub mod object;
pub mod range;
pub mod recent;
pub mod relay;
pub mod time;
pub mod wire;
