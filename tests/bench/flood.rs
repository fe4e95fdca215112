//! What a flood of datagrams costs: each kind of refusal in the gate alone, and a node that is flooded while a
//! true member calls it.

use crate::idle::processor_seconds;
use crate::sealed::{Member, end};
use crate::support::Network;
use crate::table::{Line, Runs, timed};
use reunite::model::caller::{Caller, Errand};
use reunite::model::datagram::{CallId, Cookie, Datagrams, KNOCK, NOISE_1, Refusal};
use reunite::model::gate::{Decision, Gate};
use reunite::model::identity::Identity;
use reunite::model::keys::{NetworkKeys, SecretKey};
use reunite::model::limits::{COOKIE_SLOT, MEMBER_BURST, TOKEN_DIGITS};
use reunite::model::noise::{Asked, Purpose};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Datagrams of one kind in one run, but for those that have to be opened.
const MANY: usize = 200_000;
const RUNS: usize = 9;
/// Calls of a true member, quietly and in a flood.
const CALLS: usize = 100;
/// Threads that flood.
const FLOODERS: usize = 2;

pub fn measure() -> Vec<Line> {
    let mut lines = in_the_gate();
    lines.extend(in_a_node("junk with a wrong mac", |_| vec![junk()]));
    lines.extend(in_a_node("knocks with a right mac and a stale cookie", |network| {
        let keys = &network.secrets.as_ref().expect("sealed").keys;
        (0..=255).map(|number| stale(&Datagrams::new(keys), number)).collect()
    }));
    lines
}

/// The form of a knock, and nothing else.
fn junk() -> Vec<u8> {
    let mut bytes = vec![7; KNOCK];
    bytes[..8].copy_from_slice(&[1, 3, 0, 1, 0, 0, 0, 0]);
    bytes
}

/// What a member sends that makes up its cookie.
fn stale(datagrams: &Datagrams, number: u8) -> Vec<u8> {
    let (call, cookie) = (CallId([number; 16]), Cookie([number; 16]));
    datagrams.knock(call, cookie, &[number; NOISE_1], &mut rand::rng()).to_vec()
}

// --- the gate ---

/// A gate, and what its callers have.
struct Door {
    gate: Gate,
    datagrams: Datagrams,
    node: Identity,
    now: Instant,
}

fn in_the_gate() -> Vec<Line> {
    let keys = || NetworkKeys {
        epoch: 1,
        network: Some(SecretKey::from([7; 32])),
        reader: SecretKey::from([9; 32]),
    };
    let (now, node) = (Instant::now(), Identity::new(SecretKey::from([1; 32])));
    let own = SecretKey::from(*node.knock_secret().expose());
    let gate = Gate::new(&keys(), own.into(), [1; 32], now);
    let mut door = Door { gate, datagrams: Datagrams::new(&keys()), node, now };
    let another = NetworkKeys { epoch: 2, ..keys() };
    let stranger = NetworkKeys { reader: SecretKey::from([8; 32]), ..keys() };
    let many = |datagrams: Vec<Vec<u8>>| {
        move |_: &mut Door, at: usize| datagrams[at % datagrams.len()].clone()
    };
    let stale_of = |keys: &NetworkKeys| {
        let datagrams = Datagrams::new(keys);
        (0..=255).map(|number| stale(&datagrams, number)).collect::<Vec<_>>()
    };
    let short = vec![vec![7; KNOCK - 1]];
    let (burst, junk_line) =
        (MEMBER_BURST as usize / 2, "knocks refused by one core: no form of ours");
    vec![
        door.line(junk_line, MANY, Refusal::Form, many(short)),
        door.line("… of another epoch", MANY, Refusal::Epoch, many(stale_of(&another))),
        door.line("… with a wrong mac", MANY, Refusal::Mac, many(stale_of(&stranger))),
        door.line(
            "… with a right mac and a stale cookie",
            MANY,
            Refusal::Cookie,
            many(stale_of(&keys())),
        ),
        door.line(
            "… with a right cookie and a seal that is none",
            burst,
            Refusal::Seal,
            |door, at| {
                let (call, cookie) = door.cookie(at);
                door.datagrams.knock(call, cookie, &[at as u8; NOISE_1], &mut rand::rng()).to_vec()
            },
        ),
        door.line(
            "… with a right seal of somebody unknown",
            burst,
            Refusal::Unknown,
            Door::unknown,
        ),
    ]
}

impl Door {
    /// Measures how many datagrams a second are refused like this. Each run comes a while after the one before, so
    /// that no limit on how often somebody may knock is reached.
    fn line(
        &mut self,
        what: &str,
        count: usize,
        refusal: Refusal,
        make: impl Fn(&mut Self, usize) -> Vec<u8>,
    ) -> Line {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            self.now += 2 * COOKIE_SLOT;
            let made: Vec<_> = (0..count.min(256)).map(|at| make(self, at)).collect();
            // By the clock: what the kernel counts of a thread is too coarse for the cheapest.
            let (time, ()) = timed(|| {
                for bytes in made.iter().cycle().take(count) {
                    let decision =
                        self.gate.datagram(std::hint::black_box(bytes), from(), self.now);
                    assert!(matches!(decision, Decision::Silence(why) if why == refusal));
                }
            });
            runs.push(count as f64 / time.as_secs_f64());
        }
        Line::new(what, Runs::new("/s", runs))
    }

    /// A right cookie.
    fn cookie(&mut self, number: usize) -> (CallId, Cookie) {
        let mut call = CallId([0; 16]);
        call.0[..8].copy_from_slice(&number.to_be_bytes());
        let hello = self.datagrams.hello(call, &mut rand::rng());
        let Decision::Answer(answer) = self.gate.datagram(&hello, from(), self.now) else {
            unreachable!("each hello is answered")
        };
        (call, Cookie(answer[24..40].try_into().expect("16 bytes")))
    }

    /// A knock that has all that it takes, but for a place in the peers file.
    fn unknown(&mut self, number: usize) -> Vec<u8> {
        let asked = Asked { token: Zeroizing::new([b'1'; TOKEN_DIGITS]), purpose: Purpose::Talk };
        let own = SecretKey::from([2; 32]);
        let errand = Errand { own: own.into(), to: self.node.public().knock, asked };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let mut caller = Caller::new(&self.datagrams, errand, seed, self.now);
        let hello = caller.due(self.now).expect("a hello").to_vec();
        let Decision::Answer(answer) = self.gate.datagram(&hello, from(), self.now) else {
            unreachable!("each hello is answered")
        };
        caller.datagram(&answer, self.now).expect("sealed");
        caller.due(self.now).expect("a knock").to_vec()
    }
}

fn from() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 1, 2, 3), 1000))
}

// --- a node ---

/// A member calls a node, quietly and while others flood it.
fn in_a_node(what: &str, make: fn(&Network) -> Vec<Vec<u8>>) -> Vec<Line> {
    let network = Network::new("bench-flood", 2);
    let node = network.tier1(2);
    let member = Member::new(&network, 1);
    let quiet = calls(&member);
    let (to, datagrams, stop) = (network.addresses[1], make(&network), AtomicBool::new(false));
    let (sent, before) = (AtomicU64::new(0), processor_seconds(&node));
    let begun = Instant::now();
    let flooded = thread::scope(|scope| {
        for _ in 0..FLOODERS {
            scope.spawn(|| flood(to, &datagrams, &stop, &sent));
        }
        let flooded = calls(&member);
        stop.store(true, Ordering::Relaxed);
        flooded
    });
    let lasted = begun.elapsed().as_secs_f64();
    let speed = sent.load(Ordering::Relaxed) as f64 / lasted;
    let busy = (processor_seconds(&node) - before) / lasted;
    let share = 100.0 * flooded.len() as f64 / CALLS as f64;
    vec![
        Line::new(format!("a flood of {what}, sent"), Runs::new("/s", vec![speed])),
        Line::new("a processor that it keeps busy in the node", Runs::new("%", vec![busy * 100.0])),
        Line::new("true calls that succeed in it", Runs::new("%", vec![share])),
        Line::new("a true call in it", Runs::times(&flooded))
            .against("one without it", &Runs::times(&quiet)),
    ]
}

/// Times of the calls that succeed.
fn calls(member: &Member<'_>) -> Vec<Duration> {
    let call = |_| {
        let (time, session) = timed(|| member.try_call(2));
        session.ok().map(|session| {
            end(session);
            time
        })
    };
    (0..CALLS).filter_map(call).collect()
}

/// Sends as fast as the system takes it, from an address that nobody else has.
fn flood(to: SocketAddr, datagrams: &[Vec<u8>], stop: &AtomicBool, sent: &AtomicU64) {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 99, 9, 9), 0)).expect("a free port");
    for bytes in datagrams.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // A full buffer is what a flood is for.
        if socket.send_to(bytes, to).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}
