//! The only part of WireMin that sees plaintext: identity, vault, sessions, conversations.
//!
//! Sans-IO like `shared`, which it builds on; relays do not link this crate. PROTOCOL.md sections
//! 1, 4 to 7 and 13 to 16.
#![no_std]
extern crate alloc;

pub mod acceptance;
pub mod agreed_time;
pub mod api;
pub mod cbor;
pub mod comeback;
pub mod delegation;
pub mod epoch_keys;
pub mod export;
pub mod greeting;
pub mod identity;
pub mod invite;
pub mod letter;
pub mod linking;
pub mod node;
pub mod passcode;
pub mod picture;
pub mod profile;
pub mod record;
pub mod removal;
pub mod root;
pub mod rows;
pub mod sealed;
pub mod session;
pub mod shown;
pub mod state;
pub mod vault;
pub mod words;
