//! A relay from a data directory: its keys, its sockets, its node.
//!
//! Invariant: the node key and the certificate of its links stay as they are from the first start
//! on, so a hint is good as long as address and port are.

use crate::driver::{Base, Driven, Parts, StartError};
use crate::files;
use crate::find::{self, FindOptions, Finders, Own};
use crate::http::{Advertise, HostName, HttpListener, HttpStop, Site};
use crate::quic::{QuicConfig, QuicError, QuicPort};
use crate::rtc::{CertificateError, CertificateFile, RtcConfig, RtcError, RtcPort};
use crate::status::{Desk, Door, Facts};
use crate::transport::{LinkEvent, LinkLimits};
use crate::whereabouts;
use shared::crypto::SigningKey;
use shared::object::network_id;
use shared::relay::{Relay, RelayConfig, State, Status};
use shared::time::Now;
use shared::wire::RelayHint;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// HTTP on TCP, WebRTC and QUIC on UDP, unless chosen otherwise.
pub const PORT_DEFAULT: u16 = 8420;
/// The node key, behind a magic.
const KEY_FILE: &str = "relay.key";
const KEY_MAGIC: &[u8; 8] = b"wm-node1";
/// The certificate, for DTLS and QUIC.
const CERTIFICATE_FILE: &str = "relay.dtls";
/// Ports tried when the system chooses one for TCP that is taken for UDP.
const PORT_TRIES: usize = 16;
/// How often a failing store is told of.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What a relay is started with.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Made if it is not there.
    pub data: PathBuf,
    /// Empty: all addresses of the machine.
    pub bind: Vec<IpAddr>,
    /// 0: the system chooses.
    pub port: u16,
    pub advertise: Option<Advertise>,
    /// Names by which its page may be asked for, beside addresses and local names.
    pub hosts: Vec<HostName>,
    /// The network's name; `main` in production.
    pub network: String,
    /// Headers and bodies kept, bytes.
    pub store_bytes_max: u64,
    /// How it finds other relays.
    pub find: FindOptions,
}

/// Why a relay does not start. Texts say what happened, what is safe, what to do.
#[derive(Debug)]
pub enum RelayError {
    Directory {
        path: PathBuf,
        cause: io::Error,
    },
    Start(StartError),
    KeyDamaged {
        path: PathBuf,
    },
    KeyFile {
        path: PathBuf,
        cause: io::Error,
    },
    Certificate(CertificateError),
    Http {
        address: SocketAddr,
        cause: io::Error,
    },
    Rtc(RtcError),
    Quic(QuicError),
    Refused(shared::relay::StartError),
    Ended,
}

impl std::fmt::Display for RelayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory { path, cause } => write!(
                f,
                "The data directory {} cannot be used ({cause}). Nothing was changed. Choose \
                 another with --data, or mend its permissions.",
                path.display()
            ),
            Self::Start(error) => write!(f, "{error}"),
            Self::KeyDamaged { path } => write!(
                f,
                "The relay's key {} is damaged. Stored messages are safe. Put the file back from \
                 a backup, or delete it to get a new one (hints and invitations that name this \
                 relay then stop working).",
                path.display()
            ),
            Self::KeyFile { path, cause } => write!(
                f,
                "The file {} cannot be used ({cause}). Stored messages are safe. Make room on \
                 the disk or mend the permissions, and start again.",
                path.display()
            ),
            Self::Certificate(error) => write!(f, "{error}."),
            Self::Http { address, cause } if cause.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "Port {} is in use by another program, perhaps another relay. Nothing was \
                 changed. Stop that program, or choose another port with --port.",
                address.port()
            ),
            Self::Http { address, cause } => write!(
                f,
                "The relay cannot listen on {address} ({cause}). Nothing was changed. Choose \
                 another address with --bind or another port with --port."
            ),
            Self::Rtc(error) => write!(f, "The relay does not start: {error}."),
            Self::Quic(error) => write!(f, "The relay does not start: {error}."),
            Self::Refused(error) => write!(f, "The relay does not start: {error}"),
            Self::Ended => f.write_str(
                "The relay ended while it started. What it stored is safe. Start it again; if \
                 that does not help, set WIREMIN_LOG=debug to see why.",
            ),
        }
    }
}

impl std::error::Error for RelayError {}

/// A relay that serves.
pub struct RunningRelay {
    driven: Driven<Relay>,
    http: HttpStop,
    site: Site,
    finders: Finders,
    shown: &'static str,
    /// `None`: it could not be written.
    door: Option<Door>,
}

/// What both ports are bound to.
struct Sockets {
    http: HttpListener,
    rtc: Arc<RtcPort>,
    events: mpsc::Receiver<LinkEvent>,
    addresses: Vec<IpAddr>,
}

impl RunningRelay {
    /// Comes back when the relay has read its store and serves.
    pub async fn start(options: RelayOptions) -> Result<Self, RelayError> {
        let data = options.data.clone();
        files::make_dir(&data).map_err(|cause| RelayError::Directory {
            path: data.clone(),
            cause,
        })?;
        // Taken first: it keeps a second relay away from the files below, too.
        let base = Base::open(&data).map_err(RelayError::Start)?;
        let key = node_key(&data.join(KEY_FILE))?;
        let certificate = certificate(&data.join(CERTIFICATE_FILE))?;
        let mut hint = RelayHint {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: options.port,
            certificate: certificate.fingerprint(),
            node_key: *key.public().as_bytes(),
        };
        let sockets = bind(&options, &certificate, &hint).await?;
        hint.port = sockets.http.local_addr().port();
        let quic = QuicPort::sharing(&sockets.rtc, &certificate, QuicConfig::relay());
        let quic = quic.map_err(RelayError::Quic)?;

        let own = Own {
            network: network_id(&options.network),
            node_key: hint.node_key,
            bound: sockets.addresses.clone(),
            port: hint.port,
            advertise: options.advertise,
        };
        let mut config = RelayConfig::new(key, own.network);
        config.store_bytes_max = options.store_bytes_max;
        config.certificate = hint.certificate;
        let facts = Facts {
            node_key: hint.node_key,
            network: options.network,
            objects_max: config.store_objects_max,
            bytes_max: config.store_bytes_max,
        };
        let token = random().map_err(|cause| RelayError::Start(StartError::System(cause)))?;
        let meters = (sockets.rtc.meter(), quic.0.meter());
        let (desk, asker) = Desk::new(facts, token, meters.0, meters.1);
        let (told, status) = watch::channel(Status::default());
        let parts = Parts {
            data,
            port: Some((sockets.rtc.clone(), sockets.events)),
            dialer: None,
            quic: Some(quic),
            derive: None,
        };
        let make = |seed, now| Relay::new(config, seed, now);
        let observe = Box::new(observer(told, desk));
        let bound = sockets.addresses.clone();
        let door = || open_door(&options.data, &bound, hint.port, &token);
        let driven = base
            .drive(parts, make, Some(observe))
            .map_err(RelayError::Start)?;
        let site = Site {
            rtc: sockets.rtc,
            bound: sockets.addresses,
            hint,
            advertise: options.advertise,
            names: options.hosts.into(),
            status,
            asker,
        };
        let relay = RunningRelay {
            door: door(),
            shown: whereabouts::shown(&own.bound, &options.find),
            finders: find::start(options.find, &own, &driven.outside),
            driven,
            http: sockets.http.serve(site.clone()),
            site,
        };
        match relay.started().await {
            Ok(()) => Ok(relay),
            Err(error) => {
                relay.stop().await;
                Err(error)
            }
        }
    }

    async fn started(&self) -> Result<(), RelayError> {
        let mut status = self.site.status.clone();
        let known = status.wait_for(|status| status.state != State::Starting);
        match known.await.map(|status| status.state) {
            Ok(State::Failed(error)) => Err(RelayError::Refused(error)),
            Ok(_) => Ok(()),
            Err(_) => Err(RelayError::Ended),
        }
    }

    /// TCP and UDP.
    pub fn port(&self) -> u16 {
        self.site.hint.port
    }

    /// Where a browser on this machine finds the page.
    pub fn open_url(&self) -> String {
        let (host, port) = (whereabouts::host(&self.site.bound), self.port());
        format!("http://{host}:{port}/")
    }

    /// The hint for others: with the advertised address, or else the best one of this machine.
    pub fn hint(&self) -> RelayHint {
        self.site.hint_at(whereabouts::arrived(&self.site.bound))
    }

    /// Who is shown that it runs, in whole lines.
    pub fn shown(&self) -> &'static str {
        self.shown
    }

    /// Comes back when the relay ends by itself, which is a fault of its own.
    pub async fn ended(&mut self) {
        while self.driven.events.recv().await.is_some() {}
    }

    /// Waits until the store is written and the links are closed.
    pub async fn stop(self) {
        drop((self.door, self.http, self.finders));
        self.driven.stop().await;
    }
}

/// A relay serves without it, too.
fn open_door(data: &Path, bound: &[IpAddr], port: u16, token: &[u8; 32]) -> Option<Door> {
    let door = Door::open(data, bound, port, token);
    door.inspect_err(|error| {
        tracing::warn!(%error, "`wiremin relay status` will not find this relay: no status file");
    })
    .ok()
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Hands the relay's numbers on, answers who asks, and complains when its store fails.
fn observer(told: watch::Sender<Status>, mut desk: Desk) -> impl FnMut(Now, &Relay) + Send {
    let mut failed = 0;
    let mut complained: Option<Instant> = None;
    move |now, relay| {
        desk.look(now, relay);
        let status = relay.status();
        told.send_if_modified(|before| std::mem::replace(before, status) != status);
        let now_failed = relay.counters().saves_failed;
        let due = complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY);
        if now_failed > failed && due {
            tracing::error!(
                objects = now_failed - failed,
                "objects could not be stored and were refused, perhaps because the disk is \
                 full. What was stored before is safe. Make room on the disk"
            );
            complained = Some(Instant::now());
            failed = now_failed;
        }
    }
}

fn node_key(path: &Path) -> Result<SigningKey, RelayError> {
    let file = |cause| RelayError::KeyFile {
        path: path.to_owned(),
        cause,
    };
    let damaged = || RelayError::KeyDamaged {
        path: path.to_owned(),
    };
    if let Some(bytes) = files::read(path).map_err(file)? {
        let secret = bytes.strip_prefix(KEY_MAGIC).ok_or_else(damaged)?;
        let secret: &[u8; 32] = secret.try_into().map_err(|_| damaged())?;
        return Ok(SigningKey::from_bytes(secret));
    }
    let secret = random().map_err(file)?;
    files::write(path, &[&KEY_MAGIC[..], &secret[..]].concat()).map_err(file)?;
    Ok(SigningKey::from_bytes(&secret))
}

fn certificate(path: &Path) -> Result<CertificateFile, RelayError> {
    let file = |cause| RelayError::KeyFile {
        path: path.to_owned(),
        cause,
    };
    if let Some(bytes) = files::read(path).map_err(file)? {
        return CertificateFile::from_bytes(&bytes).map_err(RelayError::Certificate);
    }
    let made = CertificateFile::generate().map_err(RelayError::Certificate)?;
    let bytes = made.to_bytes().map_err(RelayError::Certificate)?;
    files::write(path, &bytes).map_err(file)?;
    Ok(made)
}

/// Binds TCP and UDP with the same port number.
async fn bind(
    options: &RelayOptions,
    certificate: &CertificateFile,
    hint: &RelayHint,
) -> Result<Sockets, RelayError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (http, addresses) = bind_http(options)?;
        let port = http.local_addr().port();
        let at = |ip: &IpAddr| SocketAddr::new(*ip, port);
        let ice = hint.ice();
        let config = RtcConfig {
            bind: addresses.iter().map(at).collect(),
            certificate: certificate.clone(),
            ufrag: ice.ufrag,
            pwd: ice.pwd,
            limits: LinkLimits::default(),
        };
        match RtcPort::listen(config).await {
            Ok((rtc, events)) => {
                return Ok(Sockets {
                    http,
                    rtc: Arc::new(rtc),
                    events,
                    addresses,
                });
            }
            Err(RtcError::Bind { .. }) if options.port == 0 && tries < PORT_TRIES => {}
            Err(error) => return Err(RelayError::Rtc(error)),
        }
    }
}

fn bind_http(options: &RelayOptions) -> Result<(HttpListener, Vec<IpAddr>), RelayError> {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let bind = |ips: Vec<IpAddr>| {
        let at = |ip: &IpAddr| SocketAddr::new(*ip, options.port);
        let addresses: Vec<SocketAddr> = ips.iter().map(at).collect();
        HttpListener::bind(&addresses).map(|http| (http, ips))
    };
    let bound = match options.bind.as_slice() {
        // A machine may have IPv6 switched off.
        [] => bind(vec![v4, v6]).or_else(|(address, cause)| match address {
            SocketAddr::V6(_) if cause.kind() != io::ErrorKind::AddrInUse => bind(vec![v4]),
            address => Err((address, cause)),
        }),
        chosen => bind(distinct(chosen)),
    };
    bound.map_err(|(address, cause)| RelayError::Http { address, cause })
}

/// Without what is named twice, or by a wildcard too: it can be bound once only.
fn distinct(chosen: &[IpAddr]) -> Vec<IpAddr> {
    let chosen: Vec<IpAddr> = chosen.iter().map(IpAddr::to_canonical).collect();
    let mut kept: Vec<IpAddr> = Vec::new();
    for ip in &chosen {
        let wildcard = match ip {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let covered = *ip != wildcard && chosen.contains(&wildcard);
        if !covered && !kept.contains(ip) {
            kept.push(*ip);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn addresses_that_overlap_are_bound_once() {
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let cases: [(&[&str], &[&str]); 4] = [
            (&["::ffff:127.0.0.1"], &["127.0.0.1"]),
            (&["127.0.0.1", "127.0.0.1"], &["127.0.0.1"]),
            (&["127.0.0.1", "0.0.0.0", "0.0.0.0"], &["0.0.0.0"]),
            (&["::1", "0.0.0.0"], &["::1", "0.0.0.0"]),
        ];
        for (chosen, expected) in cases {
            assert_eq!(distinct(&ips(chosen)), ips(expected));
        }
        let options = RelayOptions {
            data: PathBuf::new(),
            bind: ips(&["127.0.0.1", "127.0.0.1"]),
            port: 0,
            advertise: None,
            hosts: Vec::new(),
            network: "main".into(),
            store_bytes_max: 1 << 20,
            find: FindOptions::default(),
        };
        assert!(bind_http(&options).is_ok());
    }
}
