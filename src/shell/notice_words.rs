//! Notices: what a person at a node reads of what peers sent, what became of what was sent, and how the disk is.

use crate::model::ids::PeerNumber;
use crate::model::limits::SET_ASIDE;
use crate::model::shown::shown;
use crate::net::notice::{Notice, Outcome, Sent, Tally};
use crate::shell::words::{
    cannot_be_written, changes, not_understood, peer_name, percent, several_versions, stale_rows,
};
use crate::shell::{alarm_words, members_words};
use crate::store::peer_book::PeerBook;
use crate::store::saver::{Disk, Edits};

/// Whose changes wait.
const SUSPECT: &str = "somebody who wrote two histories or was shut out";

/// What a notice says.
pub fn notice(book: &PeerBook, notice: &Notice) -> String {
    match notice {
        Notice::Message { peer, text } => {
            format!("Message from {}: {}", peer_name(book, *peer), shown(text.trim_end()))
        }
        Notice::Alarm { peer, text, wall, .. } => {
            alarm_words::alarm(&peer_name(book, *peer), text, *wall)
        }
        Notice::MoreAlarms { peer, count } => {
            alarm_words::more_alarms(&peer_name(book, *peer), *count)
        }
        Notice::CalledOff { peer, text, .. } => {
            alarm_words::called_off(&peer_name(book, *peer), text)
        }
        Notice::Kept { peer, kept: Ok(()), .. } => alarm_words::kept(&peer_name(book, *peer)),
        Notice::Kept { unsent, kept: Err(why), .. } => alarm_words::not_kept(why, unsent),
        Notice::Letter { peer, text, wall } => {
            alarm_words::letter(&peer_name(book, *peer), text, *wall)
        }
        Notice::LetterDone { peer, is_shown, wall } => {
            alarm_words::letter_done(&peer_name(book, *peer), *is_shown, *wall)
        }
        Notice::LettersDropped { count } => alarm_words::letters_dropped(*count),
        Notice::LetterLost { peer } => alarm_words::letter_lost(&peer_name(book, *peer)),
        Notice::Received { peer, tally } => received(&peer_name(book, *peer), tally),
        Notice::Delivered { what, outcomes } => delivered(book, what, outcomes),
        Notice::Sending { peer, done, all } => sending(&peer_name(book, *peer), *done, *all),
        Notice::Receiving { peer, done, all } => {
            format!("{} sends: {} % …", peer_name(book, *peer), percent(*done, *all))
        }
        Notice::PutBack { peer } => put_back(&peer_name(book, *peer)),
        Notice::Forked { peer, is_own } => forked(&peer_name(book, *peer), *is_own),
        Notice::SetAside { peer, what } => set_aside(&peer_name(book, *peer), what),
        Notice::Membership(news) => members_words::news(news),
        Notice::Disk(Disk::Failing(why)) => cannot_be_written("disk", why),
        Notice::Disk(Disk::Edited(edits)) => edited(edits),
        Notice::Disk(Disk::Gone) => "The database file was removed. It is written again.".into(),
        Notice::Disk(Disk::Well) => "The disk can be written again; everything is saved.".into(),
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

fn set_aside(peer: &str, what: &str) -> String {
    let minutes = SET_ASIDE.as_secs() / 60;
    format!(
        "WARNING: {peer} is set aside for {minutes} minutes, by this node alone: {what}. It did so again and again.\n  -> Its memory may fail, or it is in wrong hands: speak with them. 16 shuts a member out."
    )
}

/// What somebody wrote into the database file.
fn edited(edits: &Edits) -> String {
    let mut text =
        format!("Somebody wrote into the database file. Taken up: {}.", changes(edits.changes));
    if edits.stale > 0 {
        text.push('\n');
        text.push_str(&stale_rows(edits.stale));
    }
    if edits.strange > 0 {
        text.push_str(&not_understood(edits.strange, "1 shows what is not."));
    }
    text
}

fn received(from: &str, tally: &Tally) -> String {
    let mut text = format!("{from} sent what it has. New here: {}.", changes(tally.new));
    if tally.refused > 0 {
        let were = if tally.refused == 1 { "was" } else { "were" };
        let refused = changes(tally.refused);
        text.push_str(&format!(" {refused} {were} REFUSED: this node is full."));
    }
    if tally.waiting > 0 {
        let waiting = changes(tally.waiting);
        text.push_str(&match tally.waiting {
            1 => format!(" {waiting} is by {SUSPECT}, and waits: see 15."),
            _ => format!(" {waiting} are by {SUSPECT}, and wait: see 15."),
        });
    }
    if tally.broken {
        text.push_str(" The transfer broke off; the rest comes with the next one.");
    }
    if tally.contested > 0 {
        text.push_str(&format!("\n  -> {}", several_versions(tally.contested, " now")));
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
        Sent::Alarm if missed => alarm_words::ALARM_MISSED.into(),
        _ => String::new(),
    }
}

fn does(outcome: &Outcome) -> &'static str {
    if outcome.is_success() { "may" } else { "does" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::peer_book::Peer;
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
        let text = "run\u{1b}[2J\u{202e}".into();
        let alarm = Notice::Alarm { peer: number(2), text, id: None, wall: None };
        let text = notice(&book(), &alarm);
        assert!(text.contains("EMERGENCY ALARM from peer 2 (Mandalay)"));
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn a_broadcast_says_who_got_it_and_who_did_not() {
        let outcomes = vec![(number(2), Outcome::Delivered), (number(3), Outcome::NoAnswer)];
        let text = notice(&book(), &Notice::Delivered { what: Sent::Database, outcomes });
        assert!(text.contains("reached 1 of 2 peers: 2."), "{text}");
        assert!(text.contains("peer 3 (Cox's Bazar): does NOT have it: no answer."), "{text}");
    }

    #[test]
    fn a_peer_that_is_full_is_named_and_nobody_is_told_that_it_is_tried_again() {
        let outcomes = vec![(number(3), Outcome::Full)];
        let text = notice(&book(), &Notice::Delivered { what: Sent::Database, outcomes });
        assert!(text.contains("peer 3 (Cox's Bazar): does NOT have it: it is full"), "{text}");
        assert!(text.contains("It is not tried again by itself"), "{text}");
    }

    #[test]
    fn a_message_that_was_not_sent_is_given_back() {
        let what = Sent::Messages { sent: 0, unsent: vec!["hello".into()] };
        let outcomes = vec![(number(2), Outcome::NoAnswer)];
        let text = notice(&book(), &Notice::Delivered { what, outcomes });
        assert!(text.contains("no answer") && text.contains("Not sent: hello"), "{text}");
    }
}
