//! By which names the relay may be asked for, so that a page of somebody else cannot read it by
//! *DNS rebinding*: there a name of theirs leads to the relay's address all of a sudden, and for
//! the browser the relay is a part of their site.
//!
//! Taken are addresses, and names that nobody on the internet can own; names that the person who
//! runs the relay gave; and any name where the browser says `Sec-Fetch-Site`. It says that over
//! HTTPS only, and scripts cannot say it. The relay speaks HTTP, so it was asked through a reverse
//! proxy, which has a certificate for that name. Requests without `Host` come from no browser.
//!
//! Invariant: a request for another name is answered by nothing but how to allow the name.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// The longest name (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
/// What names end in that are nobody's on the internet (RFC 6761, 6762 and 8375, and ICANN on
/// `internal`). Names without a dot are not either.
const LOCAL: [&str; 4] = ["localhost", "local", "home.arpa", "internal"];

/// A name that the relay is known by, in small letters and without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usual = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let name = text.strip_suffix('.').unwrap_or(text);
        let parts = name.split('.').all(|part| !part.is_empty());
        if !parts || name.len() > NAME_BYTES_MAX || !name.chars().all(usual) {
            return Err("give a name alone, such as relay.example".into());
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl HostName {
    /// Nobody can make it lead here who is not on this network.
    fn is_local(&self) -> bool {
        let name = self.0.as_str();
        let below = |end: &&str| {
            let rest = name.strip_suffix(*end);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        !name.contains('.') || LOCAL.iter().any(below)
    }
}

/// The names that a person gave.
pub type Names = Arc<[HostName]>;

/// Whether that name or address, perhaps with a port, is one of the relay's.
fn is_ours(host: &str, names: &[HostName]) -> bool {
    let end = host.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = end.strip_suffix(':').unwrap_or(host);
    if let Some(ip) = name.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        return ip.parse::<Ipv6Addr>().is_ok();
    }
    let known = |name: HostName| name.is_local() || names.contains(&name);
    name.parse::<Ipv4Addr>().is_ok() || name.parse().is_ok_and(known)
}

fn admits(uri: &Uri, headers: &HeaderMap, names: &[HostName]) -> bool {
    let said = headers.get_all(header::HOST).iter();
    let said = said.map(|host| host.to_str().unwrap_or_default());
    // A request to a proxy has the name in its first line.
    let mut asked = said.chain(uri.authority().map(|it| it.as_str()));
    let over_https = headers.contains_key("sec-fetch-site");
    over_https || asked.all(|host| is_ours(host, names))
}

/// Lets requests through that are meant for this relay.
pub(super) async fn only_ours(
    State(names): State<Names>,
    request: Request,
    next: Next,
) -> Response {
    if admits(request.uri(), request.headers(), &names) {
        return next.run(request).await;
    }
    let text = "This relay does not know the name in your browser's address bar, and other \
                people's pages could read it under a name of theirs. Nothing was changed. Open it \
                by its IP address. If the name is yours, start the relay with --host and the \
                name, or have your reverse proxy serve it over https.\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_that_others_can_own_are_not_ours_unless_given() {
        let names: [HostName; 1] = ["Relay.Example.".parse().unwrap()];
        let ours = "127.0.0.1 127.0.0.1:8420 192.168.1.5:8420 203.0.113.7 [::1] [::1]:8420 \
            [2001:db8::7]:1 localhost localhost:8420 LOCALHOST. a.localhost nas nas:8420 \
            nas.local box.home.arpa:8420 a.b.internal relay.example relay.example:8420 \
            RELAY.EXAMPLE";
        for host in ours.split_whitespace() {
            assert!(is_ours(host, &names), "{host}");
        }
        let others = "evil.example evil.example:8420 relay.example.evil.com xrelay.example \
            www.relay.example notlocalhost.com 127.0.0.1.evil.com localhost.evil.com evillocal.com \
            mylocal.x 1.2.3 [::1].evil.com [evil.example] [::1 a..b .local user@127.0.0.1 :8420 \
            127.0.0.1, ::1 http://127.0.0.1";
        for host in others.split_whitespace().chain(["", "a b"]) {
            assert!(!is_ours(host, &names), "{host}");
        }
        assert!(!is_ours("relay.example", &[]));
    }

    #[test]
    fn a_name_is_a_name_alone() {
        for text in ["http://relay.example", "relay.example:80", "", ".", "a b"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
        assert!("a.".repeat(200).parse::<HostName>().is_err());
    }
}
