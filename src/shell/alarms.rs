//! Menu 18: the alarms that stand, who has seen them, and calling one of our own off.

use crate::model::keys::IdentityKey;
use crate::model::ledger::alarms::Standing;
use crate::net::bell;
use crate::net::context::Context;
use crate::shell::desk::Done;
use crate::shell::input::Input;
use crate::shell::screen::Screen;
use crate::shell::{alarm_words, members_words, words};
use std::collections::BTreeSet;

/// Alarms that are over and are still shown.
const MOST_OVER: usize = 5;

/// The person has the unread alarms on the screen: that is signed, once for all of them.
pub fn read(context: &Context, screen: &Screen) {
    let ids = screen.read_alarms();
    if let Err(error) = bell::seen(context, &ids) {
        screen.say(words::failure(&error));
    }
}

/// Menu 18.
pub fn list(context: &Context, screen: &Screen, input: &mut Input) -> Done {
    if context.sealed.is_none() {
        screen.say(alarm_words::NOT_KEPT);
        return Ok(());
    }
    let (me, mut all) = context.database.with(|replica| (replica.author(), replica.alarms().all()));
    // The newest first; of one block the last.
    all.reverse();
    all.sort_by_key(|alarm| std::cmp::Reverse((alarm.told.lamport, alarm.told.wall)));
    let (over, stand): (Vec<_>, Vec<_>) = all.into_iter().partition(|alarm| alarm.is_off);
    screen.say(match stand.len() {
        0 => alarm_words::NONE_STAND.to_owned(),
        count => alarm_words::standing(count),
    });
    for (alarm, number) in stand.iter().zip(1..) {
        show(context, screen, alarm, number);
    }
    for author in stand.iter().map(|alarm| alarm.told.author).collect::<BTreeSet<_>>() {
        let more = context.database.with(|replica| replica.alarms().more_of(&author));
        if more > 0 {
            screen.say(alarm_words::more_of(&name(context, &author), more));
        }
    }
    if !over.is_empty() {
        screen.say(alarm_words::OVER);
    }
    for alarm in over.iter().take(MOST_OVER) {
        let told = &alarm.told;
        let from = name(context, &told.author);
        screen.say(alarm_words::over(&from, told.text.as_str(), told.wall));
    }
    // They are on the screen.
    screen.read_alarms();
    let ids: Vec<_> = stand.iter().map(|alarm| alarm.told.id).collect();
    if let Err(error) = bell::seen(context, &ids) {
        screen.say(words::failure(&error));
    }
    match stand.iter().any(|alarm| alarm.told.author == me) {
        true => call_off(context, screen, input, &stand, &me),
        false => Ok(()),
    }
}

fn show(context: &Context, screen: &Screen, alarm: &Standing, number: usize) {
    let told = &alarm.told;
    let from = name(context, &told.author);
    screen.say(alarm_words::listed(number, &from, told.text.as_str(), told.wall));
    let seen: Vec<_> = alarm.seen.iter().map(|key| name(context, key)).collect();
    screen.say(alarm_words::seen_by(&seen));
}

fn call_off(
    context: &Context,
    screen: &Screen,
    input: &mut Input,
    stand: &[Standing],
    me: &IdentityKey,
) -> Done {
    let answer = input.line(alarm_words::WHICH_IS_OVER)?;
    if answer.is_empty() {
        return Ok(());
    }
    let place = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let own = place.and_then(|at| stand.get(at)).filter(|alarm| alarm.told.author == *me);
    screen.say(match own.map(|alarm| bell::call_off(context, alarm.told.id)) {
        None => alarm_words::NOT_YOURS.to_owned(),
        Some(Ok(())) => alarm_words::CALLED_OFF.to_owned(),
        Some(Err(error)) => words::failure(&error),
    });
    Ok(())
}

/// Who signs with this key, as people know it.
fn name(context: &Context, key: &IdentityKey) -> String {
    match context.book().signer(key) {
        Some(peer) => words::peer_name(&context.book(), peer.number),
        None => {
            let now = context.members.now();
            let shut_out = now.roster.as_ref().and_then(|all| members_words::shut_out(all, key));
            shut_out.unwrap_or_else(|| alarm_words::FORMER_PEER.to_owned())
        }
    }
}
