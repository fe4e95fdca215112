//! Words of the commands that look at a ledger without its node: `verify`, `history`, `ledger`.

use crate::model::hex;
use crate::model::keys::IdentityKey;
use crate::model::ledger::audit::{Report, Tally};
use crate::model::ledger::finding::{Finding, Tampering};
use crate::model::ledger::names::LogName;
use crate::model::ledger::operation::About;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::shown::shown;
use crate::shell::words::{STRANGER, blocks, changes, logs, records};
use crate::store::ledger_check::Extent;
use crate::store::text_check::Difference;
use std::path::Path;

/// Behind the options of `reunite verify`.
pub const VERIFY_HELP: &str = "Nothing is changed, no passphrase is asked for, and the node may be running.\n\
     It ends with 0 if everything verifies, 1 if something does not, 2 if it was asked wrongly.";
/// Behind the options of `reunite history`.
pub const HISTORY_HELP: &str = "Nothing is changed, no passphrase is asked for, and the node may be running.\n\
     Times are by the clock of the node that wrote: it can be wrong. The order of changes is not by clocks.";
/// Behind the options of `reunite ledger`.
pub const LEDGER_HELP: &str = "WARNING: this is everything that the node knows of people, with Ids and health data.\n\
     One JSON object a line, in the order of the file; \"type\" is birth, block, fork, damage or unknown.";

/// Most rows of a kind that are shown of a text that differs.
const MOST_ROWS: usize = 10;

/// An author of whom only the key is known.
pub fn author(key: &str) -> String {
    format!("the signing key {key}")
}

/// An author who is not in the peers file.
pub fn stranger(key: &str) -> String {
    format!("{STRANGER} (signing key {key})")
}

/// What a ledger holds.
pub fn contents(ledger: &Path, bytes: u64, report: &Report<Extent>) -> String {
    let right: u64 = report.authors.values().map(|tally| tally.blocks).sum();
    let (ledger, right) = (shown(&ledger.display().to_string()).into_owned(), blocks(right));
    format!("{ledger}: {right} verified, {} KB.\nWho wrote them:", bytes.div_ceil(1024))
}

/// How much an author wrote.
pub fn wrote(who: &str, tally: &Tally) -> String {
    let made = changes(usize::try_from(tally.changes).unwrap_or(usize::MAX));
    format!("  {who}: {} with {made}, in {}", blocks(tally.blocks), logs(tally.logs))
}

/// What a kind of damage or tampering is called.
pub fn kind(kind: Tampering) -> &'static str {
    match kind {
        Tampering::Bytes => "changed bytes: the disk does not give back what was written",
        Tampering::Torn => "the end is not whole: the last write was cut short, or changed",
        Tampering::Form => "changed bytes: this is no entry that a node writes",
        Tampering::Content => "changed content: a block does not hold what its author signed",
        Tampering::Signature => "a forged signature: its author did not sign this block",
        Tampering::Copied => "a block copied under another author",
        Tampering::Tail => {
            "a rewritten tail: from here on somebody else signed in this author's name"
        }
        Tampering::Removed => "removed blocks: others that follow on them are there",
        Tampering::Reordered => "reordered blocks: they stand before blocks that they follow on",
        Tampering::Replaced => {
            "a block put in the place of another: this one follows on another block than stands there"
        }
        Tampering::Fork => "a signed fork: its author signed two different blocks for one place",
        Tampering::Rewritten => {
            "a rewritten past: a peer signed that it saw another block in this place"
        }
        Tampering::Birth => "the beginning of the ledger is missing, or stands there twice",
        Tampering::Full => "more logs than a node keeps",
    }
}

/// What to do about it.
pub fn advice(kind: Tampering) -> String {
    let advice = match kind {
        Tampering::Bytes => {
            "A failing card, or somebody who changed the file. Start the node: its peers send again what is missing.\n     If it comes again, change the card."
        }
        Tampering::Torn => {
            "After a power cut this is usual: nothing that was acknowledged is lost, and the next start puts it right.\n     If nothing failed, somebody changed or cut the file: keep a copy, and let the peers send what is missing."
        }
        Tampering::Form
        | Tampering::Content
        | Tampering::Signature
        | Tampering::Copied
        | Tampering::Tail => {
            "No accident does this: somebody changed the file on purpose. Keep a copy of the folder, tell the others,\n     and find out who had the device. A node does not take such blocks; peers send it the right ones."
        }
        Tampering::Removed | Tampering::Reordered => {
            "Keep a copy of the folder, and find out who had the device. Start the node: its peers send again what is missing."
        }
        Tampering::Replaced | Tampering::Rewritten => {
            "Only who has the author's key can do this: its node was put back from an old copy, or somebody rewrote its past.\n     Call both organisations, and compare with `reunite history` on another node what is true."
        }
        Tampering::Fork => {
            "Its memory was put back from an old copy, or it lies. Call its people. What it wrote since does not count\n     until another organisation decides, in menu 15."
        }
        Tampering::Birth => {
            "Keep a copy of the folder. The node cannot tell whose ledger it is: get a right copy."
        }
        Tampering::Full => "Somebody fills the network with logs. Tell the others.",
    };
    format!("  -> {advice}")
}

/// Where something is.
fn place(ledger: &Path, one: &Finding<Extent>, who: &dyn Fn(&IdentityKey) -> String) -> String {
    let mut parts = Vec::new();
    if let Some(at) = &one.at {
        let file = at.file(ledger);
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (from, to) = at.bytes;
        parts.push(format!("{}, bytes {from} to {to}", shown(&file)));
    }
    if let Some(log) = &one.log {
        let which = match one.blocks {
            Some((first, last)) if first != last => format!("blocks {first} to {last}"),
            Some((first, _)) => format!("block {first}"),
            None => "blocks".into(),
        };
        let LogName { author, log } = log;
        parts.push(format!("{which} of log {:016x} of {}", log.value(), who(author)));
    }
    match parts.is_empty() {
        true => "the whole file".into(),
        false => parts.join(": "),
    }
}

/// Something that does not verify: what and where.
pub fn finding(
    number: usize,
    ledger: &Path,
    one: &Finding<Extent>,
    who: &dyn Fn(&IdentityKey) -> String,
) -> String {
    let at = place(ledger, one, who);
    let at = match one.kind {
        Tampering::Removed => format!("missing before {at}"),
        _ => at,
    };
    let mut text = format!("NOT VERIFIED ({number}): {}\n  Where: {at}", kind(one.kind));
    match (one.kind, &one.other) {
        (Tampering::Copied, Some(author)) => {
            text.push_str(&format!("\n  Really signed by {}", who(author)));
        }
        (_, Some(witness)) => {
            text.push_str(&format!("\n  Who saw another block: {}", who(witness)));
        }
        _ => {}
    }
    if one.behind > 0 {
        let behind = blocks(one.behind.into());
        text.push_str(&format!("\n  Behind it: {behind} that cannot be linked without it"));
    }
    text
}

/// Which records something touches: those named, and how many more.
pub fn touched(kind: Tampering, (named, more): &(Vec<String>, usize)) -> String {
    let mut list = named.join("; ");
    if *more > 0 {
        list.push_str(&format!("; and {} more", changes(*more)));
    }
    match (named.is_empty(), kind) {
        (true, Tampering::Birth) => "  Touches: no record".into(),
        (true, Tampering::Bytes | Tampering::Torn) => {
            "  Touches: no record can be told from what is left there".into()
        }
        (true, _) => "  Touches: which records stood there cannot be told from this ledger".into(),
        (false, Tampering::Removed) => format!("  Touches: later changes build on it of {list}"),
        (false, _) => format!("  Touches: {list}"),
    }
}

/// A record, as people know it: by the row that is shown of it, or by what a block says of it.
pub fn record(about: About, row: Option<&Row>, label: Option<&String>) -> String {
    let row = row.map(|row| match about.section {
        Section::People | Section::Replaced if !row.field(4).is_empty() => {
            format!("{} (Id {})", named(&row.field(0)), row.field(4))
        }
        Section::Vaccinations => format!("{} of Id {}", named(&row.field(1)), row.field(0)),
        _ => named(&row.field(0)),
    });
    let text = row.or_else(|| label.cloned()).unwrap_or_else(|| {
        let (start, _) = about.record.as_bytes().split_at(4);
        format!(
            "a record of {} that is not named there ({}…)",
            about.section.title(),
            hex::digits(start)
        )
    });
    shown(&text).into_owned()
}

fn named(name: &str) -> String {
    if name.is_empty() { "somebody without a name".into() } else { name.to_owned() }
}

/// Something that was wrong, and does not matter any more.
pub fn mended(
    ledger: &Path,
    one: &Finding<Extent>,
    who: &dyn Fn(&IdentityKey) -> String,
) -> String {
    let at = place(ledger, one, who);
    let since = match one.kind {
        Tampering::Fork => "People have looked into it, and its author may go on.",
        _ => "The same blocks have come again since, and verify. The bytes stay there.",
    };
    format!("Mended: {}\n  Where: {at}\n  {since}", kind(one.kind))
}

/// That there was no room for all findings.
pub fn more_findings(count: usize) -> String {
    match count {
        1 => "… and 1 more thing that does not verify.".into(),
        _ => format!("… and {count} more things that do not verify."),
    }
}

/// A peer saw more of a log than is here.
pub fn awaited(log: &str, witness: &str, seen: u32, here: u32) -> String {
    let seen = blocks(seen.into());
    format!(
        "\nNote: {witness} saw {seen} of a log of {log}; here are {here}.\n  -> They have not come yet, or the end of this ledger was cut off. Start the node: its peers send them."
    )
}

/// That authors are not in the peers file.
pub fn strangers(count: usize) -> String {
    let are = if count == 1 { "is" } else { "are" };
    format!(
        "\nNote: {count} of the authors above {are} not in the peers file.\n  -> Is it the peers file of this network, and the newest? Else find out who they are."
    )
}

/// How the text stands to the ledger, of which so many things do not verify.
pub fn text(path: &Path, difference: Option<&Difference>, wrong: usize) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = shown(&file);
    let Some(difference) = difference else {
        return format!("{file}: there is none beside the ledger. A node writes it at its start.");
    };
    if difference.is_none() {
        return format!("{file} says the same as the ledger: {}.", records(difference.same));
    }
    let mut text = format!(
        "NOT THE SAME: {file} differs from the ledger in {}; in {} it is the same.",
        records(difference.count()),
        difference.same
    );
    for (_, row, ledger) in difference.changed.iter().take(MOST_ROWS) {
        let (row, ledger) = (shown(row.line()), shown(ledger.line()));
        text.push_str(&format!("\n  changed: {row}\n       ledger: {ledger}"));
    }
    for (_, row) in difference.added.iter().take(MOST_ROWS) {
        text.push_str(&format!("\n  only in the file: {}", shown(row.line())));
    }
    for (_, row) in difference.missing.iter().take(MOST_ROWS) {
        text.push_str(&format!("\n  only in the ledger: {}", shown(row.line())));
    }
    let lists = [difference.changed.len(), difference.added.len(), difference.missing.len()];
    let told: usize = lists.iter().map(|length| length.min(&MOST_ROWS)).sum();
    if difference.count() > told {
        text.push_str(&format!("\n  … and {} more", difference.count() - told));
    }
    text.push_str(&format!("\n  -> {}", text_advice(difference, wrong)));
    text
}

fn text_advice(difference: &Difference, wrong: usize) -> &'static str {
    if wrong > 0 {
        "What stands only in the file may be what the ledger lost. Keep a copy of the folder before anything else."
    } else if difference.is_older() {
        "It shows an older state: the node was stopped before it wrote the file. The next start writes it."
    } else if difference.is_as_written {
        "Nobody has edited the file since the node wrote it: the end of the ledger may be missing, or have been changed.\n     Keep a copy of the folder before the node is started."
    } else {
        "The file was changed by hand since the node wrote it. If that was right, start the node: it signs the changes as\n     its own. If not, move the file away first: the node writes a new one from the ledger. Missing rows come back."
    }
}

/// The last line.
pub fn verdict(wrong: usize, rows: usize) -> String {
    let things = if wrong == 1 { "1 thing does".into() } else { format!("{wrong} things do") };
    match (wrong, rows) {
        (0, 0) => "Everything verifies: every signature, every hash, every chain.".into(),
        (0, _) => "The ledger verifies; the text file does not say the same.".into(),
        (_, 0) => format!("{things} NOT verify, see above."),
        _ => format!("{things} NOT verify, and the text file does not say the same, see above."),
    }
}

/// That a long check goes on.
pub fn progress(entries: u64) -> String {
    format!("{entries} entries checked …")
}

/// A record that was found, below others.
pub fn found(section: Section, row: &Row) -> String {
    format!("  {}: {}", section.title(), shown(row.line()))
}

/// That a history may not be all.
pub const NOT_ALL_VERIFIES: &str = "WARNING: parts of this ledger do not verify, and are left out.\n  -> `reunite verify` says which.";
/// Behind a record that was retracted.
pub const IS_RETRACTED: &str = "It is retracted.";
/// What must be chosen from.
pub const WHICH: &str = "Give the Id of one of them, or more letters.";
