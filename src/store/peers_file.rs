//! The text of a peers file: JSON in, a checked book out, and back.
//!
//! ```json
//! { "network": "…", "dialect": "sealed", "epoch": 1, "network_key": "64 hex digits", "reader_key": "64 hex digits",
//!   "peers": [ { "number": 1, "organisation": "…", "address": "127.0.0.1:33001", "token": "twelve digits",
//!                "identity_key": "64 hex digits", "knock_key": "64 hex digits" } ] }
//! ```
//!
//! A file that names no dialect is sealed. A classic one says so and has no keys. A tier-2 file has neither
//! `network_key` nor tokens. `"beacon": false` keeps nodes from telling on the local network where they are,
//! `"reader_beacon": true` has them tell it to readers too.

use crate::base::error::{Error, Result};
use crate::model::dialect::Dialect;
use crate::model::hex;
use crate::model::ids::PeerNumber;
use crate::model::keys::{NetworkKeys, PublicKeys, SecretKey};
use crate::model::limits::{MAX_CARD, MAX_PEERS_FILE};
use crate::model::secret::Token;
use crate::store::json::SecretJson;
use crate::store::peer_book::{Beacons, CARD, Peer, PeerBook, Place, at, at_entry};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

impl PeerBook {
    /// Reads the peers file of a tier-1 node: every peer must have its token, and a sealed one the network key.
    pub fn read_tier1(path: &Path) -> Result<Self> {
        let book = Self::read(path)?;
        if book.network_keys().is_some_and(|keys| keys.network.is_none()) {
            return Err(at(path, None, "network_key").wrong("it is missing", TIER1_FILE));
        }
        match book.all().iter().find(|peer| peer.token().is_none()) {
            None => Ok(book),
            Some(peer) => {
                Err(at(path, Some(peer.number), "token").wrong("it is missing", TIER1_FILE))
            }
        }
    }

    /// Reads the peers file of either tier for what is public in it.
    pub fn read_public(path: &Path) -> Result<Self> {
        let mut book = Self::read(path)?;
        book.forget_secrets();
        Ok(book)
    }

    /// Reads the peers file of a tier-2 node. Tokens and the network key in it are not kept: a refugee's
    /// device needs none.
    pub fn read_tier2(path: &Path) -> Result<Self> {
        let mut book = Self::read(path)?;
        if book.forget_secrets() {
            log::warn!(
                "{}: a tier-2 node needs no tokens and no network key; give it the tier-2 peers file",
                path.display()
            );
        }
        Ok(book)
    }

    fn read(path: &Path) -> Result<Self> {
        book(path, SecretJson::read(path, MAX_PEERS_FILE, EXAMPLE)?.value())
    }

    /// Writes the book as a peers file: with its secrets or, for tier 2, without.
    pub fn to_json(&self, with_secrets: bool) -> Zeroizing<String> {
        let mut file = Map::new();
        file.insert("network".into(), self.network().into());
        file.insert("dialect".into(), self.dialect().to_string().into());
        if let Some(keys) = self.network_keys() {
            file.insert("epoch".into(), keys.epoch.into());
            if let (true, Some(key)) = (with_secrets, &keys.network) {
                file.insert("network_key".into(), hex::digits(key.expose()).into());
            }
            file.insert("reader_key".into(), hex::digits(keys.reader.expose()).into());
        }
        let (beacons, usual) = (self.beacons(), Beacons::default());
        if self.dialect() == Dialect::Sealed && beacons.members != usual.members {
            file.insert("beacon".into(), beacons.members.into());
        }
        if self.dialect() == Dialect::Sealed && beacons.readers != usual.readers {
            file.insert("reader_beacon".into(), beacons.readers.into());
        }
        let peers = self.all().iter().map(|peer| entry(peer, with_secrets)).collect();
        file.insert("peers".into(), Value::Array(peers));
        SecretJson::from(Value::Object(file)).to_text()
    }
}

/// Reads the card of a node: an entry of a sealed peers file without its token.
pub fn read_card(path: &Path) -> Result<Peer> {
    let card = SecretJson::read(path, MAX_CARD, CARD)?;
    peer(path, Dialect::Sealed, 0, card.value()).map(Peer::without_token)
}

/// The card of a node, which anybody may read.
pub fn card(peer: &Peer) -> String {
    SecretJson::from(entry(peer, false)).to_text().to_string()
}

const EXAMPLE: &str =
    "compare it with a file made by `reunite setup --local 3 --out DIR`, or with peers/local.json";
const TIER1_FILE: &str = "a tier-1 node needs the tier-1 peers file";

fn book(path: &Path, value: &Value) -> Result<PeerBook> {
    let Value::Object(file) = value else {
        return Err(at(path, None, "file").wrong("it is not a JSON object", EXAMPLE));
    };
    let network = text_of(file, at(path, None, "network"))?.to_owned();
    let dialect = match file.get("dialect") {
        None => Dialect::Sealed,
        Some(name) => name.as_str().and_then(Dialect::of_name).ok_or_else(|| {
            at(path, None, "dialect").wrong(
                "this version does not know it",
                "write \"sealed\", or \"classic\" for a network in clear",
            )
        })?,
    };
    let Some(Value::Array(list)) = file.get("peers") else {
        return Err(at(path, None, "peers").wrong("it is not a list", EXAMPLE));
    };
    let entries = list.iter().enumerate();
    let peers =
        entries.map(|(index, entry)| peer(path, dialect, index, entry)).collect::<Result<_>>();
    match dialect {
        Dialect::Classic => PeerBook::new(path, network, peers?),
        Dialect::Sealed => PeerBook::sealed(path, network, network_keys(path, file)?, peers?)
            .and_then(|book| Ok(book.with_beacons(beacons(path, file)?))),
    }
}

fn beacons(path: &Path, file: &Map<String, Value>) -> Result<Beacons> {
    let flag = |field, usual| match file.get(field) {
        None | Some(Value::Null) => Ok(usual),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(at(path, None, field).wrong("it is neither true nor false", EXAMPLE)),
    };
    let usual = Beacons::default();
    let (members, readers) =
        (flag("beacon", usual.members)?, flag("reader_beacon", usual.readers)?);
    Ok(Beacons { members, readers })
}

fn network_keys(path: &Path, file: &Map<String, Value>) -> Result<NetworkKeys> {
    let reader: SecretKey = key(file, at(path, None, "reader_key"), NETWORK_KEYS)?;
    let network = match file.get("network_key") {
        None | Some(Value::Null) => None,
        Some(_) => Some(key(file, at(path, None, "network_key"), NETWORK_KEYS)?),
    };
    let epoch = file.get("epoch").and_then(Value::as_u64).and_then(|epoch| epoch.try_into().ok());
    let epoch = epoch.filter(|epoch| *epoch > 0).ok_or_else(|| {
        at(path, None, "epoch").wrong("it is not a number from 1 to 65535", NETWORK_KEYS)
    })?;
    Ok(NetworkKeys { epoch, network, reader })
}

const NETWORK_KEYS: &str =
    "`reunite peers add` makes a whole file; a network in clear says \"dialect\": \"classic\"";

fn key<T: FromStr>(map: &Map<String, Value>, place: Place<'_>, advice: &str) -> Result<T> {
    match map.get(place.field) {
        None => Err(place.wrong("it is missing", advice)),
        // What stands there is not quoted: it may be most of a secret.
        Some(value) => value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| place.wrong("it is not 64 hexadecimal digits", advice)),
    }
}

fn peer(path: &Path, dialect: Dialect, index: usize, entry: &Value) -> Result<Peer> {
    let nth = |field| at_entry(path, index, field);
    let Value::Object(entry) = entry else {
        return Err(nth("entry").wrong("it is not a JSON object", EXAMPLE));
    };
    let number = match entry.get("number").and_then(Value::as_u64).map(PeerNumber::try_from) {
        Some(Ok(number)) => number,
        _ => return Err(nth("number").wrong("it is not a number from 1 to 999", EXAMPLE)),
    };
    let here = |field| at(path, Some(number), field);
    let organisation = text_of(entry, here("organisation"))?
        .parse()
        .map_err(|error: Error| here("organisation").wrong(cause(&error), EXAMPLE))?;
    let address = text_of(entry, here("address"))?.parse().map_err(|_| {
        here("address").wrong("it is not an IP address and port", "write it like 10.35.70.1:33001")
    })?;
    let token = match entry.get("token") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let digits = value.as_str().unwrap_or_default().as_bytes();
            Some(Token::try_from(digits).map_err(|error| {
                here("token").wrong(cause(&error), "make one with `reunite token`")
            })?)
        }
    };
    let peer = Peer::new(number, organisation, address, token);
    Ok(match dialect {
        Dialect::Classic => peer,
        Dialect::Sealed => peer.with_keys(PublicKeys {
            identity: key(entry, here("identity_key"), CARD)?,
            knock: key(entry, here("knock_key"), CARD)?,
        }),
    })
}

fn cause(error: &Error) -> String {
    match error {
        Error::Input { what, .. } => what.clone(),
        other => other.to_string(),
    }
}

fn text_of<'a>(map: &'a Map<String, Value>, place: Place<'_>) -> Result<&'a str> {
    match map.get(place.field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim()),
        Some(_) => Err(place.wrong("it is not a text", EXAMPLE)),
        None => Err(place.wrong("it is missing", EXAMPLE)),
    }
}

fn entry(peer: &Peer, with_token: bool) -> Value {
    let mut entry = json!({
        "number": peer.number.value(),
        "organisation": peer.organisation.to_string(),
        "address": peer.address.to_string(),
    });
    let Some(map) = entry.as_object_mut() else { return entry };
    if let (true, Some(token)) = (with_token, peer.token()) {
        let digits = String::from_utf8_lossy(token.expose()).into_owned();
        map.insert("token".into(), digits.into());
    }
    if let Some(keys) = peer.keys() {
        map.insert("identity_key".into(), keys.identity.to_string().into());
        map.insert("knock_key".into(), keys.knock.to_string().into());
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    const RIGHT: &str = r#"{"network": "n", "dialect": "classic", "peers": [
        {"number": 2, "organisation": "B", "address": "127.0.0.1:33002", "token": "747323719280"},
        {"number": 1, "organisation": "A", "address": "127.0.0.1:33001", "token": "149418626990"}]}"#;

    fn read(name: &str, text: &str) -> Result<PeerBook> {
        let path: PathBuf =
            std::env::temp_dir().join(format!("reunite-book-{name}-{}.json", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let book = PeerBook::read_tier1(&path);
        std::fs::remove_file(&path).expect("removed");
        book
    }

    #[test]
    fn a_book_is_sorted_and_finds_the_owner_of_a_token() {
        let book = read("right", RIGHT).expect("right");
        let token = Token::try_from(b"747323719280".as_slice()).expect("a token");
        assert_eq!(book.owner(&token).map(|peer| peer.number.value()), Some(2));
        let stranger = Token::try_from(b"747323719281".as_slice()).expect("a token");
        assert!(book.owner(&stranger).is_none());
        let me = PeerNumber::try_from(1).expect("a number");
        assert_eq!(book.others(me).count(), 1);
    }

    #[test]
    fn what_is_written_is_read_again_and_tier_2_gets_no_tokens() {
        let book = read("json", RIGHT).expect("right");
        let again = read("again", &book.to_json(true)).expect("right");
        assert_eq!(again.to_json(true), book.to_json(true));
        assert!(!book.to_json(false).contains("token"));
    }

    #[test]
    fn every_error_names_file_peer_and_field_and_no_token() {
        let cases = [
            ("", "line 1", "JSON"),
            ("[]", "file", "object"),
            (&RIGHT.replace("classic", "loud"), "dialect", "does not know"),
            (&RIGHT.replace("\"dialect\": \"classic\",", ""), "reader_key", "missing"),
            (&RIGHT.replace("\"n\"", "7"), "network", "text"),
            (&RIGHT.replace("\"number\": 1", "\"number\": 0"), "entry 2, number", "1 to 999"),
            (&RIGHT.replace("\"number\": 1", "\"number\": 2"), "peer 2, number", "same"),
            (&RIGHT.replace("33001", "33002"), "peer 2, address", "same"),
            (&RIGHT.replace("127.0.0.1:33001", "yangon"), "peer 1, address", "IP address"),
            (&RIGHT.replace("\"A\"", "\"\\u001b\""), "peer 1, organisation", "control"),
            (&RIGHT.replace("149418626990", "14941862699x"), "peer 1, token", "twelve digits"),
            (&RIGHT.replace("149418626990", "747323719280"), "peer 2, token", "same"),
            (&RIGHT.replace(", \"token\": \"149418626990\"", ""), "peer 1, token", "missing"),
        ];
        for (at, (text, place, what)) in cases.into_iter().enumerate() {
            let error = read(&format!("wrong{at}"), text).expect_err(text);
            let line = error.to_string();
            assert!(
                line.contains(".json") && line.contains(place) && line.contains(what),
                "{line}"
            );
            assert!(error.advice().is_some());
            assert!(!line.contains("1494186") && !line.contains("7473237"), "{line}");
        }
    }

    fn sealed() -> PeerBook {
        let peer = |number: u64| {
            let keys = PublicKeys {
                identity: [number as u8; 32].into(),
                knock: [number as u8 + 100; 32].into(),
            };
            let token = Token::random(&mut rand::rng());
            let address = ([127, 0, 0, 1], 33_000 + number as u16).into();
            let number = number.try_into().expect("1 to 999");
            Peer::new(number, "A".parse().expect("a name"), address, Some(token)).with_keys(keys)
        };
        let keys = NetworkKeys::random(&mut rand::rng());
        PeerBook::sealed(Path::new("test"), "n".into(), keys, vec![peer(2), peer(1)])
            .expect("right")
    }

    #[test]
    fn a_sealed_book_comes_back_with_its_keys_and_is_meant_where_no_dialect_is_named() {
        let book = sealed();
        let text = book.to_json(true);
        let again = read("sealed", &text).expect("right");
        assert_eq!(again.to_json(true), text);
        assert_eq!(again.dialect(), Dialect::Sealed);
        assert!(again.network_keys().is_some_and(|keys| keys.network.is_some()));
        assert!(again.all().iter().all(|peer| peer.keys().is_some() && peer.token().is_some()));
        let unnamed =
            read("unnamed", &text.replace("\"dialect\": \"sealed\",", "")).expect("right");
        assert_eq!(unnamed.dialect(), Dialect::Sealed);
        let classic = read("named", RIGHT).expect("right");
        assert!(classic.dialect() == Dialect::Classic && classic.network_keys().is_none());
    }

    #[test]
    fn a_tier_2_file_has_no_secret_of_tier_1_and_a_tier_1_node_refuses_it() {
        let book = sealed();
        let public = book.to_json(false);
        assert!(!public.contains("token") && !public.contains("network_key"));
        let path = std::env::temp_dir().join(format!("reunite-book-tiers-{}", std::process::id()));
        for text in [&public, &book.to_json(true)] {
            std::fs::write(&path, text).expect("written");
            let reader = PeerBook::read_tier2(&path).expect("right");
            assert_eq!(reader.to_json(true), public);
            assert_eq!(reader.network_keys().map(|keys| keys.epoch), Some(1));
        }
        std::fs::remove_file(&path).expect("removed");
        let error = read("tier2", &public).expect_err("no network key").to_string();
        assert!(error.contains("network_key: it is missing"), "{error}");
        assert!(book.names().network_keys().is_none());
    }

    #[test]
    fn every_error_of_a_sealed_file_names_its_place_and_no_secret() {
        let book = sealed();
        let text = book.to_json(true);
        let without = |field: &str| text.replace(&format!("\"{field}"), "\"other");
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let knock = |byte: u8| format!("{byte:02x}").repeat(32);
        let cases = [
            (without("reader_key"), "reader_key", "missing"),
            (without("network_key"), "network_key", "missing"),
            (without("epoch"), "epoch", "number"),
            (text.replace("\"epoch\": 1", "\"epoch\": 65536"), "epoch", "number"),
            (text.replace("\"epoch\": 1", "\"epoch\": 0"), "epoch", "number"),
            (without("identity_key"), "peer 1, identity_key", "missing"),
            (text.replace(&one, &two), "peer 2, identity_key", "same"),
            (text.replace(&one, &one[1..]), "peer 1, identity_key", "64 hexadecimal"),
            (text.replace(&knock(101), &knock(102)), "peer 2, knock_key", "same"),
            (text.replace(&knock(101), "x"), "peer 1, knock_key", "64 hexadecimal"),
            (text.replace("\"reader_key\": \"", "\"reader_key\": \"0"), "reader_key", "64 hexa"),
            (text.replace("\"epoch\"", "\"beacon\": 1, \"epoch\""), "beacon", "neither true nor"),
        ];
        let secret = hex::digits(book.network_keys().expect("sealed").reader.expose());
        for (at, (text, place, what)) in cases.iter().enumerate() {
            let error = read(&format!("sealed{at}"), text).expect_err(place);
            let line = error.to_string();
            assert!(line.contains(place) && line.contains(what), "{at}: {line}");
            assert!(error.advice().is_some() && !line.contains(&secret[..8]));
        }
    }

    #[test]
    fn which_beacons_are_lit_is_written_only_if_it_is_not_the_usual_and_never_in_a_classic_network()
    {
        let text = sealed().to_json(true);
        assert!(!text.contains("beacon"));
        assert_eq!(read("usual", &text).expect("right").beacons(), Beacons::default());
        let dark = Beacons { members: false, readers: true };
        let text = sealed().with_beacons(dark).to_json(true);
        let again = read("dark", &text).expect("right");
        assert_eq!((again.beacons(), again.names().beacons()), (dark, dark));
        assert_eq!(again.to_json(true), text);
        let classic = read("classic", RIGHT).expect("right").with_beacons(Beacons::default());
        assert!(!classic.beacons().members && !classic.to_json(true).contains("beacon"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_file_is_read_or_refused_without_a_panic(at in 0usize..RIGHT.len(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = RIGHT.as_bytes().to_vec();
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            let _ = read("fuzz", &String::from_utf8_lossy(&bytes));
        }
    }
}
