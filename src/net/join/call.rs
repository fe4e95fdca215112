//! The newcomer's side of joining by code: it calls at a door, shows that it has the code, asks, and is answered.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::address::Address;
use crate::model::identity::Identity;
use crate::model::ids::Organisation;
use crate::model::join::answer;
use crate::model::join::code::Code;
use crate::model::join::limits::{
    JOIN_AGAIN, JOIN_CROWDED, JOIN_DECISION, JOIN_PATIENCE, JOIN_SAVE, MAX_ANSWER,
};
use crate::model::join::message::{Clear, Refusal, Sealed, Sorry};
use crate::model::join::pake::{Calling, Element};
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::SecretKey;
use crate::model::x25519::Own;
use crate::net::join::talk::{SealedTalk, Talk};
use std::net::SocketAddr;

/// How often it may be that a door closes the line before it has answered.
const MOST_CLOSED: usize = 5;

/// Who wants to join.
#[derive(Debug)]
pub struct Newcomer<'a> {
    /// Its keys.
    pub identity: &'a Identity,
    /// Whose node it is.
    pub organisation: Organisation,
    /// Where its listener will be.
    pub address: Address,
}

/// A line to a member that has the same code.
#[derive(Debug)]
pub struct Met(SealedTalk);

/// What the newcomer was given.
#[derive(Debug)]
pub struct Given {
    welcome: Welcome,
    heard: Heard,
}

/// The member, which waits to hear that what it gave is on the disk.
#[derive(Debug)]
pub struct Heard(SealedTalk);

impl Newcomer<'_> {
    /// Its knock pair, which opens the answer.
    pub fn own(&self) -> Own {
        SecretKey::from(*self.identity.knock_secret().expose()).into()
    }
}

/// Calls at a door with the code that was typed. Where others crowd it comes back, for a while.
pub fn meet(to: SocketAddr, code: &Code, stop: &Stop) -> Result<Met> {
    let place = to.to_string();
    let (mut talk, calling, element) = come_in(to, code, stop)?;
    let deadline = Deadline::after(JOIN_PATIENCE);
    let (proving, proof) = calling.answered(&element)?;
    talk.say(&Clear::Proof(proof))?;
    let proof = match Clear::decode(&talk.hear(deadline)?)? {
        Clear::Proof(proof) => proof,
        Clear::Sorry(why) => return Err(turned_away(why, &place)),
        _ => return Err(no_door(&place)),
    };
    let line = proving.confirmed(&proof).map_err(|_| {
        Error::input(
            place,
            "who answered there does not have the same code",
            "somebody may stand between you: tell the member, and have a new code read to you",
        )
    })?;
    Ok(Met(talk.sealed(Box::new(line), MAX_ANSWER)))
}

/// Calls until the door answers with its element.
fn come_in(to: SocketAddr, code: &Code, stop: &Stop) -> Result<(Talk, Calling, Element)> {
    let (place, crowded, mut closed) = (to.to_string(), Deadline::after(JOIN_CROWDED), 0);
    loop {
        // Before it connects: whoever is silent at a door makes room for others.
        let (calling, element) = Calling::begin(code);
        let mut talk = Talk::connect(to, stop).map_err(|error| is_closed(error, &place))?;
        let hello = talk.say(&Clear::Hello(code.door(), element));
        let answer = hello.and_then(|()| talk.hear(Deadline::after(JOIN_PATIENCE)));
        let error = match answer {
            Ok(said) => match Clear::decode(&said)? {
                Clear::Element(element) => return Ok((talk, calling, element)),
                Clear::Sorry(why @ Sorry::Crowded) => turned_away(why, &place),
                Clear::Sorry(why) => return Err(turned_away(why, &place)),
                _ => return Err(no_door(&place)),
            },
            // It made room for others, or it is no door.
            Err(error @ Error::Device { .. }) if closed < MOST_CLOSED => {
                closed += 1;
                error
            }
            Err(error) => return Err(error),
        };
        if crowded.left().is_none() {
            return Err(error);
        }
        if stop.wait(JOIN_AGAIN) {
            return Err(Error::Stopped);
        }
    }
}

fn is_closed(error: Error, place: &str) -> Error {
    match error {
        Error::Stopped => Error::Stopped,
        other => Error::input(
            place,
            format!("no door for newcomers is open there ({other})"),
            "ask whether the address is right, and whether the door was opened: it closes after some minutes",
        ),
    }
}

fn turned_away(why: Sorry, place: &str) -> Error {
    match why {
        Sorry::Crowded => Error::Busy { retry_after: JOIN_AGAIN },
        Sorry::OtherDoor => Error::input(
            place,
            "the code is for another door",
            "check the number before the words; a new opening has a new code",
        ),
        Sorry::WrongCode => Error::input(
            place,
            "the code was wrong, and the door is closed",
            "tell the member, and have a new code read to you",
        ),
    }
}

fn no_door(place: &str) -> Error {
    Error::peer(format!("{place} answers otherwise than a door for newcomers"))
}

impl Met {
    /// The request of this newcomer for this line.
    pub fn request(&self, newcomer: &Newcomer<'_>) -> Request {
        let Newcomer { identity, organisation, address } = newcomer;
        let binding = self.0.binding();
        Request::for_line(identity, organisation.clone(), *address, binding, &mut rand::rng())
    }

    /// Asks, and waits until the person there has decided.
    pub fn ask(self, request: &Request, newcomer: &Newcomer<'_>) -> Result<Given> {
        let mut talk = self.0;
        talk.say(&Sealed::Ask(request.bytes().to_vec()))?;
        match talk.hear(Deadline::after(JOIN_DECISION + JOIN_PATIENCE))? {
            Sealed::Accepted => talk.say(&Sealed::Here)?,
            Sealed::Refused(why) => return Err(refused(why)),
            _ => return Err(senseless()),
        }
        let answer = match talk.hear(Deadline::after(JOIN_SAVE + JOIN_PATIENCE)) {
            Ok(Sealed::Answer(answer)) => answer,
            Ok(Sealed::Refused(why)) => return Err(refused(why)),
            Ok(_) => return Err(senseless()),
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(error) => return Err(unsure(&error)),
        };
        let (welcome, _) = answer::open(&answer, request, &newcomer.own(), &mut rand::rng())?;
        Ok(Given { welcome, heard: Heard(talk) })
    }
}

impl Given {
    /// The network.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The network, and who waits to hear that it is on the disk.
    pub fn into_parts(self) -> (Welcome, Heard) {
        (self.welcome, self.heard)
    }
}

impl Heard {
    /// Says that all of it is on the disk.
    pub fn done(mut self) {
        // The member is told in vain if it is gone: it is no longer needed.
        match self.0.say(&Sealed::Done) {
            Ok(()) => self.0.end(),
            Err(error) => log::debug!("the member does not hear that it is done: {error}"),
        }
    }
}

fn senseless() -> Error {
    Error::peer("the member said something without sense")
}

/// That the line broke when the person had said yes.
fn unsure(error: &Error) -> Error {
    let what = format!("this node may be a member, and its answer did not come ({error})");
    Error::input("join", what, AS_FILE)
}

const AS_FILE: &str = "call the member: its screen offers the answer as a file, for `reunite join accept` here; without it, make a request with `reunite join request`";

fn refused(why: Refusal) -> Error {
    let (what, advice) = match why {
        Refusal::Declined => {
            ("the person there did not let this node in", "call them, and ask why")
        }
        Refusal::Undecided => (
            "the person there did not decide in time",
            "call them, and have a new code read to you",
        ),
        Refusal::Unsaved => (
            "this node may be a member, and cannot be told yet: the disk of the member is slow",
            AS_FILE,
        ),
        Refusal::KeyTaken => (
            "a node with this identity is a member already",
            "if its answer was lost, make a request with `reunite join request`; a copied node needs an identity of its own, in a new --data folder",
        ),
        Refusal::ShutOut => (
            "this identity was shut out of the network",
            "speak with them; a new node needs a new --data folder",
        ),
        Refusal::AddressTaken => {
            ("another member has this address", "give --address another port or IP")
        }
        Refusal::Full => ("the network has as many members as it may have", "join another network"),
        Refusal::Failed => {
            ("the member could not admit this node", "look at its screen, and try again")
        }
    };
    Error::input("join", what, advice)
}
