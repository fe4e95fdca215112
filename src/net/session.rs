//! A session of a visitor that came in: its messages are shown, both ledgers come into step, or it gets its copy.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::gate::Visitor;
use crate::model::ids::PeerNumber;
use crate::model::limits::{DOOR_OPEN, MAX_MESSAGES, TEXT_SILENCE};
use crate::model::message::{Declined, Fetching, Giving, Listening, Talking};
use crate::model::noise::Purpose;
use crate::model::spoken::Spoken;
use crate::net::channel::Channel;
use crate::net::context::Context;
use crate::net::notice::Notice;
use crate::net::sealed::Sealed;
use crate::net::{bell, copies, sync};

/// Runs the session until the visitor ends it, breaks a limit, or the node stops.
pub fn run(
    context: &Context,
    sealed: &Sealed,
    visitor: Visitor,
    purpose: Purpose,
    channel: &mut Channel,
) -> Result<()> {
    match (visitor, purpose) {
        (Visitor::Member(peer), Purpose::Talk) => hear(context, peer, channel),
        (Visitor::Member(peer), Purpose::Sync) => sync::answer(context, peer, channel),
        (Visitor::Reader, Purpose::Refresh) => give_copy(context, sealed, channel),
        // The gate lets in nobody with another purpose.
        _ => Err(Error::peer("it asks for what is not for it")),
    }
}

/// Gives a reader its copy, or says what this node signs of it.
fn give_copy(context: &Context, sealed: &Sealed, channel: &mut Channel) -> Result<()> {
    let asked = Fetching::decode(&channel.expect(Deadline::after(DOOR_OPEN))?)?;
    let known = match &asked {
        Fetching::Confirm(heads) => context.shelves.signed(heads),
        Fetching::Fetch(_) => None,
    };
    if let Some(signed) = known {
        channel.send(&Giving::Signed(Box::new(signed)).encode())?;
        return channel.finish();
    }
    let made = context.shelves.public(&context.database, &sealed.signer, &context.stop);
    let shelf = match made {
        Ok(shelf) => shelf,
        Err(error) => {
            channel.send(&Giving::Refused(Declined::Busy).encode())?;
            return Err(error);
        }
    };
    match asked {
        Fetching::Fetch(has) => copies::serve(channel, &shelf, &has)?,
        Fetching::Confirm(_) => {
            channel.send(&Giving::Signed(Box::new(shelf.signed)).encode())?;
        }
    }
    channel.finish()
}

/// Shows what a peer says, and tells it that it was shown.
fn hear(context: &Context, peer: PeerNumber, channel: &mut Channel) -> Result<()> {
    for _ in 0..MAX_MESSAGES {
        let Some(body) = channel.receive(Deadline::after(TEXT_SILENCE))? else { return Ok(()) };
        let talking = Talking::decode(&body)?;
        let is_alarm = matches!(talking, Talking::Alarm(_));
        let is_shown = match talking {
            Talking::Say(text) => say(context, peer, text),
            Talking::Alarm(raised) => bell::show(context, peer, &raised),
            Talking::Bye => return channel.finish(),
        };
        let answer = if is_shown { Listening::Heard } else { Listening::TooMuch };
        channel.send(&answer.encode())?;
        if !is_shown && context.monitor.is_flood(peer) {
            context.offended(peer, "it floods the screen; what was too much was not shown");
            if context.monitor.is_aside(peer) {
                return Err(Error::peer("it floods the screen, and is set aside"));
            }
        }
        if let Some(before) = (!is_shown).then(|| context.monitor.trouble(peer)).flatten() {
            log::warn!("peer {peer} floods the screen: not shown; {before} such before");
        }
        if is_alarm {
            // Not before the answer: the other side waits for the screen, not for the disk.
            bell::remember(context);
        }
    }
    Err(Error::peer("too much text in one session"))
}

fn say(context: &Context, peer: PeerNumber, text: Spoken) -> bool {
    let may = context.monitor.may_speak(peer);
    if may {
        context.notices.tell(Notice::Message { peer, text: text.as_str().to_owned() });
    }
    may
}
