//! Who belongs to the network, where they are, and how they prove who they are: the peers file in memory.
//!
//! `peers_file` reads and writes it. Every error names the file, the peer and the field, and never a secret.

use crate::base::error::{Error, Result};
use crate::model::dialect::Dialect;
use crate::model::ids::{Organisation, PeerNumber};
use crate::model::keys::{IdentityKey, NetworkKeys, PublicKeys};
use crate::model::limits::MAX_PEERS;
use crate::model::secret::Token;
use std::net::SocketAddr;
use std::path::Path;

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
    /// Its public keys; none in a classic network.
    keys: Option<PublicKeys>,
    /// Where else to look for it, as the ledger says.
    further: Vec<SocketAddr>,
}

/// Which beacons a network lights on the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacons {
    /// Its nodes find each other by them.
    pub members: bool,
    /// Readers find its nodes by them.
    pub readers: bool,
}

impl Default for Beacons {
    fn default() -> Self {
        Self { members: true, readers: false }
    }
}

/// All nodes of a network, sorted by number.
#[derive(Debug)]
pub struct PeerBook {
    network: String,
    dialect: Dialect,
    keys: Option<NetworkKeys>,
    peers: Vec<Peer>,
    beacons: Beacons,
}

impl Peer {
    /// A peer as the original's token file gives it.
    pub fn new(
        number: PeerNumber,
        organisation: Organisation,
        address: SocketAddr,
        token: Option<Token>,
    ) -> Self {
        Self { number, organisation, address, token, keys: None, further: Vec::new() }
    }

    /// The same peer with the keys that a sealed network pins.
    pub fn with_keys(self, keys: PublicKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The same peer, which may be at these addresses too.
    pub fn with_further(self, further: Vec<SocketAddr>) -> Self {
        Self { further, ..self }
    }

    /// Where else to look for it, the likeliest first.
    pub fn further(&self) -> &[SocketAddr] {
        &self.further
    }

    /// The same peer without its token.
    pub fn without_token(self) -> Self {
        Self { token: None, ..self }
    }

    /// The same peer with this token.
    pub fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same peer again, for another book.
    pub fn again(&self) -> Self {
        let copy = |token: &Token| Token::try_from(token.expose().as_slice()).ok();
        Self {
            number: self.number,
            organisation: self.organisation.clone(),
            address: self.address,
            token: self.token.as_ref().and_then(copy),
            keys: self.keys,
            further: self.further.clone(),
        }
    }

    /// Its token. Every peer of a book read with `read_tier1` has one.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Its public keys. Every peer of a sealed book has them.
    pub fn keys(&self) -> Option<&PublicKeys> {
        self.keys.as_ref()
    }

    /// What it has in common with `other` and must not: the field of the peers file.
    fn shares(&self, other: &Self) -> Option<&'static str> {
        let same_token = match (&self.token, &other.token) {
            (Some(one), Some(another)) => one.matches(another),
            _ => false,
        };
        let same = |part: fn(&PublicKeys) -> &[u8; 32]| {
            self.keys
                .as_ref()
                .map(part)
                .is_some_and(|key| other.keys.as_ref().map(part) == Some(key))
        };
        if self.number == other.number {
            Some("number")
        } else if self.address == other.address {
            Some("address")
        } else if same_token {
            Some("token")
        } else if same(|keys| keys.identity.as_bytes()) {
            Some("identity_key")
        } else if same(|keys| keys.knock.as_bytes()) {
            Some("knock_key")
        } else {
            None
        }
    }
}

impl PeerBook {
    /// A classic book of these peers, checked as if it had been read from `path`.
    pub fn new(path: &Path, network: String, peers: Vec<Peer>) -> Result<Self> {
        Self::checked(path, network, None, peers)
    }

    /// A sealed book of these peers, checked as if it had been read from `path`: each must have its keys.
    pub fn sealed(
        path: &Path,
        network: String,
        keys: NetworkKeys,
        peers: Vec<Peer>,
    ) -> Result<Self> {
        Self::checked(path, network, Some(keys), peers)
    }

    /// A sealed book of members of a network, who have nothing in common but perhaps an address: what
    /// somebody says of where they are must not make the book of all others unreadable.
    pub fn of_members(network: String, keys: NetworkKeys, mut peers: Vec<Peer>) -> Self {
        peers.sort_by_key(|peer| peer.number);
        let beacons = Beacons::default();
        Self { network, dialect: Dialect::Sealed, keys: Some(keys), peers, beacons }
    }

    fn checked(
        path: &Path,
        network: String,
        keys: Option<NetworkKeys>,
        mut peers: Vec<Peer>,
    ) -> Result<Self> {
        peers.sort_by_key(|peer| peer.number);
        if peers.is_empty() || peers.len() > MAX_PEERS {
            return Err(at(path, None, "peers")
                .wrong(format!("there are {} of them", peers.len()), "list 1 to 999 peers"));
        }
        for (index, peer) in peers.iter().enumerate() {
            if keys.is_some() && peer.keys.is_none() {
                return Err(
                    at(path, Some(peer.number), "identity_key").wrong("it is missing", CARD)
                );
            }
            for other in peers.iter().skip(index + 1) {
                if let Some(field) = peer.shares(other) {
                    return Err(at(path, Some(other.number), field).wrong(
                        format!("peer {} has the same", peer.number),
                        "give each peer its own",
                    ));
                }
            }
        }
        let dialect = if keys.is_some() { Dialect::Sealed } else { Dialect::Classic };
        Ok(Self { network, dialect, keys, peers, beacons: Beacons::default() })
    }

    /// The same book with these beacons.
    pub fn with_beacons(self, beacons: Beacons) -> Self {
        Self { beacons, ..self }
    }

    /// Which beacons it lights: in a classic network none, whatever its file says.
    pub fn beacons(&self) -> Beacons {
        match self.dialect {
            Dialect::Sealed => self.beacons,
            Dialect::Classic => Beacons { members: false, readers: false },
        }
    }

    /// The name of the network.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// What it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The keys that its nodes share: in a sealed network, but not in the book that `names` makes.
    pub fn network_keys(&self) -> Option<&NetworkKeys> {
        self.keys.as_ref()
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

    /// Whether one of the nodes signs with this key.
    pub fn knows(&self, key: &IdentityKey) -> bool {
        self.signer(key).is_some()
    }

    /// The node that signs with this key.
    pub fn signer(&self, key: &IdentityKey) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.keys.is_some_and(|keys| keys.identity == *key))
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

    /// The same peers without any secret: all that a screen needs.
    pub fn names(&self) -> Self {
        let name = |peer: &Peer| peer.again().without_token();
        Self {
            network: self.network.clone(),
            dialect: self.dialect,
            keys: None,
            peers: self.peers.iter().map(name).collect(),
            beacons: self.beacons,
        }
    }

    /// Forgets what only tier-1 nodes may know. Returns whether there was anything.
    pub fn forget_secrets(&mut self) -> bool {
        let had_key = self.keys.as_mut().is_some_and(|keys| keys.network.take().is_some());
        let tokens = self.peers.iter_mut().filter_map(|peer| peer.token.take()).count();
        had_key || tokens > 0
    }

    /// The parts of the book, to make another of them.
    pub fn into_parts(self) -> (String, Option<NetworkKeys>, Vec<Peer>) {
        (self.network, self.keys, self.peers)
    }
}

/// Where the keys of a peer come from.
pub const CARD: &str = "copy it from the node's card, which `reunite setup` prints on that node";

/// A place in a peers file, for an error.
pub struct Place<'a> {
    path: &'a Path,
    peer: Option<String>,
    /// The field.
    pub field: &'static str,
}

/// The place of a field of the file, or of a peer in it.
pub fn at<'a>(path: &'a Path, peer: Option<PeerNumber>, field: &'static str) -> Place<'a> {
    Place { path, peer: peer.map(|number| format!("peer {number}")), field }
}

/// The place of a field of an entry whose peer is not known yet; the first is 0.
pub fn at_entry<'a>(path: &'a Path, index: usize, field: &'static str) -> Place<'a> {
    Place { path, peer: Some(format!("entry {}", index + 1)), field }
}

impl Place<'_> {
    /// The error that says what is wrong here, and what to do about it.
    pub fn wrong(self, what: impl Into<String>, advice: impl Into<String>) -> Error {
        let peer = self.peer.map_or(String::new(), |peer| format!("{peer}, "));
        Error::input(format!("{}: {peer}{}", self.path.display(), self.field), what, advice)
    }
}
