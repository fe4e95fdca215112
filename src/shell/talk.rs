//! Menu items that reach other nodes: message, send, broadcast, alarm, peers.

use crate::base::threads::lock;
use crate::model::classic::datagram::ALARM_STANDARD;
use crate::model::ids::PeerNumber;
use crate::model::limits::{MAX_ALARMS, MAX_SPOKEN};
use crate::net::alarm;
use crate::net::broadcast::send_to_one;
use crate::net::call::{Call, Settled};
use crate::net::context::{Context, Order};
use crate::net::notice::{Notice, Sent};
use crate::net::status;
use crate::shell::alarm_words;
use crate::shell::desk::Done;
use crate::shell::display::width;
use crate::shell::input::{Gone, Input};
use crate::shell::screen::Screen;
use crate::shell::{status_words, talk_words, words};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The menu's voice: what reaches other nodes.
pub struct Voice<'a> {
    /// The node.
    pub context: &'a Arc<Context>,
    /// Where it shows.
    pub screen: &'a Screen,
    /// Alarms being sent.
    pub alarms: Arc<Mutex<usize>>,
}

impl Voice<'_> {
    /// Menu 7: sends lines to a peer until `quit`. The lines go out in the background.
    pub fn message(&self, input: &mut Input) -> Done {
        let Some(peer) = self.choose_peer(input)? else { return Ok(()) };
        let call = match Call::begin(self.context, peer) {
            Ok(call) => call,
            Err(error) => {
                self.screen.say(words::failure(&error));
                return Ok(());
            }
        };
        let name = words::peer_name(&self.context.book(), peer);
        self.screen.say(talk_words::each_line(&self.context.book(), peer));
        let mut said = 0;
        loop {
            let line = match input.line(talk_words::LINE) {
                Err(Gone::TooLong) => {
                    self.screen.say(words::TOO_LONG);
                    continue;
                }
                line => line?,
            };
            match line.as_str() {
                talk_words::QUIT => return self.end_message(call, said, &name, input),
                "" => {}
                long if long.len() > MAX_SPOKEN => self.screen.say(words::TOO_LONG),
                _ => {
                    if call.say(line) {
                        said += 1;
                    } else {
                        self.screen.say(talk_words::NOT_SENT);
                    }
                }
            }
        }
    }

    /// Ends a message. If its receiver is away, the person decides whether it waits.
    fn end_message(&self, mut call: Call, said: usize, name: &str, input: &mut Input) -> Done {
        let question = match call.settle(said, self.context) {
            Settled::Sent => return Ok(()),
            _ if self.context.post.is_none() => return Ok(()),
            Settled::Failed => alarm_words::keep_question(name),
            Settled::Open => alarm_words::keep_question_early(name),
        };
        if input.line(&question)?.is_empty() {
            call.keep();
        }
        Ok(())
    }

    /// Menu 8: sends the database to one peer, in the background.
    pub fn send(&self, input: &mut Input) -> Done {
        let Some(number) = self.choose_peer(input)? else { return Ok(()) };
        let (context, work) = (Arc::clone(self.context), self.context.work.clone());
        let started = self.context.crew.spawn("send", move || {
            send_to_one(&context, number);
            drop(work);
            Ok(())
        });
        match started {
            Ok(()) => self.screen.say(talk_words::sending(&self.context.book(), number)),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// Menu 9: sends the database to all peers, in the background.
    pub fn broadcast(&self) {
        self.context.order(Order::ToAll(self.context.work.clone()));
        self.screen.say(talk_words::SENDING_TO_ALL);
    }

    /// Menu 10: raises an alarm at all peers, in the background.
    pub fn alarm(&self, input: &mut Input) -> Done {
        if input.line(&talk_words::confirm_alarm())? != words::YES {
            self.screen.say(talk_words::NO_ALARM);
            return Ok(());
        }
        let text = match input.line(&talk_words::alarm_text())? {
            empty if empty.is_empty() => ALARM_STANDARD.to_owned(),
            long if long.len() > MAX_SPOKEN => {
                self.screen.say(words::TOO_LONG);
                return Ok(());
            }
            text => text,
        };
        let sending = Arc::clone(&self.alarms);
        {
            let mut count = lock(&sending);
            if *count >= MAX_ALARMS {
                self.screen.say(talk_words::MANY_ALARMS);
                return Ok(());
            }
            *count += 1;
        }
        let call = match alarm::make(self.context, &text) {
            Ok(call) => call,
            Err(error) => {
                *lock(&sending) -= 1;
                self.screen.say(words::failure(&error));
                return Ok(());
            }
        };
        let (context, work) = (Arc::clone(self.context), self.context.work.clone());
        let started = self.context.crew.spawn("alarm", move || {
            let outcomes = alarm::raise(&context, &call);
            *lock(&sending) -= 1;
            let missed = outcomes.clone();
            context.notices.tell(Notice::Delivered { what: Sent::Alarm, outcomes });
            drop(work);
            alarm::go_on(&context, &missed, &call);
            Ok(())
        });
        match started {
            Ok(()) => self.screen.say(talk_words::ALARMING),
            Err(error) => {
                *lock(&self.alarms) -= 1;
                self.screen.say(words::failure(&error));
            }
        }
        Ok(())
    }

    /// Menu 11: who belongs to the network, who is there, and how far apart each is.
    pub fn peers(&self) {
        let now = Instant::now();
        let book = &self.context.book();
        let wide = book.all().iter().map(|peer| width(&words::shown_organisation(peer)));
        let wide = wide.max().unwrap_or(0);
        let status = status::now(self.context);
        for peer in book.all() {
            let seen = status.peers.iter().find(|seen| seen.number == peer.number);
            let (address, heard) = match seen {
                None => (peer.address, talk_words::THIS_NODE.to_owned()),
                Some(seen) => (seen.address, status_words::peer(seen, now)),
            };
            self.screen.say(talk_words::peer(peer, wide, address, &heard));
        }
    }

    fn choose_peer(&self, input: &mut Input) -> Result<Option<PeerNumber>, Gone> {
        let answer = input.line(talk_words::WHICH_PEER)?;
        let number = match answer.parse::<PeerNumber>() {
            Ok(number) => number,
            Err(error) => {
                self.screen.say(words::failure(&error));
                return Ok(None);
            }
        };
        if number == self.context.me() {
            self.screen.say(talk_words::ITSELF);
            return Ok(None);
        }
        if self.context.book().peer(number).is_none() {
            self.screen.say(talk_words::no_peer(number));
            return Ok(None);
        }
        Ok(Some(number))
    }
}
