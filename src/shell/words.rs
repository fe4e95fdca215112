//! All that a person reads: what happened in one line, what to do about it in the next.

use crate::base::error::Error;
use crate::model::classic::datagram::ALARM_STANDARD;
use crate::model::ids::PeerNumber;
use crate::model::shown::shown;
use crate::net::notice::{Notice, Outcome, Progress, Sent, Tally};
use crate::store::opening::Loaded;
use crate::store::peer_book::{Peer, PeerBook};
use crate::store::saver::{Disk, Edits};
use std::time::Duration;

/// The menu of a tier-1 node. It fits half of a wide terminal.
pub const MENU_TIER1: &str = "  1 view the database         7 message a peer
  2 search                    8 send the database to a peer
  3 add a person              9 broadcast the database to all
  4 update a person          10 EMERGENCY ALARM to all peers
  5 add a vaccination record 11 peers
  6 add a camp census        12 conflicts: compare, settle
 13 history of a record      14 retract a record, or bring it back
 15 state of the ledger       0 quit";
/// The menu of a tier-2 node.
pub const MENU_TIER2: &str = "  1 view    2 search    3 refresh    0 quit";
/// Asks for a menu number.
pub const CHOOSE: &str = "Number (Enter shows the menu): ";
/// What is in clear, said at every start in a classic network.
pub const CLASSIC_WARNING: &str = "WARNING: this network speaks the classic dialect: everything, also tokens, travels in clear. Use it for \
demonstrations only.";
/// The last words of a node.
pub const GOODBYE: &str = "Goodbye. Everything is saved.";
/// Why a node could not end well.
pub const UNSAVED: &str = "the disk could not be written; what the peers have is safe";
/// A line that is too long.
pub const TOO_LONG: &str = "That line is too long, and nothing was done. Write less.";
/// An unknown menu number.
pub const NO_SUCH_ITEM: &str = "There is no such number in the menu.";
/// The questions of a person's fields.
pub const PERSON: [&str; 4] =
    ["Name", "Appearance", "Last seen (when, where)", "Status (missing, found, deceased, …)"];
/// What clears a field in an update.
pub const CLEAR: &str = "-";
/// The questions of a vaccination, behind the person's Id.
pub const VACCINATION: [&str; 7] =
    ["Vaccine", "Brand", "Lot", "Date", "Dose (1, 2, …)", "Country", "Centre where it was given"];
/// The questions of a census.
pub const CENSUS: [&str; 15] = [
    "Camp",
    "Date",
    "Source (who counted)",
    "Households",
    "Individuals",
    "Women and girls 0-4",
    "Women and girls 5-11",
    "Women and girls 12-17",
    "Women and girls 18-59",
    "Women and girls 60 and older",
    "Men and boys 0-4",
    "Men and boys 5-11",
    "Men and boys 12-17",
    "Men and boys 18-59",
    "Men and boys 60 and older",
];

/// An error, and what to do about it.
pub fn failure(error: &Error) -> String {
    let what = shown(&error.to_string()).into_owned();
    match error.advice() {
        Some(advice) => format!("{what}\n  -> {advice}"),
        None => what,
    }
}

/// How many changes.
pub fn changes(count: usize) -> String {
    if count == 1 { "1 change".into() } else { format!("{count} changes") }
}

/// How many records.
pub fn records(count: usize) -> String {
    if count == 1 { "1 record".into() } else { format!("{count} records") }
}

/// Who a node is, at its start.
pub fn hello_tier1(book: &PeerBook, me: &Peer) -> String {
    let (number, organisation) = (me.number, shown_organisation(me));
    let (network, peers) = (shown(book.network()), book.all().len() - 1);
    format!("reunite: node {number}, {organisation}. Network \"{network}\", other nodes: {peers}.")
}

/// What a tier-2 node is, at its start.
pub fn hello_tier2(book: &PeerBook, rows: usize) -> String {
    let (network, nodes) = (shown(book.network()), book.all().len());
    format!("reunite: reader of \"{network}\", {nodes} nodes known. Your copy has {rows} people.")
}

/// What was found in the database file.
pub fn loaded(file: &str, loaded: &Loaded) -> String {
    let [people, vaccinations, camps] = loaded.rows;
    let mut text =
        format!("{file}: {people} people, {vaccinations} vaccinations, {camps} camp censuses.");
    if loaded.made {
        text.push_str(" The file was missing and has been made.");
    }
    if loaded.taken_up > 0 {
        text.push_str(&format!(" Taken up from the file: {}.", changes(loaded.taken_up)));
    }
    if loaded.lost {
        text.push_str(LEDGER_LOST);
    }
    if loaded.stale > 0 {
        text.push('\n');
        text.push_str(&stale_rows(loaded.stale));
    }
    if loaded.contested > 0 {
        text.push_str(&format!(
            "\nOf {} there are several versions; 12 settles them.",
            records(loaded.contested)
        ));
    }
    text.push_str(&ledger_found(loaded));
    if loaded.doubled > 0 {
        text.push_str(&format!(" {} rows were there twice and count once.", loaded.doubled));
    }
    let kept = &loaded.kept;
    if !kept.is_empty() {
        text.push_str(&format!(
            "\n{} lines are not understood. They stay in the file; please correct them there:",
            kept.len()
        ));
    }
    for line in kept.iter().take(10) {
        text.push('\n');
        text.push_str(&kept_line(line.line, &line.bytes, line.why));
    }
    if kept.len() > 10 {
        text.push('\n');
        text.push_str(&more_kept(kept.len() - 10));
    }
    text
}

/// The ledger lacks what its text says.
const LEDGER_LOST: &str = "\nWARNING: the ledger was missing, or had lost its end. What the file says was taken up again.\n  -> \
                           What else was lost comes from peers. If it comes again, the card is failing: change it.";

/// What somebody wrote into the database file.
fn edited(edits: &Edits) -> String {
    let mut text =
        format!("Somebody wrote into the database file. Taken up: {}.", changes(edits.changes));
    if edits.stale > 0 {
        text.push('\n');
        text.push_str(&stale_rows(edits.stale));
    }
    if edits.strange > 0 {
        text.push_str(&format!(
            "\n{} lines are not understood. They stay in the file; 1 shows them.",
            edits.strange
        ));
    }
    text
}

/// That rows of an edited text were not taken up.
pub fn stale_rows(count: usize) -> String {
    let rows = if count == 1 { "1 row says".into() } else { format!("{count} rows say") };
    format!(
        "{rows} only what was known before, as an old copy of the file does, and was not taken up.\n  -> To go back to \
         something, use 4."
    )
}

/// What was found of the ledger, if it is worth a word.
fn ledger_found(loaded: &Loaded) -> String {
    let mut text = String::new();
    if let Some(path) = &loaded.put_aside {
        text.push_str(&format!(
            "\nThe ledger of the classic network is kept as {}; a new one was begun.",
            path.display()
        ));
    }
    if let Some(why) = &loaded.trouble {
        text.push_str(&format!(
            "\nWARNING: the ledger cannot be written: {}\n  -> Make room or change the card. The node goes on, and keeps all in memory.",
            shown(why)
        ));
    }
    if loaded.recovered.new_damages > 0 || !loaded.faults.is_empty() {
        text.push_str(&format!(
            "\nWARNING: parts of the ledger cannot be read or verified: {} places, {} logs. They are fetched from peers.\n  -> `reunite verify` says more. If it comes again, the card is failing: change it.",
            loaded.recovered.damages.len(),
            loaded.faults.len()
        ));
    }
    text
}

/// How many further lines are not understood.
pub fn more_kept(count: usize) -> String {
    format!("  … and {count} more")
}

/// A line that is not understood.
pub fn kept_line(line: u64, bytes: &[u8], why: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start: String = shown(&text).chars().take(70).collect();
    format!("  line {line}: {start}  ({why})")
}

/// What a notice says, and whether it is an alarm.
pub fn notice(book: &PeerBook, notice: &Notice) -> (String, bool) {
    match notice {
        Notice::Message { peer, text } => {
            (format!("Message from {}: {}", peer_name(book, *peer), shown(text.trim_end())), false)
        }
        Notice::Alarm { peer, text } => (alarm(&peer_name(book, *peer), text), true),
        Notice::Received { peer, tally } => (received(&peer_name(book, *peer), tally), false),
        Notice::Delivered { what, outcomes } => (delivered(book, what, outcomes), false),
        Notice::Sending { peer, done, all } => {
            (sending(&peer_name(book, *peer), *done, *all), false)
        }
        Notice::Receiving { peer, done, all } => {
            (format!("{} sends: {} % …", peer_name(book, *peer), percent(*done, *all)), false)
        }
        Notice::PutBack { peer } => (put_back(&peer_name(book, *peer)), false),
        Notice::Forked { peer, is_own } => (forked(&peer_name(book, *peer), *is_own), false),
        Notice::Disk(Disk::Failing(why)) => (
            format!(
                "WARNING: the disk cannot be written: {}\n  -> Make room or change the card. The node goes on, tries again, and keeps all in memory.",
                shown(why)
            ),
            false,
        ),
        Notice::Disk(Disk::Edited(edits)) => (edited(edits), false),
        Notice::Disk(Disk::Gone) => {
            ("The database file was removed. It is written again.".into(), false)
        }
        Notice::Disk(Disk::Well) => {
            ("The disk can be written again; everything is saved.".into(), false)
        }
    }
}

/// How far a long sending has come.
fn sending(to: &str, done: u64, all: u64) -> String {
    format!("Sending to {to}: {} % …", percent(done, all))
}

fn put_back(peer: &str) -> String {
    format!(
        "The memory of this node was put back: {peer} has later changes of its own.\n  -> They are fetched, and it goes on in a new log. Nothing is lost."
    )
}

/// That somebody signed two histories.
fn forked(peer: &str, is_own: bool) -> String {
    let who = if is_own { format!("{peer}, which is this node,") } else { peer.to_owned() };
    format!(
        "WARNING: {who} signed two different histories: its memory was copied or put back, or it lies. What it writes does not count until people have looked into it: see 15."
    )
}

/// A number of bytes, as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

fn percent(done: u64, all: u64) -> u64 {
    done.saturating_mul(100).checked_div(all).unwrap_or(100)
}

fn alarm(from: &str, text: &str) -> String {
    let bar = "!".repeat(70);
    let text = match shown(text.trim()) {
        empty if empty.is_empty() => ALARM_STANDARD.into(),
        text => text,
    };
    format!("{bar}\n!!  EMERGENCY ALARM from {from}\n!!  {text}\n{bar}")
}

fn received(from: &str, tally: &Tally) -> String {
    let mut text = format!("{from} sent what it has. New here: {}.", changes(tally.new));
    if tally.refused > 0 {
        text.push_str(&format!(" {} were REFUSED: this node is full.", changes(tally.refused)));
    }
    if tally.waiting > 0 {
        text.push_str(&format!(
            " {} are by somebody who wrote two histories, and wait: see 15.",
            changes(tally.waiting)
        ));
    }
    if tally.broken {
        text.push_str(" The transfer broke off; the rest comes with the next one.");
    }
    if tally.contested > 0 {
        text.push_str(&format!(
            "\n  -> Of {} there are several versions now; 12 settles them.",
            records(tally.contested)
        ));
    }
    text
}

fn delivered(book: &PeerBook, what: &Sent, outcomes: &[(PeerNumber, Outcome)]) -> String {
    let thing = match what {
        Sent::Database => "The database",
        Sent::Alarm => "The alarm",
        Sent::Messages { unsent, .. } if unsent.is_empty() => "Your message",
        Sent::Messages { .. } => "Not all of your message",
    };
    let reached: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_success()).collect();
    let mut text = match (reached.as_slice(), outcomes.len()) {
        (_, 0) => return "There is no other node to send to.".into(),
        ([(one, _)], 1) => format!("{thing} reached {}.", peer_name(book, *one)),
        ([], 1) => String::new(),
        (_, all) => {
            let numbers: Vec<_> = reached.iter().map(|(peer, _)| peer.to_string()).collect();
            let list = if numbers.is_empty() {
                String::new()
            } else {
                format!(": {}", numbers.join(", "))
            };
            format!("{thing} reached {} of {all} peers{list}.", numbers.len())
        }
    };
    for (peer, outcome) in outcomes {
        let why = match outcome {
            Outcome::Delivered | Outcome::InStep { new: 0 } => continue,
            Outcome::InStep { new } => {
                text.push_str(&format!(
                    "\n  New to {}: {}.",
                    peer_name(book, *peer),
                    changes(*new as usize)
                ));
                continue;
            }
            Outcome::Unsaved => "this node's disk has not taken the last changes yet".into(),
            Outcome::Full => "it is full, and has no room for all of it".into(),
            Outcome::Unconfirmed => "it was sent, but not confirmed".into(),
            Outcome::NoAnswer => "no answer".into(),
            Outcome::Busy => "an earlier sending to it still goes on".into(),
            Outcome::Crowded(wait) => {
                format!("it has no place now and asks to come back in {} s", wait.as_secs())
            }
            Outcome::Stopped => "this node was ended before".into(),
            Outcome::Broken(why) => format!("the connection failed ({})", shown(why)),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!(
            "  {}: {} NOT have it: {why}.",
            peer_name(book, *peer),
            does(outcome)
        ));
    }
    text.push_str(&what_follows(what, outcomes));
    text
}

/// What is done about what was not delivered, or is to be done.
fn what_follows(what: &Sent, outcomes: &[(PeerNumber, Outcome)]) -> String {
    let is_full = |outcome: &Outcome| *outcome == Outcome::Full;
    let missed = outcomes.iter().any(|(_, outcome)| !outcome.is_success() && !is_full(outcome));
    match what {
        Sent::Messages { unsent, .. } if !unsent.is_empty() => {
            format!("\n  -> Not sent: {}", shown(&unsent.join(" / ")))
        }
        _ if outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Stopped) => String::new(),
        Sent::Database if missed => {
            "\n  -> It is tried again by itself, and when they are heard of.".into()
        }
        Sent::Database if outcomes.iter().any(|(_, outcome)| is_full(outcome)) => {
            "\n  -> It is not tried again by itself. Ask its people to look at it.".into()
        }
        Sent::Alarm if missed => {
            "\n  -> It is tried again for 5 minutes. Warn them in another way too.".into()
        }
        _ => String::new(),
    }
}

fn does(outcome: &Outcome) -> &'static str {
    if outcome.is_success() { "may" } else { "does" }
}

/// A peer as people know it: number and organisation.
pub fn peer_name(book: &PeerBook, number: PeerNumber) -> String {
    match book.peer(number) {
        Some(peer) => format!("peer {number} ({})", shown_organisation(peer)),
        None => format!("peer {number}"),
    }
}

/// An organisation, safe to show.
pub fn shown_organisation(peer: &Peer) -> String {
    shown(&peer.organisation.to_string()).into_owned()
}

/// When a peer was last heard of.
pub fn heard(ago: Option<Duration>) -> String {
    match ago {
        None => "not heard since this node started".into(),
        Some(ago) => format!("heard {}", elapsed(ago)),
    }
}

/// How long ago something was.
pub fn elapsed(ago: Duration) -> String {
    match ago.as_secs() {
        0..=1 => "just now".into(),
        seconds @ 2..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7199 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

/// How a refresh is going.
pub fn progress(progress: Progress<'_>) -> String {
    match progress {
        Progress::Asking(peer, at, all) => {
            format!(
                "Asking node {} ({}), try {at} of {all} …",
                peer.number,
                shown_organisation(peer)
            )
        }
        Progress::Confirming(peer) => {
            format!("Asking node {} ({}), too …", peer.number, shown_organisation(peer))
        }
        Progress::Failed(peer, Error::Deadline { .. }) => {
            format!("  Node {} does not answer.", peer.number)
        }
        Progress::Failed(peer, Error::Peer { what }) => format!("  Node {}: {what}.", peer.number),
        Progress::Failed(peer, _) => format!("  Node {} cannot be reached.", peer.number),
        Progress::Receiving(bytes, None) => format!("  {} so far …", size(bytes)),
        Progress::Receiving(bytes, Some(all)) => {
            format!("  {} of at most {} MB, {} % …", bytes >> 20, all >> 20, percent(bytes, all))
        }
    }
}

/// A refresh that brought a new copy.
pub fn refreshed(people: usize, before: usize) -> String {
    format!("Your copy is new: {people} people (before: {before}).")
}

/// A refresh to which nobody answered.
pub const NOT_REFRESHED: &str = "Nobody answered. Your old copy is still there, unchanged.\n  -> Check whether this device is on the network, and try again later.";

/// What becomes of a vaccination or census in the classic dialect.
pub const STAYS_HERE: &str = "It stays on this node: in the classic dialect only people travel.";

/// Asks what to do after a page.
pub fn page_prompt(page: usize, pages: usize) -> String {
    format!("page {page} of {pages} (Enter: next, p: back, a number: that page, q: enough): ")
}

/// How many rows of a section there are.
pub fn section_title(title: &str, count: usize) -> String {
    format!("{title}: {count}")
}

/// How many matched.
pub fn matches(count: usize) -> String {
    match count {
        0 => "Nothing matches.".into(),
        1 => "1 match.".into(),
        count => format!("{count} matches."),
    }
}

/// That versions of a person are marked.
pub fn versions_marked(count: usize) -> String {
    format!("* Of {} there are several versions. 12 settles them.", records(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn book() -> PeerBook {
        let peer = |number: u64, organisation: &str| {
            let address = ([127, 0, 0, 1], 33_000 + number as u16).into();
            Peer::new(
                number.try_into().expect("1 to 999"),
                organisation.parse().expect("a name"),
                address,
                None,
            )
        };
        let peers = vec![peer(1, "Yangon"), peer(2, "Mandalay"), peer(3, "Cox's Bazar")];
        PeerBook::new(Path::new("test"), "test".into(), peers).expect("right")
    }

    fn number(number: u64) -> PeerNumber {
        number.try_into().expect("1 to 999")
    }

    #[test]
    fn an_alarm_names_its_organisation_and_cannot_control_the_terminal() {
        let alarm = Notice::Alarm { peer: number(2), text: "run\u{1b}[2J\u{202e}".into() };
        let (text, is_alarm) = notice(&book(), &alarm);
        assert!(is_alarm && text.contains("EMERGENCY ALARM from peer 2 (Mandalay)"));
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn a_broadcast_says_who_got_it_and_who_did_not() {
        let outcomes = vec![(number(2), Outcome::Delivered), (number(3), Outcome::NoAnswer)];
        let (text, _) = notice(&book(), &Notice::Delivered { what: Sent::Database, outcomes });
        assert!(text.contains("reached 1 of 2 peers: 2."), "{text}");
        assert!(text.contains("peer 3 (Cox's Bazar): does NOT have it: no answer."), "{text}");
    }

    #[test]
    fn a_peer_that_is_full_is_named_and_nobody_is_told_that_it_is_tried_again() {
        let outcomes = vec![(number(3), Outcome::Full)];
        let (text, _) = notice(&book(), &Notice::Delivered { what: Sent::Database, outcomes });
        assert!(text.contains("peer 3 (Cox's Bazar): does NOT have it: it is full"), "{text}");
        assert!(text.contains("It is not tried again by itself"), "{text}");
    }

    #[test]
    fn a_message_that_was_not_sent_is_given_back() {
        let what = Sent::Messages { sent: 0, unsent: vec!["hello".into()] };
        let outcomes = vec![(number(2), Outcome::NoAnswer)];
        let (text, _) = notice(&book(), &Notice::Delivered { what, outcomes });
        assert!(text.contains("no answer") && text.contains("Not sent: hello"), "{text}");
    }
}
