//! Who a node is: one secret, from which its two key pairs are derived. It never leaves its device.

use crate::model::keys::{KnockKey, PublicKeys, SecretKey};
use rand::CryptoRng;
use ring::signature::{Ed25519KeyPair, KeyPair};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use zeroize::Zeroizing;

/// What stands before the 32 bytes of an Ed25519 secret in PKCS #8, version 1 (RFC 8410, section 7).
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The secret of a node and what follows from it.
#[derive(Debug)]
pub struct Identity {
    secret: SecretKey,
    signing: SecretKey,
    knock: SecretKey,
    public: PublicKeys,
}

impl Identity {
    /// A new identity. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self::new(SecretKey::random(rng))
    }

    /// The identity of this secret.
    pub fn new(secret: SecretKey) -> Self {
        let (signing, knock) = (secret.derive(b"ed25519"), secret.derive(b"x25519"));
        let pair = Ed25519KeyPair::from_seed_unchecked(signing.expose())
            .expect("any 32 bytes are a seed of Ed25519");
        let identity: [u8; 32] =
            pair.public_key().as_ref().try_into().expect("a key of Ed25519 is 32 bytes");
        let public = PublicKeys { identity: identity.into(), knock: public_knock_key(&knock) };
        Self { secret, signing, knock, public }
    }

    /// The secret, for the identity file. Nothing else may be done with it.
    pub fn expose(&self) -> &SecretKey {
        &self.secret
    }

    /// What the others know it by.
    pub fn public(&self) -> PublicKeys {
        self.public
    }

    /// The Ed25519 key for TLS, as PKCS #8.
    pub fn signing_key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&PKCS8_ED25519[..], &self.signing.expose()[..]].concat())
    }

    /// What signs in this node's name.
    pub fn signer(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.signing_key())
            .expect("an identity has a key of Ed25519")
    }

    /// The X25519 secret for knocks.
    pub fn knock_secret(&self) -> &SecretKey {
        &self.knock
    }
}

/// The public key of an X25519 secret.
pub fn public_knock_key(secret: &SecretKey) -> KnockKey {
    let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("snow is built with it");
    dh.set(secret.expose());
    let public: [u8; 32] = dh.pubkey().try_into().expect("a key of X25519 is 32 bytes");
    public.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hex;

    #[test]
    fn one_secret_gives_always_the_same_two_keys() {
        let secret = |byte| Identity::new(SecretKey::from([byte; 32]));
        assert_eq!(secret(1).public(), secret(1).public());
        assert_ne!(secret(1).public(), secret(2).public());
        assert_ne!(secret(1).public().identity.as_bytes(), secret(1).public().knock.as_bytes());
    }

    #[test]
    fn an_identity_is_never_shown() {
        let identity = Identity::random(&mut rand::rng());
        let shown = format!("{identity:?}");
        for secret in [&identity.secret, &identity.signing, &identity.knock] {
            assert!(!shown.contains(&hex::digits(secret.expose())));
        }
    }

    #[test]
    fn the_signing_key_is_pkcs8_that_others_read() {
        let identity = Identity::random(&mut rand::rng());
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&identity.signing_key());
        let pair = pair.expect("read");
        assert_eq!(pair.public_key().as_ref(), identity.public().identity.as_bytes());
    }

    /// RFC 7748, section 6.1: Alice's keys.
    #[test]
    fn x25519_gives_the_public_key_of_the_rfc() {
        let alice: SecretKey = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
            .parse()
            .expect("hex");
        assert_eq!(
            public_knock_key(&alice).to_string(),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
    }
}
