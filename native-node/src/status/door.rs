//! The file that says where a running relay is asked, and the token that it wants to see.
//!
//! Invariant: it is the owner's alone, its token is new at each start, and it is gone when the
//! relay ended in good order.

use crate::files;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Its name in the relay's directory.
const FILE: &str = "relay.status";

/// What the file says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Way {
    pub at: SocketAddr,
    /// 64 hex digits.
    pub token: String,
}

/// Open as long as it is held.
pub struct Door(PathBuf);

impl Door {
    /// For a relay that listens at these addresses.
    pub fn open(data: &Path, bound: &[IpAddr], port: u16, token: &[u8; 32]) -> io::Result<Self> {
        let path = data.join(FILE);
        let way = Way {
            at: SocketAddr::new(near(bound), port),
            token: hex(token),
        };
        files::write(&path, &serde_json::to_vec(&way)?)?;
        Ok(Self(path))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Err(error) = files::destroy(&self.0) {
            tracing::debug!(%error, "the status file stays");
        }
    }
}

/// Where this machine itself reaches a relay.
fn near(bound: &[IpAddr]) -> IpAddr {
    let reached = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => *ip,
    };
    bound.first().map_or(Ipv4Addr::LOCALHOST.into(), reached)
}

/// The way to the relay of that directory; `None` when none has run, or it ended in good order.
pub(super) fn find(data: &Path) -> io::Result<Option<Way>> {
    let Some(bytes) = files::read(&data.join(FILE))? else {
        return Ok(None);
    };
    let way: Option<Way> = serde_json::from_slice(&bytes).ok();
    let whole = |way: &Way| {
        let digits = way.token.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits && way.token.len() == 64 && way.at.port() != 0
    };
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    way.filter(whole).map(Some).ok_or_else(damaged)
}

/// The header's value.
pub(super) fn authorization(token: &[u8; 32]) -> String {
    bearer(&hex(token))
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
