//! An account as a node of this process: its store, its sockets, its slow work.

use crate::args::NetworkArgs;
use account::node::{Account, Config};
use native_node::driver::{Base, Driven, Parts};
use native_node::files;
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::RtcDialer;
use shared::io::KdfCost;
use shared::object::network_id;
use std::path::Path;
use std::time::Duration;

/// Time for one dial of a relay over WebRTC, where QUIC did not get through.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes waiting to be sent on one link.
const SEND_BYTES_MAX: usize = 4 << 20;
/// Relays named on the command line.
const RELAYS_MAX: usize = 8;

/// Argon2id for the driver, which knows no accounts.
fn derive(secret: &[u8], salt: &[u8; 16], cost: &KdfCost) -> Option<[u8; 32]> {
    let key = account::passcode::argon2id(secret, salt, cost).ok()?;
    Some(*key.as_bytes())
}

/// Opens the account of a directory, or says why it cannot.
pub fn account(data: &Path, args: &NetworkArgs) -> Result<Driven<Account>, String> {
    if args.relays.len() > RELAYS_MAX {
        return Err("More than 8 relays were given. Nothing was changed. Name fewer.".into());
    }
    files::make_dir(data).map_err(|error| {
        format!(
            "The data directory {} cannot be made ({error}). Nothing was changed. Choose another \
             with --data, or mend its permissions.",
            data.display()
        )
    })?;
    let base = Base::open(data).map_err(|error| error.to_string())?;
    let quic = QuicPort::dialling(QuicConfig::account());
    let parts = Parts {
        data: data.to_owned(),
        port: None,
        dialer: Some(RtcDialer::new(DIAL_TIMEOUT, SEND_BYTES_MAX)),
        quic: Some(quic.map_err(|error| error.to_string())?),
        derive: Some(derive),
    };
    let config = Config::new(network_id(&args.network));
    base.drive(parts, |seed, now| Account::new(config, seed, now), None)
        .map_err(|error| error.to_string())
}
