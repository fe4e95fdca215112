//! Sizes, counts and periods of the classic dialect: first what the original's wire fixes, then how our nodes deal with it.
//! `limits` has them too, with all others.

use std::time::Duration;

// --- fixed by the classic wire: other values would not be understood by the original's nodes ---

/// Digits of a token.
pub const TOKEN_DIGITS: usize = 12;
/// Largest datagram, bytes; the original reads no more.
pub const MAX_DATAGRAM: usize = 1024;
/// Lowest and highest port that a door may open, as the original draws them.
pub const DOOR_PORTS: std::ops::RangeInclusive<u16> = 30_000..=60_000;
/// Lowest port accepted from another node: below are the system's own services.
pub const LOWEST_PORT: u16 = 1024;
/// Largest file, bytes, that may end without a line break and still be whole: the original cannot send
/// more than this in one piece, and our own files always end with a line break.
pub const UNTERMINATED_FILE: u64 = 64 * 1024;

// --- classic only: how our nodes deal with the original's wire ---

/// How long half a knock waits for its other half.
pub const HALF_KNOCK: Duration = Duration::from_secs(2);
/// After this long without its own, a token takes the only purpose from the same IP address: a sender that
/// uses a socket for each datagram pauses a tenth of a second between them.
pub const LOOSE_PAIRING: Duration = Duration::from_millis(300);
/// Half knocks kept of one trusted peer.
pub const HALF_KNOCKS: usize = 16;
/// Purposes and refreshes kept of strangers, all together.
pub const ORPHANS: usize = 64;
/// Datagrams of all strangers together that are looked at: at once, and each second after that.
pub const STRANGERS_BURST: f64 = 4000.0;
/// See `STRANGERS_BURST`.
pub const STRANGERS_RATE: f64 = 2000.0;
/// Datagrams of one stranger that are looked at: at once, and each second after that. A refresh is two.
pub const STRANGER_BURST: f64 = 200.0;
/// See `STRANGER_BURST`.
pub const STRANGER_RATE: f64 = 50.0;
/// Strangers whose datagrams are counted; the one that rested longest is forgotten first.
pub const STRANGERS: usize = 256;
/// Pause between the token and the purpose datagram, so that a network does not swap them. The original
/// sleeps 0.1 s, which neither side needs.
pub const PURPOSE_PAUSE: Duration = Duration::from_millis(1);
/// When a knock is sent again, measured from its start.
pub const KNOCK_AGAIN: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(700),
    Duration::from_millis(1300),
    Duration::from_millis(2000),
];
/// Callers from the right address that wait at a door for the first of them to say something.
pub const DOOR_CALLERS: usize = 4;
/// Strangers that a door turns away before it closes.
pub const DOOR_STRANGERS: usize = 16;
/// How long a file session may be silent.
pub const FILE_SILENCE: Duration = Duration::from_secs(10);
/// Piece in which a file is sent, bytes: larger than `UNTERMINATED_FILE`, so that a first piece alone is
/// never taken for a whole file.
pub const SEND_PIECE: usize = 128 * 1024;
/// Most bytes of one text session.
pub const MAX_TEXT: usize = 256 * 1024;
/// Most bytes held back of a text that may go on.
pub const TEXT_CHUNK: usize = 1024;
/// How long an alarm whose text may go on is held before it is shown with what has come.
pub const ALARM_HOLD: Duration = Duration::from_millis(100);
/// How long the sender of a file waits for the receiver to have stored it.
pub const FILE_CLOSE: Duration = Duration::from_secs(30);
/// How long a tier-2 node waits for one tier-1 node to connect.
pub const REFRESH_PATIENCE: Duration = Duration::from_millis(1500);
/// When a refresh is asked for again within one try.
pub const REFRESH_AGAIN: Duration = Duration::from_millis(500);
/// Addresses whose refreshes are counted; the oldest is forgotten first.
pub const REFRESH_SOURCES: usize = 1024;
/// How long a tier-1 node tries to reach the tier-2 node that asked.
pub const REFRESH_CONNECT: Duration = Duration::from_secs(2);
