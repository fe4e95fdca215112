//! `reunite members`: who belongs to the network, from the ledger of a node on this machine. It works beside the node. What it
//! changes is for `members_change`.

use crate::base::error::Result;
use crate::model::keys::IdentityKey;
use crate::model::ledger::membership::Membership;
use crate::model::membership::roster::{Known, Member, Open, Roster};
use crate::shell::members_change::{self, Change};
use crate::shell::{ask, members_words};
use crate::store::{ledger_check, roster_file};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The options of `reunite members`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Options {
    #[command(subcommand)]
    change: Option<Change>,
    /// The data folder of a tier-1 node; a number N stands for nodeN
    #[arg(value_name = "DIR", required = true)]
    data: Option<PathBuf>,
    /// Write JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Shows who belongs to the network, or changes it.
pub fn run(options: &Options) -> Result<()> {
    match (&options.change, &options.data) {
        (Some(change), _) => members_change::run(change),
        (None, Some(data)) => show(data, options.json),
        // The parser asks for one of them.
        (None, None) => Ok(()),
    }
}

fn show(data: &Path, is_json: bool) -> Result<()> {
    let ledger = ledger_check::ledger_in(&folder(data))?;
    let checked = ledger_check::check(&ledger, |_| ())?;
    let roster = roster_file::roster_of(&ledger, &checked.report.chains)?;
    if is_json {
        return ask::say(&format!("{:#}", in_json(&roster)));
    }
    let mut text = members_words::list(&roster, None);
    for (at, open) in roster.open().iter().enumerate() {
        text.push('\n');
        text.push_str(&members_words::open(&roster, at + 1, open));
    }
    ask::say(&text)
}

/// The folder that is meant.
fn folder(named: &Path) -> PathBuf {
    let number = named.to_str().and_then(|name| name.parse::<u16>().ok());
    match number {
        Some(number) if !named.exists() => format!("node{number}").into(),
        _ => named.to_owned(),
    }
}

fn in_json(roster: &Roster) -> Value {
    let keys =
        |keys: &BTreeSet<IdentityKey>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let member = |member: &Member| {
        json!({
            "number": member.number.value(),
            "organisation": member.organisation.to_string(),
            "identity_key": member.keys.identity.to_string(),
            "knock_key": member.keys.knock.to_string(),
            "fingerprint": member.keys.fingerprint(),
            "addresses": member.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "admitted_by": keys(&member.admitted_by),
            "has_consented": member.has_consented,
        })
    };
    let open = |open: &Open| {
        let (what, member) = match &open.said {
            Membership::Admitted(admitted) => ("admit", Some(admitted.member())),
            Membership::Revoked(revoked) => ("revoke", Some(revoked.member())),
            _ => ("other", None),
        };
        json!({ "what": what, "member": member.map(|key| key.to_string()), "by": keys(&open.by) })
    };
    let shut = roster.shut().map(|(key, shut)| {
        let (number, organisation) = match &shut.known_as {
            Known::Member(number, name) => (json!(number.value()), json!(name.to_string())),
            Known::Doubtful | Known::Stranger => (Value::Null, Value::Null),
        };
        json!({
            "identity_key": key.to_string(),
            "number": number,
            "organisation": organisation,
            "by": keys(&shut.by),
            "reasons": shut.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({
        "network": roster.network().to_string(),
        "name": roster.name().to_string(),
        "founder": roster.founder().to_string(),
        "admit": roster.rule().admit(),
        "revoke": roster.rule().revoke(),
        "members": roster.members().map(member).collect::<Vec<_>>(),
        "shut_out": shut.collect::<Vec<_>>(),
        "open": roster.open().iter().map(open).collect::<Vec<_>>(),
    })
}
