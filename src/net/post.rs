//! Letters: kept for peers that are away, passed on whenever two nodes meet, shown to people where they belong.
//!
//! A letter to this node goes to the screen, is noted as shown, durably, and only then its receipt is signed. If the
//! power fails before it is noted, or the screen has no room, it comes again rather than never.

use crate::base::clock::{Deadline, wall};
use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::limits::{COMPARE_PATIENCE, SLOWEST_FILE, STORED_PATIENCE};
use crate::model::post::bag::{Bag, Lists, Took};
use crate::model::post::exchange::Exchange;
use crate::model::post::letter::{Envelope, Letter};
use crate::model::post::limits::{MAX_LETTERS, MAX_RECEIPTS};
use crate::model::post::receipt::{Fate, Receipt};
use crate::model::spoken::Spoken;
use crate::net::channel::Channel;
use crate::net::context::{Context, Order};
use crate::net::notice::Notice;
use crate::store::peer_book::Peer;
use crate::store::post_box::PostBox;

// --- the person ---

/// Keeps messages for a peer: all of them, or none. They are on the disk when this returns.
pub fn keep(context: &Context, to: PeerNumber, texts: &[String]) -> Result<()> {
    let book = context.book();
    let keys = book.peer(to).and_then(Peer::keys);
    let Some((post, keys)) = context.post.as_ref().zip(keys) else {
        return Err(Error::input("message", "this network keeps none", "send it again later"));
    };
    let seal = |text: &String| {
        let text = Spoken::try_from(text.as_str())?;
        post.hand().write(keys, &text, wall(), &mut rand::rng())
    };
    let letters = texts.iter().map(seal).collect::<Result<Vec<_>>>()?;
    let ids: Vec<_> = letters.iter().map(Letter::id).collect();
    let is_full = post.change(|bag| bag.take_all(letters)) != Took::New;
    let kept = match is_full {
        false => post.save(&context.stop),
        true => Err(Error::Full { what: "messages that wait for peers that are away" }),
    };
    match kept {
        Ok(()) => context.order(Order::Noted),
        // The person is told that nothing is kept, and may write it again.
        Err(_) => {
            post.change(|bag| bag.take_back(&ids));
            if let Err(error) = post.save(&context.stop) {
                log::debug!("what was not kept: {error}");
            }
        }
    }
    kept
}

/// An hour has passed: what is too old goes, and the person is told of what was their own.
pub fn hour(context: &Context) {
    shut_out(context);
    let Some(post) = &context.post else { return };
    let expired = post.change(Bag::hour);
    for letter in expired {
        if let Some(peer) = number(context, &letter.envelope().recipient) {
            context.notices.tell(Notice::LetterLost { peer });
        }
    }
    if let Err(error) = post.save(&context.stop) {
        log::warn!("{error}");
    }
}

/// What is of or to members that were shut out goes, and the person is told of what was their own. The next meeting has
/// that on the disk.
pub fn shut_out(context: &Context) {
    let now = context.members.now();
    let Some((post, roster)) = context.post.as_ref().zip(now.roster.as_ref()) else { return };
    let is_out = |key: &IdentityKey| roster.is_revoked(key);
    if roster.shut().next().is_none() {
        return;
    }
    let dropped = post.change(|bag| bag.shut_out(is_out)).len();
    if dropped > 0 {
        context.notices.tell(Notice::LettersDropped { count: dropped });
    }
}

fn number(context: &Context, key: &IdentityKey) -> Option<PeerNumber> {
    context.book().signer(key).map(|peer| peer.number)
}

// --- meetings ---

/// Brings both bags into step, at the end of a meeting that this node called for. Whether something new came, others may
/// lack it, says `news`, also if the meeting breaks off.
pub fn call(
    context: &Context,
    peer: PeerNumber,
    channel: &mut Channel,
    news: &mut bool,
) -> Result<()> {
    let Some(post) = &context.post else { return Ok(()) };
    let mine = post.saved(&context.stop, Bag::lists)?;
    send(channel, &Exchange::Summary(mine.digest()))?;
    let body = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
    match Exchange::decode(&body)? {
        Exchange::Given => Ok(()),
        Exchange::Lists(mut theirs) => {
            send(channel, &Exchange::Lists(mine))?;
            give(context, post, &mut theirs, channel)?;
            take(context, post, peer, channel, news)?;
            // The receipts of what was just shown here.
            give(context, post, &mut theirs, channel)
        }
        _ => Err(unexpected()),
    }
}

/// Answers a peer that does so. One of an earlier version ends the meeting instead.
pub fn answer(
    context: &Context,
    peer: PeerNumber,
    channel: &mut Channel,
    news: &mut bool,
) -> Result<()> {
    let Some(body) = channel.receive(Deadline::after(COMPARE_PATIENCE))? else { return Ok(()) };
    let Some(post) = &context.post else { return Ok(()) };
    let Exchange::Summary(digest) = Exchange::decode(&body)? else { return Err(unexpected()) };
    let mine = post.saved(&context.stop, Bag::lists)?;
    if mine.digest() == digest {
        return send(channel, &Exchange::Given);
    }
    send(channel, &Exchange::Lists(mine))?;
    let body = channel.receive_first(Deadline::after(COMPARE_PATIENCE), SLOWEST_FILE)?;
    let Exchange::Lists(mut theirs) = Exchange::decode(&body)? else { return Err(unexpected()) };
    take(context, post, peer, channel, news)?;
    give(context, post, &mut theirs, channel)?;
    take(context, post, peer, channel, news)
}

fn send(channel: &mut Channel, message: &Exchange) -> Result<()> {
    channel.send(&message.encode())
}

/// Gives what is not in the other bag, which then holds that too, or has no room for it.
fn give(
    context: &Context,
    post: &PostBox,
    theirs: &mut Lists,
    channel: &mut Channel,
) -> Result<()> {
    let (receipts, letters) = post.saved(&context.stop, |bag| bag.beyond(theirs))?;
    theirs.receipts.extend(receipts.iter().map(|(_, receipt)| receipt.name()));
    theirs.letters.extend(letters.iter().map(|(_, letter)| letter.id()));
    let flow = channel.flow(SLOWEST_FILE);
    for (age, receipt) in receipts {
        send(channel, &Exchange::Receipt(age, Box::new(receipt)))?;
        channel.check(&flow)?;
    }
    for (age, letter) in letters {
        send(channel, &Exchange::Letter(age, Box::new(letter)))?;
        channel.check(&flow)?;
    }
    send(channel, &Exchange::Given)
}

fn take(
    context: &Context,
    post: &PostBox,
    peer: PeerNumber,
    channel: &mut Channel,
    news: &mut bool,
) -> Result<()> {
    let (mut inbox, mut is_new) = (Vec::new(), false);
    let (mut letters, mut receipts, mut carried) = (0, 0, 0);
    // The other side may first have to make sure of its own disk.
    let mut body = channel.receive_first(Deadline::after(STORED_PATIENCE), SLOWEST_FILE);
    let flow = channel.flow(SLOWEST_FILE);
    let heard = loop {
        match body.and_then(|body| Exchange::decode(&body)) {
            Ok(Exchange::Receipt(age, receipt)) if receipts < MAX_RECEIPTS => {
                receipts += 1;
                is_new |= take_receipt(context, post, *receipt, age);
            }
            Ok(Exchange::Letter(age, letter)) if letters < MAX_LETTERS => {
                letters += 1;
                if letter.envelope().recipient == post.hand().me() {
                    inbox.push(*letter);
                } else {
                    carried += usize::from(carry(context, post, *letter, age));
                }
            }
            Ok(Exchange::Given) => break Ok(()),
            Ok(_) => break Err(unexpected()),
            Err(error) => break Err(error),
        }
        body = channel.receive_of(&flow);
    };
    // What has come is not lost because the rest did not.
    is_new |= open(context, post, &inbox)?;
    post.save(&context.stop)?;
    if carried > 0 {
        log::info!("peer {peer} gave {carried} messages to be carried");
    }
    *news |= is_new || carried > 0;
    heard
}

/// Takes a receipt. Returns whether it is new.
fn take_receipt(context: &Context, post: &PostBox, receipt: Receipt, age: u16) -> bool {
    let Some(by) = number(context, &receipt.recipient()) else { return false };
    let (is_new, own) = post.change(|bag| bag.take_receipt(receipt, age));
    if let Some(own) = own {
        let is_shown = own.fate() == Fate::Shown;
        context.notices.tell(Notice::LetterDone { peer: by, is_shown, wall: own.wall() });
    }
    is_new
}

/// Takes a letter for somebody else. Returns whether it is new.
fn carry(context: &Context, post: &PostBox, letter: Letter, age: u16) -> bool {
    let Envelope { author, recipient, .. } = letter.envelope();
    let are_known = context.book().knows(&author) && context.book().knows(&recipient);
    are_known && post.change(|bag| bag.take(letter, age)) == Took::New
}

/// Shows letters to this node, each once, and signs what became of them. Returns whether anything was signed.
fn open(context: &Context, post: &PostBox, inbox: &[Letter]) -> Result<bool> {
    let mut done = Vec::new();
    for letter in inbox {
        let book = context.book();
        let Some(from) = book.signer(&letter.envelope().author) else { continue };
        let (peer, Some(keys)) = (from.number, from.keys()) else { continue };
        // One that was shown has a receipt that was lost, or is too old. Of a flood the rest comes again with the next
        // meeting.
        let was_shown = post.with(|bag| bag.has_shown(letter));
        if !was_shown && !context.monitor.may_speak(peer) {
            continue;
        }
        let opened = post.hand().open(letter, &keys.knock, &mut rand::rng());
        match opened {
            Ok(opened) => {
                let (text, wall) = (opened.text.as_str().to_owned(), opened.wall);
                // In one step: another meeting may bring it at the same time. If the screen is too far behind, it comes
                // again with a later one.
                let is_shown = post.change(|bag| {
                    bag.has_shown(letter)
                        || (context.notices.shows(Notice::Letter { peer, text, wall })
                            && bag.show(letter))
                });
                if is_shown {
                    done.push((letter, Fate::Shown));
                }
            }
            Err(error) => {
                log::warn!("peer {peer}: {error}");
                post.change(|bag| bag.show(letter));
                done.push((letter, Fate::Unreadable));
            }
        }
    }
    if done.is_empty() {
        return Ok(false);
    }
    post.save(&context.stop)?;
    let now = wall();
    let mut is_new = false;
    for (letter, fate) in done {
        let receipt = post.hand().receipt(letter.id(), fate, now);
        is_new |= post.change(|bag| bag.take_receipt(receipt, 0)).0;
    }
    Ok(is_new)
}

fn unexpected() -> Error {
    Error::peer("sent a message that has no place among letters")
}
