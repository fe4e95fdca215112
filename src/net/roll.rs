//! Keeps the roll of members: works out anew who belongs to the network when the ledger says something new of it, has all
//! parts of the node follow, and signs what a node signs by itself.
//!
//! ```text
//! blocks --> Replica::news --> voices --> roster --> Members, gate, monitor, addresses, sessions, ledger
//!                                             |
//!                                             +--> consent, heeded, moved --> ledger
//! ```

use crate::base::threads::lock;
use crate::model::address::Address;
use crate::model::keys::IdentityKey;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::membership::{Membership, Moved};
use crate::model::ledger::names::NetworkId;
use crate::model::ledger::register::Register;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::verdict::Verdicts;
use crate::model::membership::roster::{Member, Roster};
use crate::net::context::{Context, Order};
use crate::net::members::{Members, Standing};
use crate::net::notice::{News, Notice};
use crate::net::post;
use crate::net::sealed::Sealed;
use crate::store::database::Database;
use crate::store::network_file::Pin;
use crate::store::peer_book::{Peer, PeerBook};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often what follows from what the node signs by itself is worked out at once.
const ROUNDS: usize = 4;

/// Looks whether the ledger says something new of who belongs to the network; if so, all follow. Costs next to nothing
/// if not. Returns whether anything has changed.
pub fn follow(context: &Context) -> bool {
    let Some(sealed) = &context.sealed else { return false };
    let mut is_changed = false;
    for _ in 0..ROUNDS {
        let mut heard = lock(&context.members.heard);
        let news = context.database.with(Replica::news);
        if *heard == Some(news) {
            break;
        }
        *heard = Some(news);
        let (register, verdicts) = context.database.with(Replica::voices);
        let Some(new) = work_out(&context.members, &register, &verdicts) else { break };
        let own = unsaid(context, &new, &register);
        let (is_pinned, pin) = (context.members.now().pin.is_some(), new.pin);
        is_changed |= adopt(context, sealed, new);
        drop(heard);
        if let (false, Some(pin)) = (is_pinned, pin) {
            keep(context, pin);
        }
        if own.is_empty() {
            continue;
        }
        if let Err(error) = context.database.note(|_| own.into_iter().map(Entry::from).collect()) {
            log::warn!("what this node says of members by itself could not be signed: {error}");
        }
    }
    is_changed
}

/// What the ledger says at the start of a node, before anything else of it runs.
pub fn at_start(members: &Members, database: &Database) {
    if members.now().pin.is_none() {
        return;
    }
    let (register, verdicts) = database.with(Replica::voices);
    if let Some(new) = work_out(members, &register, &verdicts) {
        if let Some(roster) = &new.roster {
            database.bar(roster.bars());
        }
        members.set(new);
    }
}

/// Who belongs to the network, as it follows from this; `None` if nothing does: there is no network of the ledger, or
/// its beginning has not come yet.
fn work_out(members: &Members, register: &Register, verdicts: &Verdicts) -> Option<Standing> {
    let (typed, now) = (members.typed(), members.now());
    let pin = match now.pin {
        Some(pin) => pin,
        None => found(members, register, verdicts)?,
    };
    let roster = roster(register, pin.network, verdicts)?;
    match typed.as_of(&roster, members.me_typed()) {
        Ok((book, me)) => {
            Some(Standing { me, book: Arc::new(book), pin: Some(pin), roster: Some(roster) })
        }
        Err(error) => {
            log::warn!("{error}");
            None
        }
    }
}

fn roster(register: &Register, network: NetworkId, verdicts: &Verdicts) -> Option<Roster> {
    let counts = |log: &_, sequence, lamport| verdicts.counts_at(log, sequence, lamport);
    Roster::new(register, network, &counts).filter(|roster| !roster.is_empty())
}

/// The network that somebody of the peers file began, and in which this node is as its file says: the file is how its
/// people said whom they trust. If there are several, people have to choose.
fn found(members: &Members, register: &Register, verdicts: &Verdicts) -> Option<Pin> {
    members.files()?;
    let all = candidates(members, register, verdicts);
    if all.len() > 1 {
        log::warn!("several nodes of the peers file began a network: 16 in the menu chooses");
    }
    all.first().copied().filter(|_| all.len() == 1)
}

/// The networks that this node could be part of.
pub fn candidates(members: &Members, register: &Register, verdicts: &Verdicts) -> Vec<Pin> {
    let typed = members.typed();
    let Some(own) = typed.peer(members.me_typed()) else { return Vec::new() };
    let began = register.statements().filter_map(|(spot, said)| match &said.said {
        Membership::Founded(founded) if typed.knows(&spot.log.author) => {
            let founder = spot.log.author;
            Some(Pin { network: founded.network(&founder), founder })
        }
        _ => None,
    });
    let takes_in = |pin: &Pin| {
        let roster = roster(register, pin.network, verdicts);
        let member = own.keys().and_then(|keys| roster.as_ref()?.member(&keys.identity));
        member.is_some_and(|member| is_as_typed(member, own))
    };
    let mut all: Vec<_> = began.filter(takes_in).collect();
    all.dedup();
    all
}

/// Whether a member is what the peers file of the node itself says.
fn is_as_typed(member: &Member, own: &Peer) -> bool {
    let same_token = own.token().is_some_and(|token| token.matches(member.token()));
    own.keys() == Some(&member.keys) && same_token
}

// --- following ---

/// Keeps which network was found.
fn keep(context: &Context, pin: Pin) {
    let kept = context.members.files().map(|files| pin.write(&files.pin));
    if let Some(Err(error)) = kept {
        log::warn!("{error}; the node finds its network again at its next start");
    }
}

/// From now on it is so, everywhere in the node. Returns whether anything is different.
fn adopt(context: &Context, sealed: &Sealed, new: Standing) -> bool {
    let old = context.members.now();
    if old.pin == new.pin && old.roster == new.roster {
        return false;
    }
    if let Some(roster) = &new.roster {
        // What counts may be different then: the state is built anew.
        context.database.bar(roster.bars());
    }
    let old = context.members.set(new);
    let new = context.members.now();
    everywhere(context, sealed, &old.book, &new);
    tell(context, &old, &new);
    post::shut_out(context);
    true
}

/// Has all parts of the node follow that hold something of each peer.
pub fn everywhere(context: &Context, sealed: &Sealed, old: &PeerBook, new: &Standing) {
    sealed.follow(&new.book, new.me);
    context.addresses.follow(old, &new.book);
    let peers: BTreeSet<_> = new.book.others(new.me).map(|peer| peer.number).collect();
    context.monitor.follow(&peers);
    for key in keys(old).difference(&keys(&new.book)) {
        context.members.part_from(key);
    }
}

fn keys(book: &PeerBook) -> BTreeSet<IdentityKey> {
    book.all().iter().filter_map(Peer::keys).map(|keys| keys.identity).collect()
}

/// Tells the person what has changed, and has new members be talked to at once.
fn tell(context: &Context, old: &Standing, new: &Standing) {
    let Some(roster) = &new.roster else { return };
    let news = |news| context.notices.tell(Notice::Membership(news));
    let before = keys(&old.book);
    for peer in new.book.others(new.me) {
        if peer.keys().is_some_and(|keys| !before.contains(&keys.identity)) {
            let (number, organisation) = (peer.number, peer.organisation.clone());
            news(News::Joined { number, organisation });
            context.order(Order::Returned(number));
        }
    }
    let Some(was) = &old.roster else {
        return news(News::Begun { network: roster.name().clone(), members: roster.len() });
    };
    let own = context.database.with(Replica::author);
    for (key, shut) in roster.shut().filter(|(key, _)| !was.is_revoked(key)) {
        match own == *key {
            true => news(News::ShutOutHere),
            false => news(News::ShutOut {
                known_as: shut.known_as.clone(),
                reasons: shut.reasons.clone(),
            }),
        }
    }
    if roster.open().len() > was.open().len() {
        news(News::Asked);
    }
}

// --- what a node says by itself ---

/// What this node has not said yet and says by itself: that it agrees with its own admission, where it is, and of whom it
/// has seen that they are shut out. Each once, whether it counts or not.
fn unsaid(context: &Context, new: &Standing, register: &Register) -> Vec<Membership> {
    let key = context.database.with(Replica::author);
    let typed = context.members.typed().peer(context.members.me_typed());
    let (Some(roster), Some(own)) = (&new.roster, typed) else { return Vec::new() };
    let Some(member) = roster.member(&key) else { return Vec::new() };
    let mut all = roster.unheeded(&key);
    if !member.has_consented && is_as_typed(member, own) {
        all.extend(admission(register, roster, own));
    }
    let is_said = |said: &Membership| {
        let mut own = register.statements().filter(|(spot, _)| spot.log.author == key);
        own.any(|(_, statement)| statement.said == *said)
    };
    all.retain(|said| !is_said(said));
    let address = Address::try_from(own.address).ok();
    let address = address.filter(|address| member.addresses.first() != Some(address));
    // Where it was before, and is again, it has to say again; but not for ever, if its word does not count.
    let is_heard = member.has_consented && !context.database.is_convicted();
    if let (true, Some(address)) = (is_heard, address) {
        let moved = Moved { network: roster.network(), member: key, address };
        all.push(Membership::Moved(moved));
    }
    all
}

/// The admission of this node, to be signed as it stands. One with another token or other keys is not its own.
fn admission(register: &Register, roster: &Roster, own: &Peer) -> Option<Membership> {
    let mut all = register.statements().map(|(_, statement)| &statement.said);
    let found = all.find(|said| match said {
        Membership::Admitted(admitted) if said.network() == Some(roster.network()) => {
            let is_token = |token| admitted.token().token().matches(token);
            own.keys() == Some(&admitted.profile().keys) && own.token().is_some_and(is_token)
        }
        _ => false,
    });
    found.cloned()
}
