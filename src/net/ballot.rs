//! What the person at this node says of who belongs to the network: signed in the node's name, in the ledger, for all.

use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::ids::{Organisation, PeerNumber, Reason};
use crate::model::keys::IdentityKey;
use crate::model::ledger::membership::{Admitted, Membership, Profile, Renamed, Revoked, Rule};
use crate::model::ledger::replica::Replica;
use crate::model::membership::roster::{Member, Open, Roster};
use crate::model::secret::SharedToken;
use crate::net::context::Context;
use crate::net::members::Standing;
use crate::net::roll;
use crate::store::database::Ticket;
use crate::store::network_file::Pin;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Said {
    /// What was signed.
    pub said: Membership,
    /// The state that holds it, which may not be on the disk yet.
    pub ticket: Ticket,
}

/// Begins the network of the peers file in the ledger: all nodes in it are members, by this node's word.
pub fn begin(context: &Context, rule: Rule) -> Result<Ticket> {
    let members = &context.members;
    let files = members.files().ok_or_else(not_here)?;
    let key = context.database.with(Replica::author);
    if !may_begin(&members.now(), &key) {
        let advice = "16 in the menu shows who belongs to it";
        return Err(Error::input("network", "its members are in the ledger already", advice));
    }
    let (network, entries) = members.typed().take_up(&key, rule, &mut rand::rng())?;
    let pin = Pin { network, founder: key };
    // Before it is signed: otherwise the node could begin two.
    pin.write(&files.pin)?;
    let ticket = context.database.note(|_| entries)?;
    members.choose(pin);
    follow_anew(context);
    Ok(ticket)
}

/// Whether this node, which has this key, may begin a network: it belongs to none, or only to one that it began itself
/// and that the disk did not take.
pub fn may_begin(now: &Standing, key: &IdentityKey) -> bool {
    now.pin.is_none_or(|pin| pin.founder == *key && now.roster.is_none())
}

/// Takes this one for the network of this node, of several that nodes of its peers file began.
pub fn choose(context: &Context, pin: Pin) -> Result<()> {
    let files = context.members.files().ok_or_else(not_here)?;
    pin.write(&files.pin)?;
    context.members.choose(pin);
    follow_anew(context);
    Ok(())
}

fn follow_anew(context: &Context) {
    *lock(&context.members.heard) = None;
    roll::follow(context);
}

/// Admits somebody, whose keys and address are right: the person has compared the fingerprint, or both have shown each
/// other that they know a secret. The joining of a newcomer ends with this. Where the rule asks for more voices than one,
/// it waits for others to agree. `token` is new, and nobody else's.
pub fn admit(context: &Context, profile: Profile, token: SharedToken) -> Result<Said> {
    let now = context.members.now();
    let roster = ready(context, &now)?;
    let number = profile.number;
    let place = || format!("newcomer {number}");
    let wrong = |what: &str, advice: &str| Err(Error::input(place(), what, advice));
    if roster.is_revoked(&profile.keys.identity) {
        return wrong("its key was shut out of the network, for ever", "it needs a new identity");
    }
    if roster.member(&profile.keys.identity).is_some() {
        return wrong("it is a member already", "it only has to start its node");
    }
    if !roster.is_free(number) {
        return wrong("its number is somebody's, or was", "give it the next free number");
    }
    let is_taken = |member: &Member| {
        member.keys.knock == profile.keys.knock || member.token().matches(token.token())
    };
    if roster.members().any(is_taken) {
        return wrong("its knock key or token is a member's", "have it make a new identity");
    }
    let admitted = Admitted::new(roster.network(), profile, token, &mut rand::rng());
    say(context, Membership::Admitted(admitted))
}

/// Speaks against a member, of which all that is here is believed.
pub fn revoke(context: &Context, member: IdentityKey, reason: Reason) -> Result<Said> {
    let now = context.members.now();
    let roster = ready(context, &now)?;
    let heads = context.database.with(|replica| replica.chains().heads());
    let revoked = Revoked::new(roster.network(), member, &heads, reason)?;
    say(context, Membership::Revoked(revoked))
}

/// Agrees with what others have said.
pub fn agree(context: &Context, open: &Open) -> Result<Said> {
    match &open.said {
        Membership::Revoked(revoked) => revoke(context, revoked.member(), revoked.reason().clone()),
        same => {
            ready(context, &context.members.now())?;
            say(context, same.clone())
        }
    }
}

/// Calls the organisation of this node otherwise.
pub fn rename(context: &Context, organisation: Organisation) -> Result<Said> {
    let now = context.members.now();
    let network = ready(context, &now)?.network();
    say(context, Membership::Renamed(Renamed { network, organisation }))
}

/// How many voices it takes to shut this member out, and how many there are.
pub fn voices_against(roster: &Roster, member: &IdentityKey) -> (usize, usize) {
    let others = roster.len().saturating_sub(1);
    let against = |open: &&Open| match &open.said {
        Membership::Revoked(revoked) => revoked.member() == *member,
        _ => false,
    };
    let spoke = roster.open().iter().find(against).map_or(0, |open| open.by.len());
    (roster.rule().revoke().min(others), spoke)
}

/// The number that the next newcomer is given.
pub fn next_number(context: &Context) -> Result<PeerNumber> {
    let now = context.members.now();
    let number = ready(context, &now)?.next_number();
    number.ok_or(Error::Full { what: "numbers of the network" })
}

/// What the ledger says, if this node may add to it.
pub fn ready<'a>(context: &Context, now: &'a Standing) -> Result<&'a Roster> {
    let roster = now.roster.as_ref().ok_or_else(not_here)?;
    let key = context.database.with(Replica::author);
    match roster.member(&key) {
        Some(_) => Ok(roster),
        None if roster.is_revoked(&key) => Err(Error::input(
            "this node",
            "it is shut out of the network, and what it says does not count",
            "speak with the other organisations",
        )),
        None => Err(Error::input(
            "this node",
            "it is no member of the network yet",
            "wait until it has met one that is",
        )),
    }
}

/// That who belongs to the network is not in the ledger of this node.
pub fn not_here() -> Error {
    Error::input(
        "network",
        "who belongs to it is not in the ledger here",
        "one node begins it: 16 in its menu; the others learn it from there",
    )
}

fn say(context: &Context, said: Membership) -> Result<Said> {
    let ticket = context.database.note(|_| vec![said.clone().into()])?;
    roll::follow(context);
    Ok(Said { said, ticket })
}
