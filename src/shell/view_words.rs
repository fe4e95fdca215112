//! What a tier-2 node says of who signed its copy, and of who confirmed that.

use crate::model::date;
use crate::model::shown::shown;
use crate::model::statement::Signed;
use crate::model::view_reader::{Found, Seal};
use crate::net::refresh::Opinion;
use crate::shell::words::{censuses, people, shown_organisation};
use crate::store::peer_book::Peer;
use crate::store::view_file::Verdict;
use std::path::Path;

/// The name of the file with what two nodes signed that do not agree.
pub const PROOF: &str = "T2DATABASE.proof.txt";
/// What to do about a copy that cannot be relied on.
pub const REFRESH_IT: &str = "do not rely on it; 3 brings a signed one";
/// What the marks in the table of camps mean.
pub const CAMPS_LEGEND: &str =
    "  <5: 1 to 4 people. ..: not told, since one of the groups has 1 to 4 people.";

/// A node as people know it: number and organisation.
fn node(peer: &Peer) -> String {
    format!("node {} ({})", peer.number, shown_organisation(peer))
}

/// Who signed a copy, and when.
pub fn signed_by(peer: &Peer, signed: &Signed) -> String {
    format!("Signed by {}; its clock said {} UTC.", node(peer), date::shown(signed.time))
}

/// What is wrong with a copy; `None` if nothing is.
pub fn wrong(verdict: &Verdict<'_>) -> Option<String> {
    Some(match verdict {
        Verdict::Whole(..) => return None,
        Verdict::Unsigned => {
            "it has no signature: nobody can say whether it is whole and true".into()
        }
        Verdict::Altered(None) => "it was altered: its signature cannot be read any more".into(),
        Verdict::Altered(Some(peer)) => {
            format!(
                "it was altered after {} signed it: rows were changed, added or left out",
                node(peer)
            )
        }
        Verdict::Forged(peer) => format!(
            "it was signed by nobody in the peers file: the signature is not that of {}",
            node(peer)
        ),
        Verdict::Unknown(number) => {
            format!("it was signed by nobody in the peers file, which has no node {number}")
        }
        Verdict::OtherNetwork(network) => {
            format!("it is of another network: \"{}\"", shown(network))
        }
    })
}

/// What a device says of its own copy.
pub fn verdict(verdict: &Verdict<'_>) -> String {
    match (verdict, wrong(verdict)) {
        (Verdict::Whole(peer, seal), _) => signed_by(peer, &seal.signed),
        (_, wrong) => {
            format!("WARNING, your copy: {}.\n  -> {REFRESH_IT}.", wrong.unwrap_or_default())
        }
    }
}

/// A copy that was checked and is whole.
pub fn whole(path: &Path, found: &Found, peer: &Peer, seal: &Seal) -> String {
    format!(
        "{}: whole. {}, {}, of \"{}\".\n{}",
        shown(&path.display().to_string()),
        people(found.view.people().len()),
        censuses(found.view.camps().len()),
        shown(&seal.network),
        signed_by(peer, &seal.signed)
    )
}

/// What other nodes say of what `first` signed.
pub fn opinion(first: &Peer, opinion: &Opinion<'_>) -> String {
    let one = first.number;
    match opinion {
        Opinion::Alone => "No other node is known that could confirm it.".into(),
        Opinion::Agrees(other) => format!("Node {one} and node {} agree.", other.number),
        Opinion::Contradicts(other, _) => format!(
            "WARNING: {} and {} do not agree, though both say that they know the same: ONE OF THE TWO LIES, or \
             is damaged.\n  -> Do not rely on this copy. Tell people of both organisations, not over this network, \
             and show them T2DATABASE.txt and {PROOF}, which prove it. 3 asks again.",
            node(first),
            node(other)
        ),
        Opinion::OutOfStep(others) => {
            let numbers: Vec<_> = others.iter().map(ToString::to_string).collect();
            format!(
                "Nobody could confirm it now: other news has reached node {}. That is nothing bad.\n  \
                 -> 3 asks again later.",
                numbers.join(", node ")
            )
        }
        Opinion::Silent => "No other node answered to confirm it.\n  -> 3 asks again later.".into(),
    }
}
