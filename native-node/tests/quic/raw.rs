//! A QUIC client and server made by hand, which keep to no rule that QUIC itself does not enforce.

use crate::port::PATIENCE;
use native_node::rtc::CertificateFile;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ServerConfig};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;

/// Certificate of one, private key of the other: the same two for who is honest.
pub fn identity(certificate: &CertificateFile, key: &CertificateFile) -> Arc<CertifiedKey> {
    let (certificate, _) = der(certificate);
    let (_, key) = der(key);
    let key = ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key.into())).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.into()], key))
}

pub fn new_identity() -> Arc<CertifiedKey> {
    let own = CertificateFile::generate().unwrap();
    identity(&own, &own)
}

/// The stored form of a certificate, taken apart.
fn der(file: &CertificateFile) -> (Vec<u8>, Vec<u8>) {
    let bytes = file.to_bytes().unwrap();
    let (length, rest) = bytes[8..].split_first_chunk::<2>().unwrap();
    let (certificate, key) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
    (certificate.to_vec(), key.to_vec())
}

pub fn client(identity: Option<Arc<CertifiedKey>>, alpn: &[u8]) -> ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting));
    let mut tls = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(Always(identity))),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

pub fn endpoint() -> Endpoint {
    Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A handshake as ours.
pub async fn connect(endpoint: &Endpoint, to: SocketAddr) -> Result<Connection, ConnectionError> {
    connect_with(endpoint, to, client(Some(new_identity()), b"wm1")).await
}

pub async fn connect_with(
    endpoint: &Endpoint,
    to: SocketAddr,
    config: ClientConfig,
) -> Result<Connection, ConnectionError> {
    let connecting = endpoint.connect_with(config, to, "relay").unwrap();
    tokio::time::timeout(PATIENCE, connecting)
        .await
        .expect("in time")
}

/// A server that asks for no certificate.
pub fn server(identity: Arc<CertifiedKey>, alpn: &[u8]) -> Endpoint {
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut tls = builder
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(identity)));
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Believes everything.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
