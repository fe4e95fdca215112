//! TLS for sessions: version 1.3 only, raw public keys (RFC 7250) instead of certificates, each side pinned to
//! the one key that the peers file names. No certificate means no date, so no clock is asked.

use crate::base::error::{Error, Result};
use crate::model::identity::Identity;
use crate::model::keys::IdentityKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName,
    ServerConfig, ServerConnection, SignatureScheme,
};
use std::sync::Arc;

/// What stands before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_ED25519: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a node is in TLS. A tier-2 node is somebody made up for one session.
#[derive(Clone, Debug)]
pub struct Credentials {
    provider: Arc<CryptoProvider>,
    own: Arc<CertifiedKey>,
}

/// Who has to be at the other end.
#[derive(Clone, Copy, Debug)]
pub enum Other {
    /// The node with this key, which it has to prove.
    Node(IdentityKey),
    /// A reader: it proves some key, so that its handshake looks like a member's. That it is the one that
    /// knocked it shows by the binding.
    Reader,
}

impl Credentials {
    /// Those of the node with this identity.
    pub fn of(identity: &Identity) -> Result<Self> {
        let provider = CryptoProvider {
            // The Pis have no AES instructions.
            cipher_suites: vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
            kx_groups: vec![ring::kx_group::X25519],
            ..ring::default_provider()
        };
        let secret = identity.signing_key();
        let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(secret.as_slice()));
        let spki = CertificateDer::from(spki(&identity.public().identity));
        let own = CertifiedKey::new(vec![spki], signer.map_err(failed)?);
        Ok(Self { provider: Arc::new(provider), own: Arc::new(own) })
    }

    /// The side that opened the door.
    pub fn server(&self, other: Other) -> Result<Connection> {
        self.door(other)?.connection()
    }

    /// A door at which several may try whether they are who has to be at the other end.
    pub fn door(&self, other: Other) -> Result<Door> {
        let builder = ServerConfig::builder_with_details(self.provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?;
        let verifier = match other {
            Other::Node(key) => self.taking(Some(&key)),
            Other::Reader => self.taking(None),
        };
        let own = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&self.own));
        let mut config =
            builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(own));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Door(Arc::new(config)))
    }

    /// The side that comes in, to the node with the key `to`.
    pub fn client(&self, to: &IdentityKey) -> Result<Connection> {
        let builder = ClientConfig::builder_with_details(self.provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(self.taking(Some(to)));
        let own = AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&self.own));
        let mut config = builder.with_client_cert_resolver(Arc::new(own));
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        // Never sent, and nothing is checked against it: the key is.
        let name = ServerName::try_from("node.invalid")
            .map_err(|_| Error::peer("a fixed name is no name"))?;
        ClientConnection::new(Arc::new(config), name).map(Connection::Client).map_err(failed)
    }

    fn taking(&self, key: Option<&IdentityKey>) -> Arc<Pinned> {
        Arc::new(Pinned { spki: key.map(spki), provider: Arc::clone(&self.provider) })
    }
}

/// The side that opened a door, for any number of connections.
#[derive(Clone, Debug)]
pub struct Door(Arc<ServerConfig>);

impl Door {
    /// The server's side of one of them.
    pub fn connection(&self) -> Result<Connection> {
        ServerConnection::new(Arc::clone(&self.0)).map(Connection::Server).map_err(failed)
    }
}

fn spki(key: &IdentityKey) -> Vec<u8> {
    [&SPKI_ED25519[..], key.as_bytes()].concat()
}

/// An error of TLS. What it was is for the log; whose fault it was is all that decides.
pub fn failed(error: rustls::Error) -> Error {
    Error::peer(format!("TLS failed ({error})"))
}

/// A clock that nobody asks.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

/// Takes the one key that it was made for, or any if it was made for none. Either way the other side has to
/// prove that it holds the key.
#[derive(Debug)]
struct Pinned {
    spki: Option<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn check(&self, shown: &CertificateDer<'_>) -> std::result::Result<(), rustls::Error> {
        match &self.spki {
            Some(pinned) if shown.as_ref() != pinned => {
                Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signed, algorithms)
    }
}

/// What TLS 1.2 would need; it is never spoken.
fn never() -> rustls::Error {
    rustls::Error::PeerIncompatible(rustls::PeerIncompatible::Tls13RequiredForQuic)
}

/// What both sides check alike: the signature, by the one key that is pinned. TLS 1.2 is never spoken.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
            Err(never())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            shown: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
            self.signature(message, shown, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    signatures!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;
    use std::io::{Read, Write};

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    /// Moves bytes both ways until nothing moves or one side fails.
    fn run(client: &mut Connection, server: &mut Connection) -> Result<()> {
        for _ in 0..10 {
            for _ in 0..2 {
                let (mut there, mut back) = (Vec::new(), Vec::new());
                while client.wants_write() {
                    client.write_tls(&mut there).expect("memory");
                }
                server.read_tls(&mut there.as_slice()).expect("memory");
                server.process_new_packets().map_err(failed)?;
                while server.wants_write() {
                    server.write_tls(&mut back).expect("memory");
                }
                client.read_tls(&mut back.as_slice()).expect("memory");
                client.process_new_packets().map_err(failed)?;
            }
        }
        Ok(())
    }

    fn meet(client: u8, thinks_it_calls: u8, server: u8, expects: Other) -> Result<Vec<u8>> {
        let to = identity(thinks_it_calls).public().identity;
        let mut client = Credentials::of(&identity(client))?.client(&to)?;
        let mut server = Credentials::of(&identity(server))?.server(expects)?;
        run(&mut client, &mut server)?;
        client.writer().write_all(b"hello").expect("memory");
        run(&mut client, &mut server)?;
        let mut heard = [0; 5];
        server.reader().read_exact(&mut heard).expect("it came");
        Ok(heard.to_vec())
    }

    fn node(byte: u8) -> Other {
        Other::Node(identity(byte).public().identity)
    }

    #[test]
    fn two_nodes_that_pin_each_other_meet_and_a_reader_meets_a_node() {
        assert_eq!(meet(1, 2, 2, node(1)).expect("met"), b"hello");
        assert_eq!(meet(9, 2, 2, Other::Reader).expect("met"), b"hello");
    }

    #[test]
    fn a_wrong_key_on_either_side_is_refused() {
        assert!(meet(3, 2, 2, node(1)).is_err(), "another client");
        assert!(meet(1, 2, 3, node(1)).is_err(), "another server");
        assert!(meet(3, 2, 4, Other::Reader).is_err(), "another server for a reader");
    }

    /// The lengths of all that travels until both sides are ready, and the first message in the clear.
    fn flights(client: u8, expects: Other) -> (Vec<usize>, Vec<u8>) {
        let to = identity(2).public().identity;
        let mut client =
            Credentials::of(&identity(client)).expect("a key").client(&to).expect("right");
        let mut server =
            Credentials::of(&identity(2)).expect("a key").server(expects).expect("right");
        let (mut lengths, mut hello) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            for (from, to) in [(true, false), (false, true)] {
                let mut bytes = Vec::new();
                let (from, to) = match (from, to) {
                    (true, _) => (&mut client, &mut server),
                    _ => (&mut server, &mut client),
                };
                while from.wants_write() {
                    from.write_tls(&mut bytes).expect("memory");
                }
                to.read_tls(&mut bytes.as_slice()).expect("memory");
                to.process_new_packets().expect("right");
                lengths.push(bytes.len());
                if hello.is_empty() {
                    hello = bytes;
                }
            }
        }
        (lengths, hello)
    }

    #[test]
    fn a_readers_handshake_looks_like_a_members_and_names_nothing() {
        let (member, hello) = flights(1, node(1));
        let (reader, other) = flights(9, Other::Reader);
        assert_eq!(member, reader);
        assert_eq!(hello.len(), other.len());
        // What differs is random, a key share, or the order of extensions, which is random too.
        for bytes in [&hello, &other] {
            assert!(!bytes.windows(7).any(|part| part.eq_ignore_ascii_case(b"reunite")));
        }
    }
}
