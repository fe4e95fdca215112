//! The beacon: one datagram of fixed size by which a node says to all on the local network where it is. To who has
//! not the key it is random bytes: no header, no name, no two alike.
//!
//! ```text
//! beacon = nonce 12  sealed( body 37  signature 64 )  tag 16                                  129 bytes
//! body   = version u8  member u16  boot u64  count u32  ip 4  port u16  heads 16
//! ```
//!
//! It is sealed by ChaCha20-Poly1305 (RFC 8439) under a key that follows from the network key or, for readers, from
//! the reader key, and signed inside by its node: who shares the key cannot speak in another's name. The address in
//! it must be the one that it comes from, so a copy sent from elsewhere says nothing; `(boot, count)` must rise, so
//! neither does a copy sent again, to who has heard it since it started. For all that it is a hint: `net` takes an address only after a handshake there.

use crate::model::bucket::Buckets;
use crate::model::codec::{Decoder, Encoder};
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::{IdentityKey, NetworkKeys, SecretKey};
use crate::model::limits::{
    BEACON_EVERY, BEACON_GAP, BEACON_JITTER, BEACON_QUICK, BEACON_SOURCES, BEACONS_BURST,
    BEACONS_ELSEWHERE_BURST, BEACONS_ELSEWHERE_RATE, BEACONS_RATE, LOWEST_PORT,
};
use crate::model::statement::SIGNATURE_BYTES;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Bytes of a beacon.
pub const BEACON: usize = NONCE_LEN + BODY + SIGNATURE_BYTES + TAG;
/// Bytes of the part of the heads' hash that stands in a beacon.
pub const HEADS_BYTES: usize = 16;
const BODY: usize = 1 + 2 + 8 + 4 + 4 + 2 + HEADS_BYTES;
const TAG: usize = 16;
const VERSION: u8 = 1;
/// A member of which no beacon came for so long is not near: three were missed.
const NEAR: Duration = BEACON_EVERY.saturating_add(BEACON_JITTER).saturating_mul(3);
/// Keeps these signatures apart from all others that the key makes.
const CONTEXT: &[u8] = b"reunite beacon 1";

/// Whom a beacon is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The tier-1 nodes.
    Members,
    /// The tier-2 nodes too.
    Readers,
}

/// What a beacon says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Whose it is.
    pub member: PeerNumber,
    /// Which start of the node it is; rises.
    pub boot: u64,
    /// Which beacon since then it is; rises.
    pub count: u32,
    /// Where its listener is.
    pub address: SocketAddrV4,
    /// The first half of the hash of its heads: whether its ledger is ours. Nothing that readers could know by.
    pub heads: [u8; HEADS_BYTES],
}

impl Beacon {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::of_kind(VERSION);
        out.u16(self.member.value()).u64(self.boot).u32(self.count);
        out.bytes(&self.address.ip().octets()).u16(self.address.port()).bytes(&self.heads);
        out.done()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Decoder::new(bytes);
        if from.u8().ok()? != VERSION {
            return None;
        }
        let member = PeerNumber::try_from(u64::from(from.u16().ok()?)).ok()?;
        let (boot, count) = (from.u64().ok()?, from.u32().ok()?);
        let ip = Ipv4Addr::from(from.array::<4>().ok()?);
        let address = SocketAddrV4::new(ip, from.u16().ok()?);
        let heads = from.array().ok()?;
        from.finish().ok()?;
        Some(Self { member, boot, count, address, heads })
    }
}

/// Seals and opens the beacons of one network for one audience.
pub struct Seal {
    key: LessSafeKey,
    audience: Audience,
    epoch: u16,
    network: String,
}

impl Seal {
    /// The seal of the network of this name; `None` if its key is not among `keys`.
    pub fn new(audience: Audience, keys: &NetworkKeys, network: &str) -> Option<Self> {
        let key: SecretKey = match audience {
            Audience::Members => keys.network.as_ref()?.derive(b"beacon"),
            Audience::Readers => keys.reader.derive(b"beacon"),
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok()?;
        let (key, network) = (LessSafeKey::new(key), network.to_owned());
        Some(Self { key, audience, epoch: keys.epoch, network })
    }

    /// What is signed.
    fn said(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Encoder::default();
        out.bytes(CONTEXT).u8(u8::from(self.audience == Audience::Readers)).u16(self.epoch);
        out.u16(u16::try_from(self.network.len()).unwrap_or(u16::MAX));
        out.bytes(self.network.as_bytes()).bytes(body);
        out.done()
    }

    /// The body and the signature of a beacon that was sealed with the same key.
    fn open(&self, bytes: &[u8]) -> Option<([u8; BODY], [u8; SIGNATURE_BYTES])> {
        let bytes: &[u8; BEACON] = bytes.try_into().ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.epoch.to_be_bytes());
        let opened = self.key.open_in_place(nonce, aad, &mut sealed).ok()?;
        let (body, signature) = opened.split_first_chunk::<BODY>()?;
        Some((*body, signature.try_into().ok()?))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal(…, {:?})", self.audience)
    }
}

/// Lights beacons in the name of a node.
pub struct Lamp {
    seal: Seal,
    key: Ed25519KeyPair,
}

impl Lamp {
    /// The lamp of the node with this identity.
    pub fn new(seal: Seal, identity: &Identity) -> Self {
        let key = identity.signer();
        Self { seal, key }
    }

    /// Whom its beacons are for.
    pub fn audience(&self) -> Audience {
        self.seal.audience
    }

    /// The datagram that says this. `nonce` is random, and new for each: 96 bits do not come twice in the life of a
    /// key of which a node makes two a minute.
    pub fn light(&self, beacon: &Beacon, nonce: [u8; NONCE_LEN]) -> Vec<u8> {
        let body = beacon.encode();
        let signature = self.key.sign(&self.seal.said(&body));
        let mut sealed = [&body[..], signature.as_ref()].concat();
        let aad = Aad::from(self.seal.epoch.to_be_bytes());
        let unique = Nonce::assume_unique_for_key(nonce);
        let tag = self.seal.key.seal_in_place_separate_tag(unique, aad, &mut sealed);
        let tag = tag.expect("a hundred bytes are few enough to seal");
        [&nonce[..], &sealed, tag.as_ref()].concat()
    }
}

impl fmt::Debug for Lamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lamp(…, {:?})", self.seal.audience)
    }
}

/// When the next beacon is due.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    next: Instant,
    last: Option<Instant>,
    /// How many came quickly since the start or since the address changed: on a radio any one may be lost.
    quick: usize,
}

impl Rhythm {
    /// The first is due now.
    pub fn new(now: Instant) -> Self {
        Self { next: now, last: None, quick: 0 }
    }

    /// Whether one is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// When one is due.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// One was sent. `jitter`, from 0 to 1, is random: nodes that started together do not stay together.
    pub fn lit(&mut self, now: Instant, jitter: f64) {
        let wait = match BEACON_QUICK.get(self.quick) {
            Some(quick) => *quick,
            None => BEACON_EVERY - BEACON_JITTER + (BEACON_JITTER * 2).mul_f64(jitter),
        };
        (self.last, self.next, self.quick) = (Some(now), now + wait, self.quick + 1);
    }

    /// The address has changed: one is due at once, if none was sent just now, and a few more soon.
    pub fn hurry(&mut self, now: Instant) {
        self.next = self.last.map_or(now, |last| now.max(last + BEACON_GAP));
        self.quick = 0;
    }
}

/// Where a member says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who.
    pub member: PeerNumber,
    /// Where.
    pub address: SocketAddr,
    /// The first half of the hash of its heads.
    pub heads: [u8; HEADS_BYTES],
}

/// Why a datagram says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is no beacon of this network.
    Stranger,
    /// It is this node's own: broadcasts come back.
    Own,
    /// It does not come from the address that it tells of, or that is no address of a node.
    Elsewhere,
    /// It is old, or was heard before.
    Old,
    /// Its signature is not that of its member, or nobody has that number.
    Forged,
    /// Too many came at once.
    Often,
}

/// Listens to beacons.
#[derive(Debug)]
pub struct Watch {
    seal: Seal,
    me: Option<PeerNumber>,
    members: HashMap<PeerNumber, IdentityKey>,
    /// The last beacon of each member, and when it came.
    heard: HashMap<PeerNumber, Heard>,
    /// Signatures that are checked, by the address from which they come: who has the key of the network and was shut
    /// out keeps nobody else from being heard.
    checks: Buckets<IpAddr>,
    /// Those that come from where their member was not heard last: addresses can be made up.
    elsewhere: Buckets<()>,
}

/// The last beacon of a member.
#[derive(Debug)]
struct Heard {
    which: (u64, u32),
    at: Instant,
    ip: Ipv4Addr,
}

impl Watch {
    /// A watch for beacons of these members; `me` is the one that this node is.
    pub fn new(
        seal: Seal,
        me: Option<PeerNumber>,
        members: impl IntoIterator<Item = (PeerNumber, IdentityKey)>,
    ) -> Self {
        let members = members.into_iter().collect();
        let checks = Buckets::new(BEACONS_BURST, BEACONS_RATE, BEACON_SOURCES);
        let elsewhere = Buckets::new(BEACONS_ELSEWHERE_BURST, BEACONS_ELSEWHERE_RATE, 1);
        Self { seal, me, members, heard: HashMap::new(), checks, elsewhere }
    }

    /// These are the members now, and this node is `me`. What was heard of those that stay is remembered.
    pub fn follow(
        &mut self,
        me: Option<PeerNumber>,
        members: impl IntoIterator<Item = (PeerNumber, IdentityKey)>,
    ) {
        let members: HashMap<_, _> = members.into_iter().collect();
        self.heard.retain(|number, _| members.get(number) == self.members.get(number));
        (self.me, self.members) = (me, members);
    }

    /// How many members were heard a short while ago: about as many are near.
    pub fn near(&self, now: Instant) -> usize {
        let is_near = |at: &Instant| now.saturating_duration_since(*at) < NEAR;
        self.heard.values().filter(|heard| is_near(&heard.at)).count()
    }

    /// What a datagram says, the cheapest check first. A stranger costs one opening of a hundred bytes, a member one
    /// signature, of which only so many are checked. Nothing is kept of what is not true.
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        now: Instant,
    ) -> Result<Sighting, Ignored> {
        let (body, signature) = self.seal.open(bytes).ok_or(Ignored::Stranger)?;
        let beacon = Beacon::decode(&body).ok_or(Ignored::Stranger)?;
        if Some(beacon.member) == self.me {
            return Err(Ignored::Own);
        }
        let ip = *beacon.address.ip();
        let is_place = !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast());
        let is_there = from.ip().to_canonical() == IpAddr::V4(ip);
        if !is_place || !is_there || beacon.address.port() < LOWEST_PORT {
            return Err(Ignored::Elsewhere);
        }
        let which = (beacon.boot, beacon.count);
        let last = self.heard.get(&beacon.member);
        if last.is_some_and(|last| which <= last.which) {
            return Err(Ignored::Old);
        }
        let is_home = last.is_some_and(|last| last.ip == ip);
        let key = self.members.get(&beacon.member).ok_or(Ignored::Forged)?;
        let may = self.checks.take(ip.into(), now);
        if !may || !(is_home || self.elsewhere.take((), now)) {
            return Err(Ignored::Often);
        }
        let said = self.seal.said(&body);
        let public = UnparsedPublicKey::new(&ED25519, key.as_bytes());
        public.verify(&said, &signature).map_err(|_| Ignored::Forged)?;
        self.heard.insert(beacon.member, Heard { which, at: now, ip });
        let Beacon { member, heads, .. } = beacon;
        Ok(Sighting { member, address: beacon.address.into(), heads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn keys(network: u8) -> NetworkKeys {
        let network = Some(SecretKey::from([network; 32]));
        NetworkKeys { epoch: 1, network, reader: SecretKey::from([9; 32]) }
    }

    fn number(number: u64) -> PeerNumber {
        number.try_into().expect("1 to 999")
    }

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    fn seal(network: u8, audience: Audience) -> Seal {
        Seal::new(audience, &keys(network), "n").expect("it has the key")
    }

    fn lamp(network: u8, who: u8) -> Lamp {
        Lamp::new(seal(network, Audience::Members), &identity(who))
    }

    /// Node 1, which knows 2 and 3.
    fn watch() -> Watch {
        let members = [2, 3].map(|who| (number(who), identity(who as u8).public().identity));
        Watch::new(seal(7, Audience::Members), Some(number(1)), members)
    }

    fn beacon(member: u64, boot: u64, count: u32) -> Beacon {
        let address = SocketAddrV4::new([10, 0, 0, member as u8].into(), 33_000);
        Beacon { member: number(member), boot, count, address, heads: [5; HEADS_BYTES] }
    }

    fn from(member: u8) -> SocketAddr {
        ([10, 0, 0, member], 40_000).into()
    }

    #[test]
    fn a_member_is_sighted_where_it_says_that_it_is() {
        let lit = lamp(7, 2).light(&beacon(2, 1, 1), [1; 12]);
        assert_eq!(lit.len(), BEACON);
        let sighting = watch().datagram(&lit, from(2), Instant::now()).expect("true");
        let address = ([10, 0, 0, 2], 33_000).into();
        assert_eq!(sighting, Sighting { member: number(2), address, heads: [5; HEADS_BYTES] });
    }

    #[test]
    fn one_that_was_heard_or_is_older_says_nothing_also_after_a_restart_of_its_node() {
        let (mut watch, now, lamp) = (watch(), Instant::now(), lamp(7, 2));
        let light = |boot, count| lamp.light(&beacon(2, boot, count), [1; 12]);
        for (boot, count, is_new) in [
            (3, 5, true),
            (3, 5, false),
            (3, 4, false),
            (2, 9, false),
            (3, 6, true),
            (4, 0, true),
            (3, 7, false),
        ] {
            let heard = watch.datagram(&light(boot, count), from(2), now);
            assert_eq!(heard.err(), (!is_new).then_some(Ignored::Old), "{boot}, {count}");
        }
    }

    #[test]
    fn who_is_not_heard_for_a_while_is_near_no_more_but_its_old_beacons_stay_old() {
        let (mut watch, start) = (watch(), Instant::now());
        let hear = |watch: &mut Watch, who: u8, count, now| {
            let lit = lamp(7, who).light(&beacon(who.into(), 1, count), [1; 12]);
            watch.datagram(&lit, from(who), now).is_ok()
        };
        assert_eq!(watch.near(start), 0);
        assert!(hear(&mut watch, 2, 1, start) && hear(&mut watch, 3, 1, start));
        assert_eq!(watch.near(start), 2);
        // One goes; the other is heard as often as it says something.
        let later = start + BEACON_EVERY + BEACON_JITTER;
        assert!(hear(&mut watch, 2, 2, later));
        assert_eq!(watch.near(start + NEAR), 1);
        assert_eq!(watch.near(later + NEAR), 0);
        let now = later + NEAR * 100;
        assert!(!hear(&mut watch, 3, 1, now) && hear(&mut watch, 3, 2, now));
        assert_eq!(watch.near(now), 1);
    }

    #[test]
    fn a_copy_from_another_address_another_network_and_the_own_one_say_nothing() {
        let (mut watch, now) = (watch(), Instant::now());
        let lit = lamp(7, 2).light(&beacon(2, 1, 1), [1; 12]);
        assert_eq!(watch.datagram(&lit, from(3), now).err(), Some(Ignored::Elsewhere));
        let other = lamp(8, 2).light(&beacon(2, 1, 1), [1; 12]);
        assert_eq!(watch.datagram(&other, from(2), now).err(), Some(Ignored::Stranger));
        let own = lamp(7, 1).light(&beacon(1, 1, 1), [1; 12]);
        assert_eq!(watch.datagram(&own, from(1), now).err(), Some(Ignored::Own));
        let readers = Lamp::new(seal(7, Audience::Readers), &identity(2));
        let lit_for_readers = readers.light(&beacon(2, 1, 1), [1; 12]);
        assert_eq!(watch.datagram(&lit_for_readers, from(2), now).err(), Some(Ignored::Stranger));
        assert!(watch.datagram(&lit, from(2), now).is_ok(), "none of them took its place");
    }

    #[test]
    fn who_shares_the_key_cannot_speak_in_anothers_name_nor_silence_it() {
        let (mut watch, now) = (watch(), Instant::now());
        let forged = lamp(7, 3).light(&beacon(2, u64::MAX, u32::MAX), [1; 12]);
        assert_eq!(watch.datagram(&forged, from(2), now).err(), Some(Ignored::Forged));
        let unknown = lamp(7, 4).light(&beacon(4, 1, 1), [1; 12]);
        assert_eq!(watch.datagram(&unknown, from(4), now).err(), Some(Ignored::Forged));
        let lit = lamp(7, 2).light(&beacon(2, 1, 1), [1; 12]);
        assert!(watch.datagram(&lit, from(2), now).is_ok());
    }

    #[test]
    fn only_so_many_signatures_are_checked() {
        let (mut watch, now, liar) = (watch(), Instant::now(), lamp(7, 3));
        let forged: Vec<_> = (1..2000)
            .map(|count| liar.light(&beacon(2, 1, count), [1; 12]))
            .map(|lit| watch.datagram(&lit, from(2), now).expect_err("forged"))
            .collect();
        let checked = forged.iter().filter(|why| **why == Ignored::Forged).count();
        assert_eq!(checked, BEACONS_BURST as usize);
        // Whoever is elsewhere is heard meanwhile; and where it was heard, whatever comes from addresses that are made up.
        let other = |count| liar.light(&beacon(3, 1, count), [1; 12]);
        assert!(watch.datagram(&other(1), from(3), now).is_ok());
        let made_up = (0..2000).map(|count: u32| {
            let [_, _, high, low] = count.to_be_bytes();
            let at = SocketAddrV4::new([10, 1, high, low].into(), 33_000);
            let lit = liar.light(&Beacon { address: at, ..beacon(2, 2, count) }, [1; 12]);
            watch.datagram(&lit, at.into(), now)
        });
        let checked = made_up.filter(|why| *why == Err(Ignored::Forged)).count();
        assert!(checked < BEACONS_ELSEWHERE_BURST as usize, "{checked}");
        assert!(watch.datagram(&other(2), from(3), now).is_ok());
        let lit = lamp(7, 2).light(&beacon(2, 1, 1), [1; 12]);
        assert!(watch.datagram(&lit, from(2), now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn who_has_not_the_key_sees_no_two_bytes_that_stay_the_same() {
        let lamp = lamp(7, 2);
        let lit: Vec<_> =
            (0..64_u32).map(|count| lamp.light(&beacon(2, 1, count), rand::random())).collect();
        for at in 0..BEACON {
            let values: HashSet<u8> = lit.iter().map(|bytes| bytes[at]).collect();
            assert!(values.len() > 32, "byte {at} has {} values of 64", values.len());
        }
        assert!(lit.iter().all(|bytes| bytes.len() == BEACON));
        assert!(!format!("{lamp:?} {:?}", watch().seal).contains('7'));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_a_strangers() {
        let (mut watch, now) = (watch(), Instant::now());
        let lit = lamp(7, 2).light(&beacon(2, 1, 1), [1; 12]);
        for bit in 0..lit.len() * 8 {
            let mut flipped = lit.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(watch.datagram(&flipped, from(2), now).err(), Some(Ignored::Stranger));
        }
        for cut in 0..lit.len() {
            assert_eq!(watch.datagram(&lit[..cut], from(2), now).err(), Some(Ignored::Stranger));
        }
        assert!(watch.datagram(&[&lit[..], &[0]].concat(), from(2), now).is_err());
    }

    #[test]
    fn beacons_come_at_once_then_quickly_then_with_jitter_and_hurry_has_a_bound() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        let mut now = start;
        assert!(rhythm.is_due(now));
        for quick in BEACON_QUICK {
            rhythm.lit(now, 0.5);
            assert_eq!(rhythm.next(), now + quick);
            now = rhythm.next();
        }
        for (jitter, wait) in [
            (0.0, BEACON_EVERY - BEACON_JITTER),
            (0.5, BEACON_EVERY),
            (1.0, BEACON_EVERY + BEACON_JITTER),
        ] {
            rhythm.lit(now, jitter);
            assert_eq!(rhythm.next(), now + wait);
            now = rhythm.next();
        }
        // However often the address changes, there is a gap between two.
        rhythm.lit(now, 0.5);
        rhythm.hurry(now);
        assert_eq!(rhythm.next(), now + BEACON_GAP);
        rhythm.hurry(now + BEACON_GAP * 5);
        assert!(rhythm.is_due(now + BEACON_GAP * 5));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300), exact in any::<[u8; 32]>(),
        ) {
            let mut watch = watch();
            prop_assert!(watch.datagram(&bytes, from(2), Instant::now()).is_err());
            let whole: Vec<_> = exact.iter().copied().cycle().take(BEACON).collect();
            prop_assert!(watch.datagram(&whole, from(2), Instant::now()).is_err());
        }

        #[test]
        fn any_body_under_the_right_key_is_read_without_a_panic(body in any::<[u8; BODY]>()) {
            if let Some(beacon) = Beacon::decode(&body) {
                prop_assert_eq!(beacon.encode(), body);
            }
        }

        #[test]
        fn what_is_lit_is_read(boot in any::<u64>(), count in any::<u32>(), port in 1024..=u16::MAX) {
            let mut said = beacon(3, boot, count);
            said.address.set_port(port);
            let lit = lamp(7, 3).light(&said, rand::random());
            let sighting = watch().datagram(&lit, from(3), Instant::now());
            prop_assert_eq!(sighting.map(|one| one.address), Ok(said.address.into()));
        }
    }
}
