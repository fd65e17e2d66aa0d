//! The relay's HTTP side: the page, the relay's hint, WebRTC offers, its health, and its state for
//! who runs it.
//!
//! Invariant: what a stranger sends is bounded in bytes, time and connections, every answer carries
//! the security headers, and pages of others read none: there is no `Access-Control-Allow-Origin`
//! (nor -Private-Network), and names of theirs are refused (`host.rs`). PROTOCOL.md section 3.

pub mod get;
mod host;
mod page;
mod serve;
#[cfg(test)]
mod tests;

pub use host::{HostName, Names};
pub use page::is_embedded;
pub use serve::{HttpListener, HttpStop};

use crate::find::own::outward;
use crate::rtc::RtcPort;
use crate::status::Asker;
use axum::Extension;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use shared::relay::{State as RelayState, Status};
use shared::wire::RelayHint;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest body of a request, bytes (an SDP offer).
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Time for reading a request's body and answering it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The page's policy (`www/vite.config.ts`) and what a `<meta>` cannot carry.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
    worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types wiremin; frame-ancestors 'none'";

/// Sent with every answer. Only the camera may be asked for, to scan codes.
const SECURITY_HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), \
         bluetooth=(), midi=(), display-capture=(), browsing-topics=()",
    ),
];

/// What the HTTP side tells about its relay.
#[derive(Clone)]
pub struct Site {
    pub rtc: Arc<RtcPort>,
    /// What both ports are bound to.
    pub bound: Vec<IpAddr>,
    /// With any address: the one that a request came to is put in its place.
    pub hint: RelayHint,
    /// Tell this address instead, and this port if there is one.
    pub advertise: Option<Advertise>,
    /// Names that it may be asked for by.
    pub names: Names,
    pub status: watch::Receiver<Status>,
    /// Answers who runs the relay.
    pub asker: Asker,
}

/// An address that others reach the relay at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    pub address: IpAddr,
    pub port: Option<u16>,
}

impl std::str::FromStr for Advertise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                address,
                port: None,
            });
        }
        match text.parse::<SocketAddr>() {
            Ok(at) if at.port() != 0 => Ok(Self {
                address: at.ip(),
                port: Some(at.port()),
            }),
            _ => Err("give an IP address, or address:port, such as 203.0.113.7:8420".into()),
        }
    }
}

/// The address of ours that a connection came to.
#[derive(Clone, Copy, Debug)]
pub struct Arrived(pub IpAddr);

impl Site {
    /// The hint for somebody who came to that address.
    pub fn hint_at(&self, arrived: IpAddr) -> RelayHint {
        let advertised = self.advertise;
        let address = || self.addresses(arrived)[0];
        RelayHint {
            address: advertised.map_or_else(address, |to| to.address),
            port: advertised.and_then(|to| to.port).unwrap_or(self.hint.port),
            ..self.hint
        }
    }

    /// Where somebody who came to that address finds the WebRTC port, the best first.
    ///
    /// Firefox never sends WebRTC to a loopback address. So who came to one is told this machine's
    /// address on its way out instead, as it is at this moment, as long as there is any.
    fn addresses(&self, arrived: IpAddr) -> Vec<IpAddr> {
        let arrived = arrived.to_canonical();
        let wildcards = self.bound.iter().filter(|ip| ip.is_unspecified());
        let outward = match arrived.is_loopback() {
            true => wildcards.copied().find_map(outward),
            false => None,
        };
        outward.into_iter().chain([arrived]).collect()
    }
}

/// The routes. Requests need an [`Arrived`] among their extensions.
pub fn router(site: Site) -> axum::Router {
    let only_ours = middleware::from_fn_with_state(site.names.clone(), host::only_ours);
    axum::Router::new()
        .route("/relay", get(relay))
        .route("/offer", post(offer))
        .route("/health", get(health))
        .fallback(get(page_or_status).fallback(no_such_method))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(in_time))
        .layer(only_ours)
        .layer(middleware::from_fn(with_security_headers))
        .with_state(site)
}

async fn relay(State(site): State<Site>, Extension(Arrived(ip)): Extension<Arrived>) -> Response {
    let hint = site.hint_at(ip).to_text();
    uncached(Json(serde_json::json!({ "hint": hint })))
}

async fn offer(
    State(site): State<Site>,
    Extension(Arrived(ip)): Extension<Arrived>,
    offer: String,
) -> Response {
    let addresses = match site.advertise {
        Some(to) => vec![(to.address, to.port)],
        None => site
            .addresses(ip)
            .into_iter()
            .map(|ip| (ip, None))
            .collect(),
    };
    match site.rtc.answer(&offer, &addresses) {
        Ok(answer) => {
            let kind = HeaderValue::from_static("application/sdp");
            uncached(([(header::CONTENT_TYPE, kind)], answer))
        }
        Err(error) => {
            let text = format!("This offer cannot be answered: {error}.\n");
            (StatusCode::BAD_REQUEST, text).into_response()
        }
    }
}

async fn health(State(site): State<Site>) -> Response {
    let status = *site.status.borrow();
    let (code, state) = match status.state {
        // Nobody tells any more how the relay is.
        _ if site.status.has_changed().is_err() => (StatusCode::SERVICE_UNAVAILABLE, "ended"),
        RelayState::Running => (StatusCode::OK, "running"),
        RelayState::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        RelayState::Failed(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
    };
    let body = serde_json::json!({
        "state": state,
        "version": env!("CARGO_PKG_VERSION"),
        "objects": status.objects,
        "bytes": status.bytes,
        "peers": status.peers,
    });
    uncached((code, Json(body)))
}

/// Where the page has no file: the relay's state, for who runs it. To others that path leads
/// nowhere, as any other, and it shows in nothing that it is looked at.
async fn page_or_status(State(site): State<Site>, headers: HeaderMap, uri: Uri) -> Response {
    if uri.path() != "/status" || !site.asker.admits(headers.get(header::AUTHORIZATION)) {
        return page::serve(uri, headers).await;
    }
    match site.asker.ask().await {
        Some(report) => uncached(Json(report)),
        None => uncached(StatusCode::SERVICE_UNAVAILABLE),
    }
}

fn uncached(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    response
}

async fn no_such_method() -> Response {
    let text = "This address only answers GET.\n";
    (StatusCode::METHOD_NOT_ALLOWED, text).into_response()
}

async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let text = "The request took too long. Nothing was changed; send it again.\n";
        (StatusCode::REQUEST_TIMEOUT, text).into_response()
    })
}

async fn with_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}
