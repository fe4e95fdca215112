//! The gate of a node: decides on every datagram of the sealed dialect, as a value. Bytes, a source and an
//! instant come in, a decision goes out; `net::knock` calls it, and does what it decides.
//!
//! The checks come in the order of their cost: length and header, one keyed hash, one more for the cookie, two
//! counters, and only then the four scalar multiplications that open a knock. Nothing is stored of anybody
//! before that. Clocks do not matter, and neither do restarts: a cookie is bound to an address and ten
//! seconds of this process, by a secret that dies with it.

use crate::base::error::Error;
use crate::model::bucket::Buckets;
use crate::model::datagram::{
    CallId, Class, Cookie, Datagrams, KnockForm, NOISE_2, PORT, Refusal, Request,
};
use crate::model::ids::PeerNumber;
use crate::model::keys::{KnockKey, MARK_BYTES, Marker, NetworkKeys, SecretKey};
use crate::model::limits::{
    CALL_MEMORY, COOKIE_SLOT, KNOCK_SOURCES, MAX_CALLS, MAX_HOMES, MEMBER_BURST, MEMBER_RATE,
    MEMBERS_BURST, MEMBERS_RATE, READERS_BURST, READERS_RATE, REFRESH_BURST, REFRESH_RATE,
    WRONG_TOKEN_LOCK, WRONG_TOKENS,
};
use crate::model::message::Bind;
use crate::model::noise::{Asked, Called, Purpose};
use crate::model::secret::Token;
use crate::model::x25519::{KeyPair, Own};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// Who knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visitor {
    /// The tier-1 node with this number.
    Member(PeerNumber),
    /// Some tier-2 node.
    Reader,
}

/// A knock that was checked: the only thing that opens a door.
#[derive(Debug)]
pub struct Knock {
    visitor: Visitor,
    purpose: Purpose,
    from: SocketAddr,
    call: CallId,
    called: Called,
    datagrams: Arc<Datagrams>,
}

/// What becomes of a datagram.
#[derive(Debug)]
pub enum Decision {
    /// Nothing: strangers, and whatever else is wrong, get silence.
    Silence(Refusal),
    /// This goes back to where it came from.
    Answer(Vec<u8>),
    /// Somebody may come in, if there is a place.
    Knock(Box<Knock>),
}

/// A member as the gate knows it.
#[derive(Debug)]
struct Member {
    number: PeerNumber,
    token: Token,
    wrong_tokens: u32,
    locked: Option<Instant>,
}

/// The state of the gate. Its size has a bound, whatever comes.
#[derive(Debug)]
pub struct Gate {
    datagrams: Arc<Datagrams>,
    own: Own,
    /// A pair for the next answer, made when there is time.
    spare: Option<KeyPair>,
    members: HashMap<KnockKey, Member>,
    cookies: Marker,
    begun: Instant,
    rng: StdRng,
    calls: Calls,
    /// Where members are, as far as is known.
    homes: BTreeSet<(IpAddr, PeerNumber)>,
    member_sources: Buckets<IpAddr>,
    /// For knocks marked as a member's: from where members are, and from elsewhere.
    members_home: Buckets<()>,
    members_away: Buckets<()>,
    reader_sources: Buckets<IpAddr>,
    readers_all: Buckets<()>,
}

impl Gate {
    /// The gate of a node with the knock keys `own`, in a network with these keys. `seed` is random, and new at
    /// each start.
    pub fn new(keys: &NetworkKeys, own: Own, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = StdRng::from_seed(seed);
        Self {
            datagrams: Arc::new(Datagrams::new(keys)),
            own,
            spare: None,
            members: HashMap::new(),
            cookies: Marker::new(&SecretKey::random(&mut rng)),
            begun: now,
            rng,
            calls: Calls::default(),
            homes: BTreeSet::new(),
            member_sources: Buckets::new(MEMBER_BURST, MEMBER_RATE, KNOCK_SOURCES),
            members_home: Buckets::new(MEMBERS_BURST, MEMBERS_RATE, 1),
            members_away: Buckets::new(MEMBER_BURST, MEMBER_RATE, 1),
            reader_sources: Buckets::new(REFRESH_BURST, REFRESH_RATE, KNOCK_SOURCES),
            readers_all: Buckets::new(READERS_BURST, READERS_RATE, 1),
        }
    }

    /// Lets in the member with this key, if it knows this token. It is at home at `ip`, and comes in from
    /// elsewhere too.
    pub fn admit(&mut self, number: PeerNumber, key: KnockKey, token: Token, ip: IpAddr) {
        self.at_home(number, ip);
        self.members.insert(key, Member { number, token, wrong_tokens: 0, locked: None });
    }

    /// Of the members only those with these keys are let in from now on, and with these `own` keys.
    pub fn keep(&mut self, keys: &HashSet<KnockKey>, own: Own) {
        self.members.retain(|key, _| keys.contains(key));
        let numbers: HashSet<_> = self.members.values().map(|member| member.number).collect();
        self.homes.retain(|(_, number)| numbers.contains(number));
        self.own = own;
    }

    /// Whether the member with this key is let in, as this number and with this token.
    pub fn admits(&self, number: PeerNumber, key: &KnockKey, token: &Token) -> bool {
        let same = |member: &Member| member.number == number && member.token.matches(token);
        self.members.get(key).is_some_and(same)
    }

    /// A member is at home at `ip` too. Of addresses that were learned only so many are remembered.
    pub fn at_home(&mut self, number: PeerNumber, ip: IpAddr) {
        if self.homes.len() < MAX_HOMES {
            self.homes.insert((source(ip), number));
        }
    }

    fn is_home(&self, ip: IpAddr) -> bool {
        self.homes.range((ip, PeerNumber::LOWEST)..).next().is_some_and(|(home, _)| *home == ip)
    }

    /// Does what can be done before the next knock. To be called after a datagram was answered.
    pub fn prepare(&mut self) {
        self.spare.get_or_insert_with(|| KeyPair::random(&mut self.rng));
    }

    /// Decides on a datagram.
    pub fn datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Instant) -> Decision {
        self.calls.forget(now);
        let decided = match Arc::clone(&self.datagrams).request(bytes) {
            Ok(Request::Hello { call, class }) => {
                let cookie = self.cookie(call, class, from, self.slot(now));
                Ok(Decision::Answer(self.datagrams.cookie(call, cookie).to_vec()))
            }
            Ok(Request::Knock(form)) => self.knock(&form, from, now),
            Err(refusal) => Err(refusal),
        };
        decided.unwrap_or_else(Decision::Silence)
    }

    /// Notes the answer to a knock: the same knock, sent again, gets it again.
    pub fn answered(&mut self, answer: &Answered) {
        self.calls.answered(answer.call, answer.bytes);
    }

    fn knock(
        &mut self,
        form: &KnockForm<'_>,
        from: SocketAddr,
        now: Instant,
    ) -> Result<Decision, Refusal> {
        let KnockForm { call, class, cookie, noise, mac } = *form;
        self.check_cookie(form, from, now)?;
        match self.calls.known(call, mac) {
            Some(Known::Answered(bytes)) => return Ok(Decision::Answer(bytes.to_vec())),
            Some(Known::Pending) => return Err(Refusal::Pending),
            Some(Known::Other) => return Err(Refusal::Reused),
            None => {}
        }
        if self.calls.is_full() || !self.may_knock(class, source(from.ip()), now) {
            return Err(Refusal::Often);
        }
        let prologue = self.datagrams.prologue(call, cookie, class);
        let fresh = self.spare.take().unwrap_or_else(|| KeyPair::random(&mut self.rng));
        let (called, asked, key) = Called::begin(&self.own, fresh, &prologue, noise, &mut self.rng)
            .ok_or(Refusal::Seal)?;
        let visitor = match class {
            Class::Member => self.member(&key, &asked, now)?,
            Class::Reader if asked.purpose == Purpose::Refresh => Visitor::Reader,
            Class::Reader => return Err(Refusal::Purpose),
        };
        self.calls.begun(call, mac, now);
        let (purpose, datagrams) = (asked.purpose, Arc::clone(&self.datagrams));
        Ok(Decision::Knock(Box::new(Knock { visitor, purpose, from, call, called, datagrams })))
    }

    /// Who sealed a knock. The key alone says who it is; the token says that the network took it in.
    fn member(&mut self, key: &KnockKey, asked: &Asked, now: Instant) -> Result<Visitor, Refusal> {
        let member = self.members.get_mut(key).ok_or(Refusal::Unknown)?;
        if member.locked.is_some_and(|until| now < until) {
            return Err(Refusal::Locked);
        }
        if !Token::try_from(&asked.token[..]).is_ok_and(|token| member.token.matches(&token)) {
            member.wrong_tokens += 1;
            if member.wrong_tokens >= WRONG_TOKENS {
                (member.wrong_tokens, member.locked) = (0, Some(now + WRONG_TOKEN_LOCK));
            }
            return Err(Refusal::Token);
        }
        (member.wrong_tokens, member.locked) = (0, None);
        match asked.purpose {
            Purpose::Talk | Purpose::Sync => Ok(Visitor::Member(member.number)),
            Purpose::Refresh => Err(Refusal::Purpose),
        }
    }

    fn may_knock(&mut self, class: Class, ip: IpAddr, now: Instant) -> bool {
        // Its own first: one that floods must not use up what is for all.
        match class {
            Class::Member => {
                let is_home = self.is_home(ip);
                let all = if is_home { &mut self.members_home } else { &mut self.members_away };
                self.member_sources.take(ip, now) && all.take((), now)
            }
            Class::Reader => self.reader_sources.take(ip, now) && self.readers_all.take((), now),
        }
    }

    /// Which stretch of ten seconds since the start it is.
    fn slot(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs() / COOKIE_SLOT.as_secs()
    }

    fn cookie(&self, call: CallId, class: Class, from: SocketAddr, slot: u64) -> Cookie {
        let ip = match from.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let class = [u8::from(class == Class::Member)];
        let parts = [&ip[..], &from.port().to_be_bytes(), &call.0, &class, &slot.to_be_bytes()];
        Cookie(self.cookies.mark(&parts))
    }

    fn check_cookie(
        &self,
        form: &KnockForm<'_>,
        from: SocketAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        use subtle::ConstantTimeEq;
        let slot = self.slot(now);
        let is_of = |slot| {
            let right = self.cookie(form.call, form.class, from, slot);
            bool::from(right.0.ct_eq(&form.cookie.0))
        };
        if is_of(slot) || slot.checked_sub(1).is_some_and(is_of) {
            return Ok(());
        }
        Err(Refusal::Cookie)
    }
}

/// By what a source is counted: its IPv4 address, or the network of its IPv6 address, in which it may have as many
/// as it likes.
fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// The sealed answer to a knock, ready to be sent and remembered.
#[derive(Debug)]
pub struct Answered {
    call: CallId,
    bytes: [u8; PORT],
}

impl Answered {
    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Knock {
    /// Who knocks.
    pub fn visitor(&self) -> Visitor {
        self.visitor
    }

    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// From where; a cookie has proved it.
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// A door is open at `port`, for the session `session`. Returns the answer, and what the visitor must show
    /// once it is in.
    pub fn open(self, port: u16, session: [u8; 16]) -> Result<(Answered, Bind), Error> {
        let (noise, binding) = self.called.open(port, session)?;
        Ok((answered(self.call, &self.datagrams, &noise), binding))
    }

    /// There is no place; the visitor may come back after so many seconds.
    pub fn busy(self, retry_after: u16) -> Result<Answered, Error> {
        let noise = self.called.refuse(retry_after)?;
        Ok(answered(self.call, &self.datagrams, &noise))
    }
}

fn answered(call: CallId, datagrams: &Datagrams, noise: &[u8; NOISE_2]) -> Answered {
    Answered { call, bytes: datagrams.port(call, noise) }
}

/// The calls of the last seconds.
#[derive(Debug, Default)]
struct Calls {
    known: HashMap<CallId, ([u8; MARK_BYTES], Option<[u8; PORT]>)>,
    order: VecDeque<(Instant, CallId)>,
}

enum Known {
    Answered([u8; PORT]),
    Pending,
    Other,
}

impl Calls {
    fn forget(&mut self, now: Instant) {
        while let Some((since, call)) = self.order.front().copied() {
            if now.saturating_duration_since(since) <= CALL_MEMORY {
                break;
            }
            self.order.pop_front();
            self.known.remove(&call);
        }
    }

    fn is_full(&self) -> bool {
        self.order.len() >= MAX_CALLS
    }

    fn known(&self, call: CallId, mac: [u8; MARK_BYTES]) -> Option<Known> {
        Some(match self.known.get(&call)? {
            (same, Some(answer)) if *same == mac => Known::Answered(*answer),
            (same, None) if *same == mac => Known::Pending,
            _ => Known::Other,
        })
    }

    fn begun(&mut self, call: CallId, mac: [u8; MARK_BYTES], now: Instant) {
        self.known.insert(call, (mac, None));
        self.order.push_back((now, call));
    }

    fn answered(&mut self, call: CallId, answer: [u8; PORT]) {
        if let Some((_, noted)) = self.known.get_mut(&call) {
            *noted = Some(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::caller::{CallState, Caller, Errand};
    use crate::model::identity::Identity;
    use crate::model::keys::KEY_BYTES;
    use proptest::prelude::*;
    use rand::{Rng, RngExt};
    use std::time::Duration;
    use zeroize::Zeroizing;

    const SECOND: Duration = Duration::from_secs(1);
    const TOKEN: [u8; 12] = *b"149418626997";

    fn keys(network: Option<u8>) -> NetworkKeys {
        let network = network.map(|byte| SecretKey::from([byte; KEY_BYTES]));
        NetworkKeys { epoch: 1, network, reader: SecretKey::from([9; KEY_BYTES]) }
    }

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; KEY_BYTES]))
    }

    fn secret(identity: &Identity) -> SecretKey {
        SecretKey::from(*identity.knock_secret().expose())
    }

    fn at(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    /// The gate of node 1, which knows the member 2.
    fn gate(seed: u8, now: Instant) -> Gate {
        let mut gate = Gate::new(&keys(Some(7)), secret(&identity(1)).into(), [seed; 32], now);
        let token = Token::try_from(TOKEN.as_slice()).expect("twelve digits");
        gate.admit(2.try_into().expect("a number"), identity(2).public().knock, token, at(1).ip());
        gate
    }

    fn errand(own: u8, token: [u8; 12], purpose: Purpose) -> Errand {
        let asked = Asked { token: Zeroizing::new(token), purpose };
        Errand { own: secret(&identity(own)).into(), to: identity(1).public().knock, asked }
    }

    fn right() -> Errand {
        errand(2, TOKEN, Purpose::Talk)
    }

    /// The hello, the cookie taken, and the knock that follows.
    fn knock(gate: &mut Gate, caller: &mut Caller<'_>, from: SocketAddr, now: Instant) -> Vec<u8> {
        let hello = caller.due(now).expect("a hello").to_vec();
        let Decision::Answer(cookie) = gate.datagram(&hello, from, now) else {
            panic!("no cookie")
        };
        assert!(matches!(caller.datagram(&cookie, now), Ok(CallState::Waiting)));
        caller.due(now).expect("a knock").to_vec()
    }

    /// What the gate says to a call with this errand.
    fn decide(
        gate: &mut Gate,
        keys: &NetworkKeys,
        errand: Errand,
        port: u16,
        now: Instant,
    ) -> Decision {
        let datagrams = Datagrams::new(keys);
        let mut caller = Caller::new(&datagrams, errand, rand::random(), now);
        let knock = knock(gate, &mut caller, at(port), now);
        gate.datagram(&knock, at(port), now)
    }

    fn refusal(decision: Decision) -> Option<Refusal> {
        match decision {
            Decision::Silence(refusal) => Some(refusal),
            Decision::Answer(_) | Decision::Knock(_) => None,
        }
    }

    #[test]
    fn a_member_gets_in_and_both_sides_hold_the_same_binding() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        let bytes = knock(&mut gate, &mut caller, at(1), now);
        let Decision::Knock(knock) = gate.datagram(&bytes, at(1), now) else { panic!("refused") };
        assert_eq!(knock.visitor(), Visitor::Member(2.try_into().expect("a number")));
        assert_eq!((knock.purpose(), knock.from()), (Purpose::Talk, at(1)));
        assert_eq!(refusal(gate.datagram(&bytes, at(1), now)), Some(Refusal::Pending));
        let (answer, one) = knock.open(40_000, [5; 16]).expect("sealed");
        gate.answered(&answer);
        let Ok(CallState::Open(40_000, other)) = caller.datagram(answer.bytes(), now) else {
            panic!("not open")
        };
        assert!(one.matches(&other));
        // The same knock again: the same answer, and no second door.
        let again = gate.datagram(&bytes, at(1), now + SECOND);
        assert!(matches!(again, Decision::Answer(same) if same == answer.bytes()));
    }

    #[test]
    fn who_is_not_kept_gets_in_no_more_and_the_others_do() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let (two, token) = (2.try_into().expect("a number"), |digits: &[u8; 12]| {
            Token::try_from(digits.as_slice()).expect("twelve digits")
        });
        let knocks = [2, 3].map(|byte| identity(byte).public().knock);
        gate.admit(3.try_into().expect("a number"), knocks[1], token(b"000000000003"), at(1).ip());
        assert!(gate.admits(two, &knocks[0], &token(&TOKEN)));
        assert!(!gate.admits(two, &knocks[0], &token(b"000000000003")));
        gate.keep(&HashSet::from([knocks[1]]), secret(&identity(1)).into());
        assert!(!gate.admits(two, &knocks[0], &token(&TOKEN)));
        assert_eq!(refusal(decide(&mut gate, &keys, right(), 1, now)), Some(Refusal::Unknown));
        let other = errand(3, *b"000000000003", Purpose::Sync);
        assert!(matches!(decide(&mut gate, &keys, other, 2, now), Decision::Knock(_)));
    }

    #[test]
    fn a_node_without_a_place_says_when_to_come_back() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        let bytes = knock(&mut gate, &mut caller, at(1), now);
        let Decision::Knock(knock) = gate.datagram(&bytes, at(1), now) else { panic!("refused") };
        let answer = knock.busy(7).expect("sealed");
        let progress = caller.datagram(answer.bytes(), now);
        assert!(matches!(progress, Ok(CallState::Busy(wait)) if wait == 7 * SECOND));
    }

    #[test]
    fn a_knock_from_elsewhere_or_from_before_is_a_replay() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        let bytes = knock(&mut gate, &mut caller, at(1), now);
        let other_ip = SocketAddr::from(([10, 0, 0, 2], 1));
        for from in [at(2), other_ip] {
            assert_eq!(refusal(gate.datagram(&bytes, from, now)), Some(Refusal::Cookie));
        }
        assert!(matches!(gate.datagram(&bytes, at(1), now), Decision::Knock(_)));
        for later in [21, 3600, 86_400 * 365] {
            let then = now + later * SECOND;
            assert_eq!(refusal(gate.datagram(&bytes, at(1), then)), Some(Refusal::Cookie));
        }
        // A node that was started anew knows nothing of the cookie.
        let mut anew = super::tests::gate(2, now);
        assert_eq!(refusal(anew.datagram(&bytes, at(1), now)), Some(Refusal::Cookie));
    }

    #[test]
    fn a_caller_whose_node_was_started_anew_begins_again_and_gets_in() {
        let mut now = Instant::now();
        let (mut old, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        knock(&mut old, &mut caller, at(1), now);
        let mut new = gate(2, now);
        let end = now + 4 * SECOND;
        while now < end {
            if let Some(bytes) = caller.due(now).map(<[u8]>::to_vec) {
                match new.datagram(&bytes, at(1), now) {
                    Decision::Answer(cookie) => drop(caller.datagram(&cookie, now)),
                    Decision::Knock(_) => return,
                    Decision::Silence(_) => {}
                }
            }
            now = now.max(caller.next());
        }
        panic!("it did not get in");
    }

    #[test]
    fn strangers_and_readers_get_what_is_theirs_and_no_more() {
        let now = Instant::now();
        let (mut gate, member, reader) = (gate(1, now), keys(Some(7)), keys(None));
        let unknown = errand(3, TOKEN, Purpose::Talk);
        assert_eq!(refusal(decide(&mut gate, &member, unknown, 1, now)), Some(Refusal::Unknown));
        let for_another = Errand { to: identity(3).public().knock, ..right() };
        assert_eq!(refusal(decide(&mut gate, &member, for_another, 2, now)), Some(Refusal::Seal));
        // A tier-2 device asks for messages, for the database; even with a member's own keys.
        for (port, purpose) in [(3, Purpose::Talk), (4, Purpose::Sync)] {
            let asked = errand(2, TOKEN, purpose);
            assert_eq!(
                refusal(decide(&mut gate, &reader, asked, port, now)),
                Some(Refusal::Purpose)
            );
        }
        let refresh = errand(3, [0; 12], Purpose::Refresh);
        let decision = decide(&mut gate, &reader, refresh, 5, now);
        assert!(matches!(decision, Decision::Knock(knock) if knock.visitor() == Visitor::Reader));
        let stranger = NetworkKeys { reader: SecretKey::from([1; KEY_BYTES]), ..keys(Some(1)) };
        let hello = Datagrams::new(&stranger).hello(CallId([1; 16]), &mut rand::rng());
        assert_eq!(refusal(gate.datagram(&hello, at(6), now)), Some(Refusal::Mac));
    }

    #[test]
    fn wrong_tokens_lock_their_sender_for_a_minute_and_nobody_else() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let token = Token::try_from(b"747323719280".as_slice()).expect("twelve digits");
        gate.admit(3.try_into().expect("a number"), identity(3).public().knock, token, at(1).ip());
        for port in 1..=WRONG_TOKENS as u16 {
            let wrong = errand(2, *b"149418626998", Purpose::Talk);
            assert_eq!(refusal(decide(&mut gate, &keys, wrong, port, now)), Some(Refusal::Token));
        }
        assert_eq!(refusal(decide(&mut gate, &keys, right(), 20, now)), Some(Refusal::Locked));
        let other = errand(3, *b"747323719280", Purpose::Talk);
        assert!(matches!(decide(&mut gate, &keys, other, 21, now), Decision::Knock(_)));
        let later = now + WRONG_TOKEN_LOCK;
        assert!(matches!(decide(&mut gate, &keys, right(), 22, later), Decision::Knock(_)));
    }

    #[test]
    fn a_crowd_of_readers_keeps_no_member_out_and_fills_no_memory() {
        let now = Instant::now();
        let (mut gate, member, reader) = (gate(1, now), keys(Some(7)), keys(None));
        let datagrams = Datagrams::new(&reader);
        let (mut opened, mut held_back) = (0, 0);
        for host in 0..2000_u32 {
            let from = SocketAddr::from((host.to_be_bytes(), 1));
            let errand = errand(3, [0; 12], Purpose::Refresh);
            let mut caller = Caller::new(&datagrams, errand, rand::random(), now);
            let knock = knock(&mut gate, &mut caller, from, now);
            match refusal(gate.datagram(&knock, from, now)) {
                None => opened += 1,
                Some(refusal) => {
                    assert_eq!(refusal, Refusal::Often);
                    held_back += 1;
                }
            }
        }
        assert_eq!(opened, READERS_BURST as usize);
        assert_eq!(opened + held_back, 2000);
        assert!(matches!(decide(&mut gate, &member, right(), 1, now), Decision::Knock(_)));
        assert_eq!(gate.calls.order.len(), opened + 1);
        gate.datagram(&[], at(1), now + 2 * CALL_MEMORY);
        assert!(gate.calls.order.is_empty() && gate.calls.known.is_empty());
    }

    #[test]
    fn somebody_with_the_networks_key_elsewhere_keeps_no_member_at_home_out() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut opened = 0;
        for host in 0..2000_u64 {
            // As many addresses as it likes, of as many networks.
            let from = SocketAddr::from(((u128::from(host) << 64).to_be_bytes(), 1));
            let errand = errand(3, TOKEN, Purpose::Talk);
            let mut caller = Caller::new(&datagrams, errand, rand::random(), now);
            let knock = knock(&mut gate, &mut caller, from, now);
            opened +=
                usize::from(refusal(gate.datagram(&knock, from, now)) == Some(Refusal::Unknown));
        }
        assert_eq!(opened, MEMBER_BURST as usize);
        assert!(matches!(decide(&mut gate, &keys, right(), 1, now), Decision::Knock(_)));
    }

    #[test]
    fn a_caller_gets_in_over_a_link_of_five_seconds_there_and_back() {
        let (mut now, keys) = (Instant::now(), keys(Some(7)));
        let (datagrams, mut gate) = (Datagrams::new(&keys), gate(1, now));
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        let (end, way) = (now + 30 * SECOND, 5 * SECOND / 2);
        let mut on_the_way: VecDeque<(Instant, bool, Vec<u8>)> = VecDeque::new();
        while now < end {
            if let Some(bytes) = caller.due(now) {
                on_the_way.push_back((now + way, true, bytes.to_vec()));
            }
            let arrives = on_the_way.front().map_or(end, |(when, ..)| *when);
            now = now.max(arrives.min(caller.next()));
            if arrives > now {
                continue;
            }
            match on_the_way.pop_front() {
                Some((_, true, bytes)) => match gate.datagram(&bytes, at(1), now) {
                    Decision::Answer(bytes) => on_the_way.push_back((now + way, false, bytes)),
                    Decision::Knock(knock) => {
                        let (answer, _) = knock.open(40_000, [5; 16]).expect("sealed");
                        gate.answered(&answer);
                        on_the_way.push_back((now + way, false, answer.bytes().to_vec()));
                    }
                    Decision::Silence(_) => {}
                },
                Some((_, false, bytes)) => {
                    if let Ok(CallState::Open(..)) = caller.datagram(&bytes, now) {
                        return;
                    }
                }
                None => {}
            }
        }
        panic!("it did not get in");
    }

    #[test]
    fn every_flipped_bit_of_a_knock_is_refused_and_the_right_one_still_gets_in() {
        let now = Instant::now();
        let (mut gate, keys) = (gate(1, now), keys(Some(7)));
        let datagrams = Datagrams::new(&keys);
        let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
        let bytes = knock(&mut gate, &mut caller, at(1), now);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(refusal(gate.datagram(&flipped, at(1), now)).is_some(), "bit {bit}");
        }
        assert!(matches!(gate.datagram(&bytes, at(1), now), Decision::Knock(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Every datagram may be lost, doubled, late or changed, and the node may be started anew: within a
        /// minute of virtual time the caller is in, once.
        #[test]
        fn a_caller_gets_in_over_a_link_as_bad_as_it_may_be(seed in any::<u64>()) {
            let mut rng = StdRng::seed_from_u64(seed);
            let (mut now, keys) = (Instant::now(), keys(Some(7)));
            let (datagrams, mut gate) = (Datagrams::new(&keys), gate(1, now));
            let mut caller = Caller::new(&datagrams, right(), [3; 32], now);
            let mut on_the_way: Vec<(Instant, bool, Vec<u8>)> = Vec::new();
            let (end, mut bindings) = (now + 60 * SECOND, Vec::new());
            let opened = loop {
                prop_assert!(now < end, "it did not get in");
                if let Some(bytes) = caller.due(now) {
                    send(&mut on_the_way, &mut rng, now, true, bytes);
                }
                on_the_way.sort_by_key(|(when, ..)| *when);
                let arrives = on_the_way.first().map(|(when, ..)| *when);
                now = now.max(arrives.unwrap_or(end).min(caller.next()));
                if arrives.is_none_or(|when| when > now) {
                    continue;
                }
                let (_, to_node, bytes) = on_the_way.remove(0);
                if rng.random_ratio(1, 200) {
                    gate = super::tests::gate(rng.random(), now);
                }
                if !to_node {
                    if let Ok(CallState::Open(_, binding)) = caller.datagram(&bytes, now) {
                        break binding;
                    }
                    continue;
                }
                match gate.datagram(&bytes, at(1), now) {
                    Decision::Answer(bytes) => send(&mut on_the_way, &mut rng, now, false, &bytes),
                    Decision::Knock(knock) => {
                        let (answer, binding) = knock.open(40_000, rng.random()).expect("sealed");
                        gate.answered(&answer);
                        send(&mut on_the_way, &mut rng, now, false, answer.bytes());
                        bindings.push(binding);
                    }
                    Decision::Silence(_) => {}
                }
            };
            let fitting = bindings.iter().filter(|binding| binding.matches(&opened)).count();
            prop_assert_eq!(fitting, 1);
        }
    }

    /// Puts a datagram on its way: lost, once or twice, after up to half a second, one in ten changed.
    fn send(
        on_the_way: &mut Vec<(Instant, bool, Vec<u8>)>,
        rng: &mut StdRng,
        now: Instant,
        to_node: bool,
        bytes: &[u8],
    ) {
        for _ in 0..rng.random_range(0..=2) {
            let mut bytes = bytes.to_vec();
            if rng.random_ratio(1, 10) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= rng.next_u32() as u8 | 1;
            }
            on_the_way.push((now + SECOND.mul_f64(rng.random_range(0.0..0.5)), to_node, bytes));
        }
    }
}
