//! The words of membership: who belongs to the network, who is shut out, and what waits for more voices.

use crate::model::ids::{Organisation, PeerNumber, Reason};
use crate::model::keys::IdentityKey;
use crate::model::ledger::membership::{Membership, Profile};
use crate::model::membership::roster::{Known, Member, Open, Roster};
use crate::model::shown::shown;
use crate::net::notice::News;
use crate::shell::display::width;

/// That nothing was done.
pub const NOTHING: &str = "Nothing was changed.";
/// Of a network that has no ledger in common.
pub const CLASSIC: &str =
    "In a classic network the peers file says who belongs to it. 11 shows them.";
/// Of a network whose beginning has not come yet.
pub const AWAITED: &str = "Who belongs to the network is in the ledger of the others, and has not come yet.\n  -> 11 shows whom this node \
                           can meet until then.";
/// That several nodes began it.
pub const SEVERAL: &str = "Several nodes began to keep the members of this network in the ledger. Agree with the others on one of \
                           them; all nodes have to choose the same:";
/// Of a network of before.
pub const BEGIN: &str = "Until now the peers file says who belongs to this network. It can be in the ledger instead: then members \
                         are taken in and shut out from this menu, and all nodes know. ONE node does this, for all; agree on \
                         which.";
/// Whether to begin it.
pub const BEGIN_QUESTION: &str = "Type YES to do it on this node (Enter: nothing): ";
/// That it was begun.
pub const BEGUN: &str = "The others learn it when they meet this node.";
/// What there is to do.
pub const CHOICES: &str = "1 shut a member out   2 agree with what is asked   3 other name   4 other address of this node";
/// Asks for it.
pub const CHOICE: &str = "Which (Enter: nothing): ";
/// Asks for a member.
pub const WHOM: &str = "Number of the member to shut out (Enter: nothing): ";
/// Asks for it once more.
pub const AGAIN: &str = "There is no way back. Type its number again (Enter: nothing): ";
/// That nobody has this number.
pub const NOBODY: &str = "No member has this number.";
/// That one cannot shut out oneself.
pub const ONESELF: &str =
    "That is this node itself. If it is about to be overrun, `reunite wipe` destroys it.";
/// Asks why.
pub const REASON: &str = "Why (all members read it; Enter: no reason): ";
/// That nothing is asked.
pub const NONE_OPEN: &str = "Nothing waits for more voices.";
/// What to do after a change on a node that is down.
pub const START_AGAIN: &str = "\n  -> Start this node: the others learn it when they meet it.";
/// Asks whether it is to agree with shutting out somebody who is no member.
pub const AGREE_QUESTION: &str = "Type YES to agree (Enter: nothing): ";
/// That this node agrees.
pub const AGREED: &str = "This node agrees.";
/// Asks for a name.
pub const NEW_NAME: &str = "New name of this organisation (Enter: nothing): ";
/// That it was changed.
pub const RENAMED: &str = "All members will see the new name.";

/// Asks for an address.
pub const NEW_ADDRESS: &str = "New address of this node (IP:PORT; Enter: nothing): ";
/// That it was changed.
pub const RELOCATED: &str = "The peers file of this node has the new address.\n  -> Start the node again: it listens there then, and tells \
                             all members.";

/// A node that began the network, of several.
pub fn beginning(at: usize, node: &str) -> String {
    format!("{at:>4}  {node}")
}

/// All members, each with its fingerprint, who admitted it, and where it is; then those who are shut out.
pub fn list(roster: &Roster, own: Option<&IdentityKey>) -> String {
    let name = roster.name().to_string();
    let rule = roster.rule();
    let mut text = format!(
        "Members of \"{}\": {}. One is taken in by {}, shut out by {}.",
        shown(&name),
        roster.len(),
        members(rule.admit()),
        members(rule.revoke())
    );
    let wide = roster.members().map(|member| width(&organisation(member))).max().unwrap_or(0);
    for member in roster.members() {
        let organisation = organisation(member);
        let gap = " ".repeat(wide.saturating_sub(width(&organisation)));
        let address = member.addresses.first().map(ToString::to_string).unwrap_or_default();
        let by = match member.keys.identity {
            key if key == roster.founder() => "began the network".into(),
            _ => format!("taken in by {}", numbers(roster, member)),
        };
        let this = if Some(&member.keys.identity) == own { ", this node" } else { "" };
        text.push_str(&format!(
            "\n{:>4}  {organisation}{gap}  {address:<21}  {}  {by}{this}",
            member.number.value(),
            member.keys.fingerprint()
        ));
    }
    for (_, shut) in roster.shut() {
        text.push_str(&format!("\n  SHUT OUT: {}.{}", who(&shut.known_as), why(&shut.reasons)));
    }
    for admitted in roster.clashing() {
        let profile = admitted.profile();
        text.push_str(&format!(
            "\n  WARNING: \"{}\", taken in as {}, has a key or token of another member: it is none. That is no accident.\n  -> Find out who took it in, and shut that member out.",
            shown(&profile.organisation.to_string()),
            profile.number
        ));
    }
    text
}

fn organisation(member: &Member) -> String {
    shown(&member.organisation.to_string()).into_owned()
}

fn members(count: usize) -> String {
    if count == 1 { "1 member".into() } else { format!("{count} members") }
}

/// The numbers of those who admitted a member; of who is no member any more there is none.
fn numbers(roster: &Roster, member: &Member) -> String {
    let number = |key| match roster.member(key) {
        Some(member) => member.number.to_string(),
        None => "somebody who is shut out".into(),
    };
    member.admitted_by.iter().map(number).collect::<Vec<_>>().join(", ")
}

/// Somebody who is shut out, as it is called in a sentence.
fn who(known_as: &Known) -> String {
    match known_as {
        Known::Member(number, organisation) => named(*number, organisation),
        Known::Doubtful => DOUBTFUL.into(),
        Known::Stranger => STRANGER.into(),
    }
}

/// Who signs with this key, if it is shut out.
pub fn shut_out(roster: &Roster, key: &IdentityKey) -> Option<String> {
    let (_, shut) = roster.shut().find(|(one, _)| *one == key)?;
    Some(format!("{}, SHUT OUT", who(&shut.known_as)))
}

/// Something that waits for more voices.
pub fn open(roster: &Roster, at: usize, open: &Open) -> String {
    let number = |key| roster.member(key).map(|member| member.number.to_string());
    let by: Vec<_> = open.by.iter().filter_map(number).collect();
    let what = match &open.said {
        Membership::Admitted(admitted) => {
            let profile = admitted.profile();
            format!("take in {}", named(profile.number, &profile.organisation))
        }
        Membership::Revoked(revoked) => {
            let member = roster.member(&revoked.member());
            let named = member.map(|member| named(member.number, &member.organisation));
            let named = named.unwrap_or_else(|| "somebody who is no member".into());
            format!("shut out {named}.{}", why(std::slice::from_ref(revoked.reason())))
        }
        _ => String::new(),
    };
    format!("  asked {at}: node {} would {what}", by.join(", "))
}

/// Who would be taken in.
pub fn admitting(profile: &Profile) -> String {
    format!(
        "{}, at {}\n  fingerprint {}",
        named(profile.number, &profile.organisation),
        profile.address,
        profile.keys.fingerprint()
    )
}

/// What shutting out a member takes.
pub fn shutting_out(member: &Member, needed: usize, spoke: usize) -> String {
    format!(
        "{}, fingerprint {}.\nIt takes {} to shut it out; {spoke} have asked for it so far. Its earlier entries stay.",
        named(member.number, &member.organisation),
        member.keys.fingerprint(),
        members(needed)
    )
}

/// What came of a voice against a member.
pub fn spoken(is_shut: bool, needed: usize, spoke: usize) -> String {
    match is_shut {
        true => "It is shut out.".into(),
        false => format!(
            "Voices against it: {spoke} of {needed}. Call another organisation: it agrees by 16 in its menu."
        ),
    }
}

/// A member, as it is called in a sentence.
fn named(number: PeerNumber, organisation: &Organisation) -> String {
    format!("node {number} ({})", shown(&organisation.to_string()))
}

/// That something has changed in who belongs to the network.
pub fn news(news: &News) -> String {
    match news {
        News::Begun { network, members } => {
            let name = network.to_string();
            format!(
                "The ledger now says who belongs to \"{}\": {members} nodes. 16 shows them.",
                shown(&name)
            )
        }
        News::Joined { number, organisation } => {
            format!("New in the network: {}.", named(*number, organisation))
        }
        News::ShutOut { known_as, reasons } => {
            let (who, why) = (who(known_as), why(reasons));
            format!("SHUT OUT of the network: {who}.{why} Nobody talks to it any more.")
        }
        News::ShutOutHere => SHUT_OUT_HERE.into(),
        News::Asked => "A member asks others to agree. 16 shows what with.".into(),
    }
}

/// The reasons that were given.
fn why(reasons: &[Reason]) -> String {
    let all: Vec<_> =
        reasons.iter().map(|reason| shown(&reason.to_string()).into_owned()).collect();
    let all: Vec<_> = all.into_iter().filter(|reason| !reason.is_empty()).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(" Why: {}.", all.join("; ").trim_end_matches('.')),
    }
}

const DOUBTFUL: &str = "somebody whose taking in does not count";
const STRANGER: &str = "somebody that nobody took in";
const SHUT_OUT_HERE: &str = "WARNING: this node is SHUT OUT of the network: the others do not talk to it any more.\n  -> If that is \
                             wrong, speak with the other organisations; this identity can never come back, a new one can join.";
