//! What a tier-1 node of a sealed network has besides: its keys, its gate, its places.

use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::datagram::Datagrams;
use crate::model::gate::Gate;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::SecretKey;
use crate::model::secret::Token;
use crate::model::statement::Signer;
use crate::model::x25519::Own;
use crate::net::admission::Places;
use crate::net::phone::Phone;
use crate::net::tls::Credentials;
use crate::store::peer_book::{Peer, PeerBook};
use std::sync::Mutex;
use std::time::Instant;

/// The sealed side of a node.
#[derive(Debug)]
pub struct Sealed {
    /// Decides on datagrams.
    pub gate: Mutex<Gate>,
    /// What this node is in TLS.
    pub credentials: Credentials,
    /// Calls others.
    pub phone: Phone,
    /// Doors and sessions, of which there are only so many.
    pub places: Places,
    /// Its keys for knocks.
    pub own: Mutex<Own>,
    /// Signs what it gives to readers.
    pub signer: Signer,
}

impl Sealed {
    /// The sealed side of the node `me` with this identity.
    pub fn new(book: &PeerBook, me: PeerNumber, identity: &Identity) -> Result<Self> {
        let keys = book.network_keys().ok_or_else(lacking)?;
        let credentials = Credentials::of(identity)?;
        let phone = Phone { datagrams: Datagrams::new(keys), credentials: credentials.clone() };
        let others = book.others(me).filter_map(Peer::keys).map(|keys| keys.knock);
        let own = Own::knowing(SecretKey::from(*identity.knock_secret().expose()), others);
        let mut gate = Gate::new(keys, own.copy(), rand::random(), Instant::now());
        for peer in book.others(me) {
            let (keys, token) = peer.keys().zip(peer.token()).ok_or_else(lacking)?;
            gate.admit(peer.number, keys.knock, token.copy(), peer.address.ip());
        }
        let (places, signer) = (Places::default(), Signer::new(identity, book.network()));
        let (gate, own) = (Mutex::new(gate), Mutex::new(own));
        Ok(Self { gate, credentials, phone, places, own, signer })
    }

    /// These are the members now, and this node is `me` among them: the gate lets in nobody else.
    pub fn follow(&self, book: &PeerBook, me: PeerNumber) {
        let others = || book.others(me).filter_map(|peer| Some((peer, peer.keys()?.knock)));
        // It takes long for many newcomers: nobody waits for it at the gate.
        let before = lock(&self.own).copy();
        let own = before.knowing_now(others().map(|(_, key)| key));
        let mut gate = lock(&self.gate);
        gate.keep(&others().map(|(_, key)| key).collect(), own.copy());
        for (peer, key) in others() {
            let Some(token) = peer.token() else { continue };
            if !gate.admits(peer.number, &key, token) {
                gate.admit(peer.number, key, token.copy(), peer.address.ip());
            }
        }
        drop(gate);
        *lock(&self.own) = own;
    }

    /// The token that this node shows when it knocks.
    pub fn own_token(book: &PeerBook, me: PeerNumber) -> Result<&Token> {
        book.peer(me).and_then(Peer::token).ok_or_else(lacking)
    }
}

/// A peer without keys: no sealed book has one.
pub fn lacking() -> Error {
    Error::input("peers file", "it lacks keys of a sealed network", "take the tier-1 peers file")
}
