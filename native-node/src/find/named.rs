//! Relays that the person who runs this one names.
//!
//! Invariant: what a person named is told again and again, and where a name leads is asked each
//! time: that changes, and what was off for a night is not given up.

use crate::driver::Outside;
use crate::find::{aside, between, is_global};
use crate::relay::PORT_DEFAULT;
use shared::io::Finder;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// First wait after a name led nowhere; doubled up to [`ASK_EVERY`].
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// How often places are told, and names looked up.
const ASK_EVERY: Duration = Duration::from_secs(600);
/// Addresses taken for one name.
const ADDRESSES_MAX: usize = 8;
/// The longest name (RFC 1035).
const NAME_BYTES_MAX: usize = 253;

/// Where a relay is: an address or a name, and a port, [`PORT_DEFAULT`] if none is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// An address, or a name for the system's resolver.
    pub host: String,
    pub port: u16,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = |host: &str, port| {
            let host = host.to_owned();
            Self { host, port }
        };
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(place(&ip.to_string(), PORT_DEFAULT));
        }
        if let Ok(at) = text.parse::<SocketAddr>()
            && at.port() != 0
        {
            return Ok(place(&at.ip().to_string(), at.port()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(0)),
            None => (text, PORT_DEFAULT),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let numbers = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        let is_name = !numbers && host.len() <= NAME_BYTES_MAX && host.chars().all(named);
        if !is_name || port == 0 {
            return Err(
                "give an address or a name, perhaps with a port, such as 203.0.113.7:8420 or \
                 relay.example:8420"
                    .into(),
            );
        }
        Ok(place(host, port))
    }
}

impl Place {
    /// Where it leads now; nowhere, when the name is not known or there is no network.
    pub(super) async fn addresses(&self) -> Vec<SocketAddr> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, self.port)];
        }
        let (host, port) = (self.host.clone(), self.port);
        let ask = move || {
            let found = (host.as_str(), port).to_socket_addrs().ok()?;
            Some(found.take(ADDRESSES_MAX).collect())
        };
        aside(ask).await.flatten().unwrap_or_default()
    }

    /// Whether it is an address, and one that only this network knows.
    pub(super) fn is_local(&self) -> bool {
        let ip = self.host.parse::<IpAddr>();
        ip.is_ok_and(|ip| !is_global(ip))
    }
}

/// Tells the places, and looks names up as long as it runs.
pub(super) async fn run(places: Vec<Place>, tell: mpsc::Sender<Outside>) {
    repeat(places, tell, ASK_EVERY).await;
}

async fn repeat(places: Vec<Place>, tell: mpsc::Sender<Outside>, every: Duration) {
    let mut pause = RETRY_FIRST;
    loop {
        let mut nowhere = 0;
        for place in &places {
            let addresses = place.addresses().await;
            nowhere += usize::from(addresses.is_empty());
            for address in addresses {
                let by = Finder::Named;
                // Told again each time: what a person named is not given up.
                if tell.send(Outside::Found { address, by }).await.is_err() {
                    return;
                }
            }
        }
        if nowhere > 0 && pause == RETRY_FIRST {
            tracing::warn!(
                names = nowhere,
                "names given with --peer lead nowhere; they are tried again. Check how they are \
                 written, and the network"
            );
        }
        pause = match nowhere {
            0 => every,
            _ => (pause * 2).min(every),
        };
        sleep(between(pause / 2, pause)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn places_are_read() {
        let cases = [
            ("203.0.113.7", "203.0.113.7", 8420),
            ("203.0.113.7:9000", "203.0.113.7", 9000),
            ("2001:db8::7", "2001:db8::7", 8420),
            ("[2001:db8::7]", "2001:db8::7", 8420),
            ("[2001:db8::7]:9000", "2001:db8::7", 9000),
            ("relay.example", "relay.example", 8420),
            ("relay.example:9000", "relay.example", 9000),
            ("localhost:1", "localhost", 1),
        ];
        for (text, host, port) in cases {
            let host = host.to_owned();
            assert_eq!(text.parse(), Ok(Place { host, port }), "{text}");
        }
        let wrong = "|203.0.113.7:0|203.0.113.7:70000|203.0.113|1.2.3.4.5|relay.example:0|\
            relay.example:x|http://relay.example|a b|:8420|[::1";
        for text in wrong.split('|') {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_was_named_is_told_again_and_again() {
        let (tell, mut told) = mpsc::channel(8);
        let places = ["127.0.0.1:7", "[::1]:8"].map(|text| text.parse().unwrap());
        let telling = tokio::spawn(repeat(places.to_vec(), tell, Duration::from_millis(20)));
        for expected in ["127.0.0.1:7", "[::1]:8"].repeat(3) {
            let Some(Outside::Found { address, by }) = told.recv().await else {
                panic!("not told: {expected}");
            };
            assert_eq!(
                (address.to_string().as_str(), by),
                (expected, Finder::Named)
            );
        }
        drop(told);
        telling.await.unwrap();
    }
}
