//! The Noise handshake of a knock: `IK` to the node's X25519 key, with what the caller wants sealed inside.
//!
//! ```text
//! asked    = token 12, purpose u8, zero 39                                  52 bytes
//! granted  = status u8, port u16, session 16, retry after u16 (s), zero 19  40 bytes
//! ```
//!
//! Source: the Noise protocol framework, revision 34, section 7.5. The first message can be replayed and has
//! weak forward secrecy; what keeps replays out is the cookie, which the prologue binds in.

use crate::base::error::{Error, Result};
use crate::model::datagram::{NOISE_1, NOISE_2};
use crate::model::keys::{KnockKey, SecretKey};
use crate::model::limits::{
    MAX_FIRST_FRAME, MAX_FRAME, MAX_READER_FRAME, MAX_SPOKEN_FRAME, TOKEN_DIGITS,
};
use crate::model::message::{Bind, HANDSHAKE_BYTES, SESSION_BYTES};
use crate::model::x25519::{KeyPair, Known, Own};
use rand::rngs::StdRng;
use rand::{CryptoRng, Rng, SeedableRng};
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use std::cell::RefCell;
use std::fmt;
use zeroize::Zeroizing;

const PARAMETERS: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
/// The pattern of a message that needs no answer.
pub(in crate::model) const ONE_WAY: &str = "Noise_X_25519_ChaChaPoly_BLAKE2s";
const ASKED: usize = 52;
const GRANTED: usize = 40;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Messages and alarms.
    Talk,
    /// The database, to a peer.
    Sync,
    /// The public copy, to a tier-2 node.
    Refresh,
}

impl Purpose {
    fn code(self) -> u8 {
        match self {
            Self::Talk => 1,
            Self::Sync => 2,
            Self::Refresh => 3,
        }
    }

    /// Longest body that the caller may send in such a session, bytes.
    pub fn longest_of_caller(self) -> usize {
        match self {
            Self::Talk => MAX_SPOKEN_FRAME,
            Self::Sync => MAX_FRAME,
            Self::Refresh => MAX_READER_FRAME,
        }
    }

    /// Longest body that the node may answer there, bytes.
    pub fn longest_of_node(self) -> usize {
        match self {
            Self::Talk => MAX_FIRST_FRAME,
            Self::Sync | Self::Refresh => MAX_FRAME,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Talk, Self::Sync, Self::Refresh].into_iter().find(|one| one.code() == code)
    }
}

/// What is sealed in a knock.
pub struct Asked {
    /// Twelve digits of a member, zeros of a reader. Wiped when dropped.
    pub token: Zeroizing<[u8; TOKEN_DIGITS]>,
    /// What the session is to be for.
    pub purpose: Purpose,
}

/// What is sealed in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// A door is open.
    Open {
        /// TCP port of the door.
        port: u16,
        /// Which session it is for.
        session: [u8; 16],
    },
    /// There is no place now.
    Busy {
        /// Come back after so many seconds.
        retry_after: u16,
    },
}

/// A caller's handshake between its message and the answer.
pub struct Calling(HandshakeState);

/// A node's handshake between a knock that it could open and its answer.
pub struct Called(HandshakeState);

/// What of a caller's handshake does not depend on the cookie: done while that is on its way.
#[derive(Debug)]
pub struct Prepared {
    own: Own,
    fresh: KeyPair,
    to: KnockKey,
    /// What the fresh pair shares with the node.
    shared: SecretKey,
}

impl Prepared {
    /// Prepares a call to the node with the key `to`.
    pub fn new(own: &Own, to: &KnockKey, rng: &mut impl CryptoRng) -> Self {
        let fresh = KeyPair::random(rng);
        let shared = fresh.product(to);
        Self { own: own.copy(), fresh, to: *to, shared }
    }
}

impl Calling {
    /// Seals `asked` for the node. Returns the first message.
    pub fn begin(
        prepared: Prepared,
        prologue: &[u8],
        asked: &Asked,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, [u8; NOISE_1])> {
        let Prepared { own, fresh, to, shared } = prepared;
        let secret = own.copy();
        let pairs = [Known::lasting(own), Known::fresh(fresh, Some((to, shared)))];
        let mut state = builder(PARAMETERS, secret.secret(), pairs, prologue, rng)
            .and_then(|builder| builder.remote_public_key(to.as_bytes())?.build_initiator())
            .map_err(failed)?;
        let mut payload = Zeroizing::new([0; ASKED]);
        let what = asked.token.iter().copied().chain([asked.purpose.code()]);
        payload.iter_mut().zip(what).for_each(|(to, from)| *to = from);
        let mut message = [0; NOISE_1];
        match state.write_message(&payload[..], &mut message) {
            Ok(NOISE_1) => Ok((Self(state), message)),
            Ok(_) => Err(Error::peer("the handshake has another length than it should")),
            Err(error) => Err(failed(error)),
        }
    }

    /// Opens the answer. One that cannot be opened changes nothing: the right one may still come.
    pub fn finish(&mut self, message: &[u8]) -> Result<(Granted, Option<Bind>)> {
        let mut payload = [0; GRANTED];
        match self.0.read_message(message, &mut payload) {
            Ok(GRANTED) => {}
            Ok(_) => return Err(Error::peer("the answer to a knock has a wrong length")),
            Err(error) => return Err(failed(error)),
        }
        let granted = granted(&payload).ok_or_else(|| Error::peer("its answer has no sense"))?;
        let hash = self.0.get_handshake_hash();
        let binding = match &granted {
            Granted::Open { session, .. } => Some(bind(session, hash)),
            Granted::Busy { .. } => None,
        };
        Ok((granted, binding))
    }
}

impl Called {
    /// Opens a knock. Returns also what it asks for and the key of its sender. `fresh` is a new pair.
    pub fn begin(
        own: &Own,
        fresh: KeyPair,
        prologue: &[u8],
        message: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Option<(Self, Asked, KnockKey)> {
        let pairs = [Known::lasting(own.copy()), Known::fresh(fresh, None)];
        let builder = builder(PARAMETERS, own.secret(), pairs, prologue, rng);
        let mut state = builder.and_then(Builder::build_responder).ok()?;
        let mut payload = Zeroizing::new([0; ASKED]);
        let length = state.read_message(message, &mut payload[..]).ok()?;
        let from: [u8; 32] = state.get_remote_static()?.try_into().ok()?;
        let (token, rest) = payload.split_first_chunk().filter(|_| length == ASKED)?;
        let purpose = rest.first().copied().and_then(Purpose::of)?;
        let asked = Asked { token: Zeroizing::new(*token), purpose };
        Some((Self(state), asked, from.into()))
    }

    /// Seals the answer that a door is open at `port`, for the session `session`.
    pub fn open(mut self, port: u16, session: [u8; 16]) -> Result<([u8; NOISE_2], Bind)> {
        let noise = self.answer(&[&[0], &port.to_be_bytes()[..], &session])?;
        Ok((noise, bind(&session, self.0.get_handshake_hash())))
    }

    /// Seals the answer that there is no place, and when to come back, in seconds.
    pub fn refuse(mut self, retry_after: u16) -> Result<[u8; NOISE_2]> {
        self.answer(&[&[1], &[0; 18][..], &retry_after.to_be_bytes()])
    }

    fn answer(&mut self, parts: &[&[u8]]) -> Result<[u8; NOISE_2]> {
        let (mut payload, mut message) = ([0; GRANTED], [0; NOISE_2]);
        payload.iter_mut().zip(parts.concat()).for_each(|(to, from)| *to = from);
        match self.0.write_message(&payload, &mut message) {
            Ok(NOISE_2) => Ok(message),
            Ok(_) => Err(Error::peer("the handshake has another length than it should")),
            Err(error) => Err(failed(error)),
        }
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calling(…)")
    }
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Called(…)")
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({:?})", self.purpose)
    }
}

/// What the visitor has to show in TLS: only the two ends of this handshake know it.
fn bind(session: &[u8; SESSION_BYTES], hash: &[u8]) -> Bind {
    let mut handshake = [0; HANDSHAKE_BYTES];
    handshake.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    Bind::new(*session, handshake)
}

fn granted(payload: &[u8; GRANTED]) -> Option<Granted> {
    let (status, rest) = payload.split_first()?;
    let (port, rest) = rest.split_first_chunk()?;
    let (session, rest) = rest.split_first_chunk()?;
    let (retry, _) = rest.split_first_chunk()?;
    match (status, u16::from_be_bytes(*port)) {
        (0, 1..) => Some(Granted::Open { port: u16::from_be_bytes(*port), session: *session }),
        (1, 0) => Some(Granted::Busy { retry_after: u16::from_be_bytes(*retry) }),
        _ => None,
    }
}

fn failed(error: snow::Error) -> Error {
    Error::peer(format!("the handshake failed ({error})"))
}

/// A handshake of this pattern. `pairs` are the lasting pair, whose secret is `own`, and the one for this handshake.
pub(in crate::model) fn builder<'a>(
    parameters: &str,
    own: &'a SecretKey,
    pairs: [Known; 2],
    prologue: &'a [u8],
    rng: &mut impl CryptoRng,
) -> std::result::Result<Builder<'a>, snow::Error> {
    let parameters: NoiseParams = parameters.parse()?;
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut seed[..]);
    let pairs = RefCell::new(pairs.into_iter());
    Builder::with_resolver(parameters, Box::new(Given { seed, pairs }))
        .local_private_key(own.expose())?
        .prologue(prologue)
}

/// snow's own algorithms, with keys and randomness that come in as values.
struct Given {
    seed: Zeroizing<[u8; 32]>,
    /// In the order in which they are asked for.
    pairs: RefCell<std::array::IntoIter<Known, 2>>,
}

struct Seeded(StdRng);

impl Random for Seeded {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), snow::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoResolver for Given {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Seeded(StdRng::from_seed(*self.seed))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(self.pairs.try_borrow_mut().ok()?.next()?)),
            other => DefaultResolver.resolve_dh(other),
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;

    fn asked() -> Asked {
        Asked { token: Zeroizing::new(*b"149418626997"), purpose: Purpose::Sync }
    }

    fn own(of: &Identity) -> Own {
        SecretKey::from(*of.knock_secret().expose()).into()
    }

    fn open(node: &Identity, prologue: &[u8], first: &[u8]) -> Option<(Called, Asked, KnockKey)> {
        let fresh = KeyPair::random(&mut rand::rng());
        Called::begin(&own(node), fresh, prologue, first, &mut rand::rng())
    }

    #[test]
    fn both_sides_end_with_the_same_binding_and_know_what_was_asked() {
        let mut rng = rand::rng();
        let (caller, node) = (Identity::random(&mut rng), Identity::random(&mut rng));
        let to = node.public().knock;
        let prepared = Prepared::new(&own(&caller), &to, &mut rng);
        let begun = Calling::begin(prepared, b"call", &asked(), &mut rng);
        let (mut calling, first) = begun.expect("sealed");
        let opened = open(&node, b"call", &first);
        let (called, asked, from) = opened.expect("opened");
        assert_eq!(from, caller.public().knock);
        assert_eq!((*asked.token, asked.purpose), (*b"149418626997", Purpose::Sync));
        let granted = Granted::Open { port: 40_000, session: [3; 16] };
        let (second, one) = called.open(40_000, [3; 16]).expect("sealed");
        assert!(calling.finish(&[7; NOISE_2]).is_err(), "a forgery changes nothing");
        let (understood, other) = calling.finish(&second).expect("opened");
        assert_eq!(understood, granted);
        assert!(one.matches(&other.expect("open")));
    }

    #[test]
    fn a_knock_for_somebody_else_or_another_call_cannot_be_opened() {
        let mut rng = rand::rng();
        let (caller, node) = (Identity::random(&mut rng), Identity::random(&mut rng));
        let to = node.public().knock;
        let prepared = Prepared::new(&own(&caller), &to, &mut rng);
        let begun = Calling::begin(prepared, b"call", &asked(), &mut rng);
        let (_, first) = begun.expect("sealed");
        assert!(open(&caller, b"call", &first).is_none());
        assert!(open(&node, b"other", &first).is_none());
        assert!(open(&node, b"call", &first[..147]).is_none());
    }

    #[test]
    fn a_token_is_never_shown() {
        let shown = format!("{:?}", asked());
        assert!(!shown.contains("1494"), "{shown}");
    }
}
