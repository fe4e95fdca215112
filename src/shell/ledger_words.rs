//! All that a person reads of the ledger: versions, histories, logs, forks.

use crate::model::date;
use crate::model::hex::spoken;
use crate::model::ids::PeerNumber;
use crate::model::ledger::heads::Head;
use crate::model::shown::shown;
use crate::shell::words::{changes, elapsed, records};
use std::time::Duration;

/// What is chosen: any record that was found.
pub const WHICH_RECORD: &str = "Which record";
/// What is chosen: one of the records of a list.
pub const WHICH_ONE: &str = "Which one";
/// Asks for the reason of a retraction.
pub const WHY_WRONG: &str = "Why is it wrong (Enter: retract nothing): ";
/// More match than can be chosen from.
pub const TOO_MANY: &str = "More than 30 records match. Give more letters, or the Id.";
/// Nothing was done.
pub const UNCHANGED: &str = "Nothing was changed.";
/// A conflict is settled.
pub const SETTLED: &str = "The versions are settled.";
/// A record is shown again.
pub const RESTORED: &str = "    brought back";
/// A record is hidden.
pub const RETRACTED: &str = "The record is retracted. 14 brings it back.";
/// A record was brought back.
pub const BACK: &str = "The record is back.";
/// What can be done about a fork.
pub const FORK_CHOICES: &str = "  Talk to its people first. Then:\n  1 it was an accident: what it writes from now on counts again\n  \
                                2 the same, and its changes that wait on this node are right: take them over";
/// What can still be done about a fork that was released.
pub const REST_CHOICES: &str = "  Changes of it still wait on this node. When its people say that they are right:\n  \
                                2 take them over";
/// Asks what is to be done about a fork.
pub const FORK_QUESTION: &str = "Which (Enter: decide later): ";
/// A fork was released.
pub const RELEASED: &str = "It may go on: what it writes in its new log counts again.";
/// The word of who forked does not count.
pub const NO_WORD: &str = "This node has itself signed two different histories: its word does not count for that. \
                           Another organisation has to decide it.";
/// What this node writes does not count now.
pub const CONVICTED: &str = "But it does NOT count yet: this node has signed two different histories. Another \
                             organisation has to look into it and say that this node may go on: see 15.";
/// One cannot vouch for oneself.
pub const NOT_OWN_FORK: &str =
    "That is this node itself. Another organisation has to say that it may go on.";

/// A record in a list of several sections.
pub fn titled(number: usize, title: &str, row: &str) -> String {
    format!("{number:>3} {title}: {}", shown(row))
}

/// Asks for one of so many that are listed.
pub fn which_of(what: &str, listed: usize) -> String {
    format!("{what} (1-{listed}, Enter: none): ")
}

/// How many conflicts there are.
pub fn conflicts(count: usize) -> String {
    match count {
        0 => "There is no conflict.".into(),
        count => format!("Several versions of {}:", records(count)),
    }
}

/// Asks which version of a field is right, or what is.
pub fn which_version(field: &str, most: usize, is_typed: bool) -> String {
    let other = if is_typed { "or what is right" } else { "= and what is right" };
    format!("{field} (1-{most}; {other}; Enter: leave them all): ")
}

/// An answer that is none of the versions.
pub fn no_such_version(most: usize) -> String {
    format!("There are {most} versions. Type a number from 1 to {most}, or = and what is right.")
}

/// A version of a field in a list.
pub fn version(number: usize, value: &str, by: &str) -> String {
    format!("{number:>3} {value}  ({by})")
}

/// Who signed something, and when by its clock.
pub fn signed(who: &str, wall: u64) -> String {
    format!("{who}, {} by its clock", date::shown(wall))
}

/// The author of what is written here.
pub fn this_node(me: PeerNumber) -> String {
    format!("node {me}, this node")
}

/// How many versions of a field there are.
pub fn versions(field: &str, count: usize) -> String {
    format!("{field} has {count} versions:")
}

/// A value in a list.
pub fn value(value: Option<&str>) -> String {
    match value {
        None => "(withheld)".into(),
        Some("") => "(unknown)".into(),
        Some(value) => shown(value).into_owned(),
    }
}

/// A field in a history.
pub fn changed(field: &str, old: Option<&str>, new: &str) -> String {
    match old {
        Some(old) if old != new => format!("    {field}: {old} -> {new}"),
        _ => format!("    {field}: {new}"),
    }
}

/// That others had made the same change.
pub fn also(others: &[String]) -> String {
    format!("    the same by: {}", others.join("; "))
}

/// A retraction in a history.
pub fn retracted(reason: Option<&str>) -> String {
    format!("    retracted: {}", value(reason))
}

/// Asks whether to retract a record or to bring one back.
pub fn retract_or_restore(hidden: usize) -> String {
    format!("1 retract a record, 2 bring one back (of {hidden}; Enter: nothing): ")
}

/// No record is retracted.
pub const NONE_RETRACTED: &str = "No record is retracted.";

/// Asks which of many retracted records is meant.
pub const WHICH_HIDDEN: &str = "Id, or part of the name or of any field (Enter: the first 30): ";

/// How many more there are than are listed.
pub fn and_more(count: usize) -> String {
    format!("    … and {count} more")
}

/// What is known of the ledger as a whole.
pub struct Standing {
    /// Records that are shown, in all sections.
    pub records: usize,
    /// Records of which there are several versions.
    pub contested: usize,
    /// Records that were retracted.
    pub hidden: usize,
    /// Changes that others are over and that have not come.
    pub awaited: usize,
    /// The ledger as one hash.
    pub digest: [u8; 32],
}

/// How the ledger stands.
pub fn standing(standing: &Standing) -> String {
    let Standing { records, contested, hidden, awaited, digest } = standing;
    let mut text = format!(
        "{records} records, {contested} with several versions, {hidden} retracted.\nNodes that have the same have the same number: {}",
        spoken(digest)
    );
    if *awaited > 0 {
        text.push_str(&format!("\n{} that others build on have not come yet.", changes(*awaited)));
    }
    text
}

/// How far the logs of an author go.
pub fn logs(who: &str, heads: &[Head]) -> String {
    let blocks: u64 = heads.iter().map(|head| u64::from(head.length)).sum();
    let logs = if heads.len() == 1 { "1 log".into() } else { format!("{} logs", heads.len()) };
    format!("  {who}: {blocks} blocks in {logs}")
}

/// When a peer was last in step.
pub fn in_step(peer: &str, ago: Option<Duration>) -> String {
    match ago {
        None => format!("  {peer}: not in step since this node started"),
        Some(ago) => format!("  {peer}: in step {}", elapsed(ago)),
    }
}

/// A peer saw something else than is here.
pub fn contradiction(fault: &str) -> String {
    format!("WARNING: {}\n  -> Ask both organisations; `reunite verify` says more.", shown(fault))
}

/// That somebody forked.
pub fn fork(who: &str, sequence: u32, is_released: bool) -> String {
    let since = format!("{who} signed two different blocks {sequence} of one log");
    match is_released {
        true => format!("{since}; people have looked into it."),
        false => format!(
            "WARNING: {since}.\n  Either its memory was put back, or it lies. What it wrote since then does not count."
        ),
    }
}

/// What waited is signed by this node now.
pub fn taken_over(count: usize) -> String {
    format!("Taken over in this node's name: {}.", changes(count))
}
