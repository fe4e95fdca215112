//! The member's side of joining, from the open door to the newcomer that has all that it needs.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::ids::PeerNumber;
use crate::model::join::answer;
use crate::model::join::limits::JOIN_PATIENCE;
use crate::model::join::message::{Refusal, Sealed};
use crate::model::join::request::Request;
use crate::model::join::sponsor::{Admission, Judged, Remarks, Sponsor, judge};
use crate::model::limits::SLICE;
use crate::net::join::door::{Came, Door, Visitor};
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How it ended.
#[derive(Debug)]
pub enum End {
    /// Nobody came in while the door was open.
    Unused,
    /// Somebody at this address tried a wrong code: the door is closed.
    WrongCode(IpAddr),
    /// It could not be let in.
    Refused(Judged),
    /// The person said no.
    Declined,
    /// The person did not decide in time.
    Undecided,
    /// The newcomer went away before anything was done.
    Gone,
    /// It is a member, and has all that it needs.
    Welcomed(PeerNumber),
    /// It is signed that it is a member, and it does not have the answer, as far as is known: the disk is slow, or the
    /// line broke. This is the answer, for a file.
    Unsure(PeerNumber, Vec<u8>),
}

/// The person at the member, who decides.
pub struct Person<'a> {
    /// Shows who is there.
    pub ask: &'a dyn Fn(&Request, &Remarks),
    /// Says yes or no, once it was shown.
    pub decision: &'a Receiver<bool>,
    /// How long that may take.
    pub patience: Duration,
}

enum Decided {
    Yes,
    No,
    /// Nothing was said in time.
    Not,
    /// The newcomer went away meanwhile.
    Gone,
}

/// Waits at the door, asks the person, and lets the newcomer in. `stop` ends it.
pub fn host(door: Door, sponsor: &dyn Sponsor, person: &Person<'_>, stop: &Stop) -> Result<End> {
    let mut visitor = match door.wait(stop)? {
        Came::In(visitor) => *visitor,
        Came::Wrong(from) => return Ok(End::WrongCode(from)),
        Came::Lost(error) => {
            log::warn!("the newcomer had the code, and then: {error}");
            return Ok(End::Gone);
        }
        Came::Nobody => return Ok(End::Unused),
    };
    let remarks = match judge(sponsor, &visitor.request) {
        Ok(remarks) => remarks,
        Err(judged) => {
            refuse(visitor, judged.why);
            return Ok(End::Refused(judged));
        }
    };
    (person.ask)(&visitor.request, &remarks);
    match decided(&mut visitor, person, stop)? {
        Decided::Yes => admit(visitor, sponsor),
        Decided::No => {
            refuse(visitor, Refusal::Declined);
            Ok(End::Declined)
        }
        Decided::Not => {
            refuse(visitor, Refusal::Undecided);
            Ok(End::Undecided)
        }
        Decided::Gone => Ok(End::Gone),
    }
}

fn decided(visitor: &mut Visitor, person: &Person<'_>, stop: &Stop) -> Result<Decided> {
    let deadline = Deadline::after(person.patience);
    while let Some(slice) = deadline.slice(SLICE) {
        match person.decision.recv_timeout(slice) {
            Ok(true) => return Ok(Decided::Yes),
            Ok(false) | Err(RecvTimeoutError::Disconnected) => return Ok(Decided::No),
            Err(RecvTimeoutError::Timeout) => {}
        }
        stop.check()?;
        if visitor.talk.is_gone() {
            return Ok(Decided::Gone);
        }
    }
    Ok(Decided::Not)
}

fn refuse(mut visitor: Visitor, why: Refusal) {
    match visitor.talk.say(&Sealed::Refused(why)) {
        Ok(()) => visitor.talk.end(),
        Err(error) => log::debug!("the newcomer is not there to be refused: {error}"),
    }
}

/// Lets somebody in. It is asked first whether it is still there: a number that was given is never given again.
fn admit(mut visitor: Visitor, sponsor: &dyn Sponsor) -> Result<End> {
    let here = visitor.talk.say(&Sealed::Accepted);
    match here.and_then(|()| visitor.talk.hear(Deadline::after(JOIN_PATIENCE))) {
        Ok(Sealed::Here) => {}
        Ok(_) | Err(_) => return Ok(End::Gone),
    }
    // The person may have thought for minutes.
    if let Err(judged) = judge(sponsor, &visitor.request) {
        refuse(visitor, judged.why);
        return Ok(End::Refused(judged));
    }
    let admitted = sponsor.admit(&visitor.request).and_then(|admission| {
        let (welcome, is_saved) = match admission {
            Admission::Member(welcome) => (welcome, true),
            Admission::Unsaved(welcome) => (welcome, false),
            Admission::Waits(..) => return Err(several_admit()),
        };
        let own = sponsor.own()?;
        let sealed = answer::seal(&welcome, &visitor.request, &own, &mut rand::rng())?;
        Ok((welcome.number, sealed, is_saved))
    });
    let (number, answer, is_saved) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            refuse(visitor, Refusal::Failed);
            return Err(error);
        }
    };
    if !is_saved {
        // It could be lost yet, and the newcomer would have an answer of a network that does not know it.
        refuse(visitor, Refusal::Unsaved);
        return Ok(End::Unsure(number, answer));
    }
    let given = visitor.talk.say(&Sealed::Answer(answer.clone()));
    match given.and_then(|()| visitor.talk.hear(Deadline::after(JOIN_PATIENCE))) {
        Ok(Sealed::Done) => Ok(End::Welcomed(number)),
        // Whatever it was: nobody else has the answer.
        Ok(_) | Err(_) => Ok(End::Unsure(number, answer)),
    }
}

/// That a newcomer cannot be let in by one person alone.
pub fn several_admit() -> Error {
    Error::input(
        "network",
        "several members have to admit somebody here, and one alone opened the door",
        "let it make a request with `reunite join request`, and take that file",
    )
}
