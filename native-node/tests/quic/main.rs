//! QUIC links over loopback: what relays do among themselves, and what strangers may try.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod links;
mod middle;
mod misuse;
mod port;
mod raw;
mod relay;
mod strangers;
