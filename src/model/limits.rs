//! Every size, count and period, with its unit and reason. Those of classic, joining and letters stand there.

pub use crate::model::classic::limits::*;
pub use crate::model::presence::*;
use std::time::Duration;

// --- rows and files ---

/// Longest row, bytes. A long description in a three-byte script fits; a runaway quote does not.
pub const MAX_ROW: usize = 4096;
/// Most line breaks that are written into one field; further ones become spaces.
pub const MAX_FIELD_BREAKS: usize = 3;
/// Most lines that one row may run over: more than all fields of the widest section are written with.
pub const MAX_ROW_LINES: usize = 64;
/// Most records of people in a ledger, and rows of people in a text that is taken up or a copy: twice the people of
/// all camps, and what 1 GB of memory can hold.
pub const MAX_PEOPLE: usize = 2_000_000;
/// The same for each of the other sections.
pub const MAX_OTHER_ROWS: usize = 2_000_000;
/// Largest file of a classic peer, and largest text without a ledger, bytes.
pub const MAX_FILE: u64 = 512 * 1024 * 1024;
/// Most bytes of all rows of a text that is taken up.
pub const MAX_ROWS_BYTES: u64 = MAX_FILE / 4 * 3;
/// Largest peers file, bytes.
pub const MAX_PEERS_FILE: u64 = 1024 * 1024;
/// Largest text of a node's own ledger, bytes: all that a ledger may weigh, every quote doubled.
pub const MAX_TEXT_FILE: u64 = 3 * 1024 * 1024 * 1024;
/// Largest file that says what a text showed, bytes: as many logs as there may be.
pub const MAX_BASE: u64 = 1024 * 1024;
/// Largest card or identity file, bytes: several times what they hold.
pub const MAX_CARD: u64 = 16 * 1024;
/// Most peers in one network.
pub const MAX_PEERS: usize = 999;
/// Longest name of an organisation or network, bytes.
pub const MAX_NAME: usize = 120;
/// Rows merged under one hold of the database lock: well under a millisecond of work.
pub const MERGE_BATCH: usize = 256;

// --- the ledger's file ---

/// Longest entry of the ledger, bytes: it travels in one frame of a session.
pub const MAX_LEDGER_ENTRY: usize = 1024 * 1024;
/// What a disk writes as one, bytes. Every commit begins on a new one, so that no power cut can reach what was
/// acknowledged before it.
pub const SECTOR: u64 = 512;
/// Size from which the next commit begins a new segment of the ledger, bytes: one holds more than a million records,
/// and an SD card of any file system takes such a file.
pub const LEDGER_SEGMENT: u64 = 256 * 1024 * 1024;
/// Largest size of a segment that is read, bytes: positions in it are 32 bits.
pub const MAX_LEDGER_SEGMENT: u64 = u32::MAX as u64;
/// Most bytes of entries that are committed together: a second or two of an SD card's work.
pub const LEDGER_GROUP: usize = 4 * 1024 * 1024;
/// Most bytes of entries that wait to be committed.
pub const LEDGER_QUEUE: usize = 4 * LEDGER_GROUP;
/// Most bytes of entries that may be in memory and not on the disk: what people write in weeks while it fails.
pub const JOURNAL_WAITING: usize = 4 * LEDGER_GROUP;
/// Records that are shown under one hold of the database lock: a millisecond of a Pi's work.
pub const SHOWN_BATCH: usize = 512;
/// How often a node signs what it has seen of others, at most.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How long after its start a node first does: one that is switched off each night witnesses, too.
pub const FIRST_CHECKPOINT: Duration = Duration::from_secs(600);
/// Most blocks that are read from the disk at once: single changes of a day.
pub const READ_BLOCKS: usize = 4096;
/// Bytes of blocks of one log that are checked together at start, by one signature.
pub const LOAD_RUN: usize = 2 * 1024 * 1024;
/// Bytes of the ledger that one thread reads before the next has its turn, about.
pub const LOAD_PIECE: usize = 256 * 1024;
/// Most threads that read the ledger: as a Pi has processors.
pub const LOAD_READERS: usize = 4;
/// Largest damaged range of the ledger that is copied, bytes: a torn commit with room. Larger ones stay only
/// where they are.
pub const MAX_KEPT_ASIDE: u64 = 8 * 1024 * 1024;
/// Pieces of blocks that one session has read, and the ledger not taken yet: one is taken while the next is read.
pub const INTAKE_RUNS: usize = 2;
/// Most damaged ranges of one segment that are told one by one; the last of them holds all others.
pub const MAX_DAMAGES: usize = 1024;
/// Most sectors of one segment that the disk cannot read, before it is taken for broken: each may cost seconds.
pub const MAX_UNREADABLE: usize = 64;

// --- what travels in a sealed session ---

/// Longest body of a frame, bytes: the largest message with room, and what one peer may make us hold.
pub const MAX_FRAME: usize = 1024 * 1024;
/// Longest body of a frame before both sides know that the session is theirs, bytes: that of a `Bind`.
pub const MAX_FIRST_FRAME: usize = 49;
/// Longest body of a frame of a talk, bytes: a kind, the salt of an alarm, and what is said.
pub const MAX_SPOKEN_FRAME: usize = 1 + 16 + MAX_SPOKEN;
/// Longest body of a frame of a reader, bytes: a piece of what it wants.
pub const MAX_READER_FRAME: usize = 64 * 1024;
/// Most rows that a copy for readers may have: all people and all censuses.
pub const MAX_OFFERED_ROWS: usize = MAX_PEOPLE + MAX_OTHER_ROWS;
/// Most bytes of all its rows: no ledger holds more.
pub const MAX_OFFERED_BYTES: u64 = MAX_LEDGER_WEIGHT;
/// Rows that share one digest, about: fewer make the offer longer, more the answer to it.
pub const BUCKET_ROWS: usize = 256;
/// Most bits that choose a bucket: 2^14 digests of 8 bytes are an eighth of a frame.
pub const MAX_BUCKET_BITS: u8 = 14;
/// Most buckets that a reader looks at more closely: the digests of their parts fill half a frame.
pub const MAX_SPLIT: usize = 8192;
/// Most rows that are shown of one part of a bucket, of which there are about `BUCKET_ROWS` / 16.
pub const MAX_PART_SHOWN: usize = 64;
/// Most rows that a reader shows in all. Of what lies beyond it asks for the whole: so many rows are less than their
/// digests would be, and a node holds four bytes for each while it answers.
pub const MAX_SHOWN: usize = 64 * 1024;
/// A want is sent in several frames from this size on, bytes.
pub const WANT_PIECE: usize = 48 * 1024;
/// Rows that travel together, bytes of text: what is lost when a link breaks is less than this.
pub const ROWS_PIECE: usize = 128 * 1024;
/// Most bytes of text that one piece of rows may be unsqueezed to.
pub const MAX_ROWS_PIECE: usize = 256 * 1024;
/// How hard rows are squeezed, 1 to 9: a Pi takes twice the time for a tenth less above this.
pub const SQUEEZE_LEVEL: u32 = 3;
/// A round trip shorter than this is one within a room.
pub const ONE_ROOM: Duration = Duration::from_millis(5);
/// What squeezing a piece takes, as long as it has not been measured.
pub const SQUEEZING: Duration = Duration::from_millis(4);
/// After so many pieces that were not squeezed it is measured again what squeezing costs: some 30 MB, of which it
/// is then a few parts in a hundred.
pub const PROBE_PIECES: u32 = 256;

// --- knocking ---

/// Pause before it is looked again whether an earlier sending to a peer has ended.
pub const TURN_PAUSE: Duration = Duration::from_millis(10);
/// What a peer that does not answer may cost.
pub const KNOCK_PATIENCE: Duration = Duration::from_secs(3);
/// Receive buffer of the listener, bytes: room for true knocks while a flood is being dropped.
pub const LISTENER_BUFFER: usize = 4 * 1024 * 1024;

// --- the sealed knock ---

/// How long a cookie is given out before the next one; it holds for this long again after that.
pub const COOKIE_SLOT: Duration = Duration::from_secs(10);
/// How long a call is remembered, so that a knock sent again gets the same answer: as long as its cookie holds.
pub const CALL_MEMORY: Duration = Duration::from_secs(20);
/// Calls remembered: more than all that may knock within that time.
pub const MAX_CALLS: usize = 8192;
/// Knocks of members at one IP address that are opened at once, and each second after that. Opening one costs
/// 0.1 ms on a PC and some 5 ms on a Pi.
pub const MEMBER_BURST: f64 = 256.0;
/// See `MEMBER_BURST`.
pub const MEMBER_RATE: f64 = 64.0;
/// Knocks of all members together that are opened: at once, and each second after that.
pub const MEMBERS_BURST: f64 = 1024.0;
/// See `MEMBERS_BURST`.
pub const MEMBERS_RATE: f64 = 128.0;
/// Knocks of all readers together that are opened: at once, and each second after that. They have a share of
/// their own, so that no crowd of readers keeps a member out.
pub const READERS_BURST: f64 = 128.0;
/// See `READERS_BURST`.
pub const READERS_RATE: f64 = 32.0;
/// IP addresses whose knocks are counted.
pub const KNOCK_SOURCES: usize = 4096;
/// IP addresses at which members are at home: two for each.
pub const MAX_HOMES: usize = 2 * MAX_PEERS;
/// Wrong tokens of one member before it has to wait.
pub const WRONG_TOKENS: u32 = 5;
/// How long it has to wait then.
pub const WRONG_TOKEN_LOCK: Duration = Duration::from_secs(60);
/// When a hello or a knock is sent again, measured from when it was first sent.
pub const CALL_AGAIN: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(700), Duration::from_millis(1300)];
/// A knock without an answer is given up after this long, later after twice as long, and the call begins again
/// with a hello: the node may have been started anew, and forgotten its cookies.
pub const CALL_ANEW: Duration = Duration::from_secs(3);
/// What a node that does not answer may cost: two round trips by satellite, with a datagram lost.
pub const CALL_PATIENCE: Duration = Duration::from_secs(8);
/// Times that the system says that nobody listens at a node, before a call to it is given up.
pub const CALL_REFUSED: usize = 2;
/// Doors found closed before a call is given up.
pub const MOST_CLOSED_DOORS: usize = 2;
/// Doors of all members that wait for their visitor.
pub const MAX_DOORS: usize = 128;
/// Doors of one member that wait: a message, an alarm and a database at the same time, over a slow link.
pub const MAX_MEMBER_DOORS: usize = 8;
/// Callers whose handshakes go on at one door.
pub const DOOR_GUESTS: usize = 8;
/// Handshakes that fail at one door before it closes. Each costs up to 5 ms on a Pi; fewer would let somebody
/// on the visitor's own machine close the door before the visitor is there.
pub const DOOR_FAILURES: usize = 256;
/// How long one of them may take.
pub const GUEST_PATIENCE: Duration = Duration::from_secs(6);
/// When who finds no place may come back.
pub const BUSY_RETRY: Duration = Duration::from_secs(5);

// --- sessions ---

/// How long a door stays open for who knocked, until it is in: three round trips by satellite, and one lost.
pub const DOOR_OPEN: Duration = Duration::from_secs(10);
/// Sessions in all: each has a thread of 256 KiB stack and a socket or two.
pub const MAX_SESSIONS: usize = 256;
/// Sessions of one peer.
pub const MAX_PEER_SESSIONS: usize = 32;
/// Meetings with one peer that it called for, at once: one that goes on, one that broke off and has not been noticed
/// yet, and one more. Each may hold tens of megabytes of blocks while the disk is busy.
pub const MAX_PEER_MEETINGS: usize = 3;
/// Refreshes being answered, in all.
pub const MAX_REFRESHES: usize = 32;
/// Refreshes being answered for one address.
pub const MAX_SOURCE_REFRESHES: usize = 8;
/// How long a text session may be silent, also before its first word: a person is thinking, or gone.
pub const TEXT_SILENCE: Duration = Duration::from_secs(600);
/// A file session that has lasted this long must keep up `SLOWEST_FILE`.
pub const FILE_GRACE: Duration = Duration::from_secs(20);
/// Slowest average of a file session after its grace, bytes per second: a poor radio link is faster, a
/// peer that sends a byte per second is not.
pub const SLOWEST_FILE: u64 = 512;
/// Slowest average at which a tier-2 node may take its copy, bytes per second: its place is another's turn.
pub const SLOWEST_COPY: u64 = 2048;
/// Most messages of one text session.
pub const MAX_MESSAGES: usize = 1000;
/// Messages of one peer shown at once, before its rate counts: nobody types so fast.
pub const MESSAGE_BURST: f64 = 200.0;
/// Messages of one peer shown each second after that.
pub const MESSAGE_RATE: f64 = 10.0;
/// Alarms of one peer shown at once: the first is never held back, the hundredth says nothing new.
pub const ALARM_BURST: f64 = 10.0;
/// Alarms of one peer shown each second after that.
pub const ALARM_RATE: f64 = 0.1;
/// So many messages of a peer that were not shown are an offence.
pub const FLOOD: usize = 50;
/// Offences of a peer that are let pass; with the next it is set aside for as long as it takes to forget one.
pub const OFFENCES: f64 = 16.0;
/// See `OFFENCES`.
pub const SET_ASIDE: Duration = Duration::from_secs(10 * 60);
/// When an alarm is sent again to those whom it did not reach, each after the one before.
pub const ALARM_AGAIN: [Duration; 7] = [
    Duration::from_secs(3),
    Duration::from_secs(7),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(60),
    Duration::from_secs(120),
];
/// Longest message and longest text of an alarm, bytes: it fits one packet.
pub const MAX_SPOKEN: usize = 1000;
/// Longest line that a person may type, bytes: a description of a thousand letters of a three-byte script.
pub const MAX_TYPED: usize = 3000;
/// How long the end of a text session waits for the other side to close.
pub const TEXT_CLOSE: Duration = Duration::from_secs(1);
/// How long nothing may come, or be confirmed, on a link that is still alive: TCP's repetitions on a bad one come
/// later and later.
pub const LINK_SILENCE: Duration = Duration::from_secs(30);
/// How long a piece of a message may take until the system has taken it: a third of its buffer at `SLOWEST_FILE`.
pub const SEND_PATIENCE: Duration = Duration::from_secs(150);
/// How long a giver waits until all is stored: what is still in its own buffer, and the other side's SD card.
pub const STORED_PATIENCE: Duration = Duration::from_secs(180);
/// How long the rest of a message may take once it has begun.
pub const MESSAGE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a giver waits until the other side has compared a million rows, on a Pi.
pub const COMPARE_PATIENCE: Duration = Duration::from_secs(90);
/// How long something must last before its progress is shown, and how often it is shown then.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(3);
/// How long who says something waits until it is on the other side's screen.
pub const HEARD_PATIENCE: Duration = Duration::from_secs(10);
/// How long the receiver of a file waits for its own disk before it closes.
pub const STORE_WAIT: Duration = Duration::from_secs(60);
/// How long who calls for a meeting waits for its own disk: nothing is given that was not on it when it began.
pub const SAVED_SOON: Duration = Duration::from_secs(2);
/// Longest time that a thread blocks which the stop flag does not wake, before it looks at it.
pub const SLICE: Duration = Duration::from_millis(200);
/// Longest time that one blocks which the stop flag wakes.
pub const WOKEN_LOOK: Duration = Duration::from_secs(10);
/// How often a thread that is woken when there is work looks around all the same: an idle node is idle.
pub const IDLE_LOOK: Duration = Duration::from_secs(1);
/// Read buffer, bytes.
pub const BUFFER: usize = 64 * 1024;

// --- telling all peers ---

/// Peers dialled at the same time for one broadcast.
pub const MAX_DIALS: usize = 64;
/// Broadcasts under way at the same time; what is asked for meanwhile is one more.
pub const MAX_BROADCASTS: usize = 4;
/// Peers that are tried again at the same time.
pub const MAX_RETRIES: usize = 4;
/// Orders that may wait for the broadcast thread.
pub const BROADCAST_QUEUE: usize = 64;
/// Alarms being sent at the same time.
pub const MAX_ALARMS: usize = 8;
/// A peer that missed a change is tried again after this time, then twice, four times as long …
pub const RETRY_FIRST: Duration = Duration::from_secs(10);
/// … up to this.
pub const RETRY_LAST: Duration = Duration::from_secs(300);
/// In the sealed dialect, where only what is missing travels, changes of a peer are passed on after this long, give or
/// take half: the peer has most likely sent them to all others itself.
pub const GOSSIP_AFTER: Duration = Duration::from_secs(4);
/// And to so many peers, chosen at random.
pub const GOSSIP_TO: usize = 3;
/// So many peers, chosen at random, does a node itself meet when it has changed something, has started, or is elsewhere;
/// those beyond get it from them. One meeting costs a head for every log there is: with all of a thousand peers it
/// is 150 MB for each change. Of fewer, all know it later than if they were told one by one.
pub const TOLD_AT_ONCE: usize = 100;
/// Peers that come back and are met at once; when more do, this node was cut off from them, and these bring it into step.
pub const RETURNS_BURST: f64 = 32.0;
/// How many more are met after that, each second.
pub const RETURNS_RATE: f64 = 0.1;
/// A sealed node meets a random peer after this long, give or take half, whatever has happened.
pub const MEET: Duration = Duration::from_secs(180);
/// After a start, everybody is met after this long, give or take half.
pub const AFTER_START: Duration = Duration::from_secs(2);
/// Passing on may take one part in so many of a link's time.
pub const PASS_ON_SHARE: u32 = 20;

// --- refresh, tier 2 ---

/// Tries of a refresh for each tier-1 node known.
pub const REFRESH_TRIES: usize = 3;
/// Nodes that are asked for a second opinion, one after the other, until one can give it.
pub const SECOND_OPINIONS: usize = 4;
/// Signed views that a node remembers, to confirm them to who got one of them from another node.
pub const KNOWN_VIEWS: usize = 16;
/// How often the public rows are gathered anew because they changed meanwhile, before everybody waits for them.
pub const VIEW_TRIES: usize = 3;
/// Refreshes that one address may ask for at once, and how many come back each second.
pub const REFRESH_BURST: f64 = 20.0;
/// Refreshes given back to an address each second.
pub const REFRESH_RATE: f64 = 2.0;

// --- the screen ---

/// Lines waiting for the screen. Beyond it messages of peers are counted instead of shown.
pub const SCREEN_QUEUE: usize = 1024;

// --- keys at rest ---

/// Shortest passphrase, bytes: below, the slowness of guessing does not help.
pub const MIN_PASSPHRASE: usize = 8;
/// Longest passphrase, bytes: a long sentence in a three-byte script.
pub const MAX_PASSPHRASE: usize = 1000;
/// Memory that one guess of a passphrase costs, KiB: 64 MiB, which a Pi with 512 MB can spare.
pub const ARGON2_MEMORY: u32 = 64 * 1024;
/// Passes over that memory: about a second on a Pi.
pub const ARGON2_PASSES: u32 = 3;
/// Least and most memory that an identity file may ask for, KiB.
pub const ARGON2_MEMORY_RANGE: std::ops::RangeInclusive<u32> = 8 * 1024..=256 * 1024;
/// Most passes that an identity file may ask for.
pub const ARGON2_MOST_PASSES: u32 = 10;
/// Most lanes that an identity file may ask for.
pub const ARGON2_MOST_LANES: u32 = 4;

// --- destroying a node ---

/// How long large files are overwritten before they are only removed: somebody is at the door.
pub const WIPE_TIME: Duration = Duration::from_secs(5);
/// Files up to this size, bytes, are overwritten whole, however long it takes: all keys are in such files.
pub const WIPE_WHOLE: u64 = 4 * 1024 * 1024;
/// What is overwritten between two looks at the clock, bytes: a tenth of a second on an SD card.
pub const WIPE_PIECE: usize = 1024 * 1024;
/// How long a killed node may take to end.
pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

// --- the ledger ---

/// Most operations that one operation may be over: more versions of one record than people will look at. Whoever
/// saw more joins them first.
pub const MAX_OVER: usize = 64;
/// Longest reason of a retraction, bytes: a sentence or two.
pub const MAX_REASON: usize = 1000;
/// Most entries of one block: a million records are a thousand signatures.
pub const MAX_ENTRIES: usize = 1024;
/// Most bytes of a block, header and signature counted in: with what a message adds it fits a frame.
pub const MAX_BLOCK: usize = 512 * 1024;
/// Most logs that a node keeps: all peers, each restored a few times. Their heads are a third of a frame.
pub const MAX_LOGS: usize = 4096;
/// Logs of its own that a node begins to be safe when nobody has confirmed where the last one ended. Beyond that it
/// goes on in the last one.
pub const MAX_OWN_LOGS: usize = 200;
/// Own logs below which a node begins another one rather than go on in the last as long as not every peer has said
/// that it ends where it does here: a week of starts. Each costs a head in every meeting, for ever.
pub const MAX_SURE_LOGS: usize = 8;
/// Most logs of one author: many more than an honest one ever begins.
pub const MAX_AUTHOR_LOGS: usize = 256;
/// What the whole ledger may weigh, about bytes of memory and disk: a million records, each changed once, or three
/// million that never were.
pub const MAX_LEDGER_WEIGHT: u64 = 1024 * 1024 * 1024;
/// What one author may have written of it: a whole database that it took up, and a life of changes.
pub const MAX_AUTHOR_WEIGHT: u64 = MAX_LEDGER_WEIGHT / 4 * 3;
/// What a node may write beyond that when others have filled it; peers that are full too do not take it.
pub const OWN_RESERVE: u64 = 64 * 1024 * 1024;
/// Most words that one author may give for others who forked.
pub const MAX_RELEASES: usize = 1024;
/// How often a lower proof of one fork is taken: an honest one is proved once or twice.
pub const MAX_LOWER_PROOFS: u8 = 8;
/// Most operations on a record of which it is told whether there are several versions, when blocks come.
pub const MAX_WATCHED: usize = 64;
/// Most blocks of one log: at one a second for years.
pub const MAX_LOG_LENGTH: u32 = 100_000_000;
/// Most forks that are looked for in one meeting.
pub const MAX_CLASHES: usize = 16;
/// Most blocks that are asked for in one meeting to find them: the first that differs among 2^32 takes 32 questions.
pub const MAX_FINDS: usize = MAX_CLASHES * 32;
/// How long finding all forks of one meeting may take: what is not found then, the next one finds.
pub const FIND_PATIENCE: Duration = Duration::from_secs(60);
/// Most proofs of forks that one meeting may bring: one for each log. Each costs two signatures to check.
pub const MAX_PROOFS: usize = MAX_LOGS;
/// Most bytes of values that a ledger holds in memory: places are counted in 32 bits.
pub const MAX_VALUES_BYTES: usize = 1024 * 1024 * 1024;
/// Values share pieces of memory of this size, bytes: no large piece is ever copied to grow.
pub const VALUES_PIECE: usize = 1024 * 1024;
/// Most heads that peers say they saw and that have not come yet, and most that contradict what is here.
pub const MAX_EXPECTED: usize = 65_536;
/// Most of these by one witness: of every log that there may be, and as many that contradict.
pub const MAX_EXPECTED_OF: usize = 2 * MAX_LOGS;
/// Most findings of `reunite verify` that are told one by one.
pub const MAX_FINDINGS: usize = 1000;
/// Most records that are told of one finding.
pub const MAX_TOUCHED: usize = 12;
/// Most signatures that are tried to find out whose block stands under another's name: seconds of a Pi's work.
pub const MAX_COPY_TRIALS: usize = 2000;
/// Most rows that are kept of what a text has and its ledger has not, and the other way.
pub const MAX_DIFFERENCES: usize = 10_000;

// --- membership ---

/// Most members that a rule can ask for to admit or to revoke: more never meet.
pub const MAX_VOICES: u8 = 9;
/// Most logs of a member that a revocation can name the good part of: more than an honest one has, see `MAX_OWN_LOGS`.
pub const MAX_GOOD_LOGS: usize = 256;
/// Admissions, and words on who is shut out, that count in one log; and members of whom it says where they are: as many
/// as a network has numbers, for each. What is beyond is kept in the log and changes nothing.
pub const MAX_LOG_STATEMENTS: usize = 3 * MAX_PEERS;
/// Voices of one member against another that are counted: the first, and some in which it has learned more. Each is work
/// for all.
pub const MAX_VOICES_EACH: usize = 4;
/// Addresses at which one member is looked for.
pub const MAX_ADDRESSES: usize = 6;
/// The lowest of the numbers that are given to whom an admission gave somebody else's: far above those that people
/// give one after the other.
pub const LOWEST_SPARE_NUMBER: u16 = 600;

// --- alarms in the ledger ---

/// Alarms of one author that are kept to be shown; more are counted. Nobody reads more of one.
pub const MAX_ALARMS_OF: usize = 32;
/// Alarms of one author that it called off and that are known for it. Of those that are kept, and those that were kept
/// when one of these was raised, all may have been called off since.
pub const MAX_CALLS_OFF_OF: usize = 2 * MAX_ALARMS_OF;
/// Alarms that one author has seen and that are known for it.
pub const MAX_SEEN_OF: usize = 128;
/// Alarms of one author that are told one by one when they come together.
pub const MAX_NEWS_OF: usize = 16;
