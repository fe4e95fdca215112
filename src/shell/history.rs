//! The command `reunite history`: reads a ledger beside its node, finds the record that is meant, and prints its past.

use crate::base::error::{Error, Result};
use crate::model::ids::PersonId;
use crate::model::ledger::operation::About;
use crate::model::ledger::state::State;
use crate::model::records::{Part, id_of};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::shell::authors::Authors;
use crate::shell::desk::MOST_CHOICES;
use crate::shell::{ask, past, verify_words, words};
use crate::store::ledger_check;
use clap::Args;
use std::path::PathBuf;

/// The options of `reunite history`.
#[derive(Debug, Args)]
#[command(after_help = verify_words::HISTORY_HELP)]
pub struct Options {
    /// The data folder of a tier-1 node, or a copy of it; or the path of a DATABASEN.ledger
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// An Id, or part of a name or of any other field
    #[arg(value_name = "PERSON")]
    person: String,
    /// A peers file of either tier, to say which organisations made the changes
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
}

/// Shows what happened to a record.
pub fn run(options: &Options) -> Result<()> {
    let authors = Authors::read(options.peers.as_deref())?;
    let ledger = ledger_check::ledger_in(&options.data)?;
    let report = ledger_check::check(&ledger, |_| ())?.report;
    let state = ledger_check::state(&ledger, &report.chains, |_| ())?;
    if report.more > 0 || report.findings.iter().any(|finding| !finding.is_mended) {
        eprintln!("{}", verify_words::NOT_ALL_VERIFIES);
    }
    let found = matches(&state, &options.person);
    let (about, row) = match found.as_slice() {
        [one] => one,
        [] => return Err(wrong(&options.person, words::matches(0), "check the spelling")),
        several if several.len() > MOST_CHOICES => {
            let what = "more than 30 records match";
            return Err(wrong(&options.person, what, verify_words::WHICH));
        }
        several => {
            for (about, row) in several {
                ask::say(&verify_words::found(about.section, row))?;
            }
            let what = words::matches(several.len());
            return Err(wrong(&options.person, what, verify_words::WHICH));
        }
    };
    ask::say(verify_words::found(about.section, row).trim_start())?;
    if state.view(*about).is_some_and(|view| view.is_hidden()) {
        ask::say(verify_words::IS_RETRACTED)?;
    }
    let author = |key: &_| authors.name(key);
    for line in past::told(about.section, &state.history(*about), &author) {
        ask::say(&line)?;
    }
    Ok(())
}

fn wrong(person: &str, what: impl Into<String>, advice: &str) -> Error {
    let what: String = what.into();
    Error::input(format!("\"{person}\""), what.trim_end_matches('.').to_lowercase(), advice)
}

/// Records that are meant, retracted ones among them: by the Id of a person if it is one, else by part of any field.
/// One more than can be chosen from, if there are more.
fn matches(state: &State, words: &str) -> Vec<(About, Row)> {
    let id = words.trim().parse::<PersonId>().ok();
    let part = Part::new(words);
    let mut found = Vec::new();
    for section in Section::SHOWN.into_iter().filter(|_| !part.is_empty()) {
        for spot in state.order(section) {
            let about = state.about(spot);
            let hidden = |about| Some(state.view(about)?.row());
            let row = state.row(spot).or_else(|| about.and_then(hidden));
            let Some((about, row)) = about.zip(row) else { continue };
            let is_it = id.as_ref().is_some_and(|id| id_of(&row) == Some(id.as_str()));
            if section == Section::People && is_it {
                return vec![(about, row)];
            }
            if found.len() <= MOST_CHOICES && part.is_in(&row) {
                found.push((about, row));
            }
        }
    }
    found
}
