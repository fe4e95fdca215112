//! The command `reunite ledger --json`: prints every entry of a ledger, and every damaged place, as a line of JSON.

use crate::base::error::{Error, Result};
use crate::model::date;
use crate::model::hex::digits;
use crate::model::ledger::alarm::Alarm;
use crate::model::ledger::block::{HEADER_BYTES, Received};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::Wrong;
use crate::model::ledger::heads::{Head, Heads};
use crate::model::ledger::membership::{Founded, Membership, Profile};
use crate::model::ledger::names::LogName;
use crate::model::ledger::operation::{Field, Kind, Operation};
use crate::model::ledger::stored::Stored;
use crate::model::shown::shown;
use crate::shell::authors::Authors;
use crate::shell::verify_words;
use crate::store::ledger_check::{self, Extent};
use clap::Args;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The options of `reunite ledger`.
#[derive(Debug, Args)]
#[command(after_help = verify_words::LEDGER_HELP)]
pub struct Options {
    /// The data folder of a tier-1 node, or a copy of it; or the path of a DATABASEN.ledger
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Write one JSON object a line
    #[arg(long, required = true)]
    json: bool,
    /// A peers file of either tier, to say which organisations wrote
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
}

/// Writes the ledger to standard output. Who reads only its beginning is no error.
pub fn run(options: &Options) -> Result<()> {
    let authors = Authors::read(options.peers.as_deref())?;
    let ledger = ledger_check::ledger_in(&options.data)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&ledger, &authors, &mut out).and_then(|()| out.flush().map_err(unwritten)) {
        Err(Error::Device { cause, .. }) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn write(ledger: &Path, authors: &Authors, out: &mut impl Write) -> Result<()> {
    let mut say =
        |value: Value| writeln!(out, "{}", harmless(&value.to_string())).map_err(unwritten);
    let walked = ledger_check::each_entry(ledger, |extent, entry, wrong| {
        let mut value = described(entry, authors);
        if let Some(fields) = value.as_object_mut() {
            fields.append(&mut placed(ledger, &extent));
            fields.insert("verified".into(), wrong.is_none().into());
            fields.extend(wrong.map(|wrong: Wrong| ("wrong".into(), wrong.to_string().into())));
        }
        say(value)
    })?;
    let all = walked.damages.iter().chain(&walked.torn);
    for extent in all.map(Extent::from) {
        let mut value = json!({ "type": "damage", "verified": false });
        if let Some(fields) = value.as_object_mut() {
            fields.append(&mut placed(ledger, &extent));
        }
        say(value)?;
    }
    Ok(())
}

fn unwritten(cause: io::Error) -> Error {
    Error::device("write to standard output", cause)
}

/// Where an entry stands.
fn placed(ledger: &Path, extent: &Extent) -> Map<String, Value> {
    let file = extent.file(ledger);
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (begin, end) = extent.bytes;
    let place =
        [("file", Value::from(file)), ("offset", begin.into()), ("bytes", (end - begin).into())];
    place.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn described(entry: &[u8], authors: &Authors) -> Value {
    match Stored::read(entry) {
        Ok(Stored::Block(block)) => of_block(&block, authors),
        Ok(Stored::Proof(proof)) => {
            let hashes = proof.both().map(|signed| signed.hash().to_string());
            let mut value = of_log(&proof.name(), authors);
            value.extend([
                ("type".to_owned(), "fork".into()),
                ("sequence".to_owned(), proof.sequence().into()),
                ("hashes".to_owned(), json!(hashes)),
            ]);
            value.into()
        }
        Ok(Stored::Birth(birth)) => {
            json!({ "type": "birth", "dialect": birth.dialect.to_string() })
        }
        Err(_) => json!({ "type": "unknown" }),
    }
}

fn of_log(name: &LogName, authors: &Authors) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("author".into(), digits(name.author.as_bytes()).into());
    fields.insert("log".into(), format!("{:016x}", name.log.value()).into());
    if let Some((number, organisation)) = authors.organisation(&name.author) {
        fields.insert("peer".into(), number.into());
        fields.insert("organisation".into(), organisation.into());
    }
    fields
}

fn of_block(block: &Received, authors: &Authors) -> Value {
    let signed = block.signed();
    let header = signed.header();
    let (_, signature) = signed.bytes().split_at(HEADER_BYTES);
    let entries: Vec<_> = block.entries().iter().map(|entry| of_entry(entry, authors)).collect();
    let mut fields = of_log(&header.name, authors);
    let more = json!({
        "type": "block",
        "sequence": header.sequence,
        "before": header.before.to_string(),
        "hash": signed.hash().to_string(),
        "lamport": header.lamport,
        "wall": header.wall,
        "wall_utc": date::shown(header.wall),
        "root": digits(&header.root),
        "signature": digits(signature),
        "entries": entries,
    });
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    fields.into()
}

fn of_entry(entry: &Entry, authors: &Authors) -> Value {
    match entry {
        Entry::Change(operation) => of_operation(operation),
        Entry::Checkpoint(heads) => json!({ "kind": "checkpoint", "heads": of_heads(heads) }),
        Entry::Resume(heads) => json!({ "kind": "resume", "heads": of_heads(heads) }),
        Entry::Release { name, sequence } => {
            let mut fields = of_log(name, authors);
            fields.insert("kind".into(), "release".into());
            fields.insert("sequence".into(), (*sequence).into());
            fields.into()
        }
        Entry::Membership(said) => of_membership(said),
        Entry::Alarm(Alarm::Raised(raised)) => {
            json!({ "kind": "alarm", "text": raised.text().as_str() })
        }
        Entry::Alarm(Alarm::Seen(id)) => json!({ "kind": "alarm_seen", "alarm": id.to_string() }),
        Entry::Alarm(Alarm::CalledOff(id)) => {
            json!({ "kind": "alarm_called_off", "alarm": id.to_string() })
        }
    }
}

/// Who belongs to the network. The token of an admission, and the salt beside it, are nobody's to see.
fn of_membership(said: &Membership) -> Value {
    let mut value = match said {
        Membership::Founded(Founded { name, rule, .. }) => json!({
            "kind": "founded",
            "name": name.to_string(),
            "admit": rule.admit(),
            "revoke": rule.revoke(),
        }),
        Membership::Admitted(admitted) => {
            let Profile { number, organisation, keys, address } = admitted.profile();
            json!({
                "kind": "admitted",
                "number": number.value(),
                "organisation": organisation.to_string(),
                "identity_key": keys.identity.to_string(),
                "knock_key": keys.knock.to_string(),
                "address": address.to_string(),
            })
        }
        Membership::Moved(moved) => json!({
            "kind": "moved",
            "member": moved.member.to_string(),
            "address": moved.address.to_string(),
        }),
        Membership::Renamed(renamed) => json!({
            "kind": "renamed",
            "organisation": renamed.organisation.to_string(),
        }),
        Membership::Revoked(revoked) => json!({
            "kind": "revoked",
            "member": revoked.member().to_string(),
            "reason": revoked.reason().to_string(),
            "last_good": of_heads(revoked.last_good()),
        }),
        Membership::Heeded(heeded) => json!({
            "kind": "heeded",
            "member": heeded.member.to_string(),
        }),
    };
    if let (Some(network), Some(fields)) = (said.network(), value.as_object_mut()) {
        fields.insert("network".into(), network.to_string().into());
    }
    value
}

fn of_heads(heads: &Heads) -> Vec<Value> {
    let head = |head: Head| {
        json!({
            "author": digits(head.name.author.as_bytes()),
            "log": format!("{:016x}", head.name.log.value()),
            "length": head.length,
            "hash": head.hash.to_string(),
        })
    };
    heads.iter().map(head).collect()
}

/// A change. A value that was withheld or erased is null.
fn of_operation(operation: &Operation) -> Value {
    let (about, kind) = (operation.about(), operation.kind());
    let columns = about.section.columns();
    let name = |field: Field| match kind {
        Kind::Retract => "reason",
        _ => columns.get(usize::from(field)).copied().unwrap_or("?"),
    };
    let fields = operation.values().iter();
    let fields: Map<_, _> =
        fields.map(|(field, value)| (name(field).to_owned(), value.text().into())).collect();
    let over: Vec<_> = operation.over().iter().map(ToString::to_string).collect();
    let kind = match kind {
        Kind::Set => "set",
        Kind::Retract => "retract",
        Kind::Restore => "restore",
    };
    json!({
        "kind": kind,
        "operation": operation.id().to_string(),
        "section": about.section.title(),
        "record": about.record.to_string(),
        "fields": fields,
        "over": over,
    })
}

/// JSON that says the same and controls no terminal. Such characters stand in strings alone.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match shown(letter.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => text.push(letter),
            Cow::Owned(_) => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::PublicKeys;
    use crate::model::ledger::membership::Admitted;
    use crate::model::secret::Token;
    use std::net::SocketAddr;

    #[test]
    fn an_admission_is_told_without_its_token() {
        let profile = Profile {
            number: 3.try_into().expect("a number"),
            organisation: "Clinic".parse().expect("a name"),
            keys: PublicKeys { identity: [1; 32].into(), knock: [2; 32].into() },
            address: SocketAddr::from(([10, 0, 0, 3], 33_003)).try_into().expect("an address"),
        };
        let token = Token::try_from(b"149418626997".as_slice()).expect("a token");
        let rng = &mut rand::rng();
        let admitted = Admitted::new([7; 32].into(), profile, token.into(), rng);
        let text = of_membership(&Membership::Admitted(admitted)).to_string();
        assert!(text.contains("Clinic") && text.contains("10.0.0.3:33003"), "{text}");
        assert!(!text.contains("149418626997") && !text.contains("salt"), "{text}");
    }

    #[test]
    fn json_controls_no_terminal_and_says_the_same() {
        let value = json!({ "Name": "a\u{1b}[2J\u{202e}b\u{9b}c\u{e0001} မောင်" });
        let text = harmless(&value.to_string());
        assert!(shown(&text) == text, "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
