//! X25519 (RFC 7748) as snow needs it: what is known before a handshake is not computed again in it.
//!
//! A product is what two key pairs share. One of this node and a member is always the same; those of a call are
//! known before the cookie is: both take time where somebody waits for them otherwise.

use crate::model::keys::{KEY_BYTES, KnockKey, SecretKey};
use curve25519_dalek::montgomery::MontgomeryPoint;
use rand::CryptoRng;
use snow::types::{Dh, Random};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret and its public key.
pub struct KeyPair {
    secret: SecretKey,
    public: KnockKey,
}

impl KeyPair {
    /// The pair of this secret.
    pub fn of(secret: SecretKey) -> Self {
        let public = MontgomeryPoint::mul_base_clamped(*secret.expose()).to_bytes().into();
        Self { secret, public }
    }

    /// A new pair. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self::of(SecretKey::random(rng))
    }

    /// What it shares with the pair of this public key.
    pub fn product(&self, with: &KnockKey) -> SecretKey {
        let product = MontgomeryPoint(*with.as_bytes()).mul_clamped(*self.secret.expose());
        SecretKey::from(product.to_bytes())
    }

    fn copy(&self) -> Self {
        Self { secret: SecretKey::from(*self.secret.expose()), public: self.public }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public)
    }
}

/// Products of one key pair with others, by the public keys of those.
type Products = HashMap<KnockKey, SecretKey>;

/// The lasting pair of a node, and what it shares with the nodes that it knows.
#[derive(Debug)]
pub struct Own {
    pair: KeyPair,
    products: Arc<Products>,
}

impl Own {
    /// The pair of this secret, of a node that knows these others.
    pub fn knowing(secret: SecretKey, others: impl Iterator<Item = KnockKey>) -> Self {
        let pair = KeyPair::of(secret);
        let products = others.map(|other| (other, pair.product(&other))).collect();
        Self { pair, products: Arc::new(products) }
    }

    /// The same pair, of a node that knows these others now: what is known of them already is not computed again.
    pub fn knowing_now(&self, others: impl Iterator<Item = KnockKey>) -> Self {
        let products = others.map(|other| (other, self.product(&other))).collect();
        Self { pair: self.pair.copy(), products: Arc::new(products) }
    }

    /// What it shares with the pair of this public key.
    pub fn product(&self, with: &KnockKey) -> SecretKey {
        let known = self.products.get(with).map(|product| SecretKey::from(*product.expose()));
        known.unwrap_or_else(|| self.pair.product(with))
    }

    /// Its secret. Nothing else may be done with it than a handshake.
    pub fn secret(&self) -> &SecretKey {
        &self.pair.secret
    }

    /// The same again, for one handshake.
    pub fn copy(&self) -> Self {
        Self { pair: self.pair.copy(), products: Arc::clone(&self.products) }
    }
}

impl From<SecretKey> for Own {
    fn from(secret: SecretKey) -> Self {
        Self::knowing(secret, std::iter::empty())
    }
}

/// One side's key pair in a handshake.
pub struct Known {
    pair: KeyPair,
    /// Whether the handshake has yet to ask for a pair, which is this one.
    is_fresh: bool,
    products: Arc<Products>,
}

impl Known {
    /// A lasting pair.
    pub fn lasting(own: Own) -> Self {
        let Own { pair, products } = own;
        Self { pair, is_fresh: false, products }
    }

    /// A pair for this one handshake.
    pub fn fresh(pair: KeyPair, known: Option<(KnockKey, SecretKey)>) -> Self {
        Self { pair, is_fresh: true, products: Arc::new(known.into_iter().collect()) }
    }

    fn become_pair(&mut self, pair: KeyPair) {
        (self.pair, self.is_fresh, self.products) = (pair, false, Arc::default());
    }
}

impl Dh for Known {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_BYTES
    }

    fn priv_len(&self) -> usize {
        KEY_BYTES
    }

    fn set(&mut self, secret: &[u8]) {
        let same: bool = self.pair.secret.expose().ct_eq(secret).into();
        if let Some(secret) = secret.first_chunk().filter(|_| !same) {
            self.become_pair(KeyPair::of(SecretKey::from(*secret)));
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        if !std::mem::take(&mut self.is_fresh) {
            let mut secret = Zeroizing::new([0; KEY_BYTES]);
            rng.try_fill_bytes(&mut secret[..])?;
            self.become_pair(KeyPair::of(SecretKey::from(*secret)));
        }
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.pair.public.as_bytes()
    }

    fn privkey(&self) -> &[u8] {
        self.pair.secret.expose()
    }

    fn dh(&self, with: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // snow hands over buffers that hold the longest of all its keys.
        let (with, out) = with.first_chunk().zip(out.first_chunk_mut()).ok_or(snow::Error::Dh)?;
        let with = KnockKey::from(*with);
        *out = match self.products.get(&with) {
            Some(product) => *product.expose(),
            None => *self.pair.product(&with).expose(),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snow::params::DHChoice;
    use snow::resolvers::{CryptoResolver, DefaultResolver};

    fn pair(byte: u8) -> KeyPair {
        KeyPair::of(SecretKey::from([byte; KEY_BYTES]))
    }

    fn shared(dh: &dyn Dh, with: &KnockKey) -> [u8; KEY_BYTES] {
        let mut out = [0; KEY_BYTES];
        dh.dh(with.as_bytes(), &mut out).expect("two keys");
        out
    }

    #[test]
    fn it_computes_what_snow_does_known_or_not() {
        let (own, other) = (pair(1), pair(2));
        let mut right = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("built in");
        right.set(own.secret.expose());
        let product = shared(&*right, &other.public);
        let known = Arc::new(Products::from([(other.public, own.product(&other.public))]));
        for products in [Arc::default(), known] {
            let dh = Known::lasting(Own { pair: own.copy(), products });
            assert_eq!(dh.pubkey(), right.pubkey());
            assert_eq!(shared(&dh, &other.public), product);
            assert_eq!(shared(&dh, &pair(3).public), shared(&*right, &pair(3).public));
        }
    }

    #[test]
    fn products_of_a_pair_are_forgotten_with_it() {
        let (own, other) = (pair(1), pair(2));
        let wrong = || Some((other.public, SecretKey::from([9; KEY_BYTES])));
        let mut dh = Known::fresh(own.copy(), wrong());
        dh.set(pair(3).secret.expose());
        assert_eq!(shared(&dh, &other.public), *pair(3).product(&other.public).expose());
        let mut dh =
            Known::lasting(Own { pair: own, products: Arc::new(wrong().into_iter().collect()) });
        struct Sevens;
        impl Random for Sevens {
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
                bytes.fill(7);
                Ok(())
            }
        }
        dh.generate(&mut Sevens).expect("random");
        assert_eq!(shared(&dh, &other.public), *pair(7).product(&other.public).expose());
    }

    #[test]
    fn a_pair_shows_its_public_key_alone() {
        let shown = format!("{:?}", pair(1));
        assert_eq!(shown, format!("KeyPair({})", pair(1).public));
    }
}
