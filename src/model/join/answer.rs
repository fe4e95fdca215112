//! The answer to a request: the welcome, sealed so that only who asked can open it, and only for what it asked.
//!
//! ```text
//! answer  = 1  for 8  noise 100  *( part: up to 65519 bytes of the welcome, sealed )
//! noise   = the message of Noise_X_25519_ChaChaPoly_BLAKE2s, with the length of the welcome, u32
//! for     = the beginning of the hash of the request
//! ```
//!
//! The whole hash is in the prologue. Source: the Noise protocol framework, revision 34, sections 7.4 and 5.2: the sender
//! is known by its knock key, and what follows the one message is sealed part by part, in order.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::join::limits::{MAX_ANSWER, MAX_WELCOME};
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::KnockKey;
use crate::model::noise::{ONE_WAY, builder};
use crate::model::x25519::{KeyPair, Known, Own};
use rand::CryptoRng;
use snow::TransportState;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const FOR: usize = 8;
/// A fresh key, the sealed key of the sender, and the sealed length.
const NOISE: usize = 32 + 48 + 20;
const TAG: usize = 16;
/// Most bytes that Noise seals at once.
const PART: usize = 65_535 - TAG;

/// Seals the welcome for who asked. `own` is the knock pair of the member that lets it in.
pub fn seal(
    welcome: &Welcome,
    request: &Request,
    own: &Own,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>> {
    let body = welcome.encode()?;
    let hash = request.hash();
    let pairs = [Known::lasting(own.copy()), Known::fresh(KeyPair::random(rng), None)];
    let prologue = prologue(&hash);
    let mut state = builder(ONE_WAY, own.secret(), pairs, &prologue, rng)
        .and_then(|builder| builder.remote_public_key(request.keys().knock.as_bytes()))
        .and_then(|builder| builder.build_initiator())
        .map_err(failed)?;
    let mut noise = [0; NOISE];
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    state.write_message(&length.to_be_bytes(), &mut noise).map_err(failed)?;
    let mut state = state.into_transport_mode().map_err(failed)?;
    let mut out = Encoder::of_kind(VERSION);
    out.bytes(hash.split_at(FOR).0).bytes(&noise);
    for part in body.chunks(PART) {
        let mut sealed = vec![0; part.len() + TAG];
        state.write_message(part, &mut sealed).map_err(failed)?;
        out.bytes(&sealed);
    }
    Ok(out.done())
}

/// Opens the answer to this request with the knock pair of who asked. Returns also the knock key of the member that
/// sealed it.
pub fn open(
    answer: &[u8],
    request: &Request,
    own: &Own,
    rng: &mut impl CryptoRng,
) -> Result<(Welcome, KnockKey)> {
    if answer.len() > MAX_ANSWER {
        return Err(Error::peer("gave an answer that is too long"));
    }
    let hash = request.hash();
    let mut from = Decoder::new(answer);
    if from.u8()? != VERSION {
        return Err(Error::peer("answered as no version does that this one knows"));
    }
    if from.bytes(FOR)? != hash.split_at(FOR).0 {
        return Err(Error::peer("answered another request than the one that this node made last"));
    }
    let noise: [u8; NOISE] = from.array()?;
    let pairs = [Known::lasting(own.copy()), Known::fresh(KeyPair::random(rng), None)];
    let prologue = prologue(&hash);
    let builder = builder(ONE_WAY, own.secret(), pairs, &prologue, rng);
    let mut state = builder.and_then(|builder| builder.build_responder()).map_err(failed)?;
    let mut length = [0; 4];
    match state.read_message(&noise, &mut length) {
        Ok(4) => {}
        Ok(_) | Err(_) => return Err(changed()),
    }
    let sender = state.get_remote_static().and_then(|key| key.try_into().ok());
    let sender: [u8; 32] = sender.ok_or_else(changed)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let state = state.into_transport_mode().map_err(failed)?;
    let body = parts(state, from.rest(), length)?;
    let welcome = Welcome::decode(&body)?;
    welcome.fits(request, &sender)?;
    Ok((welcome, sender.into()))
}

fn parts(
    mut state: TransportState,
    mut sealed: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    if length > MAX_WELCOME {
        return Err(Error::peer("welcomed with too many words"));
    }
    // All of its room from the start: what grows leaves a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    while body.len() < length {
        let next = (length - body.len()).min(PART);
        let (part, rest) = sealed.split_at_checked(next + TAG).ok_or_else(changed)?;
        let mut opened = Zeroizing::new(vec![0; next]);
        state.read_message(part, &mut opened).map_err(|_| changed())?;
        body.extend_from_slice(&opened);
        sealed = rest;
    }
    match sealed.is_empty() {
        true => Ok(body),
        false => Err(changed()),
    }
}

fn prologue(request: &[u8; 32]) -> Vec<u8> {
    [&b"reunite join answer 1"[..], request].concat()
}

fn changed() -> Error {
    Error::peer("gave an answer that is not for this node, or was changed on its way")
}

fn failed(error: snow::Error) -> Error {
    Error::peer(format!("the answer cannot be sealed or opened ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::join::welcome::tests::{identity, welcome};
    use crate::model::keys::SecretKey;
    use proptest::prelude::*;

    fn own(byte: u8) -> Own {
        SecretKey::from(*identity(byte).knock_secret().expose()).into()
    }

    fn sealed() -> (Vec<u8>, Request) {
        let (welcome, request) = welcome();
        let answer = seal(&welcome, &request, &own(2), &mut rand::rng()).expect("sealed");
        (answer, request)
    }

    fn try_open(answer: &[u8], request: &Request, by: u8) -> Result<(Welcome, KnockKey)> {
        open(answer, request, &own(by), &mut rand::rng())
    }

    #[test]
    fn who_asked_opens_it_and_knows_who_sealed_it() {
        let (answer, request) = sealed();
        let (welcome, sender) = try_open(&answer, &request, 3).expect("opened");
        assert_eq!((welcome.number.value(), sender), (3, identity(2).public().knock));
    }

    #[test]
    fn an_acceptance_given_to_another_or_to_a_later_request_cannot_be_opened() {
        let (answer, request) = sealed();
        assert!(try_open(&answer, &request, 4).is_err(), "another node");
        let (name, address) = (request.organisation().clone(), request.address());
        let later = Request::for_file(&identity(3), name, address, &mut rand::rng());
        let error = try_open(&answer, &later, 3).expect_err("a replay").to_string();
        assert!(error.contains("another request"), "{error}");
        // Also if its beginning is made to fit.
        let mut fitted = answer;
        fitted[1..=FOR].copy_from_slice(&later.hash()[..FOR]);
        assert!(try_open(&fitted, &later, 3).is_err());
    }

    #[test]
    fn who_is_no_member_of_what_it_offers_cannot_seal_it() {
        let (welcome, request) = welcome();
        let answer = seal(&welcome, &request, &own(9), &mut rand::rng()).expect("sealed");
        assert!(try_open(&answer, &request, 3).is_err());
    }

    #[test]
    fn a_tampered_answer_is_refused_wherever_it_was_changed() {
        let (answer, request) = sealed();
        for at in 0..answer.len() {
            let mut changed = answer.clone();
            changed[at] ^= 1;
            assert!(try_open(&changed, &request, 3).is_err(), "byte {at}");
        }
        for end in 0..answer.len() {
            assert!(try_open(&answer[..end], &request, 3).is_err(), "up to {end}");
        }
        assert!(try_open(&[&answer[..], &[0]].concat(), &request, 3).is_err());
    }

    #[test]
    fn an_answer_tells_nothing_to_others() {
        let (welcome, request) = welcome();
        let answer = seal(&welcome, &request, &own(2), &mut rand::rng()).expect("sealed");
        let holds = |what: &[u8]| answer.windows(what.len()).any(|window| window == what);
        assert!(!holds(b"Clinic") && !holds(b"Cox's Bazar") && !holds(welcome.network.as_bytes()));
        for (profile, token) in &welcome.members {
            assert!(!holds(token.token().expose()) && !holds(profile.keys.identity.as_bytes()));
            assert!(!holds(profile.keys.knock.as_bytes()));
        }
        assert!(!holds(welcome.keys.reader.expose()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), version in any::<bool>()) {
            let (_, request) = welcome();
            let mut bytes = bytes;
            if version && bytes.len() > FOR {
                bytes[0] = VERSION;
                bytes[1..=FOR].copy_from_slice(&request.hash()[..FOR]);
            }
            prop_assert!(try_open(&bytes, &request, 3).is_err());
        }
    }
}
