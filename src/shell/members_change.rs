//! What `reunite members` changes on a node that is down, as 16 in its menu does: shuts a member out, agrees with what others
//! ask, gives the node another name or address.

use crate::base::error::{Error, Result};
use crate::model::address::Address;
use crate::model::ids::{Organisation, PeerNumber, Reason};
use crate::model::keys::PublicKeys;
use crate::model::ledger::membership::Membership;
use crate::model::ledger::replica::Replica;
use crate::model::limits::STORE_WAIT;
use crate::model::membership::roster::{Member, Roster};
use crate::net::ballot::{self, Said};
use crate::net::context::Order;
use crate::shell::desk::Desk;
use crate::shell::offline::{self, OfNode};
use crate::shell::{ask, identity, members, members_words as say, words};
use crate::store::files::DataFolder;
use crate::store::network_file::{self, Pin};
use clap::{Args, Subcommand};

/// What can be changed.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Speak for shutting a member out, for ever: it is out once as many members as the network asks for have said so
    ShutOut(ShutOut),
    /// Agree with what other members ask: to take somebody in, or to shut somebody out
    Agree(Agree),
    /// Give the organisation of the node another name
    Rename(Rename),
    /// Give the node another address, at which it listens from its next start on
    Move(Move),
}

/// The options of `reunite members shut-out`.
#[derive(Debug, Args)]
pub struct ShutOut {
    #[command(flatten)]
    node: OfNode,
    /// Why; all members read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask first: there is no way back
    #[arg(long)]
    yes: bool,
    /// The number of the member
    #[arg(value_name = "MEMBER")]
    member: u64,
}

/// The options of `reunite members agree`.
#[derive(Debug, Args)]
pub struct Agree {
    #[command(flatten)]
    node: OfNode,
    /// Do not ask first; with --fingerprint, for what stands behind a number changes when members ask for more
    #[arg(long, requires = "fingerprint")]
    yes: bool,
    /// The fingerprint of who is to be taken in or shut out, compared by voice: nothing is done if it is another's
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Option<String>,
    /// What with: the number behind `asked` in `reunite members DIR`
    #[arg(value_name = "ASKED")]
    asked: usize,
}

/// The options of `reunite members rename`.
#[derive(Debug, Args)]
pub struct Rename {
    #[command(flatten)]
    node: OfNode,
    /// The new name
    #[arg(value_name = "NAME")]
    name: String,
}

/// The options of `reunite members move`.
#[derive(Debug, Args)]
pub struct Move {
    #[command(flatten)]
    node: OfNode,
    /// The new address
    #[arg(value_name = "IP:PORT")]
    address: String,
}

/// Changes it.
pub fn run(change: &Change) -> Result<()> {
    match change {
        Change::ShutOut(options) => {
            let number = PeerNumber::try_from(options.member)?;
            let reason: Reason = options.reason.parse()?;
            let work = |desk: &mut Desk<'_>| shut_out(desk, number, reason, options.yes);
            offline::run(&options.node, work)
        }
        Change::Agree(options) => offline::run(&options.node, |desk| agree(desk, options)),
        Change::Rename(options) => {
            let name: Organisation = options.name.parse()?;
            offline::run(&options.node, |desk| {
                let said = ballot::rename(desk.context, name)?;
                brought(desk, &said, |_| say::RENAMED.into())
            })
        }
        Change::Move(options) => relocate(&options.node, options.address.parse()?),
    }
}

fn shut_out(desk: &mut Desk<'_>, number: PeerNumber, reason: Reason, yes: bool) -> Result<String> {
    let context = desk.context;
    let now = context.members.now();
    let roster = ballot::ready(context, &now)?;
    let Some(member) = roster.by_number(number) else {
        let what = format!("no member has the number {number}");
        return Err(Error::input("members", what, "`reunite members DIR` shows them"));
    };
    if member.keys.identity == context.database.with(Replica::author) {
        let advice = "if it is about to be overrun, `reunite wipe` destroys it";
        return Err(Error::input("members", "that is this node itself", advice));
    }
    confirm_against(desk, roster, member, yes)?;
    let said = ballot::revoke(context, member.keys.identity, reason)?;
    brought(desk, &said, |roster| spoken(roster, member))
}

fn agree(desk: &mut Desk<'_>, options: &Agree) -> Result<String> {
    let context = desk.context;
    let (asked, yes) = (options.asked, options.yes);
    let now = context.members.now();
    let roster = ballot::ready(context, &now)?;
    let Some(open) = asked.checked_sub(1).and_then(|at| roster.open().get(at)) else {
        let what = format!("nothing with the number {asked} waits for more voices");
        return Err(Error::input("members", what, "`reunite members DIR` shows what does"));
    };
    desk.screen.say(say::open(roster, asked, open));
    let against = match &open.said {
        Membership::Revoked(revoked) => roster.member(&revoked.member()),
        _ => None,
    };
    let keys = match (against, &open.said) {
        (Some(member), _) => Some(&member.keys),
        (None, Membership::Admitted(admitted)) => Some(&admitted.profile().keys),
        _ => None,
    };
    if let Some(fingerprint) = &options.fingerprint {
        check(fingerprint, keys)?;
    }
    match (against, &open.said) {
        (Some(member), _) => confirm_against(desk, roster, member, yes)?,
        (None, Membership::Admitted(admitted)) => {
            desk.screen.say(say::admitting(admitted.profile()));
            confirm(desk, words::COMPARED, words::YES, yes)?;
        }
        _ => confirm(desk, say::AGREE_QUESTION, words::YES, yes)?,
    }
    let said = ballot::agree(context, open)?;
    brought(desk, &said, |roster| match against {
        Some(member) => spoken(roster, member),
        None => say::AGREED.into(),
    })
}

/// Refuses what is about somebody else than a person means.
fn check(fingerprint: &str, keys: Option<&PublicKeys>) -> Result<()> {
    let digits = |text: &str| text.split_whitespace().collect::<String>();
    let advice = "`reunite members DIR` shows what is asked now; compare the fingerprint by voice";
    match keys.map(PublicKeys::fingerprint) {
        Some(right) if digits(&right) == digits(fingerprint) => Ok(()),
        Some(right) => {
            let what = format!("what is asked is about {right}, and nothing was changed");
            Err(Error::input("--fingerprint", what, advice))
        }
        None => {
            let what = "what is asked is about no member, and nothing was changed";
            Err(Error::input("--fingerprint", what, "leave it and --yes away, to be asked"))
        }
    }
}

fn confirm_against(desk: &mut Desk<'_>, roster: &Roster, member: &Member, yes: bool) -> Result<()> {
    let (needed, spoke) = ballot::voices_against(roster, &member.keys.identity);
    desk.screen.say(say::shutting_out(member, needed, spoke));
    confirm(desk, say::AGAIN, &member.number.to_string(), yes)
}

fn confirm(desk: &mut Desk<'_>, question: &str, word: &str, yes: bool) -> Result<()> {
    match yes || desk.confirms(question, word)? {
        true => Ok(()),
        false => Err(Error::input(
            "members",
            "it was not confirmed, and nothing was changed",
            format!("type {word} to do it"),
        )),
    }
}

fn spoken(roster: &Roster, member: &Member) -> String {
    let key = &member.keys.identity;
    let (needed, spoke) = ballot::voices_against(roster, key);
    say::spoken(roster.is_revoked(key), needed, spoke)
}

/// Waits for the disk, and lets those have it who are there and quick: the node ends. Returns what came of it; where the
/// disk is slow, whether it took it is known when the node has ended.
fn brought(desk: &Desk<'_>, said: &Said, what: impl FnOnce(&Roster) -> String) -> Result<String> {
    let context = desk.context;
    let saved = context.database.wait_saved(said.ticket, STORE_WAIT, &context.stop);
    if let Err(error) = &saved {
        desk.screen.say(words::signed(error));
    }
    context.order(Order::ToAll(context.work.clone()));
    let now = context.members.now();
    let done = now.roster.as_ref().map(what).unwrap_or_default();
    let done = format!("{done}{}", say::START_AGAIN);
    Ok(if saved.is_ok() { words::saved(&done) } else { done })
}

/// Without starting the node: where it was it may not be able to listen any more.
fn relocate(of: &OfNode, address: Address) -> Result<()> {
    let (me, peers) = (of.which.number()?, of.which.peers());
    let folder = DataFolder::open(&of.which.data)?;
    identity::file(me, &folder)?;
    if Pin::read(&folder.file(network_file::FILE))?.is_none() {
        return Err(ballot::not_here());
    }
    members::moved(&peers, me, address)?;
    ask::say(say::RELOCATED)
}
