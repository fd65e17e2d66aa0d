//! TLS 1.3 with self-signed certificates on both sides, and what a connection may use.
//!
//! Invariant: a certificate proves that its key is held, and nothing else; who holds it, the node
//! key says over the link's binding. PROTOCOL.md section 12.

use super::reset::{ConnectionIds, ResetKey};
use super::{QuicConfig, QuicError};
use crate::rtc::CertificateFile;
use crate::transport::QUIC_DATAGRAM_BYTES_MAX;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, EndpointConfig, ServerConfig, TransportConfig, ValidationTokenConfig,
};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;

/// Application protocol (RFC 7301).
const ALPN: &[u8] = b"wm1";
/// The name that rustls wants; it is not sent.
pub const SERVER_NAME: &str = "relay";
/// Longest certificate taken: ours have about 400 bytes.
const CERTIFICATE_BYTES_MAX: usize = 4_096;
/// Bytes that a peer may have under way towards us: bounds what a link holds unread.
const RECEIVE_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes handed to QUIC and not acknowledged yet; the rest waits in the link's own queue.
pub const IN_FLIGHT_BYTES_MAX: usize = 256 * 1024;
/// Handshake bytes that may come out of order.
const CRYPTO_BUFFER_BYTES: usize = 8 * 1024;
/// Handshakes that came in and were not looked at yet: those are a matter of microseconds.
const INCOMING_MAX: usize = 256;
/// What may come for one of them meanwhile.
const INCOMING_BYTES_MAX: u64 = 4 * 1024;

/// One bidirectional stream, opened by the dialler, and nothing else.
fn transport(config: &QuicConfig, streams: u8) -> Result<Arc<TransportConfig>, QuicError> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(0u8.into())
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(config.limits.silence_timeout.try_into().map_err(tls)?))
        .keep_alive_interval(config.keep_alive)
        .stream_receive_window(RECEIVE_WINDOW_BYTES.into())
        .receive_window(RECEIVE_WINDOW_BYTES.into())
        .send_window(IN_FLIGHT_BYTES_MAX as u64)
        .crypto_buffer_size(CRYPTO_BUFFER_BYTES);
    Ok(Arc::new(transport))
}

/// For a socket that is bound to that address.
pub fn endpoint(certificate: &CertificateFile, local: IpAddr) -> Result<EndpointConfig, QuicError> {
    let (_, key) = certificate.to_der()?;
    let mut endpoint = EndpointConfig::new(Arc::new(ResetKey::new(&key, local)));
    endpoint.cid_generator(move || Box::new(ConnectionIds::new(&key, local)));
    // A peer that clears this bit cannot be told from STUN and DTLS (RFC 9443 section 2).
    endpoint.grease_quic_bit(false);
    // The bounds of the setter hold.
    let _ = endpoint.max_udp_payload_size(QUIC_DATAGRAM_BYTES_MAX as u16);
    Ok(endpoint)
}

pub fn listening(
    certificate: &CertificateFile,
    config: &QuicConfig,
) -> Result<ServerConfig, QuicError> {
    let (chain, key) = identity(certificate)?;
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(self::tls)?
        .with_client_cert_verifier(Arc::new(SelfSigned(provider)))
        .with_single_cert(chain, key)
        .map_err(self::tls)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // No resumption, and so no 0-RTT.
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    let tls = QuicServerConfig::try_from(tls).map_err(self::tls)?;
    let mut server = ServerConfig::with_crypto(Arc::new(tls));
    let mut tokens = ValidationTokenConfig::default();
    // A Retry proves an address each time.
    tokens.sent(0);
    server
        .transport_config(transport(config, 1)?)
        .validation_token_config(tokens)
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX * INCOMING_MAX as u64);
    Ok(server)
}

pub fn dialling(
    certificate: &CertificateFile,
    config: &QuicConfig,
) -> Result<ClientConfig, QuicError> {
    let (chain, key) = identity(certificate)?;
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(self::tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SelfSigned(provider)))
        .with_client_auth_cert(chain, key)
        .map_err(self::tls)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_sni = false;
    let tls = QuicClientConfig::try_from(tls).map_err(self::tls)?;
    let mut client = ClientConfig::new(Arc::new(tls));
    client.transport_config(transport(config, 0)?);
    Ok(client)
}

/// SHA-256 of the certificate whose key the other side proved to hold.
pub fn remote_fingerprint(connection: &Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Some(Sha256::digest(chain.first()?).into())
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(certificate: &CertificateFile) -> Result<Identity, QuicError> {
    let (certificate, key) = certificate.to_der()?;
    let key = PrivateKeyDer::Pkcs8(key.into());
    Ok((vec![certificate.into()], key))
}

fn tls(cause: impl std::fmt::Display) -> QuicError {
    QuicError::Tls {
        cause: cause.to_string(),
    }
}

/// Takes any certificate of a bearable size whose key signed the handshake.
#[derive(Debug)]
struct SelfSigned(Arc<CryptoProvider>);

impl SelfSigned {
    fn look(certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        match chain.is_empty() && certificate.len() <= CERTIFICATE_BYTES_MAX {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What QUIC never asks for: it has TLS 1.3 only.
fn tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerIncompatible::Tls12NotOffered.into())
}

impl ServerCertVerifier for SelfSigned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::look(certificate, chain).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for SelfSigned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::look(certificate, chain).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
