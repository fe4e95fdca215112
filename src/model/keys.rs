//! Keys: the public ones of a node, by which the others know it, and the shared ones of a network.
//!
//! ```text
//! identity key   Ed25519, 32 bytes   TLS and signatures        RFC 8032
//! knock key      X25519, 32 bytes    the Noise handshake       RFC 7748
//! network key    32 bytes, shared by the tier-1 nodes          marks what comes from a member
//! reader key     32 bytes, shared by both tiers                marks what does not come from a stranger
//! ```

use crate::base::error::Error;
use crate::model::hex;
use rand::CryptoRng;
use ring::{digest, hkdf, hmac};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroize;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;

/// An Ed25519 public key: it signs what its node says in TLS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityKey([u8; KEY_BYTES]);

/// An X25519 public key: knocks at its node are sealed to it, and its own knocks are known by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KnockKey([u8; KEY_BYTES]);

macro_rules! public_key {
    ($key:ident) => {
        impl $key {
            /// The bytes of the key.
            pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
                &self.0
            }
        }

        impl From<[u8; KEY_BYTES]> for $key {
            fn from(bytes: [u8; KEY_BYTES]) -> Self {
                Self(bytes)
            }
        }

        impl FromStr for $key {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                hex::bytes(text.trim()).map(Self).ok_or_else(not_a_key)
            }
        }

        impl fmt::Display for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::digits(&self.0))
            }
        }

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($key), "({})"), self)
            }
        }
    };
}

public_key!(IdentityKey);
public_key!(KnockKey);

fn not_a_key() -> Error {
    Error::input("key", "it is not 64 hexadecimal digits", "copy it from the node's card")
}

/// Both public keys of a node: what its card says, and what the peers file pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKeys {
    /// Who it is in TLS.
    pub identity: IdentityKey,
    /// Who it is in a knock.
    pub knock: KnockKey,
}

impl PublicKeys {
    /// Both keys in six groups of four digits, for two people to compare by voice, in any language.
    pub fn fingerprint(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"reunite fingerprint 1");
        context.update(&self.identity.0);
        context.update(&self.knock.0);
        hex::spoken(context.finish().as_ref())
    }
}

/// 32 secret bytes: wiped when dropped, never printed.
pub struct SecretKey([u8; KEY_BYTES]);

impl SecretKey {
    /// New random bytes. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; KEY_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for a file, or for what derives keys from them. Nothing else may be done with them.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A key of its own for each use (HKDF-SHA256, RFC 5869): one that leaks says nothing of the others.
    pub fn derive(&self, label: &[u8]) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"reunite 1");
        let mut bytes = [0; KEY_BYTES];
        salt.extract(&self.0)
            .expand(&[label], hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut bytes))
            .expect("32 bytes are one block of HKDF-SHA256");
        Self(bytes)
    }
}

impl From<[u8; KEY_BYTES]> for SecretKey {
    fn from(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for SecretKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        hex::bytes(text.trim()).map(Self).ok_or_else(not_a_key)
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The keys that the nodes of a network share.
#[derive(Debug)]
pub struct NetworkKeys {
    /// Which keys these are, when they are changed one day.
    pub epoch: u16,
    /// Only tier-1 nodes have it.
    pub network: Option<SecretKey>,
    /// Both tiers have it.
    pub reader: SecretKey,
}

impl NetworkKeys {
    /// The same keys, for another book of the same network.
    pub fn copy(&self) -> Self {
        let copy = |key: &SecretKey| SecretKey::from(*key.expose());
        let (network, reader) = (self.network.as_ref().map(copy), copy(&self.reader));
        Self { epoch: self.epoch, network, reader }
    }

    /// New keys, for a network that is being founded.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let network = Some(SecretKey::random(rng));
        Self { epoch: 1, network, reader: SecretKey::random(rng) }
    }
}

/// Bytes of a mark: half of an HMAC-SHA256 (RFC 2104), as much as a forger can be expected to try.
pub const MARK_BYTES: usize = 16;

/// Makes and checks the marks on datagrams.
#[derive(Debug)]
pub struct Marker(hmac::Key);

impl Marker {
    /// The marker of a shared key.
    pub fn new(key: &SecretKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.derive(b"mark").expose()))
    }

    /// The mark of these parts, one after the other.
    pub fn mark(&self, parts: &[&[u8]]) -> [u8; MARK_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut mark = [0; MARK_BYTES];
        mark.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        mark
    }

    /// Whether `mark` is the mark of these parts, in a time that does not depend on where it differs.
    pub fn is_mark(&self, parts: &[&[u8]], mark: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        self.mark(parts).ct_eq(mark).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(one: u8, other: u8) -> PublicKeys {
        PublicKeys { identity: [one; KEY_BYTES].into(), knock: [other; KEY_BYTES].into() }
    }

    #[test]
    fn a_fingerprint_is_24_digits_and_says_both_keys() {
        let fingerprint = keys(1, 2).fingerprint();
        let groups: Vec<_> = fingerprint.split(' ').collect();
        assert_eq!(groups.len(), 6);
        assert!(groups.iter().all(|group| group.len() == 4 && group.parse::<u16>().is_ok()));
        for other in [keys(2, 1), keys(1, 1), keys(2, 2)] {
            assert_ne!(other.fingerprint(), fingerprint);
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let keys = NetworkKeys::random(&mut rand::rng());
        let secret = hex::digits(keys.reader.expose());
        assert!(!format!("{keys:?}").contains(&secret));
        assert_eq!(format!("{:?}", keys.reader), "SecretKey(…)");
        let error = "12ab".parse::<SecretKey>().expect_err("too short");
        assert!(!format!("{error} {error:?}").contains("12ab"));
    }

    #[test]
    fn derived_keys_differ_by_label_and_from_their_secret() {
        let secret = SecretKey::from([7; KEY_BYTES]);
        let derived = [secret.derive(b"a"), secret.derive(b"b"), SecretKey::from([7; KEY_BYTES])];
        for (at, one) in derived.iter().enumerate() {
            assert!(derived.iter().skip(at + 1).all(|other| one.expose() != other.expose()));
        }
        assert_eq!(secret.derive(b"a").expose(), derived[0].expose());
    }

    #[test]
    fn a_mark_holds_for_its_parts_and_its_key_alone() {
        let marker = Marker::new(&SecretKey::from([7; KEY_BYTES]));
        let mark = marker.mark(&[b"one", b"two"]);
        assert!(marker.is_mark(&[b"onetwo"], &mark));
        assert!(!marker.is_mark(&[b"one", b"twp"], &mark));
        assert!(!marker.is_mark(&[b"onetwo"], &mark[..15]));
        assert!(!Marker::new(&SecretKey::from([8; KEY_BYTES])).is_mark(&[b"onetwo"], &mark));
    }
}
