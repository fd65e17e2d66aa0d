//! The page, embedded in the program: its files with content types, caching and compression.
//!
//! Invariant: a path names an embedded file or nothing; no path reaches the file system of a
//! release.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::borrow::Cow;

/// Longest path that is looked up.
const PATH_BYTES_MAX: usize = 200;
/// Longest `Accept-Encoding` that is read.
const ACCEPT_BYTES_MAX: usize = 512;

#[derive(RustEmbed)]
#[folder = "../www/dist"]
#[allow_missing = true]
struct Dist;

/// How a stored file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
    Plain,
}

impl Coding {
    /// Best first.
    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Plain];

    const fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
            Coding::Plain => "identity",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Gzip => ".gz",
            Coding::Plain => "",
        }
    }
}

/// Whether the page is in this program.
pub fn is_embedded() -> bool {
    Dist::get("index.html").is_some()
}

/// Answers a GET for a file of the page.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(kind) = content_type(path).filter(|_| path.len() <= PATH_BYTES_MAX) else {
        return not_found();
    };
    let Some((file, coding)) = stored(path, &headers) else {
        return if path == "index.html" {
            no_page()
        } else {
            not_found()
        };
    };
    respond(path, kind, file, coding, &headers)
}

fn stored(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Coding)> {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.len() <= ACCEPT_BYTES_MAX)
        .unwrap_or_default();
    let usable = |coding: &Coding| *coding == Coding::Plain || accepts(accepted, coding.name());
    Coding::ALL.into_iter().filter(usable).find_map(|coding| {
        let file = Dist::get(&format!("{path}{}", coding.suffix()))?;
        Some((file, coding))
    })
}

/// Whether an `Accept-Encoding` names this coding with a weight above zero (RFC 9110, 12.5.3).
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let named = pieces
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = pieces.find_map(|piece| piece.strip_prefix("q=").or(piece.strip_prefix("Q=")));
        named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

fn respond(
    path: &str,
    kind: &'static str,
    file: EmbeddedFile,
    coding: Coding,
    request: &HeaderMap,
) -> Response {
    let tag = etag(&file.metadata.sha256_hash());
    // Names below assets/ carry a hash of the content, except the build's list of them.
    let hashed = path.starts_with("assets/") && path != "assets/manifest.json";
    let caching = match hashed {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match file.data {
            Cow::Borrowed(embedded) => Bytes::from_static(embedded).into_response(),
            Cow::Owned(read) => Bytes::from(read).into_response(),
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if coding != Coding::Plain {
        let name = HeaderValue::from_static(coding.name());
        headers.insert(header::CONTENT_ENCODING, name);
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Of the bytes as sent, so compressed forms have tags of their own.
fn etag(hash: &[u8; 32]) -> String {
    let hex: String = hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{hex}\"")
}

/// Types of the files a page is made of; others are not served, and compressed forms not by name.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "ftl" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn not_found() -> Response {
    let text = "There is nothing at this address. The messenger is at /.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

fn no_page() -> Response {
    let text = "This relay runs, but was built without the page. Nothing is lost. \
                Build it with `make relay`, or open the page from another host.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_zero_are_refusals() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("BR;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("br;q=0.000", "br"));
        assert!(!accepts("br;q=many", "br"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("", "gzip"));
    }

    #[test]
    fn only_kinds_of_files_that_a_page_has() {
        assert_eq!(content_type("assets/a.wasm"), Some("application/wasm"));
        for path in ["index.html.br", "relay", "../Cargo.toml", ".env", "a.gz"] {
            assert_eq!(content_type(path), None);
        }
    }
}
