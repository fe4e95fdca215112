//! TLS with X.509 certificates, for those who do not know better than that.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::panic, reason = "a test fails by panicking")]

use reunite::model::identity::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Connection, DigitallySignedStruct, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// A self-made X.509 certificate (RFC 5280) for this identity, with its right key and signature.
fn certificate(identity: &Identity) -> Arc<CertifiedKey> {
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = match content.len() {
            short @ 0..128 => vec![short as u8],
            long => vec![0x82, (long >> 8) as u8, long as u8],
        };
        [&[tag], &length[..], &content].concat()
    }
    let ed25519 = der(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let name = der(0x30, &[]);
    let time = der(0x17, &[b"240101000000Z"]);
    let until = der(0x17, &[b"490101000000Z"]);
    let key = der(3, &[&[0], &identity.public().identity.as_bytes()[..]]);
    let body = der(
        0x30,
        &[
            &der(0xa0, &[&[2, 1, 2]]),
            &[2, 1, 1],
            &ed25519,
            &name,
            &der(0x30, &[&time, &until]),
            &name,
            &der(0x30, &[&ed25519, &key]),
        ],
    );
    let pkcs8 = identity.signing_key();
    let pair = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).expect("a key");
    let signature = der(3, &[&[0], pair.sign(&body).as_ref()]);
    let certificate = CertificateDer::from(der(0x30, &[&body, &ed25519, &signature]));
    let key = PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into();
    let signer = rustls::crypto::ring::sign::any_eddsa_type(match &key {
        rustls::pki_types::PrivateKeyDer::Pkcs8(key) => key,
        _ => panic!("another kind of key"),
    });
    Arc::new(CertifiedKey::new(vec![certificate], signer.expect("a key")))
}

/// Shows this certificate.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl rustls::server::ResolvesServerCert for Shows {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Takes whatever the other side shows; `.0`: a raw key, or a certificate.
#[derive(Debug)]
struct TakesAnything(bool);

impl ServerCertVerifier for TakesAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.0
    }
}

/// A client that shows a certificate; it takes a raw key of the server, or a certificate.
pub fn certified_client(me: &Identity, takes_raw: bool) -> Connection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("right")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAnything(takes_raw)))
        .with_client_cert_resolver(Arc::new(Shows(certificate(me))));
    let name = ServerName::try_from("node.invalid").expect("a name");
    rustls::ClientConnection::new(Arc::new(config), name).expect("right").into()
}

/// A server that shows a certificate.
pub fn certified_server(me: &Identity) -> Connection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("right")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(certificate(me))));
    rustls::ServerConnection::new(Arc::new(config)).expect("right").into()
}
