//! The four datagrams of the sealed dialect, and the marks that keep strangers out.
//!
//! ```text
//! header  = version u8, kind u8, epoch u16, zero u32                       8 bytes, big-endian
//! hello   = header, call 16, class 16, zero 8, mac 16                     64   caller -> node
//! cookie  = header, call 16, cookie 16, mac 16                            56   node -> caller
//! knock   = header, call 16, cookie 16, class 16, noise 148, mac 16      220   caller -> node
//! port    = header, call 16, noise 88, mac 16                            128   node -> caller
//! ```
//!
//! A mac is a mark under the reader key: a stranger costs one keyed hash. `class` is a mark under the network
//! key if the caller is a member, and random if it is a reader: who has not the network key cannot tell the
//! datagrams of the tiers apart. Each answer is smaller than what it answers (RFC 9000, section 8.1, allows
//! three times as much), so the node is of no use to amplify a flood.

use crate::model::keys::{MARK_BYTES, Marker, NetworkKeys};
use rand::CryptoRng;

/// Version of the sealed wire.
const VERSION: u8 = 1;
/// Bytes of a hello.
pub const HELLO: usize = 64;
/// Bytes of a cookie.
pub const COOKIE: usize = 56;
/// Bytes of a knock.
pub const KNOCK: usize = 220;
/// Bytes of a port.
pub const PORT: usize = 128;
/// Bytes of the first Noise message: two keys, two tags, and the payload.
pub const NOISE_1: usize = 148;
/// Bytes of the second Noise message: a key, a tag, and the payload.
pub const NOISE_2: usize = 88;
const HEADER: usize = 8;
const ZERO: usize = 8;

/// What a caller chose at random to know the answers to one call by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub [u8; 16]);

/// What a node gave a caller, and wants to see again from the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie(pub [u8; 16]);

/// Whether a caller belongs to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A tier-1 node: it has the network key.
    Member,
    /// A tier-2 node: it has the reader key.
    Reader,
}

/// Why a datagram gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No datagram of ours has this length, version or kind.
    Form,
    /// It is of another epoch of the network's keys.
    Epoch,
    /// Its mac is wrong: a stranger's.
    Mac,
    /// Its cookie is not the one that this address was given lately.
    Cookie,
    /// Its door is being opened: it was sent again.
    Pending,
    /// Another knock of the same call.
    Reused,
    /// Its address, or all together, knock more often than they may.
    Often,
    /// What is sealed in it cannot be opened.
    Seal,
    /// The key that sealed it belongs to nobody in the peers file.
    Unknown,
    /// The token in it is not the one of its sender.
    Token,
    /// Its sender showed wrong tokens and has to wait.
    Locked,
    /// It asks for what its class may not have.
    Purpose,
}

/// A datagram of a caller whose mac is right.
#[derive(Debug)]
pub enum Request<'a> {
    /// Asks for a cookie.
    Hello {
        /// Which call.
        call: CallId,
        /// Whose.
        class: Class,
    },
    /// Asks for a door.
    Knock(KnockForm<'a>),
}

/// What stands in a knock whose mac is right.
#[derive(Clone, Copy, Debug)]
pub struct KnockForm<'a> {
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub class: Class,
    /// The cookie, not checked yet.
    pub cookie: Cookie,
    /// The first Noise message, not opened yet.
    pub noise: &'a [u8],
    /// The mac, by which a repetition is known.
    pub mac: [u8; MARK_BYTES],
}

/// A datagram of a node whose mac is right.
#[derive(Debug)]
pub enum Answer<'a> {
    /// The cookie for a hello.
    Cookie(CallId, Cookie),
    /// The second Noise message for a knock, not opened yet.
    Port(CallId, &'a [u8]),
}

/// Builds and checks the datagrams of one network.
#[derive(Debug)]
pub struct Datagrams {
    epoch: u16,
    reader: Marker,
    network: Option<Marker>,
}

impl Datagrams {
    /// The datagrams of the network with these keys.
    pub fn new(keys: &NetworkKeys) -> Self {
        let network = keys.network.as_ref().map(Marker::new);
        Self { epoch: keys.epoch, reader: Marker::new(&keys.reader), network }
    }

    /// The class of whoever has these keys.
    pub fn class(&self) -> Class {
        if self.network.is_some() { Class::Member } else { Class::Reader }
    }

    /// A hello.
    pub fn hello(&self, call: CallId, rng: &mut impl CryptoRng) -> [u8; HELLO] {
        let (header, zero) = (self.header(1), [0; ZERO]);
        let class = self.class_mark(&[&header, &call.0, &zero], rng);
        self.joined(&self.reader, &[&header, &call.0, &class, &zero])
    }

    /// The answer to a hello.
    pub fn cookie(&self, call: CallId, cookie: Cookie) -> [u8; COOKIE] {
        self.joined(&self.reader, &[&self.header(2), &call.0, &cookie.0])
    }

    /// A knock.
    pub fn knock(
        &self,
        call: CallId,
        cookie: Cookie,
        noise: &[u8; NOISE_1],
        rng: &mut impl CryptoRng,
    ) -> [u8; KNOCK] {
        let header = self.header(3);
        let class = self.class_mark(&[&header, &call.0, &cookie.0, noise], rng);
        self.joined(&self.reader, &[&header, &call.0, &cookie.0, &class, noise])
    }

    /// The answer to a knock.
    pub fn port(&self, call: CallId, noise: &[u8; NOISE_2]) -> [u8; PORT] {
        self.joined(&self.reader, &[&self.header(4), &call.0, noise])
    }

    /// Reads what a caller sent. The cheapest check comes first: length, then one keyed hash.
    pub fn request<'a>(&self, bytes: &'a [u8]) -> Result<Request<'a>, Refusal> {
        let kind = self.checked(bytes, &[(1, HELLO), (3, KNOCK)])?;
        let mac = self.marked(&self.reader, bytes)?;
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(Refusal::Form)?;
        let (call, rest) = array(rest)?;
        if kind == 1 {
            let (class, rest) = array(rest)?;
            let zero = rest.get(..ZERO).ok_or(Refusal::Form)?;
            let class = self.class_of(&[header, &call, zero], &class);
            return Ok(Request::Hello { call: CallId(call), class });
        }
        let (cookie, rest) = array(rest)?;
        let (class, rest) = array(rest)?;
        let noise = rest.get(..NOISE_1).ok_or(Refusal::Form)?;
        let class = self.class_of(&[header, &call, &cookie, noise], &class);
        let (call, cookie) = (CallId(call), Cookie(cookie));
        Ok(Request::Knock(KnockForm { call, class, cookie, noise, mac }))
    }

    /// Reads what a node sent to us.
    pub fn answer<'a>(&self, bytes: &'a [u8]) -> Result<Answer<'a>, Refusal> {
        let kind = self.checked(bytes, &[(2, COOKIE), (4, PORT)])?;
        self.marked(&self.reader, bytes)?;
        let (call, rest) = array(bytes.get(HEADER..).unwrap_or_default())?;
        if kind == 2 {
            return array(rest).map(|(cookie, _)| Answer::Cookie(CallId(call), Cookie(cookie)));
        }
        let noise = rest.get(..NOISE_2).ok_or(Refusal::Form)?;
        Ok(Answer::Port(CallId(call), noise))
    }

    /// What binds a Noise handshake to its call (the prologue).
    pub fn prologue(&self, call: CallId, cookie: Cookie, class: Class) -> Vec<u8> {
        let class = match class {
            Class::Member => b'm',
            Class::Reader => b'r',
        };
        [b"reunite knock 1", &self.epoch.to_be_bytes()[..], &call.0, &cookie.0, &[class]].concat()
    }

    fn header(&self, kind: u8) -> [u8; HEADER] {
        let [high, low] = self.epoch.to_be_bytes();
        [VERSION, kind, high, low, 0, 0, 0, 0]
    }

    /// The kind, if version, kind, epoch and length are those of one of `kinds`.
    fn checked(&self, bytes: &[u8], kinds: &[(u8, usize)]) -> Result<u8, Refusal> {
        let Some([VERSION, kind, high, low, 0, 0, 0, 0]) = bytes.first_chunk::<HEADER>() else {
            return Err(Refusal::Form);
        };
        if !kinds.contains(&(*kind, bytes.len())) {
            return Err(Refusal::Form);
        }
        match u16::from_be_bytes([*high, *low]) == self.epoch {
            true => Ok(*kind),
            false => Err(Refusal::Epoch),
        }
    }

    fn marked(&self, marker: &Marker, bytes: &[u8]) -> Result<[u8; MARK_BYTES], Refusal> {
        let (body, mac) = bytes.split_last_chunk().ok_or(Refusal::Form)?;
        if marker.is_mark(&[body], mac) { Ok(*mac) } else { Err(Refusal::Mac) }
    }

    fn class_mark(&self, parts: &[&[u8]], rng: &mut impl CryptoRng) -> [u8; MARK_BYTES] {
        match &self.network {
            Some(network) => network.mark(parts),
            None => {
                let mut random = [0; MARK_BYTES];
                rng.fill_bytes(&mut random);
                random
            }
        }
    }

    fn class_of(&self, parts: &[&[u8]], mark: &[u8; MARK_BYTES]) -> Class {
        match &self.network {
            Some(network) if network.is_mark(parts, mark) => Class::Member,
            _ => Class::Reader,
        }
    }

    /// The parts in one datagram of `N` bytes, with the mark of all of them behind.
    fn joined<const N: usize>(&self, marker: &Marker, parts: &[&[u8]]) -> [u8; N] {
        let mut bytes = [0; N];
        let mark = marker.mark(parts);
        let all = parts.iter().copied().chain([&mark[..]]).flatten();
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        bytes
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Refusal> {
    bytes.split_first_chunk().map(|(first, rest)| (*first, rest)).ok_or(Refusal::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;
    use proptest::prelude::*;

    fn keys(network: Option<u8>) -> NetworkKeys {
        let network = network.map(|byte| SecretKey::from([byte; 32]));
        NetworkKeys { epoch: 1, network, reader: SecretKey::from([9; 32]) }
    }

    const CALL: CallId = CallId([5; 16]);

    #[test]
    fn what_one_builds_the_other_reads_and_knows_the_class_of() {
        let node = Datagrams::new(&keys(Some(7)));
        for (caller, class) in [
            (Datagrams::new(&keys(Some(7))), Class::Member),
            (Datagrams::new(&keys(None)), Class::Reader),
            (Datagrams::new(&keys(Some(8))), Class::Reader),
        ] {
            let hello = caller.hello(CALL, &mut rand::rng());
            assert!(matches!(
                node.request(&hello),
                Ok(Request::Hello { call: CALL, class: found }) if found == class
            ));
            let knock = caller.knock(CALL, Cookie([6; 16]), &[3; NOISE_1], &mut rand::rng());
            assert!(matches!(
                node.request(&knock),
                Ok(Request::Knock(form)) if form.call == CALL && form.class == class
                    && form.cookie == Cookie([6; 16]) && form.noise == [3; NOISE_1]
            ));
        }
    }

    #[test]
    fn an_answer_is_read_by_both_tiers_alike_and_smaller_than_what_it_answers() {
        let (member, reader) = (Datagrams::new(&keys(Some(7))), Datagrams::new(&keys(None)));
        for caller in [&member, &reader] {
            let cookie = member.cookie(CALL, Cookie([6; 16]));
            assert!(matches!(caller.answer(&cookie), Ok(Answer::Cookie(CALL, Cookie(_)))));
            let port = member.port(CALL, &[4; NOISE_2]);
            assert!(
                matches!(caller.answer(&port), Ok(Answer::Port(CALL, noise)) if noise == [4; NOISE_2])
            );
        }
        const { assert!(COOKIE < HELLO && PORT < KNOCK) };
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let node = Datagrams::new(&keys(Some(7)));
        let knock = node.knock(CALL, Cookie([6; 16]), &[3; NOISE_1], &mut rand::rng());
        for bytes in [&node.hello(CALL, &mut rand::rng())[..], &knock[..]] {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(node.request(&flipped).is_err(), "bit {bit}");
            }
            assert!((0..bytes.len()).all(|length| node.request(&bytes[..length]).is_err()));
            assert!(node.request(&[bytes, &[0]].concat()).is_err());
        }
    }

    #[test]
    fn another_epoch_is_known_before_anything_is_hashed() {
        let node = Datagrams::new(&keys(Some(7)));
        let later = Datagrams::new(&NetworkKeys { epoch: 2, ..keys(Some(7)) });
        let hello = later.hello(CALL, &mut rand::rng());
        assert_eq!(node.request(&hello).err(), Some(Refusal::Epoch));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let node = Datagrams::new(&keys(Some(7)));
            prop_assert!(node.request(&bytes).is_err() && node.answer(&bytes).is_err());
        }
    }
}
