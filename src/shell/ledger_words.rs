//! Words of menu items 12 to 15, of what is in a running node's ledger: versions, histories, retractions, logs, forks.

use crate::model::date;
use crate::model::hex::{digits, spoken};
use crate::model::ids::PeerNumber;
use crate::model::ledger::heads::Head;
use crate::model::ledger::names::LogName;
use crate::model::shown::shown;
use crate::shell::words::{blocks, changes, elapsed, logs, records};
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
                                2 the same, and its changes that wait here are right: take them over";
/// What can still be done about a fork that was released.
pub const REST_CHOICES: &str = "  Changes of it still wait here. When its people say that they are right:\n  \
                                2 take them over";
/// Asks what is to be done about a fork.
pub const FORK_QUESTION: &str = "Which (Enter: decide later): ";
/// A fork was released.
pub const RELEASED: &str = "It may go on: what it writes in its new log counts again.";
/// The word of who forked does not count.
pub const NO_WORD: &str = "This node has itself signed two different histories:\n  its word does not count for that. \
                           Another organisation has to decide it.";
/// What this node writes does not count now.
pub const CONVICTED: &str = "But it does NOT count yet: this node has signed two different histories.\n  \
                             Another organisation has to look into it and say that it may go on: see 15.";
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
    let Standing { records: shown, contested, hidden, awaited, digest } = standing;
    let mut text = format!(
        "{}, {contested} with several versions, {hidden} retracted.\nNodes that have the same have the same number: {}",
        records(*shown),
        spoken(digest)
    );
    match awaited {
        0 => {}
        1 => text.push_str("\n1 change that others build on has not come yet."),
        many => text.push_str(&format!("\n{many} changes that others build on have not come yet.")),
    }
    text
}

/// Above the logs of all authors.
pub const WHO_WROTE: &str = "Who wrote how much, and with which hash each log ends";
/// Above the list of peers.
pub const WHEN_IN_STEP: &str = "When peers were last in step";
/// Most logs of an author that are listed.
pub const MOST_LOGS: usize = 8;

/// How far the logs of an author go, each log in a line. `has_forked` says of which two histories are known.
pub fn logs_of(who: &str, heads: &[Head], has_forked: &dyn Fn(&LogName) -> bool) -> String {
    let all: u64 = heads.iter().map(|head| u64::from(head.length)).sum();
    let mut text = format!("  {who}: {} in {}", blocks(all), logs(heads.len()));
    for head in heads.iter().take(MOST_LOGS) {
        let (log, length) = (head.name.log.value(), blocks(head.length.into()));
        let (last, _) = head.hash.as_bytes().split_at(4);
        text.push_str(&format!("\n    log {log:016x}: {length}, the last {}", digits(last)));
        text.push_str(if has_forked(&head.name) { ", FORKED" } else { "" });
    }
    if heads.len() > MOST_LOGS {
        text.push('\n');
        text.push_str(&and_more(heads.len() - MOST_LOGS));
    }
    text
}

/// When a peer was last in step.
pub fn in_step(peer: &str, ago: Option<Duration>) -> String {
    match ago {
        None => format!("  {peer}: not since this node started"),
        Some(ago) => format!("  {peer}: in step {}", elapsed(ago)),
    }
}

/// A peer saw something else than is here.
pub fn contradiction(fault: &str) -> String {
    format!("WARNING: {}\n  -> Ask both organisations; `reunite verify` says more.", shown(fault))
}

/// That somebody forked.
pub fn fork(who: &str, name: &LogName, sequence: u32, is_released: bool) -> String {
    let log = name.log.value();
    let since =
        format!("{who} signed two different blocks\n  for place {sequence} of its log {log:016x}");
    match is_released {
        true => format!("{since}; people have looked into it."),
        false => format!(
            "WARNING: {since}.\n  Either its memory was put back, or it lies.\n  What it wrote since then does not count."
        ),
    }
}

/// What waited is signed by this node now.
pub fn taken_over(count: usize) -> String {
    format!("Taken over in this node's name: {}.", changes(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(log: u64, length: u32) -> Head {
        let name = LogName { author: [1; 32].into(), log: log.into() };
        Head { name, length, hash: [0xab; 32].into() }
    }

    #[test]
    fn the_logs_of_an_author_are_listed_with_length_and_hash_and_fit_a_terminal() {
        let heads: Vec<_> = (0..9).map(|at| head(u64::MAX - at, u32::MAX)).collect();
        let text = logs_of("peer 999 (Médecins Sans Frontières)", &heads, &|name| {
            *name == heads[1].name
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "    log ffffffffffffffff: 4294967295 blocks, the last abababab");
        assert_eq!(
            lines[2],
            "    log fffffffffffffffe: 4294967295 blocks, the last abababab, FORKED"
        );
        assert_eq!((lines.len(), lines[9]), (MOST_LOGS + 2, "    … and 1 more"));
        let standing = Standing {
            records: 2_000_000,
            contested: 99_999,
            hidden: 99_999,
            awaited: 99_999,
            digest: [255; 32],
        };
        let texts = [
            text,
            super::standing(&standing),
            fork("peer 999 (Médecins Sans Frontières)", &heads[0].name, u32::MAX, false),
            [FORK_CHOICES, REST_CHOICES, NO_WORD, CONVICTED, NOT_OWN_FORK, WHO_WROTE].join("\n"),
        ];
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn one_is_counted_in_the_singular() {
        let text = logs_of("node 1", &[head(1, 1)], &|_| false);
        assert!(text.starts_with("  node 1: 1 block in 1 log\n"), "{text}");
    }
}
