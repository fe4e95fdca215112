//! `reunite verify`: checks a node's ledger without the node, and says what cannot be verified.

use crate::base::error::{Error, Result};
use crate::model::keys::IdentityKey;
use crate::model::ledger::audit::Report;
use crate::model::ledger::finding::{Finding, Tampering};
use crate::model::ledger::operation::About;
use crate::model::ledger::state::State;
use crate::model::limits::{MAX_TOUCHED, PROGRESS_EVERY};
use crate::shell::authors::Authors;
use crate::shell::{ask, verify_words, words};
use crate::store::files;
use crate::store::holder::is_running;
use crate::store::ledger_check::{self, Checked, Extent};
use crate::store::text_check::{self, Difference};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// All verifies.
const RIGHT: u8 = 0;
/// Something does not verify, or the disk could not be read.
const WRONG: u8 = 1;
/// What was asked for makes no sense.
const MISUSED: u8 = 2;

/// How often a ledger is looked at while its node runs and the text is behind.
const MOST_LOOKS: usize = 4;
/// Pause before it is looked again: a node writes its text within a second.
const PAUSE: Duration = Duration::from_millis(1200);

/// The options of `reunite verify`.
#[derive(Debug, Args)]
#[command(after_help = verify_words::VERIFY_HELP)]
pub struct Options {
    /// The data folder of a tier-1 node, or a copy of it; or the path of a DATABASEN.ledger
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// A peers file of either tier, to say which organisations wrote
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
}

/// Checks a ledger.
pub fn run(options: &Options) -> ExitCode {
    match verified(options) {
        Ok(true) => RIGHT.into(),
        Ok(false) => WRONG.into(),
        Err(error) => {
            eprintln!("reunite: {}", words::failure(&error));
            if matches!(error, Error::Input { .. }) { MISUSED } else { WRONG }.into()
        }
    }
}

fn verified(options: &Options) -> Result<bool> {
    let authors = Authors::read(options.peers.as_deref())?;
    let ledger = ledger_check::ledger_in(&options.data)?;
    let text = ledger.with_extension("txt");
    let (checked, state, difference) = looked_at(&ledger, &text)?;
    ask::say(&verify_words::contents(&ledger, checked.bytes, &checked.report))?;
    let wrote = checked.report.authors.iter().map(|(author, tally)| {
        verify_words::wrote(&authors.name(&IdentityKey::from(*author)), tally)
    });
    let mut wrote: Vec<_> = wrote.collect();
    wrote.sort();
    wrote.iter().try_for_each(|line| ask::say(line))?;
    let wrong = say_findings(&ledger, &authors, &checked.report, &state)?;
    let rows = difference.as_ref().map_or(0, |difference| difference.count());
    ask::say("")?;
    ask::say(&verify_words::text(&text, difference.as_ref(), wrong))?;
    ask::say(&verify_words::verdict(wrong, rows))?;
    Ok(wrong == 0 && rows == 0)
}

/// Looks at the ledger and at its text. A running node writes the end of the one, and then the other, a little later:
/// then it is looked again.
fn looked_at(ledger: &Path, text: &Path) -> Result<(Checked, State, Option<Difference>)> {
    let mut look = 0;
    loop {
        look += 1;
        let mut checked = ledger_check::check(ledger, progress())?;
        let state = ledger_check::state_of(ledger, &mut checked.report)?;
        let difference = text_check::compare(text, &state)?;
        let is_same = difference.as_ref().is_none_or(Difference::is_none);
        let is_whole = checked.report.findings.iter().all(|one| one.kind != Tampering::Torn);
        if look == MOST_LOOKS || (is_same && is_whole) || !is_running(files::beside(ledger).1) {
            return Ok((checked, state, difference));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Says what was found. Returns how much of it is not mended.
fn say_findings(
    ledger: &Path,
    authors: &Authors,
    report: &Report<Extent>,
    state: &State,
) -> Result<usize> {
    let lacking = state.lacking(MAX_TOUCHED);
    let who = |key: &IdentityKey| authors.name(key);
    let (mended, wrong): (Vec<_>, Vec<_>) = report.findings.iter().partition(|one| one.is_mended);
    for (at, finding) in (1..).zip(&wrong) {
        ask::say("")?;
        ask::say(&verify_words::finding(at, ledger, finding, &who))?;
        ask::say(&verify_words::touched(finding.kind, &touched(finding, state, &lacking)))?;
        ask::say(&verify_words::advice(finding.kind))?;
    }
    for finding in mended {
        ask::say("")?;
        ask::say(&verify_words::mended(ledger, finding, &who))?;
    }
    if report.more > 0 {
        ask::say(&verify_words::more_findings(report.more))?;
    }
    for (head, witness) in report.chains.awaited() {
        let (log, witness) = (who(&head.name.author), who(&witness.author));
        let here = report.chains.length(&head.name);
        ask::say(&verify_words::awaited(&log, &witness, head.length, here))?;
    }
    let strangers = report.authors.keys().map(|key| IdentityKey::from(*key));
    let strangers = strangers.filter(|key| authors.is_stranger(key)).count();
    if strangers > 0 {
        ask::say(&verify_words::strangers(strangers))?;
    }
    Ok(wrong.len() + report.more)
}

/// The records that a finding touches, as people know them, and how many more there are.
fn touched(finding: &Finding<Extent>, state: &State, lacking: &[About]) -> (Vec<String>, usize) {
    let named = |about: About, label: Option<&String>| {
        let row = state.view(about).map(|view| view.row());
        verify_words::record(about, row.as_ref(), label)
    };
    if !finding.touched.is_empty() {
        let all = finding.touched.records.iter();
        let all = all.map(|(about, label)| named(*about, label.as_ref()));
        return (all.collect(), finding.touched.more);
    }
    // Of what is gone, only what others built on it tells anything.
    let lacking = lacking.iter().filter(|_| finding.kind == Tampering::Removed);
    (lacking.map(|about| named(*about, None)).collect(), 0)
}

/// Says on a terminal that it goes on, when it takes long.
fn progress() -> impl FnMut(u64) {
    let (is_terminal, mut last) = (std::io::stderr().is_terminal(), Instant::now());
    move |entries| {
        if is_terminal && last.elapsed() >= PROGRESS_EVERY {
            last = Instant::now();
            eprintln!("{}", verify_words::progress(entries));
        }
    }
}
