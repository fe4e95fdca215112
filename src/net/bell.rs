//! Alarms as people here meet them: shown once, read, called off.
//!
//! An alarm comes by a session of its own, and with the ledger. Whichever is first is shown, the other is known for the
//! same by its name. That it was shown is noted behind that, durably: if the power fails between both, it is shown
//! again rather than never.

use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::alarm::{Alarm, Raised};
use crate::model::ledger::alarms::{NewsOf, Told};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::names::AlarmId;
use crate::model::ledger::replica::Replica;
use crate::net::context::{Context, Order};
use crate::net::notice::Notice;
use crate::store::peer_book::Peer;
use crate::store::post_box::PostBox;

/// Calls off an alarm of this node. It is told with the ledger.
pub fn call_off(context: &Context, id: AlarmId) -> Result<()> {
    let is_own = context.database.with(|replica| {
        let me = replica.author();
        replica.alarms().standing().any(|told| told.author == me && told.id == id)
    });
    if !is_own {
        return Err(Error::input(
            "alarm",
            "it is not one of this node that still stands",
            "only who raised an alarm calls it off",
        ));
    }
    context.database.note(|_| vec![Entry::Alarm(Alarm::CalledOff(id))])?;
    context.order(Order::Noted);
    Ok(())
}

/// Signs that people here have read these alarms: all of them at once, and each once.
pub fn seen(context: &Context, ids: &[AlarmId]) -> Result<()> {
    let make = |replica: &Replica| {
        let (me, alarms) = (replica.author(), replica.alarms());
        let own = |id: &AlarmId| alarms.standing().any(|told| told.author == me && told.id == *id);
        let new = ids.iter().filter(|id| !alarms.has_seen(&me, id) && !own(id));
        new.map(|id| Entry::Alarm(Alarm::Seen(*id))).collect()
    };
    let before = context.database.now();
    if context.database.note(make)? > before {
        context.order(Order::Applied(context.me()));
    }
    Ok(())
}

// --- showing ---

/// Shows an alarm that a peer tells of in a session of its own. Returns false if the peer has raised too many.
pub fn show(context: &Context, peer: PeerNumber, raised: &Raised) -> bool {
    let author = context.book().peer(peer).and_then(Peer::keys).map(|keys| keys.identity);
    let Some((post, author)) = context.post.as_ref().zip(author) else { return false };
    let id = raised.id(&author);
    if is_over(context, post, &author, &id) {
        return true;
    }
    if !context.monitor.may_alarm(peer) {
        return false;
    }
    let text = raised.text().as_str().to_owned();
    if post.change(|bag| bag.show_alarm(author, id)) {
        context.notices.tell(Notice::Alarm { peer, text, id: Some(id), wall: None });
    }
    true
}

/// Whether an alarm was shown here, or is called off.
fn is_over(context: &Context, post: &PostBox, author: &IdentityKey, id: &AlarmId) -> bool {
    post.with(|bag| bag.has_shown_alarm(author, id))
        || context.database.with(|replica| replica.alarms().is_off(author, id))
}

/// What was shown is not shown again, also after a start.
pub fn remember(context: &Context) {
    let saved = context.post.as_ref().map(|post| post.save(&context.stop));
    if let Some(Err(error)) = saved {
        log::warn!("what was shown may be shown again after a start: {error}");
    }
}

/// Shows what has come of alarms with the ledger.
pub fn tell(context: &Context) {
    for (author, news) in context.database.alarm_news().of_all() {
        tell_of(context, author, news);
    }
    remember(context);
}

/// Shows the alarms that stand, and were not shown before this start.
pub fn tell_standing(context: &Context) {
    // Of what is in the ledger since long the newest of each is enough.
    context.database.alarm_news();
    let standing: Vec<_> =
        context.database.with(|replica| replica.alarms().standing().cloned().collect());
    for told in standing {
        let author = told.author;
        tell_of(context, author, NewsOf { raised: vec![told], ..NewsOf::default() });
    }
    remember(context);
}

fn tell_of(context: &Context, author: IdentityKey, news: NewsOf) {
    let peer = context.book().signer(&author).map(|peer| peer.number);
    let peer = peer.filter(|peer| *peer != context.me());
    let Some((post, peer)) = context.post.as_ref().zip(peer) else { return };
    for id in &news.called_off {
        let text = context.database.with(|replica| {
            let mut all = replica.alarms().all().into_iter();
            all.find(|one| one.told.author == author && one.told.id == *id).map(|one| one.told.text)
        });
        let was_shown = post.with(|bag| bag.has_shown_alarm(&author, id));
        if let Some(text) = text.filter(|_| was_shown && context.monitor.may_speak(peer)) {
            let text = text.as_str().to_owned();
            context.notices.tell(Notice::CalledOff { peer, text, id: *id });
        }
    }
    let mut more = news.more;
    for Told { id, text, wall, .. } in news.raised {
        if is_over(context, post, &author, &id) {
            continue;
        }
        let may = context.monitor.may_alarm(peer);
        if !post.change(|bag| bag.show_alarm(author, id)) {
            continue;
        }
        if !may {
            more += 1;
            continue;
        }
        let (text, wall) = (text.as_str().to_owned(), Some(wall));
        context.notices.tell(Notice::Alarm { peer, text, id: Some(id), wall });
    }
    if more > 0 {
        context.notices.tell(Notice::MoreAlarms { peer, count: more });
    }
}
