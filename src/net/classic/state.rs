//! What a tier-1 node of a classic network has besides.

use crate::net::classic::admission::Admissions;
use crate::net::classic::public_rows::PublicRows;
use crate::net::classic::replies::Replies;

/// The classic side of a node.
#[derive(Debug, Default)]
pub struct Classic {
    /// Knocks admitted and doors waiting.
    pub admissions: Admissions,
    /// Knocks of our own that wait for their answer.
    pub replies: Replies,
    /// The public rows, made once for each state of the database.
    pub public: PublicRows,
}
