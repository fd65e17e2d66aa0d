//! Connections: bounded in number, in all and from one address, and in time.
//!
//! Invariant: a client that sends nothing, or a byte now and then, holds its place for no longer
//! than [`HEADER_TIMEOUT`] a request and [`CONNECTION_TIMEOUT`] in all.

use super::{Arrived, Site, router};
use crate::transport::{block, network};
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

/// Connections at once.
const CONNECTIONS_MAX: usize = 512;
/// Connections at once from one IPv4 address or IPv6 /64. What comes over loopback comes from a
/// reverse proxy, so from everybody.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Connections at once from one IPv4 /24 or IPv6 /48, a quarter of all: whoever has a whole one
/// leaves the others room.
const CONNECTIONS_PER_NETWORK_MAX: usize = 128;
/// Time for a request's line and headers, and for the next request on an idle connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Life of a connection: enough to load the page over a slow line.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(180);
/// Bytes of a request's line and headers.
const HEADERS_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 256;

/// Bound, not serving yet.
pub struct HttpListener {
    sockets: Vec<TcpListener>,
    local: SocketAddr,
}

/// Ends the serving when dropped.
pub struct HttpStop(Vec<AbortHandle>);

impl Drop for HttpStop {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

struct Limits {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    by_address: HashMap<IpAddr, usize>,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place among those of its address and its network.
struct Place(Arc<Mutex<Taken>>, IpAddr);

impl HttpListener {
    /// Binds all addresses, to the first one's port.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, std::io::Error)> {
        let mut sockets: Vec<TcpListener> = Vec::new();
        let mut local: Option<SocketAddr> = None;
        for address in addresses {
            let mut address = *address;
            if let Some(first) = local {
                address.set_port(first.port());
            }
            let bound = bind(address).and_then(|socket| Ok((socket.local_addr()?, socket)));
            let (at, socket) = bound.map_err(|cause| (address, cause))?;
            local.get_or_insert(at);
            sockets.push(socket);
        }
        let nowhere = || std::io::Error::other("no address was given");
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = local.ok_or_else(|| (unspecified, nowhere()))?;
        Ok(Self { sockets, local })
    }

    /// The first address; its port is the port of all.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until the answer is dropped.
    pub fn serve(self, site: Site) -> HttpStop {
        let limits = Arc::new(Limits::new());
        let app = router(site);
        let (stop, stopped) = watch::channel(());
        let stop = Arc::new(stop);
        let serve = |socket| {
            let accept = accept(
                socket,
                app.clone(),
                limits.clone(),
                stop.clone(),
                stopped.clone(),
            );
            tokio::spawn(accept).abort_handle()
        };
        HttpStop(self.sockets.into_iter().map(serve).collect())
    }
}

/// IPv6 sockets are for IPv6 alone, so that both wildcards can have the same port.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted relay need not wait for old connections to be forgotten.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// `_alive` is held as long as this runs: with the last one all connections end.
async fn accept(
    socket: TcpListener,
    app: axum::Router,
    limits: Arc<Limits>,
    _alive: Arc<watch::Sender<()>>,
    stopped: watch::Receiver<()>,
) {
    loop {
        // While all places are taken new connections wait in the system's queue.
        let Ok(permit) = limits.all.clone().acquire_owned().await else {
            return;
        };
        let (stream, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often too many open files: it passes.
                tracing::debug!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = limits.place(remote.ip()) else {
            continue;
        };
        let (app, mut stopped) = (app.clone(), stopped.clone());
        tokio::spawn(async move {
            let _held = (permit, place);
            tokio::select! {
                () = answer(stream, app) => {}
                () = tokio::time::sleep(CONNECTION_TIMEOUT) => {}
                // Only ever an error: nothing is sent, the sender is dropped.
                _ = stopped.changed() => {}
            }
        });
    }
}

async fn answer(stream: TcpStream, app: axum::Router) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Answers are small; without it the last segment of one may wait.
    let _ = stream.set_nodelay(true);
    let app = app.layer(Extension(Arrived(local.ip())));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADERS_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}

impl Limits {
    fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            taken: Arc::default(),
        }
    }

    fn place(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.to_canonical();
        let (of_address, of_network) = match address.is_loopback() {
            true => (CONNECTIONS_MAX, CONNECTIONS_MAX),
            false => (CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_PER_NETWORK_MAX),
        };
        let held = |table: &HashMap<IpAddr, usize>, key| table.get(&key).copied().unwrap_or(0);
        if held(&taken.by_address, block(address)) >= of_address
            || held(&taken.by_network, network(address)) >= of_network
        {
            return None;
        }
        *taken.by_address.entry(block(address)).or_default() += 1;
        *taken.by_network.entry(network(address)).or_default() += 1;
        Some(Place(self.taken.clone(), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free(&mut taken.by_address, block(self.1));
        free(&mut taken.by_network, network(self.1));
    }
}

fn free(table: &mut HashMap<IpAddr, usize>, key: IpAddr) {
    if let Some(taken) = table.get_mut(&key) {
        *taken -= 1;
        if *taken == 0 {
            table.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn places_are_counted_by_address_or_64_and_by_network() {
        let limits = Limits::new();
        let mut held = Vec::new();
        let mut taken = |addresses: &dyn Fn(usize) -> String| {
            let places = (0..2_000).map_while(|n| limits.place(addresses(n).parse().unwrap()));
            let before = held.len();
            held.extend(places);
            held.len() - before
        };
        let of_one = CONNECTIONS_PER_ADDRESS_MAX;
        assert_eq!(taken(&|_| "192.0.2.1".into()), of_one);
        assert_eq!(taken(&|_| "::ffff:192.0.2.1".into()), 0);
        assert_eq!(taken(&|_| "192.0.2.2".into()), of_one);
        assert_eq!(taken(&|n| format!("2001:db8:1:2::{n:x}")), of_one);
        // No more of one network, whatever the address in it.
        let of_network = CONNECTIONS_PER_NETWORK_MAX;
        assert_eq!(taken(&|_| "192.0.2.3".into()), of_network - 2 * of_one);
        let others = |n| format!("2001:db8:1:{:x}::1", n + 3);
        assert_eq!(taken(&others), of_network - of_one);
        assert_eq!(taken(&|n| format!("2001:db8:2:{n:x}::1")), of_network);
        assert_eq!(taken(&|_| "192.0.3.1".into()), of_one);
        // A reverse proxy on this machine.
        assert_eq!(taken(&|_| "127.0.0.1".into()), CONNECTIONS_MAX);
        assert_eq!(taken(&|_| "::1".into()), CONNECTIONS_MAX);
        held.clear();
        let taken = limits.taken.lock().unwrap();
        assert!(taken.by_address.is_empty() && taken.by_network.is_empty());
    }
}
