//! What a native node has that the core lacks: sockets, disk, clock, threads.
//!
//! ```text
//! driver  one task owns the node        relay   a relay from a data directory
//! store   tables in redb                files   small secret files
//! links   numbers and origins of links  transport  what both kinds of links share
//! rtc     WebRTC                        quic    QUIC, relays among themselves
//! solve   proof-of-work off the task    pow     its kernel
//! http    page, hint, offers            clock   both clocks
//! find    other relays, own addresses   status  what a relay shows who runs it
//! whereabouts  what a relay says of its addresses at its start
//! ```

pub mod clock;
pub mod driver;
pub mod files;
pub mod find;
pub mod http;
pub mod links;
pub mod pow;
pub mod process;
pub mod quic;
pub mod relay;
pub mod rtc;
pub mod scratch;
pub mod solve;
pub mod status;
pub mod store;
pub mod transport;
mod whereabouts;
