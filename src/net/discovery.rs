//! Finds peers on the local network, and is found: sends beacons, hears those of others, and has who says to be at a new
//! address called there. A beacon alone changes nothing.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::base::throttle::Throttle;
use crate::model::beacon::{
    Audience, Beacon, HEADS_BYTES, Ignored, Lamp, Rhythm, Seal, Sighting, Watch,
};
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::limits::{BEACON_PORTS, LOOK_AT_ADDRESSES, WOKEN_LOOK};
use crate::model::liveness::State;
use crate::model::rumour::Apart;
use crate::net::addresses::Addresses;
use crate::net::context::{Context, Order};
use crate::net::ears::Ears;
use crate::net::members::Standing;
use crate::net::sealed::Sealed;
use crate::net::udp::{Broadcasts, broadcast};
use crate::store::peer_book::{Peer, PeerBook};
use rand::seq::IndexedRandom;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

/// What a node needs to be found.
#[derive(Debug)]
pub struct Lighthouse {
    lamps: Vec<Lamp>,
    watch: Watch,
    boot: u64,
    count: u32,
}

impl Lighthouse {
    /// That of the node `me`; `boot` is the number of its start. `None` if its network lights no beacons.
    pub fn new(book: &PeerBook, me: PeerNumber, identity: &Identity, boot: u64) -> Option<Self> {
        let beacons = book.beacons();
        let keys = book.network_keys().filter(|_| beacons.members)?;
        let seal = |audience| Seal::new(audience, keys, book.network());
        let mut lamps = vec![Lamp::new(seal(Audience::Members)?, identity)];
        if beacons.readers {
            lamps.push(Lamp::new(seal(Audience::Readers)?, identity));
        }
        let watch = Watch::new(seal(Audience::Members)?, Some(me), members(book));
        Some(Self { lamps, watch, boot, count: 0 })
    }
}

fn members(book: &PeerBook) -> impl Iterator<Item = (PeerNumber, IdentityKey)> {
    book.all().iter().filter_map(|peer| Some((peer.number, peer.keys()?.identity)))
}

/// Sends and hears beacons, and follows the addresses of this machine, until the node stops. `is_there` is whether the
/// node listens at the address of the peers file already.
pub fn run(
    context: &Arc<Context>,
    sealed: &Arc<Sealed>,
    house: Lighthouse,
    is_there: bool,
) -> Result<()> {
    let start = context.members.now();
    let own = start.book.peer(start.me).ok_or(Error::Stopped)?;
    let (now, port) = (Instant::now(), own.address.port());
    let mut keeper = Keeper {
        context,
        house,
        known: Arc::clone(&start),
        ears: Ears::new(own.address, is_there),
        rhythm: Rhythm::new(now),
        troubles: Throttle::default(),
        apart: Apart::default(),
    };
    keeper.house.watch.follow(Some(start.me), members(&start.book));
    // The first look is no change: the node has just told all that it started.
    keeper.ears.follow(context, sealed);
    let mut look = now + LOOK_AT_ADDRESSES;
    let mut broadcasts = None;
    while !context.stop.is_set() {
        keeper.follow();
        let now = Instant::now();
        if look <= now {
            look = now + LOOK_AT_ADDRESSES;
            if keeper.ears.follow(context, sealed) {
                log::info!("this machine has another address: telling all peers");
                keeper.rhythm.hurry(now);
                context.order(Order::Moved);
            }
        }
        if keeper.rhythm.is_due(now) {
            keeper.light();
            keeper.rhythm.lit(now, rand::random());
        }
        let next = look.min(keeper.rhythm.next()).saturating_duration_since(Instant::now());
        if broadcasts.is_none() {
            broadcasts = keeper.opened(Broadcasts::on([port]));
        }
        match &broadcasts {
            Some(broadcasts) => {
                broadcasts.hear(next, &context.stop, |bytes, from| {
                    keeper.follow();
                    keeper.hear(bytes, from);
                });
            }
            None => {
                context.stop.wait(next);
            }
        }
    }
    Ok(())
}

struct Keeper<'a> {
    context: &'a Arc<Context>,
    house: Lighthouse,
    /// Whose beacons are heard.
    known: Arc<Standing>,
    ears: Ears,
    rhythm: Rhythm,
    troubles: Throttle,
    apart: Apart,
}

impl Keeper<'_> {
    fn opened<T>(&mut self, opened: std::io::Result<T>) -> Option<T> {
        opened
            .map_err(|cause| {
                if let Some(hushed) = self.troubles.note(Instant::now()) {
                    log::warn!("no beacons are heard: {cause}; {hushed} such before");
                }
            })
            .ok()
    }

    /// Hears those who belong to the network now, and nobody else.
    fn follow(&mut self) {
        let now = self.context.members.now();
        if !Arc::ptr_eq(&now, &self.known) {
            self.house.watch.follow(Some(now.me), members(&now.book));
            self.apart.keep(|peer| now.book.peer(peer).is_some());
            self.known = now;
        }
    }

    fn light(&mut self) {
        let context = self.context;
        let now = context.members.now();
        let Some(own) = now.book.peer(now.me) else { return };
        let ports = ports(&context.addresses, &now.book);
        let heads = half(&context.database.heads().digest());
        let (boot, count) = (self.house.boot, self.house.count);
        for ip in self.ears.open() {
            let address = SocketAddrV4::new(ip, own.address.port());
            for lamp in &self.house.lamps {
                // Readers have nothing to compare it with, and need not see that something changes.
                let heads = match lamp.audience() {
                    Audience::Members => heads,
                    Audience::Readers => [0; HEADS_BYTES],
                };
                let beacon = Beacon { member: own.number, boot, count, address, heads };
                let lit = lamp.light(&beacon, rand::random());
                if let Err(cause) = broadcast(ip, &ports, &lit) {
                    log::debug!("a beacon from {ip}: {cause}");
                }
            }
        }
        self.house.count = self.house.count.saturating_add(1);
    }

    fn hear(&mut self, bytes: &[u8], from: SocketAddr) {
        match self.house.watch.datagram(bytes, from, Instant::now()) {
            Ok(sighting) => self.sighted(sighting),
            Err(Ignored::Own | Ignored::Stranger | Ignored::Old) => {}
            Err(why) => {
                if let Some(hushed) = self.troubles.note(Instant::now()) {
                    log::warn!("a beacon from {from} is ignored ({why:?}); {hushed} such before");
                }
            }
        }
    }

    fn sighted(&mut self, Sighting { member, address, heads }: Sighting) {
        let context = self.context;
        let book = context.book();
        let Some(peer) = book.peer(member) else { return };
        context.monitor.said(member, heads);
        if context.addresses.sighted(peer, address) {
            log::info!("peer {member} says that it is at {address}");
            context.order(Order::Returned(member));
        } else if matches!(context.monitor.state(member), State::Quiet(_)) {
            context.order(Order::Returned(member));
        } else if self.apart.are(member, half(&context.database.heads().digest()), heads) {
            context.order(Order::Differs(member, self.house.watch.near(Instant::now())));
        }
    }
}

fn half(digest: &[u8; 32]) -> [u8; HEADS_BYTES] {
    *digest.first_chunk().expect("32 bytes have 16")
}

/// The ports to which a beacon goes.
fn ports(addresses: &Addresses, book: &PeerBook) -> Vec<u16> {
    let ports = addresses.ports(book);
    ports.sample(&mut rand::rng(), BEACON_PORTS).copied().collect()
}

// --- tier 2 ---

/// Hears the beacons for readers until `stop`, if the network lights them: a tier-2 node sends none.
pub fn listen_as_reader(book: &PeerBook, addresses: &Addresses, stop: &Stop) -> Result<()> {
    let keys = book.network_keys().filter(|_| book.beacons().readers);
    let seal = keys.and_then(|keys| Seal::new(Audience::Readers, keys, book.network()));
    let Some(seal) = seal else { return Ok(()) };
    let mut watch = Watch::new(seal, None, members(book));
    let broadcasts = Broadcasts::on(ports(addresses, book))
        .map_err(|cause| Error::device("listen to beacons", cause))?;
    while !stop.is_set() {
        broadcasts.hear(WOKEN_LOOK, stop, |bytes, from| {
            let Ok(sighting) = watch.datagram(bytes, from, Instant::now()) else { return };
            let peer: Option<&Peer> = book.peer(sighting.member);
            if peer.is_some_and(|peer| addresses.sighted(peer, sighting.address)) {
                log::info!("node {} says that it is at {}", sighting.member, sighting.address);
            }
        });
    }
    Ok(())
}
