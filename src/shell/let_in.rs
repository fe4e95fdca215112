//! The member's side of joining: menu item 17, by a code that is read out or by the file of a request, and `reunite join
//! answer`, by a file on a node that is down.

use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, spawn_within};
use crate::model::address::Address;
use crate::model::ids::PeerNumber;
use crate::model::join::limits::{JOIN_DECISION, JOIN_OPEN, MAX_JOIN_FILE};
use crate::model::join::paper;
use crate::model::join::request::Request;
use crate::model::join::sponsor::{Answered, Question, Remarks, answer};
use crate::model::keys::PublicKeys;
use crate::net::context::Context;
use crate::net::join::door::Door;
use crate::net::join::here::Here;
use crate::net::join::host::{End, Person, host};
use crate::net::sealed::lacking;
use crate::shell::desk::{Chosen, Desk, Done};
use crate::shell::input::Gone;
use crate::shell::offline::{self, OfNode};
use crate::shell::{join_words as say, words};
use crate::store::files;
use crate::store::peer_book::Peer;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// The options of `reunite join answer`.
#[derive(Debug, Args)]
pub struct Answer {
    #[command(flatten)]
    node: OfNode,
    /// Do not ask whether the fingerprint of the newcomer is the same: it has been compared
    #[arg(long)]
    yes: bool,
    /// The request
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// Write the answer here
    #[arg(value_name = "ANSWER")]
    answer: PathBuf,
}

/// Answers a request on a node that is down.
pub fn answer_on(options: &Answer) -> Result<()> {
    let request = read_request(&options.request)?;
    offline::run(&options.node, |desk| answer_file(desk, &request, &options.answer, options.yes))
}

impl Desk<'_> {
    /// Menu 17: lets somebody join.
    pub fn let_in(&mut self) -> Done {
        if self.context.sealed.is_none() {
            self.screen.say(say::CLASSIC);
            return Ok(());
        }
        self.screen.say(say::WAYS_IN);
        let done = match self.input.line(say::WAY_IN)?.as_str() {
            "1" => return self.let_in_by_code(),
            "2" => self.let_in_by_file()?,
            _ => {
                self.screen.say(say::NOTHING);
                Ok(())
            }
        };
        if let Err(error) = done {
            self.screen.say(words::failure(&error));
        }
        Ok(())
    }

    /// Opens the door, and decides on who comes in.
    fn let_in_by_code(&mut self) -> Done {
        let sponsor = Here(self.context);
        let at = sponsor.check(true).and_then(|()| own(self.context)).map(|own| own.address);
        let opened = at.and_then(|at| Door::open(at, self.context.is_lit));
        let door = match opened {
            Ok(door) => door,
            Err(error) => {
                self.screen.say(words::failure(&error));
                return Ok(());
            }
        };
        self.screen.say(say::open(
            &door.expose(),
            &door.address(),
            door.is_sought(),
            JOIN_OPEN.as_secs() / 60,
        ));
        let (decide, decision) = sync_channel(1);
        let (stop, asking) = (Stop::default(), AtomicBool::new(false));
        let (screen, input) = (self.screen, &mut self.input);
        let (line, end) = thread::scope(|scope| {
            let (sponsor, stop, asking) = (&sponsor, &stop, &asking);
            let hosting = spawn_within(scope, "newcomer", move || {
                let ask = |request: &Request, remarks: &Remarks| {
                    asking.store(true, Ordering::SeqCst);
                    screen.notice(format!("{}\n{}", say::asks(request, remarks), say::DECIDE));
                };
                let person = Person { ask: &ask, decision: &decision, patience: JOIN_DECISION };
                let end = host(door, sponsor, &person, stop);
                asking.store(false, Ordering::SeqCst);
                if let Ok(Some(text)) = end.as_ref().map(by_itself) {
                    screen.notice(text);
                }
                end
            });
            let line = input.line(say::WAITING);
            if asking.load(Ordering::SeqCst) {
                let yes = line.as_ref().is_ok_and(|line| line == words::YES);
                if yes {
                    screen.say(say::LETTING_IN);
                }
                // If nobody takes it, the newcomer has just gone.
                let _ = decide.try_send(yes);
            } else {
                stop.set();
            }
            let end = hosting.and_then(|hosting| hosting.join().unwrap_or(Err(Error::Stopped)));
            (line, end)
        });
        let last = self.ended(end);
        line.and(last)
    }

    /// Says how it ended, unless that was said already.
    fn ended(&mut self, end: Result<End>) -> Done {
        match end {
            Ok(End::Welcomed(number)) => self.screen.say(say::welcomed(number)),
            Ok(End::Declined) => self.screen.say(say::DECLINED),
            Ok(End::Unsure(number, answer)) => return self.keep_answer(number, &answer),
            // That was said when it happened.
            Ok(End::Unused | End::WrongCode(_) | End::Refused(_) | End::Undecided | End::Gone) => {}
            Err(Error::Stopped) => self.screen.say(say::CLOSED),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    fn keep_answer(&mut self, number: PeerNumber, answer: &[u8]) -> Done {
        let keys = self.context.book().peer(number).and_then(Peer::keys).copied();
        let Some(keys) = keys else { return Ok(()) };
        self.screen.say(say::UNSURE);
        if let Some(file) = self.write_answer(&keys, answer, say::ASKED_AGAIN)? {
            self.say_saved(&say::unsure(number, &file), self.context.database.now());
        }
        Ok(())
    }

    /// Writes an answer to the file that the person names, and asks for another as long as it cannot be written: the
    /// admission is signed, and nobody else has the answer. `None` if the person gives up, which `again` comments.
    fn write_answer(&mut self, to: &PublicKeys, answer: &[u8], again: &str) -> Chosen<PathBuf> {
        loop {
            let file = match self.input.line(say::ANSWER) {
                Err(Gone::TooLong) => {
                    self.screen.say(words::TOO_LONG);
                    continue;
                }
                Err(Gone::Ended) => String::new(),
                Ok(file) => file,
            };
            if file.is_empty() {
                self.screen.say(again);
                return Ok(None);
            }
            let file = PathBuf::from(file);
            match write_answer(&file, to, answer) {
                Ok(()) => return Ok(Some(file)),
                Err(error) => self.screen.say(words::failure(&error)),
            }
        }
    }

    /// Answers the request in a file. The outer result is that of the input, the inner that of the work.
    fn let_in_by_file(&mut self) -> std::result::Result<Result<()>, Gone> {
        let sponsor = Here(self.context);
        if let Err(error) = sponsor.check(false) {
            return Ok(Err(error));
        }
        let file = self.input.line(say::REQUEST)?;
        if file.is_empty() {
            self.screen.say(say::NOTHING);
            return Ok(Ok(()));
        }
        let request = match read_request(Path::new(&file)) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error)),
        };
        let (screen, input, mut gone) = (self.screen, &mut self.input, None);
        let confirm = |question| {
            let line = match question {
                Question::Admit(remarks) => {
                    screen.say(say::asks(&request, &remarks));
                    input.line(words::COMPARED)
                }
                Question::Again(number) => input.line(&say::again(number)),
            };
            match line {
                Ok(line) => line == words::YES,
                Err(why) => {
                    gone = Some(why);
                    false
                }
            }
        };
        let answered = answer(&sponsor, &request, confirm, &mut rand::rng());
        if let Some(gone) = gone {
            return Err(gone);
        }
        Ok(match answered {
            Ok(Answered::With(number, answer)) => {
                let file = self.write_answer(request.keys(), &answer, say::SAME_AGAIN)?;
                let Some(file) = file else { return Ok(Ok(())) };
                answer_made(self.context, &file, number)
                    .map(|text| self.say_saved(&text, self.context.database.now()))
            }
            Ok(other) => {
                self.screen.say(without_answer(&other));
                Ok(())
            }
            Err(error) => Err(error),
        })
    }
}

/// Answers a request without a menu. Asks, unless `yes` says that the fingerprint has been compared. Returns what is to be
/// said.
fn answer_file(desk: &mut Desk<'_>, request: &Request, to: &Path, yes: bool) -> Result<String> {
    let context = desk.context;
    let sponsor = Here(context);
    sponsor.check(false)?;
    let mut failed = None;
    let confirm = |question| {
        let asked = match question {
            Question::Admit(remarks) => {
                desk.screen.say(say::asks(request, &remarks));
                words::COMPARED.to_owned()
            }
            Question::Again(number) => say::again(number),
        };
        let confirmed = if yes { Ok(true) } else { desk.confirms(&asked, words::YES) };
        confirmed.unwrap_or_else(|error| {
            failed = Some(error);
            false
        })
    };
    let answered = answer(&sponsor, request, confirm, &mut rand::rng());
    match (failed, answered?) {
        (Some(error), _) => Err(error),
        (None, Answered::With(number, answer)) => {
            write_answer(to, request.keys(), &answer).map_err(|error| {
                let what = format!("the answer to node {number}, which is a member: {error}");
                Error::input(to.display().to_string(), what, say::OTHER_FILE)
            })?;
            answer_made(context, to, number)
        }
        (None, Answered::Refused(judged)) => {
            Err(Error::input("request", say::why(&judged), "nothing was changed"))
        }
        (None, other) => Ok(without_answer(&other)),
    }
}

/// What is to be done with an answer that was written to this file.
fn answer_made(context: &Context, file: &Path, number: PeerNumber) -> Result<String> {
    Ok(say::answer_made(file, number, &own(context)?.keys))
}

/// This node, as the others see it.
struct Own {
    address: std::net::SocketAddr,
    keys: Box<PublicKeys>,
}

fn own(context: &Context) -> Result<Own> {
    let now = context.members.now();
    let own = now.book.peer(now.me).ok_or_else(lacking)?;
    // Where the node listens is what was typed at it.
    let typed = context.members.typed().peer(context.members.me_typed());
    let address = typed.map_or(own.address, |typed| typed.address);
    let address = Address::try_from(address)?.socket();
    Ok(Own { address, keys: Box::new(*own.keys().ok_or_else(lacking)?) })
}

/// What is said at once when it ends without the person's doing.
fn by_itself(end: &End) -> Option<String> {
    match end {
        End::Unused => Some(say::UNUSED.into()),
        End::WrongCode(from) => Some(say::wrong_code(*from)),
        End::Refused(judged) => Some(say::refused(judged)),
        End::Undecided => Some(say::UNDECIDED.into()),
        End::Gone => Some(say::GONE.into()),
        End::Declined | End::Welcomed(_) | End::Unsure(..) => None,
    }
}

/// What is said of a request that has no answer.
fn without_answer(answered: &Answered) -> String {
    match answered {
        Answered::Refused(judged) => say::why(judged),
        Answered::Waits(number, needed) => say::waits(*number, *needed),
        Answered::Declined | Answered::With(..) => say::NOTHING.into(),
    }
}

/// The request in a file.
fn read_request(file: &Path) -> Result<Request> {
    let text = files::read_text(file, MAX_JOIN_FILE)?;
    paper::request(&text).map_err(|error| match error {
        Error::Peer { what } => Error::input(
            file.display().to_string(),
            format!("who made it {what}"),
            "ask for another, by another way",
        ),
        other => other,
    })
}

fn write_answer(file: &Path, to: &PublicKeys, answer: &[u8]) -> Result<()> {
    let text = paper::of_answer(to, answer);
    files::replace(file, |out| out.write_all(text.as_bytes())).map(|_| ())
}
