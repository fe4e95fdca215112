//! The peers file: who belongs to the network, where they are, and how they prove who they are.
//!
//! ```json
//! { "network": "…", "dialect": "classic",
//!   "peers": [ { "number": 1, "organisation": "…", "address": "127.0.0.1:33001", "token": "…" } ] }
//! ```
//!
//! A tier-2 file has no tokens. Every error names the file, the peer and the field, and never a token.

use crate::base::error::{Error, Result};
use crate::model::ids::{Organisation, PeerNumber};
use crate::model::limits::{MAX_PEERS, MAX_PEERS_FILE};
use crate::model::secret::Token;
use crate::store::files;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::path::Path;
use zeroize::Zeroize;

/// One node of the network.
#[derive(Debug)]
pub struct Peer {
    /// The number by which people know it.
    pub number: PeerNumber,
    /// Whose it is.
    pub organisation: Organisation,
    /// Where its listener is.
    pub address: SocketAddr,
    /// Its token; none in a tier-2 file.
    token: Option<Token>,
}

/// All nodes of a network, sorted by number.
#[derive(Debug)]
pub struct PeerBook {
    network: String,
    peers: Vec<Peer>,
}

impl Peer {
    /// A peer as the original's token file gives it.
    pub fn new(
        number: PeerNumber,
        organisation: Organisation,
        address: SocketAddr,
        token: Option<Token>,
    ) -> Self {
        Self { number, organisation, address, token }
    }

    /// Its token. Every peer of a book read with `read_tier1` has one.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

impl PeerBook {
    /// Reads the peers file of a tier-1 node: every peer must have its token.
    pub fn read_tier1(path: &Path) -> Result<Self> {
        let book = Self::read(path)?;
        match book.peers.iter().find(|peer| peer.token.is_none()) {
            None => Ok(book),
            Some(peer) => Err(at(path, Some(peer.number), "token").wrong(
                "it is missing",
                "a tier-1 node needs the tier-1 peers file; make a token with `reunite token`",
            )),
        }
    }

    /// Reads the peers file of a tier-2 node. Tokens in it are not kept: a refugee's device needs none.
    pub fn read_tier2(path: &Path) -> Result<Self> {
        let mut book = Self::read(path)?;
        if book.peers.iter().any(|peer| peer.token.is_some()) {
            log::warn!(
                "{}: a tier-2 node needs no tokens; give it the tier-2 peers file",
                path.display()
            );
        }
        for peer in &mut book.peers {
            peer.token = None;
        }
        Ok(book)
    }

    /// A book of these peers, checked as if it had been read from `path`.
    pub fn new(path: &Path, network: String, mut peers: Vec<Peer>) -> Result<Self> {
        peers.sort_by_key(|peer| peer.number);
        if peers.is_empty() || peers.len() > MAX_PEERS {
            return Err(at(path, None, "peers")
                .wrong(format!("there are {} of them", peers.len()), "list 1 to 999 peers"));
        }
        for (index, peer) in peers.iter().enumerate() {
            for other in peers.iter().skip(index + 1) {
                let same_token = match (&peer.token, &other.token) {
                    (Some(one), Some(another)) => one.matches(another),
                    _ => false,
                };
                let field = if peer.number == other.number {
                    "number"
                } else if peer.address == other.address {
                    "address"
                } else if same_token {
                    "token"
                } else {
                    continue;
                };
                return Err(at(path, Some(other.number), field).wrong(
                    format!("peer {} has the same", peer.number),
                    "give each peer its own",
                ));
            }
        }
        Ok(Self { network, peers })
    }

    fn read(path: &Path) -> Result<Self> {
        let mut text = files::read_text(path, MAX_PEERS_FILE)?;
        let parsed = serde_json::from_str::<Value>(&text);
        text.zeroize();
        let value = parsed.map_err(|error| {
            // Only the place: the message of serde_json can quote what stands there.
            Error::input(
                format!("{}, line {}, column {}", path.display(), error.line(), error.column()),
                "this is not JSON",
                "compare it with peers/local.json",
            )
        })?;
        let Value::Object(file) = value else {
            return Err(at(path, None, "file").wrong("it is not a JSON object", EXAMPLE));
        };
        let network = text_of(&file, at(path, None, "network"))?.to_owned();
        check_dialect(&file, path)?;
        let Some(Value::Array(list)) = file.get("peers") else {
            return Err(at(path, None, "peers").wrong("it is not a list", EXAMPLE));
        };
        let peers = list.iter().enumerate().map(|(index, entry)| peer(path, index, entry));
        Self::new(path, network, peers.collect::<Result<_>>()?)
    }

    /// The name of the network.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// All nodes, this one included.
    pub fn all(&self) -> &[Peer] {
        &self.peers
    }

    /// All nodes but `me`.
    pub fn others(&self, me: PeerNumber) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(move |peer| peer.number != me)
    }

    /// The node with this number.
    pub fn peer(&self, number: PeerNumber) -> Option<&Peer> {
        let index = self.peers.binary_search_by_key(&number, |peer| peer.number).ok()?;
        self.peers.get(index)
    }

    /// Whose token this is. It is compared with all of them, each in constant time.
    pub fn owner(&self, token: &Token) -> Option<&Peer> {
        let mut owner = None;
        for peer in &self.peers {
            if peer.token.as_ref().is_some_and(|own| own.matches(token)) {
                owner = Some(peer);
            }
        }
        owner
    }

    /// The same peers without their tokens: all that a screen needs.
    pub fn names(&self) -> Self {
        let name =
            |peer: &Peer| Peer::new(peer.number, peer.organisation.clone(), peer.address, None);
        Self { network: self.network.clone(), peers: self.peers.iter().map(name).collect() }
    }

    /// Writes the book as a peers file, with its tokens or, for tier 2, without.
    pub fn to_json(&self, with_tokens: bool) -> String {
        let peers: Vec<_> = self.peers.iter().map(|peer| entry(peer, with_tokens)).collect();
        let file = json!({ "network": self.network, "dialect": "classic", "peers": peers });
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }
}

const EXAMPLE: &str = "peers/local.json is an example";

struct Place<'a> {
    path: &'a Path,
    peer: Option<String>,
    field: &'static str,
}

fn at<'a>(path: &'a Path, peer: Option<PeerNumber>, field: &'static str) -> Place<'a> {
    Place { path, peer: peer.map(|number| format!("peer {number}")), field }
}

impl Place<'_> {
    fn wrong(self, what: impl Into<String>, advice: impl Into<String>) -> Error {
        let peer = self.peer.map_or(String::new(), |peer| format!("{peer}, "));
        Error::input(format!("{}: {peer}{}", self.path.display(), self.field), what, advice)
    }
}

fn check_dialect(file: &Map<String, Value>, path: &Path) -> Result<()> {
    match file.get("dialect").map(Value::as_str) {
        Some(Some("classic")) => Ok(()),
        None => Err(at(path, None, "dialect").wrong(
            "it is missing",
            "this version speaks the classic dialect, in clear: write \"dialect\": \"classic\"",
        )),
        Some(_) => Err(at(path, None, "dialect")
            .wrong("this version does not know it", "write \"dialect\": \"classic\"")),
    }
}

fn peer(path: &Path, index: usize, entry: &Value) -> Result<Peer> {
    let nth = |field| Place { path, peer: Some(format!("entry {}", index + 1)), field };
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
    Ok(Peer { number, organisation, address, token })
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
    if let (true, Some(token), Some(map)) = (with_token, &peer.token, entry.as_object_mut()) {
        let digits = String::from_utf8_lossy(token.expose()).into_owned();
        map.insert("token".to_owned(), Value::String(digits));
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
            (&RIGHT.replace("\"dialect\": \"classic\",", ""), "dialect", "missing"),
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
