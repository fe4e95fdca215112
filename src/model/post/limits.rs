//! Sizes and counts of the post, each with its unit and reason; all others stand in `model::limits`.

use crate::model::limits::MAX_ALARMS_OF;

/// Bytes of what stands in a letter, filled up to one of these: lengths tell little then.
pub const LETTER_CONTENTS: [usize; 2] = [256, 1024];
/// Bytes that sealing adds: two keys of Noise X and two tags.
pub const SEAL_BYTES: usize = 32 + 48 + 16;
/// Letters that a node holds: 650 kB at most.
pub const MAX_LETTERS: usize = 512;
/// Letters of one author that a node holds.
pub const MAX_LETTERS_OF: usize = 64;
/// Letters to one recipient that a node holds.
pub const MAX_LETTERS_TO: usize = 128;
/// Receipts that a node holds, so that nobody carries on what has arrived.
pub const MAX_RECEIPTS: usize = 2048;
/// Receipts of one recipient that a node holds: more than there can be letters to it.
pub const MAX_RECEIPTS_OF: usize = 256;
/// Letters of one author of which a node knows that it has shown them: several times as many as may wait.
pub const MAX_SHOWN_LETTERS_OF: usize = 512;
/// Alarms of one author of which a node knows that it has shown them: several times as many as are kept.
pub const MAX_SHOWN_ALARMS_OF: usize = 4 * MAX_ALARMS_OF;
/// How old a letter becomes, and how long a receipt is kept, in hours in which nodes ran: 30 days.
pub const LETTER_HOURS: u16 = 30 * 24;
/// Largest file of a bag, bytes: all letters, all receipts, and what was shown of two thousand authors.
pub const MAX_POST_FILE: u64 = 64 * 1024 * 1024;
