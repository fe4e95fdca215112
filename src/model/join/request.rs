//! What a newcomer asks for: to belong to the network, as this organisation, with these keys, at this address.
//!
//! ```text
//! request   = 1  identity 32  knock 32  organisation text  address  nonce 16  binding 32  signature 64
//! signature = Ed25519( "reunite join request 1"  all before it )
//! ```
//!
//! The binding is that of the line by which it is asked, or zero in a file: a request of one kind is none of the other,
//! and one that was heard on a line cannot be said on another. The nonce makes each request one of its own.

use crate::base::error::{Error, Result};
use crate::model::address::Address;
use crate::model::codec::{Decoder, Encoder};
use crate::model::identity::Identity;
use crate::model::ids::Organisation;
use crate::model::join::limits::MAX_REQUEST;
use crate::model::keys::PublicKeys;
use crate::model::ledger::membership::{put, text};
use crate::model::ledger::merkle::{Hash, sha256};
use crate::model::limits::MAX_NAME;
use crate::model::statement::SIGNATURE_BYTES;
use rand::CryptoRng;
use ring::signature::{ED25519, UnparsedPublicKey};

const VERSION: u8 = 1;
/// Keeps these signatures apart from all others that the key makes.
const CONTEXT: &[u8] = b"reunite join request 1";
/// What stands for a line in a file.
const FILE: [u8; 32] = [0; 32];

/// A request whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    keys: PublicKeys,
    organisation: Organisation,
    address: Address,
    binding: [u8; 32],
    /// As it was signed.
    bytes: Vec<u8>,
}

impl Request {
    /// A request for a file.
    pub fn for_file(
        identity: &Identity,
        organisation: Organisation,
        address: Address,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self::for_line(identity, organisation, address, &FILE, rng)
    }

    /// A request for the line with this binding.
    pub fn for_line(
        identity: &Identity,
        organisation: Organisation,
        address: Address,
        binding: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let keys = identity.public();
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let mut out = Encoder::of_kind(VERSION);
        out.bytes(keys.identity.as_bytes()).bytes(keys.knock.as_bytes());
        put(&organisation.to_string(), &mut out);
        address.encode(&mut out);
        let mut bytes = {
            out.bytes(&nonce).bytes(binding);
            out.done()
        };
        let key = identity.signer();
        let signature = key.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(signature.as_ref());
        Self { keys, organisation, address, binding: *binding, bytes }
    }

    /// Reads a request, and checks its signature.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_REQUEST {
            return Err(Error::peer("asked to join with too many words"));
        }
        let mut from = Decoder::new(bytes);
        if from.u8()? != VERSION {
            return Err(Error::peer("asked to join as no version does that this one knows"));
        }
        let identity = from.array::<32>()?.into();
        let keys = PublicKeys { identity, knock: from.array::<32>()?.into() };
        let organisation = text(&mut from, MAX_NAME)?;
        let address = Address::decode(&mut from)?;
        from.array::<16>()?;
        let binding = from.array()?;
        let signature: [u8; SIGNATURE_BYTES] = from.array()?;
        from.finish()?;
        let signed =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().map_or(bytes, |(signed, _)| signed);
        let key = UnparsedPublicKey::new(&ED25519, keys.identity.as_bytes());
        key.verify(&[CONTEXT, signed].concat(), &signature)
            .map_err(|_| Error::peer("asked to join under a key that is not its own"))?;
        Ok(Self { keys, organisation, address, binding, bytes: bytes.to_vec() })
    }

    /// The bytes of the request.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The keys that ask.
    pub fn keys(&self) -> &PublicKeys {
        &self.keys
    }

    /// Whose node it is, as it says.
    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// Where its listener will be.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Whether it was made for the line with this binding.
    pub fn is_for_line(&self, binding: &[u8; 32]) -> bool {
        self.binding == *binding && !self.is_for_file()
    }

    /// Whether it was made for a file.
    pub fn is_for_file(&self) -> bool {
        self.binding == FILE
    }

    /// What tells it from all other requests.
    pub fn hash(&self) -> Hash {
        sha256(&[b"rn-join1", &self.bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    fn request(identity: &Identity, binding: &[u8; 32]) -> Request {
        let address = Address::try_from(SocketAddr::from(([10, 0, 0, 9], 33_009))).expect("one");
        let organisation = "Cox's Bazar NW 9".parse().expect("a name");
        Request::for_line(identity, organisation, address, binding, &mut rand::rng())
    }

    #[test]
    fn a_request_is_read_as_it_was_signed_and_never_cut_off() {
        let identity = Identity::random(&mut rand::rng());
        let asked = request(&identity, &[7; 32]);
        assert_eq!(Request::decode(asked.bytes()).expect("right"), asked);
        assert_eq!(asked.keys(), &identity.public());
        assert!(
            asked.is_for_line(&[7; 32]) && !asked.is_for_line(&[8; 32]) && !asked.is_for_file()
        );
        for end in 0..asked.bytes().len() {
            assert!(Request::decode(&asked.bytes()[..end]).is_err(), "up to {end}");
        }
        assert!(Request::decode(&[asked.bytes(), &[0]].concat()).is_err());
    }

    #[test]
    fn a_request_of_a_file_is_none_of_a_line() {
        let asked = request(&Identity::random(&mut rand::rng()), &FILE);
        assert!(asked.is_for_file() && !asked.is_for_line(&FILE));
    }

    #[test]
    fn nobody_asks_under_the_key_of_somebody_else() {
        let mut rng = rand::rng();
        let (thief, victim) = (Identity::random(&mut rng), Identity::random(&mut rng));
        let mut bytes = request(&thief, &[7; 32]).bytes().to_vec();
        bytes[1..33].copy_from_slice(victim.public().identity.as_bytes());
        let error = Request::decode(&bytes).expect_err("a forgery").to_string();
        assert!(error.contains("not its own"), "{error}");
    }

    #[test]
    fn two_requests_of_one_node_are_two() {
        let identity = Identity::random(&mut rand::rng());
        assert_ne!(request(&identity, &FILE).hash(), request(&identity, &FILE).hash());
    }

    proptest! {
        #[test]
        fn no_request_that_was_changed_is_taken(at in any::<prop::sample::Index>(), by in 1..=u8::MAX) {
            let mut bytes = request(&Identity::new([5; 32].into()), &[7; 32]).bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert!(Request::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Request::decode(&bytes).is_err());
        }
    }
}
