//! The only part of WireMin that sees plaintext: identity, vault, sessions, conversations.
//!
//! Sans-IO like `shared`, which it builds on; relays do not link this crate. PROTOCOL.md sections 1
//! and 4 to 7.
#![no_std]
extern crate alloc;

pub mod api;
pub mod export;
pub mod identity;
pub mod passcode;
pub mod rows;
pub mod vault;
