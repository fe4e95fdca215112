//! What a person reads of alarms, and of messages that waited for a peer to come back.

use crate::model::classic::datagram::ALARM_STANDARD;
use crate::model::date;
use crate::model::shown::shown;
use std::path::Path;

/// Alarms where no ledger travels.
pub const NOT_KEPT: &str =
    "In the classic dialect alarms are not kept: they were shown when they came.";
/// No alarm stands.
pub const NONE_STAND: &str = "No alarm stands.";
/// Above alarms that are over.
pub const OVER: &str = "Called off:";
/// Asks which alarm of this node is over.
pub const WHICH_IS_OVER: &str = "Number of an alarm of this node to call it off (Enter: none): ";
/// Not a number that was shown beside an own alarm.
pub const NOT_YOURS: &str =
    "That is no alarm of this node. Nothing was done: only who raised an alarm calls it off.";
/// The alarm is over.
pub const CALLED_OFF: &str =
    "The alarm is called off. All peers are told, and those that are away when they come back.";
/// What becomes of an alarm at peers that it did not reach.
pub const ALARM_MISSED: &str = "\n  -> It is tried again for 5 minutes, and waits for them after that. Warn them in another way too.";
/// Nobody has said yet that it read an alarm.
pub const SEEN_BY_NOBODY: &str = "nobody has confirmed it yet";

/// Whose alarm it is, or who has seen it, if its key is no peer's now.
pub const FORMER_PEER: &str = "somebody who is no peer any more";

/// An alarm that came now or, if its clock is given, was raised earlier.
pub fn alarm(from: &str, text: &str, wall: Option<u64>) -> String {
    let bar = "!".repeat(70);
    let text = match shown(text.trim()) {
        empty if empty.is_empty() => ALARM_STANDARD.into(),
        text => text,
    };
    let when = wall.map_or(String::new(), |wall| {
        format!("\n!!  raised {} by its clock; 18 shows who has seen it", date::shown(wall))
    });
    format!("{bar}\n!!  EMERGENCY ALARM from {from}\n!!  {text}{when}\n{bar}")
}

/// That a peer raises more alarms than are shown.
pub fn more_alarms(from: &str, count: usize) -> String {
    format!("{from} raised {count} more alarms, which are not shown one by one: see 18.")
}

/// That an alarm is over.
pub fn called_off(by: &str, text: &str) -> String {
    format!("ALARM CALLED OFF by {by}: {}", shown(text.trim()))
}

/// How many alarms stand, above their list.
pub fn standing(count: usize) -> String {
    match count {
        1 => "1 alarm stands:".into(),
        count => format!("{count} alarms stand:"),
    }
}

/// One alarm in the list.
pub fn listed(number: usize, from: &str, text: &str, wall: u64) -> String {
    let when = date::shown(wall);
    format!("{number:>3} {from}, {when} by its clock: {}", shown(text.trim()))
}

/// One alarm that is over.
pub fn over(from: &str, text: &str, wall: u64) -> String {
    let when = date::shown(wall);
    format!("    {from}, {when} by its clock: {}", shown(text.trim()))
}

/// Who has read an alarm.
pub fn seen_by(names: &[String]) -> String {
    match names {
        [] => format!("    {SEEN_BY_NOBODY}"),
        names => format!("    seen by {}", names.join(", ")),
    }
}

/// That a peer has raised more than the list shows.
pub fn more_of(from: &str, count: usize) -> String {
    format!("    … and {count} earlier ones of {from}")
}

/// How many alarms stand when the node starts.
pub fn stand_at_start(count: usize) -> String {
    match count {
        1 => "1 alarm stands: see 18.".into(),
        count => format!("{count} alarms stand: see 18."),
    }
}

// --- messages that wait ---

/// Asks whether a message waits for its receiver.
pub fn keep_question(peer: &str) -> String {
    format!("{peer} is away. Keep the message and deliver it later? (Enter: yes, n: no): ")
}

/// The same, while it is not known yet whether the receiver is there.
pub fn keep_question_early(peer: &str) -> String {
    format!(
        "{peer} has not answered yet. If it is away, keep the message and deliver it later? (Enter: yes, n: no): "
    )
}

/// That a message waits.
pub fn kept(peer: &str) -> String {
    format!("Kept. {peer} gets it when it comes back, also through other nodes, and you are told.")
}

/// Why a message could not be kept, and what it was.
pub fn not_kept(why: &str, texts: &[String]) -> String {
    format!("The message could NOT be kept: {why}.\n  -> Not sent: {}", shown(&texts.join(" / ")))
}

/// A message that had waited.
pub fn letter(from: &str, text: &str, wall: u64) -> String {
    let when = date::shown(wall);
    format!("Message from {from}, written {when} by its clock: {}", shown(text.trim_end()))
}

/// A message of this node that had waited has arrived.
pub fn letter_done(peer: &str, is_shown: bool, wall: u64) -> String {
    match is_shown {
        true => {
            format!("Your message that waited reached {peer}, {} by its clock.", date::shown(wall))
        }
        false => format!(
            "Your message that waited reached {peer}, which could NOT open it.\n  -> Its keys are not those of the peers file. Reach it in another way."
        ),
    }
}

/// A message of this node has waited too long.
pub fn letter_lost(peer: &str) -> String {
    format!("Your message to {peer} has waited for 30 days and was NOT delivered. It is given up.")
}

/// So many messages of this node waited for members that were shut out.
pub fn letters_dropped(count: usize) -> String {
    let them =
        if count == 1 { "message of yours that waited" } else { "messages of yours that waited" };
    format!("{count} {them} for a member that is shut out now: given up.")
}

/// What waited could not be read.
pub fn post_damaged(aside: &Path) -> String {
    format!(
        "WARNING: the messages that wait for peers cannot be read. They are kept as {}.\n  -> If it comes again, the card is failing: change it.",
        aside.display()
    )
}
