//! The menu of a tier-1 node: asks for a number, does what it stands for, until 0 or the end of input.

use crate::net::context::Context;
use crate::shell::alarms;
use crate::shell::desk::Desk;
use crate::shell::input::{Gone, Input};
use crate::shell::screen::Screen;
use crate::shell::talk::Voice;
use crate::shell::words;
use std::sync::Arc;

/// Runs the menu.
pub fn run(context: &Arc<Context>, screen: &Screen) {
    let input = Input::new(screen, &context.stop);
    let mut desk = Desk { context, screen, input };
    let voice = Voice { context, screen, alarms: Arc::default() };
    let mut show_menu = true;
    loop {
        for alarm in screen.unread_alarms().iter().filter(|_| screen.is_interactive()) {
            screen.say(words::unread(alarm));
        }
        if show_menu {
            screen.say(words::MENU_TIER1);
        }
        let done = match desk.input.line(words::CHOOSE) {
            Ok(choice) => {
                if choice.is_empty() {
                    alarms::read(context, screen);
                }
                show_menu = screen.is_interactive() || choice.is_empty();
                choose(&choice, &mut desk, &voice)
            }
            Err(gone) => Err(gone),
        };
        match done {
            Ok(true) => {}
            Err(Gone::TooLong) => screen.say(words::TOO_LONG),
            Ok(false) | Err(Gone::Ended) => return,
        }
    }
}

/// Does one menu item; returns false if it was to quit.
fn choose(choice: &str, desk: &mut Desk<'_>, voice: &Voice<'_>) -> Result<bool, Gone> {
    match choice {
        "" => {}
        "0" => return Ok(false),
        "1" => desk.view()?,
        "2" => desk.search()?,
        "3" => desk.add_person()?,
        "4" => desk.update_person()?,
        "5" => desk.add_vaccination()?,
        "6" => desk.add_census()?,
        "7" => voice.message(&mut desk.input)?,
        "8" => voice.send(&mut desk.input)?,
        "9" => voice.broadcast(),
        "10" => voice.alarm(&mut desk.input)?,
        "11" => voice.peers(),
        "12" => desk.conflicts()?,
        "13" => desk.history()?,
        "14" => desk.retract()?,
        "15" => desk.ledger_state()?,
        "16" => desk.members()?,
        "17" => desk.let_in()?,
        "18" => alarms::list(voice.context, voice.screen, &mut desk.input)?,
        _ => desk.screen.say(words::NO_SUCH_ITEM),
    }
    Ok(true)
}
