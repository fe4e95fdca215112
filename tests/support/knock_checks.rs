//! What must hold whatever datagrams come to a gate, or to somebody who calls one. A check takes any input and
//! panics where something does not hold. `tests/session_values.rs` runs them over changed seeds, the targets of
//! `tests/fuzz` over what a fuzzer finds.
//!
//! ```text
//! input = *( what u8, who u8, from u8, later u8, count u8, count bytes )
//! ```
//!
//! `what` is looked up by each check. The bytes are a datagram as it is, or changes to a right one: pairs of a
//! place and what is flipped there. One flip of the first bit in the first byte: `knock 1 0 0 0 2 0 1`.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use reunite::model::caller::{CallState, Caller, Errand};
use reunite::model::datagram::{COOKIE, CallId, Cookie, Datagrams, HELLO, KNOCK, PORT, Refusal};
use reunite::model::gate::{Answered, Decision, Gate, Knock, Visitor};
use reunite::model::identity::Identity;
use reunite::model::keys::{MARK_BYTES, Marker, NetworkKeys, SecretKey};
use reunite::model::limits::{
    CALL_AGAIN, CALL_ANEW, CALL_MEMORY, COOKIE_SLOT, MEMBER_BURST, READERS_BURST, READERS_RATE,
    REFRESH_BURST, REFRESH_RATE, TOKEN_DIGITS, WRONG_TOKENS,
};
use reunite::model::message::Bind;
use reunite::model::noise::{Asked, Purpose};
use reunite::model::secret::Token;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How much later than the one before, in milliseconds: around all periods that count.
const LATER: [u64; 10] = [0, 1, 100, 250, 1000, 2000, 9_999, 10_001, 20_001, 61_000];
/// Longest part of the input that is looked at: so many knocks cost a tenth of a second.
const MOST_STEPS: usize = 200;

/// One step of an input.
struct Step<'a> {
    what: u8,
    who: u8,
    from: u8,
    later: Duration,
    bytes: &'a [u8],
}

fn steps(input: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = input;
    let next = move || {
        let ([what, who, from, later, count], behind) = rest.split_first_chunk()?;
        let (bytes, behind) = behind.split_at(usize::from(*count).min(behind.len()));
        rest = behind;
        let later = Duration::from_millis(LATER[usize::from(*later) % LATER.len()]);
        Some(Step { what: *what, who: *who, from: *from, later, bytes })
    };
    std::iter::from_fn(next).take(MOST_STEPS)
}

/// What travels, with these changes.
fn changed(bytes: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes.chunks_exact(2) {
        let place = usize::from(change[0]) % bytes.len();
        bytes[place] ^= change[1];
    }
    bytes
}

/// The same with a right mac: what somebody can send who has the key.
fn marked(mut bytes: Vec<u8>, marker: &Marker) -> Vec<u8> {
    let body = bytes.len() - MARK_BYTES;
    let mark = marker.mark(&[&bytes[..body]]);
    bytes[body..].copy_from_slice(&mark);
    bytes
}

fn part<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes[from..from + N].try_into().expect("long enough")
}

/// Where the call stands in each datagram, and the cookie in a cookie and a knock.
const CALL: usize = 8;
const COOKIE_AT: usize = 24;
/// Where the Noise message of a knock stands.
const NOISE: std::ops::Range<usize> = 56..KNOCK - MARK_BYTES;

// --- who there is ---

const TOKENS: [&[u8; TOKEN_DIGITS]; 2] = [b"100000000007", b"200000000014"];

/// The node, its two members, and somebody whom it does not know.
static PEOPLE: LazyLock<[Identity; 4]> =
    LazyLock::new(|| [1, 2, 3, 4].map(|byte| Identity::new(SecretKey::from([byte; 32]))));

fn keys(is_member: bool) -> NetworkKeys {
    let network = is_member.then(|| SecretKey::from([7; 32]));
    NetworkKeys { epoch: 1, network, reader: SecretKey::from([9; 32]) }
}

static MEMBERS: LazyLock<Datagrams> = LazyLock::new(|| Datagrams::new(&keys(true)));
static READERS: LazyLock<Datagrams> = LazyLock::new(|| Datagrams::new(&keys(false)));
static READER_MARK: LazyLock<Marker> = LazyLock::new(|| Marker::new(&keys(true).reader));
static MEMBER_MARK: LazyLock<Marker> =
    LazyLock::new(|| Marker::new(&keys(true).network.expect("a member has it")));

fn gate(seed: u8, now: Instant) -> Gate {
    let own = SecretKey::from(*PEOPLE[0].knock_secret().expose());
    let mut gate = Gate::new(&keys(true), own.into(), [seed; 32], now);
    for (number, token) in (1..).zip(TOKENS) {
        let token = Token::try_from(&token[..]).expect("twelve digits");
        let key = PEOPLE[number as usize].public().knock;
        gate.admit(number.try_into().expect("a number"), key, token, [10, 0, 0, 1].into());
    }
    gate
}

/// Kinds of callers: the first four may come in, at `Visitor`; the others never.
const CALLERS: usize = 9;

struct Kind {
    visitor: Option<Visitor>,
    own: usize,
    to: usize,
    token: [u8; TOKEN_DIGITS],
    purpose: Purpose,
    is_member: bool,
}

fn kind(who: u8) -> Kind {
    let member = |number: u64| Visitor::Member(number.try_into().expect("a number"));
    let of = |visitor, own, to, token: &[u8; TOKEN_DIGITS], purpose, is_member| Kind {
        visitor,
        own,
        to,
        token: *token,
        purpose,
        is_member,
    };
    let zeros = &[0; TOKEN_DIGITS];
    match usize::from(who) % CALLERS {
        0 => of(Some(member(1)), 1, 0, TOKENS[0], Purpose::Talk, true),
        1 => of(Some(member(1)), 1, 0, TOKENS[0], Purpose::Sync, true),
        2 => of(Some(member(2)), 2, 0, TOKENS[1], Purpose::Talk, true),
        3 => of(Some(Visitor::Reader), 3, 0, zeros, Purpose::Refresh, false),
        4 => of(None, 1, 0, TOKENS[1], Purpose::Talk, true),
        5 => of(None, 3, 0, TOKENS[0], Purpose::Talk, true),
        6 => of(None, 1, 0, TOKENS[0], Purpose::Talk, false),
        7 => of(None, 1, 0, TOKENS[0], Purpose::Refresh, true),
        _ => of(None, 1, 3, TOKENS[0], Purpose::Talk, true),
    }
}

fn caller(who: u8, seed: [u8; 32], now: Instant) -> Caller<'static> {
    let Kind { own, to, token, purpose, is_member, .. } = kind(who);
    let errand = Errand {
        own: SecretKey::from(*PEOPLE[own].knock_secret().expose()).into(),
        to: PEOPLE[to].public().knock,
        asked: Asked { token: Zeroizing::new(token), purpose },
    };
    let datagrams = if is_member { &*MEMBERS } else { &*READERS };
    Caller::new(datagrams, errand, seed, now)
}

fn address(from: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([10, 0, 0, from >> 4]), 1000 + u16::from(from & 15))
}

// --- what comes to a gate ---

/// A gate hears raw datagrams (`what` 0), callers that begin (1) and go on (2), what they send with changes,
/// with a mac that is wrong then (3) or right (4), what was sent before (5), knocks of who has the key and makes
/// up the rest (6); it opens its doors or says that it is busy (7), and is started anew (8).
pub fn knock(input: &[u8]) {
    let mut listener = Listener::new();
    for step in steps(input) {
        listener.now += step.later;
        listener.step(&step);
    }
    listener.assert_small();
    listener.assert_still_open();
}

/// A caller, what it sent last, and from where.
struct Line {
    caller: Caller<'static>,
    kind: u8,
    last: Vec<u8>,
}

/// A node's gate, and all that is known of what was sent to it.
struct Listener {
    gate: Gate,
    starts: u8,
    now: Instant,
    lines: HashMap<u8, Line>,
    begun: u64,
    sent: Vec<(Vec<u8>, SocketAddr)>,
    /// Cookies that this gate gave out, to whom and when.
    cookies: HashMap<[u8; 16], (SocketAddr, Instant)>,
    /// The knocks of true callers: call, cookie and Noise message; and what they are.
    true_knocks: HashMap<Vec<u8>, u8>,
    admitted: Vec<(Instant, CallId, Visitor, IpAddr)>,
    open: Vec<(Box<Knock>, Vec<u8>)>,
    heard: usize,
}

impl Listener {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            gate: gate(1, now),
            starts: 1,
            now,
            lines: HashMap::new(),
            begun: 0,
            sent: Vec::new(),
            cookies: HashMap::new(),
            true_knocks: HashMap::new(),
            admitted: Vec::new(),
            open: Vec::new(),
            heard: 0,
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        let from = address(step.from);
        let changes = step.bytes;
        match step.what % 9 {
            0 => drop(self.hear(changes, from)),
            1 => {
                self.begun += 1;
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&self.begun.to_be_bytes());
                let caller = caller(step.who, seed, self.now);
                let line = Line { caller, kind: step.who, last: Vec::new() };
                self.lines.insert(step.who, line);
                self.talk(step.who, from);
            }
            2 => self.talk(step.who, from),
            what @ (3 | 4) => {
                let Some(last) = self.last(step.who) else { return };
                let bytes = changed(&last, changes);
                let bytes = if what == 4 { marked(bytes, &READER_MARK) } else { bytes };
                self.hear(&bytes, from);
            }
            5 => {
                let at = usize::from(step.who) % self.sent.len().max(1);
                if let Some((bytes, then)) = self.sent.get(at).cloned() {
                    let from = if step.from == 255 { then } else { from };
                    self.hear(&bytes, from);
                }
            }
            6 => {
                let mut noise = [0; NOISE.end - NOISE.start];
                noise.iter_mut().zip(changes).for_each(|(to, from)| *to = *from);
                let cookies: Vec<_> = sorted(self.cookies.keys().copied());
                let cookie = cookies.get(usize::from(step.who) % cookies.len().max(1));
                let cookie = Cookie(cookie.copied().unwrap_or([step.who; 16]));
                let call = self.last(0).map_or([step.from; 16], |last| part(&last, CALL));
                let mut rng = StdRng::from_seed([step.who; 32]);
                let bytes = MEMBERS.knock(CallId(call), cookie, &noise, &mut rng);
                self.hear(&bytes, from);
            }
            7 => self.answer(step.who),
            _ => {
                self.starts = self.starts.wrapping_add(1);
                self.gate = gate(self.starts, self.now);
                self.cookies.clear();
                self.admitted.clear();
                self.open.clear();
            }
        }
    }

    fn last(&self, who: u8) -> Option<Vec<u8>> {
        self.lines.get(&who).map(|line| line.last.clone()).filter(|last| !last.is_empty())
    }

    /// The caller sends what is due, and gets the answer.
    fn talk(&mut self, who: u8, from: SocketAddr) {
        let now = self.now;
        let Some(line) = self.lines.get_mut(&who) else { return };
        let Some(bytes) = line.caller.due(now).map(<[u8]>::to_vec) else { return };
        assert!(bytes.len() == HELLO || bytes.len() == KNOCK);
        if bytes.len() == KNOCK {
            self.true_knocks.insert(essence(&bytes), line.kind);
        }
        line.last.clone_from(&bytes);
        self.sent.push((bytes.clone(), from));
        let answer = self.hear(&bytes, from);
        if let (Some(answer), Some(line)) = (answer, self.lines.get_mut(&who)) {
            let progress = line.caller.datagram(&answer, now).expect("our own handshake");
            let busy_or_open = !matches!(progress, CallState::Waiting);
            assert_eq!(busy_or_open, bytes.len() == KNOCK, "{progress:?}");
        }
    }

    fn hear(&mut self, bytes: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        self.heard += 1;
        match self.gate.datagram(bytes, from, self.now) {
            Decision::Silence(_) => None,
            Decision::Answer(answer) => {
                assert!(answer.len() < bytes.len(), "it is of use to amplify a flood");
                assert_eq!(part::<16>(&answer, CALL), part(bytes, CALL));
                match answer.len() {
                    COOKIE => {
                        assert_eq!(bytes.len(), HELLO);
                        self.cookies.insert(part(&answer, COOKIE_AT), (from, self.now));
                    }
                    _ => assert!(answer.len() == PORT && bytes.len() == KNOCK),
                }
                Some(answer)
            }
            Decision::Knock(knock) => {
                self.assert_true(&knock, bytes, from);
                self.open.push((knock, bytes.to_vec()));
                None
            }
        }
    }

    /// A knock is let in only if one who may come in made it, from where its cookie was sent to lately; once;
    /// and not more often than it may.
    fn assert_true(&mut self, knock: &Knock, bytes: &[u8], from: SocketAddr) {
        let known = self.true_knocks.get(&essence(bytes));
        let known = kind(*known.expect("nobody knocked like this"));
        assert_eq!(Some(knock.visitor()), known.visitor);
        assert_eq!(knock.purpose(), known.purpose);
        assert_eq!(knock.from(), from);
        let (to, since) = self.cookies[&part(bytes, COOKIE_AT)];
        assert_eq!(to, from, "its cookie was sent elsewhere");
        let now = self.now;
        assert!(now - since <= 2 * COOKIE_SLOT, "its cookie is too old");
        let call = CallId(part(bytes, CALL));
        let recent = |at: &Instant| now - *at <= CALL_MEMORY;
        let again = self.admitted.iter().any(|(at, before, ..)| recent(at) && *before == call);
        assert!(!again, "the same call comes in twice");
        self.admitted.push((now, call, knock.visitor(), from.ip()));
        let readers = || self.admitted.iter().filter(|(_, _, who, _)| *who == Visitor::Reader);
        let first = self.admitted[0].0;
        let lasted = (now - first).as_secs_f64();
        assert!(readers().count() as f64 <= READERS_BURST + lasted * READERS_RATE + 1.0);
        let of_one = readers().filter(|(.., ip)| *ip == from.ip()).count() as f64;
        assert!(of_one <= REFRESH_BURST + lasted * REFRESH_RATE + 1.0);
    }

    /// A door is opened, or there is no place: then the same knock, sent again, gets the same answer.
    fn answer(&mut self, how: u8) {
        let Some((knock, bytes)) = self.open.pop() else { return };
        let (from, call) = (knock.from(), part::<16>(&bytes, CALL));
        let answer = match how % 4 {
            0 => return,
            1 => knock.busy(5),
            _ => knock.open(40_000, [how; 16]).map(|(answer, _)| answer),
        };
        let answer = answer.expect("our own handshake");
        self.gate.answered(&answer);
        assert!(answer.bytes().len() < bytes.len());
        assert_eq!(part::<16>(answer.bytes(), CALL), call);
        match self.gate.datagram(&bytes, from, self.now) {
            Decision::Answer(again) => assert_eq!(again, answer.bytes()),
            // Its cookie is too old by now.
            Decision::Silence(Refusal::Cookie) => {}
            // It was forgotten while its door was being opened; this is another door.
            Decision::Knock(knock) => self.assert_true(&knock, &bytes, from),
            Decision::Silence(other) => panic!("an answered knock is {other:?}"),
        }
    }

    /// What the gate holds grows with those who were let in or had a right cookie, not with what it hears.
    fn assert_small(&self) {
        let said = format!("{:?}", self.gate).len();
        let bound = 20_000 + 2000 * self.admitted.len() + 200 * self.cookies.len();
        assert!(said <= bound, "{} datagrams left {said} letters of state", self.heard);
    }

    /// Whatever came: a member comes in at once, from an address that knocked less than it may.
    fn assert_still_open(&mut self) {
        const { assert!((MOST_STEPS as f64) < MEMBER_BURST && WRONG_TOKENS > 0) };
        let (from, now) = (SocketAddr::from(([10, 9, 9, 9], 1)), self.now);
        let mut caller = caller(2, [255; 32], now);
        for _ in 0..2 {
            let bytes = caller.due(now).expect("something to send").to_vec();
            match self.gate.datagram(&bytes, from, now) {
                Decision::Answer(answer) => drop(caller.datagram(&answer, now)),
                Decision::Knock(knock) => {
                    assert_eq!(Some(knock.visitor()), kind(2).visitor);
                    return;
                }
                Decision::Silence(refusal) => panic!("a member is refused: {refusal:?}"),
            }
        }
        panic!("a member got two cookies");
    }
}

/// What of a knock only its sender can make: the call, the cookie, and what is sealed.
fn essence(knock: &[u8]) -> Vec<u8> {
    [&knock[CALL..CALL + 16], &knock[COOKIE_AT..COOKIE_AT + 16], &knock[NOISE]].concat()
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<_> = values.collect();
    values.sort();
    values
}

// --- what comes to a caller ---

/// A caller hears raw datagrams (`what` 0), the node's answers to what it sends now (1), those with changes, with
/// a mac that is wrong then (2) or right (3), and answers that it had before (4); its datagrams get lost (5), or
/// the node is started anew (6). `who` says what the node answers to a knock.
pub fn reply(input: &[u8]) {
    let Some((who, rest)) = input.split_first() else { return };
    let mut call = Call::new([0, 3][usize::from(*who) % 2]);
    for step in steps(rest) {
        call.now += step.later;
        if call.step(&step) {
            return;
        }
    }
    call.assert_gets_in();
}

/// A call under way, and the node at its other end.
struct Call {
    caller: Caller<'static>,
    gate: Gate,
    starts: u8,
    now: Instant,
    from: SocketAddr,
    answers: Vec<Vec<u8>>,
    /// The knocks that the node opened or refused, by its answers: the binding for an open door.
    given: HashMap<Vec<u8>, Option<Bind>>,
    marker: &'static Marker,
}

/// The port of all doors.
const DOOR: u16 = 40_000;

impl Call {
    fn new(who: u8) -> Self {
        let now = Instant::now();
        let marker = if kind(who).is_member { &*MEMBER_MARK } else { &*READER_MARK };
        Self {
            caller: caller(who, [who; 32], now),
            gate: gate(1, now),
            starts: 1,
            now,
            from: address(0),
            answers: Vec::new(),
            given: HashMap::new(),
            marker,
        }
    }

    /// Returns whether the call has ended.
    fn step(&mut self, step: &Step<'_>) -> bool {
        match step.what % 7 {
            0 => self.hear(step.bytes),
            what @ 1..=3 => {
                // A source of its own for each, so that none knocks more often than it may.
                self.from = address(step.from);
                let Some(answer) = self.answer(step.who % 4 == 3) else { return false };
                let bytes = if what == 1 { answer } else { changed(&answer, step.bytes) };
                let bytes = if what == 3 { marked(bytes, self.marker) } else { bytes };
                self.hear(&bytes)
            }
            4 => {
                let at = usize::from(step.who) % self.answers.len().max(1);
                let Some(bytes) = self.answers.get(at) else { return false };
                self.hear(&changed(bytes, step.bytes))
            }
            5 => {
                self.assert_is_patient();
                false
            }
            _ => {
                self.starts = self.starts.wrapping_add(1);
                self.gate = gate(self.starts, self.now);
                false
            }
        }
    }

    /// What is due gets lost, also what was due long ago: no more than is sent in one try.
    fn assert_is_patient(&mut self) {
        let (now, mut sent) = (self.now, 0);
        while let Some(bytes) = self.caller.due(now) {
            assert!(bytes.len() == HELLO || bytes.len() == KNOCK);
            sent += 1;
            assert!(sent <= 1 + CALL_AGAIN.len(), "it sends without a pause");
        }
        assert!(self.caller.next() <= now + CALL_ANEW, "it waits for too long");
    }

    /// What the node answers to what is due.
    fn answer(&mut self, is_busy: bool) -> Option<Vec<u8>> {
        let bytes = self.caller.due(self.now)?.to_vec();
        let answer = match self.gate.datagram(&bytes, self.from, self.now) {
            Decision::Silence(_) => return None,
            Decision::Answer(answer) => answer,
            Decision::Knock(knock) => {
                let (answer, bind) = granted(*knock, is_busy);
                self.gate.answered(&answer);
                self.given.insert(answer.bytes().to_vec(), bind);
                answer.bytes().to_vec()
            }
        };
        self.answers.push(answer.clone());
        Some(answer)
    }

    /// The caller hears something. Only what the node said, to the last bit, says that a door is open. Returns
    /// whether it did.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        let given = self.given.get(bytes);
        match self.caller.datagram(bytes, self.now).expect("our own handshake") {
            CallState::Waiting => false,
            CallState::Open(port, shown) => {
                let bind = given.and_then(Option::as_ref).expect("no door is open");
                assert!(port == DOOR && bind.matches(&shown));
                true
            }
            CallState::Busy(wait) => {
                assert!(matches!(given, Some(None)), "the node is not busy");
                assert_eq!(wait, Duration::from_secs(7));
                true
            }
        }
    }

    /// Whatever came: when nobody disturbs it any more, the call succeeds.
    fn assert_gets_in(&mut self) {
        self.from = SocketAddr::from(([10, 9, 9, 9], 1));
        // A gate that had to answer more than it may answers nothing for a while.
        self.gate = gate(self.starts.wrapping_add(1), self.now);
        let end = self.now + 4 * CALL_ANEW;
        while self.now < end {
            if let Some(answer) = self.answer(false) {
                if self.hear(&answer) {
                    return;
                }
            }
            self.now = self.now.max(self.caller.next());
        }
        panic!("it does not get in");
    }
}

fn granted(knock: Knock, is_busy: bool) -> (Answered, Option<Bind>) {
    match is_busy {
        true => (knock.busy(7).expect("our own handshake"), None),
        false => {
            let (answer, bind) = knock.open(DOOR, [5; 16]).expect("our own handshake");
            (answer, Some(bind))
        }
    }
}
