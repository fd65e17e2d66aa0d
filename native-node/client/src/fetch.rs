//! A relay's hint from its page's address: `GET /relay` over plain HTTP.
//!
//! Plain HTTP proves nothing about who answers; the hint's keys are what counts from then on, so
//! use it where the way there is trusted (this machine, this network).

use native_node::http::get::{GetError, get};
use shared::wire::RelayHint;

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4_096;

/// Why there is no hint.
#[derive(Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Nobody answers, or not in time, or the connection broke.
    NoAnswer(String),
    /// Something answers that is not a relay.
    NotARelay,
    /// A relay that is not known by the name that it was asked for by.
    OtherName,
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAnswer(cause) => write!(f, "it does not answer ({cause})"),
            Self::NotARelay => f.write_str("what answers there is not a relay"),
            Self::OtherName => f.write_str(
                "the relay there does not know that name; ask for it by its IP address, or \
                 start it with --host and the name",
            ),
        }
    }
}

/// The hint of the relay at `host:port`.
pub async fn hint(host: &str) -> Result<String, FetchError> {
    match get(host, "/relay", None, ANSWER_BYTES_MAX).await {
        Ok((200, body)) => read(&body).ok_or(FetchError::NotARelay),
        Ok((421, _)) => Err(FetchError::OtherName),
        Ok(_) | Err(GetError::TooLong) => Err(FetchError::NotARelay),
        Err(GetError::NoAnswer(cause)) => Err(FetchError::NoAnswer(cause)),
        Err(GetError::Late) => Err(FetchError::NoAnswer("not in time".into())),
    }
}

fn read(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        hint: String,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    RelayHint::from_text(&answer.hint).ok()?;
    Some(answer.hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn answered(answer: Vec<u8>) -> Result<String, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /relay HTTP/1.1\r\n"));
            // The client may have hung up.
            let _ = stream.write_all(&answer).await;
        };
        tokio::join!(hint(&host), serve).0
    }

    fn ok(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    }

    #[tokio::test]
    async fn a_relay_and_others() {
        let hint = RelayHint {
            address: "127.0.0.1".parse().unwrap(),
            port: 1,
            certificate: [1; 32],
            node_key: [2; 32],
        }
        .to_text();
        let good = ok(&format!("{{\"hint\":\"{hint}\"}}"));
        assert_eq!(answered(good).await, Ok(hint));
        let others = [
            ok("<html>"),
            ok("{\"hint\":\"x\"}"),
            ok(&"x".repeat(100_000)),
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        ];
        for answer in others {
            assert_eq!(answered(answer).await, Err(FetchError::NotARelay));
        }
        let other = b"HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(answered(other.to_vec()).await, Err(FetchError::OtherName));
        for answer in [&b"SSH-2.0-x\r\n"[..], b""] {
            let error = answered(answer.to_vec()).await.unwrap_err();
            assert!(matches!(error, FetchError::NoAnswer(_)), "{error:?}");
        }
    }
}
