//! One GET over plain HTTP, bounded in bytes and time: for asking relays.

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// Time for all of it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum GetError {
    /// Nobody is there, or does not answer in HTTP.
    NoAnswer(String),
    /// Somebody may be there, and does not answer in time.
    Late,
    /// The answer breaks off or is longer than allowed.
    TooLong,
}

/// Status code and body of what is at `host:port`, a path beginning with `/`.
pub async fn get(
    host: &str,
    path: &str,
    authorization: Option<&str>,
    bytes_max: usize,
) -> Result<(u16, Bytes), GetError> {
    tokio::time::timeout(TIMEOUT, ask(host, path, authorization, bytes_max))
        .await
        .unwrap_or(Err(GetError::Late))
}

fn broken(cause: impl std::fmt::Display) -> GetError {
    GetError::NoAnswer(cause.to_string())
}

async fn ask(
    host: &str,
    path: &str,
    authorization: Option<&str>,
    bytes_max: usize,
) -> Result<(u16, Bytes), GetError> {
    let stream = TcpStream::connect(host).await.map_err(broken)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(64)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut request = Request::get(path).header(header::HOST, host);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), bytes_max).collect().await;
        let body = body.map_err(|_| GetError::TooLong)?;
        Ok((status, body.to_bytes()))
    };
    // The connection does the work; it ends before the answer only when it breaks.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}
