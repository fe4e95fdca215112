//! What this node says to a peer: one message or alarm at a time, each confirmed by the peer's screen.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::ledger::alarm::Raised;
use crate::model::limits::HEARD_PATIENCE;
use crate::model::message::{Listening, Talking};
use crate::model::noise::Purpose;
use crate::model::spoken::Spoken;
use crate::net::channel::Channel;
use crate::net::context::Context;
use crate::net::dial::dial;
use crate::net::notice::Outcome;
use crate::net::sealed::Sealed;
use crate::store::peer_book::Peer;

/// A session for messages to a peer.
#[derive(Debug)]
pub struct Talk(Channel);

impl Talk {
    /// Opens it.
    pub fn open(context: &Context, sealed: &Sealed, peer: &Peer) -> Result<Self> {
        dial(context, sealed, peer, Purpose::Talk).map(Self)
    }

    /// Whether the peer has ended it.
    pub fn is_closed(&mut self) -> bool {
        self.0.is_closed()
    }

    /// Sends a message, and waits until it is on the peer's screen.
    pub fn say(&mut self, text: &str) -> Result<()> {
        self.tell(Talking::Say(Spoken::try_from(text)?))
    }

    /// Ends it well.
    pub fn end(mut self) -> Result<()> {
        self.0.send(&Talking::Bye.encode())?;
        self.0.finish()
    }

    fn tell(&mut self, what: Talking) -> Result<()> {
        self.0.send(&what.encode())?;
        let answer = self.0.expect(Deadline::after(HEARD_PATIENCE))?;
        match Listening::decode(&answer)? {
            Listening::Heard => Ok(()),
            Listening::TooMuch => {
                Err(Error::peer("it shows no more of ours for now: too many came"))
            }
        }
    }
}

/// Sends an alarm to `peer`.
pub fn alarm(context: &Context, sealed: &Sealed, peer: &Peer, raised: &Raised) -> Outcome {
    let told = Talk::open(context, sealed, peer).and_then(|mut talk| {
        talk.tell(Talking::Alarm(raised.clone()))?;
        Ok(talk)
    });
    match told {
        Ok(talk) => {
            // It is on the screen; how the session ends does not matter any more.
            if let Err(error) = talk.end() {
                log::debug!("the end of a talk: {error}");
            }
            Outcome::Delivered
        }
        Err(error) => error.into(),
    }
}
