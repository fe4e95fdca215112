//! Every size, count and period of joining, with its unit and reason: `model::limits` is as long as a file may be.

use crate::model::limits::MAX_PEERS;
use std::time::Duration;

/// How long a door stays open for a newcomer: to say the code on the telephone, and to type it. Each opening is one
/// chance in 65,536 for who guesses.
pub const JOIN_OPEN: Duration = Duration::from_secs(5 * 60);
/// Callers at a door for newcomers that have not shown yet that they have the code.
pub const JOIN_GUESTS: usize = 8;
/// How long one of them may take: three round trips by satellite. Nobody types meanwhile.
pub const JOIN_GUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Beginnings of one address that are answered at once, and each second after that. Each costs 0.3 ms on a PC.
pub const JOIN_BURST: f64 = 4.0;
/// See `JOIN_BURST`.
pub const JOIN_RATE: f64 = 1.0;
/// Beginnings of all addresses that are answered at once, and each second after that: few enough that who was answered
/// has a second or two to go on before others take its place.
pub const JOINS_BURST: f64 = 8.0;
/// See `JOINS_BURST`.
pub const JOINS_RATE: f64 = 4.0;
/// Addresses whose beginnings are counted.
pub const JOIN_SOURCES: usize = 256;
/// How long a newcomer goes on asking a door at which others crowd.
pub const JOIN_CROWDED: Duration = Duration::from_secs(60);
/// Pause before it asks again.
pub const JOIN_AGAIN: Duration = Duration::from_secs(1);
/// The port at which a node usually listens.
pub const USUAL_PORT: u16 = 33_001;
/// The port at which doors hear newcomers that look for them: the usual one, which firewalls let in.
pub const SEARCH_PORT: u16 = USUAL_PORT;
/// How long a newcomer looks for a door on the local network before it asks for an address.
pub const DOOR_SEARCH: Duration = Duration::from_secs(5);
/// Pause before it asks all again: wireless links lose more of what is sent to all.
pub const SEARCH_AGAIN: Duration = Duration::from_millis(500);
/// How long it waits for further answers after the first.
pub const SEARCH_MORE: Duration = Duration::from_secs(1);
/// Most answers that are looked at.
pub const MAX_DOORS: usize = 4;
/// How long the person at the member may think whether to let somebody in.
pub const JOIN_DECISION: Duration = Duration::from_secs(10 * 60);
/// How long either side waits for a message that the other need not think about.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(20);
/// How long an admission may take to be on the member's disk. The newcomer waits so much longer for its answer.
pub const JOIN_SAVE: Duration = Duration::from_secs(20);
/// Longest message before both sides have shown that they have the code, bytes: a kind, a door and an element.
pub const MAX_JOIN_CLEAR: usize = 64;
/// Longest request, bytes: the longest name, and all else of fixed size, with room.
pub const MAX_REQUEST: usize = 512;
/// Longest welcome, bytes: as many members as there may be, each with the longest name.
pub const MAX_WELCOME: usize = 512 + MAX_PEERS * 256;
/// Longest answer to a request, bytes: a welcome, sealed.
pub const MAX_ANSWER: usize = MAX_WELCOME + 1024;
/// Largest file with a request or an answer, bytes: hexadecimal digits and some lines for people.
pub const MAX_JOIN_FILE: u64 = 4 * MAX_ANSWER as u64;
