//! Words of a node's start, menu and records, of both tiers, and how many there are of what; the other `*_words` have
//! those of one subject each. What happened stands in one line, what to do about it in the next.

use crate::base::error::Error;
use crate::model::ids::{PeerNumber, PersonId};
use crate::model::shown::shown;
use crate::net::notice::Progress;
use crate::store::opening::Loaded;
use crate::store::peer_book::{Peer, PeerBook};
use std::fmt::Display;
use std::time::Duration;

/// The menu of a tier-1 node. It fits half of a wide terminal.
pub const MENU_TIER1: &str = "  1 view the database         7 message a peer
  2 search                    8 send the database to a peer
  3 add a person              9 broadcast the database to all
  4 update a person          10 EMERGENCY ALARM to all peers
  5 add a vaccination record 11 peers
  6 add a camp census        12 conflicts: compare, settle
 13 history of a record      14 retract a record, or bring it back
 15 state of the ledger      16 members: who belongs, shut out
 17 let somebody join        18 alarms: who saw them, call off
  0 quit";
/// The menu of a tier-2 node.
pub const MENU_TIER2: &str = "  1 view    2 search    3 refresh    0 quit";
/// What must be typed to go on.
pub const YES: &str = "YES";
/// Asks whether a fingerprint was compared.
pub const COMPARED: &str =
    "Call them, and compare the fingerprint by voice. Is it the same? Type YES (Enter: nothing): ";
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
/// An alarm that nobody has confirmed.
pub fn unread(alarm: &str) -> String {
    format!("{alarm}\n(Enter: I have read it)")
}
/// Lines for which the screen was too slow.
pub fn not_shown(count: usize) -> String {
    match count {
        1 => "(1 more line came than could be shown)".into(),
        _ => format!("({count} more lines came than could be shown)"),
    }
}
/// An unknown menu number.
pub const NO_SUCH_ITEM: &str = "There is no such number in the menu.";
/// The questions of a person's fields.
pub const PERSON: [&str; 4] =
    ["Name", "Appearance", "Last seen (when, where)", "Status (missing, found, deceased, …)"];
/// Asks for a field.
pub fn asked(question: &str) -> String {
    format!("{question}: ")
}
/// Asks for a field that says something already.
pub fn asked_again(question: &str, old: &str) -> String {
    format!("{question} [{}]: ", shown(old))
}
/// How a person is entered.
pub const ADDING: &str = "An empty line means unknown.";
/// How a person is changed.
pub const UPDATING: &str = "An empty line keeps what is in brackets; - means unknown.";
/// Asks for a record.
pub const FIND: &str = "Id, or part of the name or of any field: ";
/// Asks for what is looked for.
pub const SEARCH: &str = "Search for: ";
/// What is chosen: a person.
pub const WHICH_PERSON: &str = "Which person";
/// A person is entered.
pub fn added(id: &PersonId) -> String {
    format!("The person has the Id {}.", id.as_str())
}
/// A person is changed.
pub const UPDATED: &str = "The person is up to date.";
/// Asks whom a vaccination is of.
pub const WHOSE_VACCINATION: &str = "Person Id: ";
/// Nobody has the Id of a vaccination.
pub const NOBODYS_ID: &str = "Nobody here has this Id yet. The record is kept all the same.";
/// A vaccination is entered.
pub const VACCINATED: &str = "The vaccination is recorded.";
/// A census is entered.
pub const COUNTED: &str = "The census is recorded.";
/// A change that is on the disk.
pub fn saved(done: &str) -> String {
    format!("Saved. {done}")
}
/// A change that is not on the disk.
pub fn unsaved(done: &str, why: &Error) -> String {
    format!("{done}\nNOT on the disk yet: {}. The node goes on trying.", failure(why))
}
/// A change that is signed by a command, of which the disk has said nothing yet.
pub fn signed(why: &Error) -> String {
    format!("It is signed. Whether it is on the disk is not known yet: {}.", failure(why))
}
/// That the disk took in the end what it was slow to take.
pub const SAVED_LATE: &str = "It is on the disk now.";
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
    counted(count, "change", "changes")
}

/// How many records.
pub fn records(count: usize) -> String {
    counted(count, "record", "records")
}

/// How many people.
pub fn people(count: usize) -> String {
    counted(count, "person", "people")
}

/// How many censuses of camps.
pub fn censuses(count: usize) -> String {
    counted(count, "camp census", "camp censuses")
}

/// How many nodes.
pub fn nodes(count: usize) -> String {
    counted(count, "node", "nodes")
}

/// How many blocks.
pub fn blocks(count: u64) -> String {
    counted(count, "block", "blocks")
}

/// How many logs.
pub fn logs(count: usize) -> String {
    counted(count, "log", "logs")
}

/// How many there are of something: of one, or of more or none.
pub fn counted<T: Display + PartialEq + From<u8>>(count: T, one: &str, more: &str) -> String {
    let what = if count == T::from(1) { one } else { more };
    format!("{count} {what}")
}

/// That there are several versions of so many records, and perhaps since when.
pub fn several_versions(count: usize, since: &str) -> String {
    format!("Of {} there are several versions{since}; 12 settles them.", records(count))
}

/// Somebody whose key is not in the peers file.
pub const STRANGER: &str = "somebody who is not in the peers file";

/// Who a node is, at its start.
pub fn hello_tier1(book: &PeerBook, me: &Peer) -> String {
    let (number, organisation) = (me.number, shown_organisation(me));
    let (network, peers) = (shown(book.network()), book.all().len() - 1);
    format!("reunite: node {number}, {organisation}. Network \"{network}\", other nodes: {peers}.")
}

/// What a tier-2 node is, at its start.
pub fn hello_tier2(book: &PeerBook, rows: usize) -> String {
    let (network, nodes) = (shown(book.network()), nodes(book.all().len()));
    let people = people(rows);
    format!("reunite: reader of \"{network}\", {nodes} known. Your copy has {people}.")
}

/// What was found in the database file.
pub fn loaded(file: &str, loaded: &Loaded) -> String {
    let [rows, vaccinations, camps] = loaded.rows;
    let (rows, camps) = (people(rows), censuses(camps));
    let vaccinations = counted(vaccinations, "vaccination", "vaccinations");
    let mut text = format!("{file}: {rows}, {vaccinations}, {camps}.");
    if loaded.made {
        text.push_str(" The file was missing and has been made.");
    }
    if loaded.taken_up > 0 {
        text.push_str(&format!(" Taken up from the file: {}.", changes(loaded.taken_up)));
    }
    if loaded.lost {
        text.push_str(LEDGER_LOST);
        text.push_str(CARD_FAILS);
    }
    if loaded.stale > 0 {
        text.push('\n');
        text.push_str(&stale_rows(loaded.stale));
    }
    if loaded.contested > 0 {
        text.push('\n');
        text.push_str(&several_versions(loaded.contested, ""));
    }
    text.push_str(&ledger_found(loaded));
    if loaded.doubled > 0 {
        text.push_str(&match loaded.doubled {
            1 => " 1 row was there twice and counts once.".to_owned(),
            count => format!(" {count} rows were there twice and count once."),
        });
    }
    let kept = &loaded.kept;
    if !kept.is_empty() {
        text.push_str(&match kept.len() {
            1 => not_understood(1, "please correct it there:"),
            count => not_understood(count, "please correct them there:"),
        });
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
                           What else was lost comes from peers. ";

/// What to think of damage on a disk.
const CARD_FAILS: &str = "If it comes again, the card is failing: change it.";

/// That lines are not understood, and what to do about it.
pub fn not_understood(count: usize, advice: &str) -> String {
    match count {
        1 => format!("\n1 line is not understood. It stays in the file; {advice}"),
        _ => format!("\n{count} lines are not understood. They stay in the file; {advice}"),
    }
}

/// That rows of an edited text were not taken up.
pub fn stale_rows(count: usize) -> String {
    let (rows, were) = match count {
        1 => ("1 row says".to_owned(), "was"),
        _ => (format!("{count} rows say"), "were"),
    };
    format!(
        "{rows} only what was known before, as an old copy of the file does, and {were} not taken up.\n  -> To go back \
         to something, use 4."
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
        text.push('\n');
        text.push_str(&cannot_be_written("ledger", why));
    }
    if loaded.recovered.new_damages > 0 || !loaded.faults.is_empty() {
        text.push_str(&format!(
            "\nWARNING: parts of the ledger cannot be read or verified: {}, {}. They are fetched from peers.\n  -> `reunite verify` says more. {CARD_FAILS}",
            counted(loaded.recovered.damages.len(), "place", "places"),
            logs(loaded.faults.len())
        ));
    }
    text
}

/// That the disk does not take what is to be written to it.
pub fn cannot_be_written(what: &str, why: &str) -> String {
    format!(
        "WARNING: the {what} cannot be written: {}\n  -> Make room or change the card. The node goes on, tries again, and keeps all in memory.",
        shown(why)
    )
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

/// A number of bytes, as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

/// How much of all is done.
pub fn percent(done: u64, all: u64) -> u64 {
    done.saturating_mul(100).checked_div(all).unwrap_or(100)
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
        Progress::Listening => {
            "Nobody answers. Listening for a minute whether a node is nearby …".into()
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
pub fn refreshed(count: usize, before: usize) -> String {
    format!("Your copy is new: {} (before: {before}).", people(count))
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
        count => format!("{}.", counted(count, "match", "matches")),
    }
}

/// That versions of a person are marked.
pub fn versions_marked(count: usize) -> String {
    format!("* {}", several_versions(count, ""))
}
