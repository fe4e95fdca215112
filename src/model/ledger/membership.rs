//! What a block says of who belongs to the network. What follows from it is for `model::membership` to say.
//!
//! ```text
//! founded  = 5  name text  admit u8  revoke u8  nonce 16
//! admitted = 6  network 32  number u16  organisation text  identity 32  knock 32  address  salt 16  token 12
//! moved    = 7  network 32  member 32  address
//! renamed  = 8  network 32  organisation text
//! revoked  = 9  network 32  member 32  reason text  count u16 *( log u64  length u32  hash 32 )
//! heeded   = 10 network 32  member 32
//! text     = length u16  UTF-8
//! ```
//!
//! Every statement but the first names its network: what a node says in one counts in no other. The salt keeps the
//! leaf of an admission from being a function of its token that somebody could test: a path through the tree of a
//! block shows leaves, and twelve digits are soon tried.

use crate::base::error::{Error, Result};
use crate::model::address::Address;
use crate::model::codec::{Decoder, Encoder};
use crate::model::ids::{NetworkName, Organisation, PeerNumber, Reason};
use crate::model::keys::{IdentityKey, PublicKeys};
use crate::model::ledger::heads::{Head, Heads};
use crate::model::ledger::merkle::{Hash, sha256};
use crate::model::ledger::names::{LogName, NetworkId};
use crate::model::limits::{MAX_GOOD_LOGS, MAX_NAME, MAX_REASON, MAX_VOICES, TOKEN_DIGITS};
use crate::model::secret::{SharedToken, Token};
use rand::CryptoRng;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

const FOUNDED: u8 = 5;
const ADMITTED: u8 = 6;
const MOVED: u8 = 7;
const RENAMED: u8 = 8;
const REVOKED: u8 = 9;
const HEEDED: u8 = 10;

/// A statement of who belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// A network begins.
    Founded(Founded),
    /// Somebody belongs to it. Members who agree say exactly the same; so does the newcomer, which consents by it.
    Admitted(Admitted),
    /// A member is found elsewhere: it says so itself, or somebody has typed it.
    Moved(Moved),
    /// The author's organisation is called otherwise now.
    Renamed(Renamed),
    /// Somebody shall be shut out.
    Revoked(Revoked),
    /// The author has seen that somebody is shut out.
    Heeded(Heeded),
}

/// How many members it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    admit: u8,
    revoke: u8,
}

impl Rule {
    /// A rule: each 1 to 9.
    pub fn new(admit: u8, revoke: u8) -> Result<Self> {
        let right = |count| (1..=MAX_VOICES).contains(&count);
        if right(admit) && right(revoke) {
            return Ok(Self { admit, revoke });
        }
        Err(Error::input("rule", "a count is not one from 1 to 9", "one admits and two revoke"))
    }

    /// How many members admit somebody.
    pub fn admit(self) -> usize {
        self.admit.into()
    }

    /// How many members revoke somebody; all others, where there are not so many.
    pub fn revoke(self) -> usize {
        self.revoke.into()
    }
}

impl Default for Rule {
    /// One admits: the one who has compared the fingerprint. Two revoke: no one can do that alone.
    fn default() -> Self {
        Self { admit: 1, revoke: 2 }
    }
}

/// A network begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founded {
    /// What it is called.
    pub name: NetworkName,
    /// Who may do what in it, for as long as it lasts.
    pub rule: Rule,
    /// Random, so that no two networks are one.
    nonce: [u8; 16],
}

impl Founded {
    /// A new network.
    pub fn new(name: NetworkName, rule: Rule, rng: &mut impl CryptoRng) -> Self {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        Self { name, rule, nonce }
    }

    /// Which network it is when this key begins it.
    pub fn network(&self, founder: &IdentityKey) -> NetworkId {
        let mut out = Encoder::default();
        self.encode(&mut out);
        sha256(&[b"rn-net1", founder.as_bytes(), &out.done()]).into()
    }

    fn encode(&self, out: &mut Encoder) {
        put(&self.name.to_string(), out);
        out.u8(self.rule.admit).u8(self.rule.revoke).bytes(&self.nonce);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let name = text(from, MAX_NAME)?;
        let rule = Rule::new(from.u8()?, from.u8()?)
            .map_err(|_| Error::peer("founded a network with a rule that nobody can meet"))?;
        Ok(Self { name, rule, nonce: from.array()? })
    }
}

/// What is said of a node when it is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The number by which people shall know it.
    pub number: PeerNumber,
    /// Whose it is.
    pub organisation: Organisation,
    /// Its keys.
    pub keys: PublicKeys,
    /// Where its listener is.
    pub address: Address,
}

/// Somebody belongs to the network.
#[derive(Clone, PartialEq, Eq)]
pub struct Admitted {
    network: NetworkId,
    profile: Profile,
    salt: [u8; 16],
    token: SharedToken,
}

impl Admitted {
    /// The admission of this node.
    pub fn new(
        network: NetworkId,
        profile: Profile,
        token: SharedToken,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Self { network, profile, salt, token }
    }

    /// Who is admitted.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The identity key of who is admitted.
    pub fn member(&self) -> IdentityKey {
        self.profile.keys.identity
    }

    /// Its token. Nobody is shown it.
    pub fn token(&self) -> &SharedToken {
        &self.token
    }

    fn encode(&self, out: &mut Encoder) {
        let Profile { number, organisation, keys, address } = &self.profile;
        out.bytes(self.network.as_bytes()).u16(number.value());
        put(&organisation.to_string(), out);
        out.bytes(keys.identity.as_bytes()).bytes(keys.knock.as_bytes());
        address.encode(out);
        out.bytes(&self.salt).bytes(self.token.token().expose());
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let network = from.array::<32>()?.into();
        let number = PeerNumber::try_from(u64::from(from.u16()?))
            .map_err(|_| Error::peer("admitted somebody with a number that is none"))?;
        let organisation = text(from, MAX_NAME)?;
        let identity = from.array::<32>()?.into();
        let keys = PublicKeys { identity, knock: from.array::<32>()?.into() };
        let profile = Profile { number, organisation, keys, address: Address::decode(from)? };
        let salt = from.array()?;
        let token = Token::try_from(from.bytes(TOKEN_DIGITS)?)
            .map_err(|_| Error::peer("admitted somebody with a token that is none"))?;
        Ok(Self { network, profile, salt, token: token.into() })
    }
}

impl fmt::Debug for Admitted {
    /// Without the token, and without the salt by which it could be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, profile, .. } = self;
        write!(f, "Admitted({network:?}, {profile:?}, …)")
    }
}

/// A member is found elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// In which network.
    pub network: NetworkId,
    /// Who. If it is not the author, somebody has typed the address there.
    pub member: IdentityKey,
    /// Where it is now.
    pub address: Address,
}

/// The author's organisation is called otherwise now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// In which network.
    pub network: NetworkId,
    /// What it is called.
    pub organisation: Organisation,
}

/// The author has seen that somebody is shut out. A node says so by itself, once, of everybody who is: so whoever
/// is shut out cannot turn the tables later, as if it had spoken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heeded {
    /// In which network.
    pub network: NetworkId,
    /// Who is shut out.
    pub member: IdentityKey,
}

/// Somebody shall be shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    network: NetworkId,
    member: IdentityKey,
    reason: Reason,
    last_good: Heads,
}

impl Revoked {
    /// A voice against this member. Up to `last_good`, of which only the heads of its logs are kept, what it wrote
    /// is right; of what it wrote beyond that, and in other logs, nothing is to be believed.
    pub fn new(
        network: NetworkId,
        member: IdentityKey,
        last_good: &Heads,
        reason: Reason,
    ) -> Result<Self> {
        let last_good: Heads = last_good.iter().filter(|head| head.name.author == member).collect();
        if last_good.len() > MAX_GOOD_LOGS {
            return Err(Error::Full { what: "logs of a member that is revoked" });
        }
        Ok(Self { network, member, reason, last_good })
    }

    /// Who shall be shut out.
    pub fn member(&self) -> IdentityKey {
        self.member
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The ends of the good part of its logs.
    pub fn last_good(&self) -> &Heads {
        &self.last_good
    }

    fn encode(&self, out: &mut Encoder) {
        out.bytes(self.network.as_bytes()).bytes(self.member.as_bytes());
        put(&self.reason.to_string(), out);
        out.u16(u16::try_from(self.last_good.len()).unwrap_or(u16::MAX));
        for head in self.last_good.iter() {
            out.u64(head.name.log.value()).u32(head.length).bytes(head.hash.as_bytes());
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let network = from.array::<32>()?.into();
        let member: IdentityKey = from.array::<32>()?.into();
        let reason = text(from, MAX_REASON)?;
        let count = usize::from(from.u16()?);
        if count > MAX_GOOD_LOGS {
            return Err(Error::peer("revoked somebody with too many logs"));
        }
        let mut heads: Vec<Head> = Vec::with_capacity(count.min(16));
        for _ in 0..count {
            let name = LogName { author: member, log: from.u64()?.into() };
            let head = Head { name, length: from.u32()?, hash: from.array::<32>()?.into() };
            if head.length == 0 || heads.last().is_some_and(|last| last.name >= name) {
                return Err(Error::peer("revoked somebody with heads out of order"));
            }
            heads.push(head);
        }
        Ok(Self { network, member, reason, last_good: heads.into_iter().collect() })
    }
}

impl Membership {
    /// The kinds of entries that are such statements.
    pub const KINDS: RangeInclusive<u8> = FOUNDED..=HEEDED;

    /// Its leaf in the tree of its block. Who says exactly the same says it with the same leaf.
    pub fn leaf(&self) -> Hash {
        let mut out = Encoder::default();
        self.encode(&mut out);
        sha256(&[b"rn-e1", &out.done()])
    }

    /// In which network it is said; `None` for the beginning of one.
    pub fn network(&self) -> Option<NetworkId> {
        match self {
            Self::Founded(_) => None,
            Self::Admitted(admitted) => Some(admitted.network),
            Self::Moved(moved) => Some(moved.network),
            Self::Renamed(renamed) => Some(renamed.network),
            Self::Revoked(revoked) => Some(revoked.network),
            Self::Heeded(heeded) => Some(heeded.network),
        }
    }

    /// Writes it, its kind first.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Founded(founded) => founded.encode(out.u8(FOUNDED)),
            Self::Admitted(admitted) => admitted.encode(out.u8(ADMITTED)),
            Self::Moved(Moved { network, member, address }) => {
                out.u8(MOVED).bytes(network.as_bytes()).bytes(member.as_bytes());
                address.encode(out);
            }
            Self::Renamed(Renamed { network, organisation }) => {
                out.u8(RENAMED).bytes(network.as_bytes());
                put(&organisation.to_string(), out);
            }
            Self::Revoked(revoked) => revoked.encode(out.u8(REVOKED)),
            Self::Heeded(Heeded { network, member }) => {
                out.u8(HEEDED).bytes(network.as_bytes()).bytes(member.as_bytes());
            }
        }
    }

    /// Reads what stands behind its kind.
    pub fn decode(kind: u8, from: &mut Decoder<'_>) -> Result<Self> {
        match kind {
            FOUNDED => Founded::decode(from).map(Self::Founded),
            ADMITTED => Admitted::decode(from).map(Self::Admitted),
            MOVED => {
                let (network, member) = (from.array::<32>()?.into(), from.array::<32>()?.into());
                Ok(Self::Moved(Moved { network, member, address: Address::decode(from)? }))
            }
            RENAMED => {
                let network = from.array::<32>()?.into();
                Ok(Self::Renamed(Renamed { network, organisation: text(from, MAX_NAME)? }))
            }
            REVOKED => Revoked::decode(from).map(Self::Revoked),
            HEEDED => {
                let (network, member) = (from.array::<32>()?.into(), from.array::<32>()?.into());
                Ok(Self::Heeded(Heeded { network, member }))
            }
            _ => Err(Error::peer("sent an entry of a kind that is not known")),
        }
    }
}

/// Writes a text of at most 65,535 bytes.
pub(in crate::model) fn put(text: &str, out: &mut Encoder) {
    out.u16(u16::try_from(text.len()).unwrap_or(u16::MAX)).bytes(text.as_bytes());
}

/// A text of at most so many bytes, written as it would be written again.
pub(in crate::model) fn text<T: FromStr + ToString>(
    from: &mut Decoder<'_>,
    most: usize,
) -> Result<T> {
    let length = usize::from(from.u16()?);
    let text = std::str::from_utf8(from.bytes(length)?).ok().filter(|_| length <= most);
    let read = text.and_then(|text| text.parse::<T>().ok().filter(|read| read.to_string() == text));
    read.ok_or_else(|| Error::peer("sent a name or reason that is not one short line"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn profile() -> Profile {
        Profile {
            number: 3.try_into().expect("a number"),
            organisation: "Clinic 3".parse().expect("a name"),
            keys: PublicKeys { identity: [1; 32].into(), knock: [2; 32].into() },
            address: Address::try_from(std::net::SocketAddr::from(([10, 0, 0, 3], 33_003)))
                .expect("an address"),
        }
    }

    fn all() -> Vec<Membership> {
        let rng = &mut rand::rng();
        let network = NetworkId::from([7; 32]);
        let member = IdentityKey::from([1; 32]);
        let token = Token::try_from(b"149418626997".as_slice()).expect("a token");
        let heads = (1..4).map(|log: u64| Head {
            name: LogName { author: member, log: log.into() },
            length: 5,
            hash: [9; 32].into(),
        });
        let name = "Cox's Bazar".parse().expect("a name");
        let reason = "taken at the road block".parse().expect("a reason");
        let revoked = Revoked::new(network, member, &heads.collect(), reason).expect("few logs");
        vec![
            Membership::Founded(Founded::new(name, Rule::default(), rng)),
            Membership::Admitted(Admitted::new(network, profile(), token.into(), rng)),
            Membership::Moved(Moved { network, member, address: profile().address }),
            Membership::Renamed(Renamed { network, organisation: profile().organisation }),
            Membership::Revoked(revoked),
            Membership::Heeded(Heeded { network, member }),
        ]
    }

    fn bytes(said: &Membership) -> Vec<u8> {
        let mut out = Encoder::default();
        said.encode(&mut out);
        out.done()
    }

    fn read(bytes: &[u8]) -> Result<Membership> {
        let mut from = Decoder::new(bytes);
        let kind = from.u8()?;
        let said = Membership::decode(kind, &mut from)?;
        from.finish().map(|()| said)
    }

    #[test]
    fn statements_are_read_as_they_were_written_and_never_cut_off() {
        for said in all() {
            let bytes = bytes(&said);
            assert_eq!(read(&bytes).expect("right"), said);
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end]).is_err(), "{said:?} up to {end}");
            }
        }
        assert!(read(&[4; 200]).is_err() && read(&[11; 200]).is_err(), "kinds that are none");
    }

    #[test]
    fn hostile_statements_are_refused() {
        let [founded, admitted, moved, renamed, revoked, _] = all().try_into().expect("six");
        let change = |said: &Membership, at: usize, to: &[u8]| {
            let mut bytes = bytes(said);
            bytes[at..at + to.len()].copy_from_slice(to);
            read(&bytes).is_err()
        };
        let name = 1 + 2 + "Cox's Bazar".len();
        assert!(change(&founded, name, &[0]) && change(&founded, name + 1, &[10]), "rule");
        assert!(change(&founded, 3, b" ") && change(&founded, 3, b"\n"), "name");
        assert!(change(&admitted, 33, &[0, 0]) && change(&admitted, 33, &[3, 232]), "number");
        let last = bytes(&admitted).len() - 1;
        assert!(change(&admitted, last, b"x"), "token");
        assert!(change(&moved, 65, &[5]) && change(&moved, 66, &[0; 4]), "address");
        assert!(change(&renamed, 33, &[0, 0]) && change(&renamed, 35, &[0xff]), "organisation");
        let count = 1 + 32 + 32 + 2 + "taken at the road block".len();
        assert!(change(&revoked, count, &[0xff, 0xff]), "too many logs");
        let second = count + 2 + 44;
        assert!(change(&revoked, second, &1_u64.to_be_bytes()), "a log twice");
        assert!(change(&revoked, second + 8, &[0; 4]), "an empty log");
    }

    #[test]
    fn a_revocation_keeps_the_heads_of_its_target_alone_and_not_too_many() {
        let head = |author: u8, log: u64| Head {
            name: LogName { author: [author; 32].into(), log: log.into() },
            length: 1,
            hash: [9; 32].into(),
        };
        let revoked =
            |heads: Heads| Revoked::new([7; 32].into(), [1; 32].into(), &heads, Reason::default());
        let kept = revoked([head(1, 1), head(2, 1)].into_iter().collect()).expect("few");
        assert_eq!(kept.last_good().iter().collect::<Vec<_>>(), [head(1, 1)]);
        assert!(revoked((0..=MAX_GOOD_LOGS as u64).map(|log| head(1, log)).collect()).is_err());
    }

    #[test]
    fn a_token_is_never_shown_and_its_leaf_tells_nothing_of_it() {
        let (one, other) = (all().swap_remove(1), all().swap_remove(1));
        let shown = format!("{one:?} {one:#?}");
        assert!(!shown.contains("149418626997") && !shown.contains("salt"), "{shown}");
        // The same admission with the same token has another leaf each time.
        assert_ne!(one.leaf(), other.leaf());
    }

    #[test]
    fn a_network_is_its_founder_and_its_beginning() {
        let (rng, name) = (&mut rand::rng(), "n".parse::<NetworkName>().expect("a name"));
        let one = Founded::new(name.clone(), Rule::default(), rng);
        let other = Founded::new(name, Rule::default(), rng);
        let strict = Founded { rule: Rule::new(2, 3).expect("right"), ..one.clone() };
        let ids = [one.network(&[1; 32].into()), one.network(&[2; 32].into())];
        let more = [other.network(&[1; 32].into()), strict.network(&[1; 32].into())];
        let ids: std::collections::BTreeSet<_> = ids.into_iter().chain(more).collect();
        assert_eq!(ids.len(), 4);
        assert!(Rule::new(0, 1).is_err() && Rule::new(1, MAX_VOICES + 1).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_say_exactly_the_same_again(
            which in 0..6_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut changed = bytes(&all()[which]);
            for (at, to) in changes {
                let at = at.index(changed.len());
                changed[at] = to;
            }
            if let Ok(said) = read(&changed) {
                prop_assert_eq!(bytes(&said), changed);
            }
        }
    }
}
