//! The other half of the gate: a call to a node, as a value. It says what to send and when, takes what comes,
//! and ends with the port of a door. `net::phone` moves its bytes.
//!
//! ```text
//! hello --cookie--> knock --port--> open
//!   ^                 |
//!   +-- no answer ----+      the node was started anew, and knows the cookie no more
//! ```

use crate::base::error::Result;
use crate::model::datagram::{Answer, CallId, Cookie, Datagrams};
use crate::model::keys::KnockKey;
use crate::model::limits::{CALL_AGAIN, CALL_ANEW};
use crate::model::message::Bind;
use crate::model::noise::{Asked, Calling, Granted, Prepared};
use crate::model::x25519::Own;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};

/// Whom to call, as whom, for what.
#[derive(Debug)]
pub struct Errand {
    /// The knock keys of the caller; a reader makes them up for each call.
    pub own: Own,
    /// The node's key, from the peers file.
    pub to: KnockKey,
    /// What is sealed in the knock.
    pub asked: Asked,
}

/// How a call stands after a datagram.
#[derive(Debug)]
pub enum CallState {
    /// Something is to be sent, now or later.
    Waiting,
    /// A door is open at this port, for who shows this binding.
    Open(u16, Bind),
    /// The node has no place; it asks to come back after this long.
    Busy(Duration),
}

/// A call under way.
#[derive(Debug)]
pub struct Caller<'a> {
    datagrams: &'a Datagrams,
    errand: Errand,
    rng: StdRng,
    call: CallId,
    stage: Stage,
    /// What is sent, again and again, in this stage.
    bytes: Vec<u8>,
    begun: Instant,
    /// How often it was sent, and when last.
    sent: usize,
    last: Instant,
    /// How long an answer to a knock is waited for.
    patience: Duration,
    /// What of the knock is done already.
    prepared: Option<Prepared>,
}

#[derive(Debug)]
enum Stage {
    Hello,
    Knock(Box<Calling>),
}

impl<'a> Caller<'a> {
    /// Begins a call. `seed` is random, and new for each.
    pub fn new(datagrams: &'a Datagrams, errand: Errand, seed: [u8; 32], now: Instant) -> Self {
        let mut caller = Self {
            datagrams,
            errand,
            rng: StdRng::from_seed(seed),
            call: CallId([0; 16]),
            stage: Stage::Hello,
            bytes: Vec::new(),
            begun: now,
            sent: 0,
            last: now,
            patience: CALL_ANEW,
            prepared: None,
        };
        caller.hello(now);
        caller
    }

    /// What is to be sent now, if anything.
    pub fn due(&mut self, now: Instant) -> Option<&[u8]> {
        if self.anew().is_some_and(|anew| now >= anew) {
            // Another call, so that no late answer is taken for one to this one; and more patience, in case it
            // was not the node that forgot, but the link that is slow.
            self.patience = 2 * CALL_ANEW;
            self.hello(now);
        }
        if now < self.next_send() {
            return None;
        }
        (self.sent, self.last) = (self.sent + 1, now);
        Some(&self.bytes)
    }

    /// Does what can be done of the knock while its cookie is on its way. To be called after what was due is sent.
    pub fn prepare(&mut self) {
        if let (Stage::Hello, None) = (&self.stage, &self.prepared) {
            let Errand { own, to, .. } = &self.errand;
            self.prepared = Some(Prepared::new(own, to, &mut self.rng));
        }
    }

    /// When to ask again for what is due.
    pub fn next(&self) -> Instant {
        self.anew().map_or(self.next_send(), |anew| anew.min(self.next_send()))
    }

    /// Takes a datagram. Whatever is not the answer that is waited for changes nothing.
    pub fn datagram(&mut self, bytes: &[u8], now: Instant) -> Result<CallState> {
        match (self.datagrams.answer(bytes), &mut self.stage) {
            (Ok(Answer::Cookie(call, cookie)), Stage::Hello) if call == self.call => {
                self.knock(cookie, now)?;
            }
            (Ok(Answer::Port(call, noise)), Stage::Knock(calling)) if call == self.call => {
                match calling.finish(noise) {
                    Ok((Granted::Open { port, .. }, Some(binding))) => {
                        return Ok(CallState::Open(port, binding));
                    }
                    Ok((Granted::Busy { retry_after }, _)) => {
                        return Ok(CallState::Busy(Duration::from_secs(retry_after.into())));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            _ => {}
        }
        Ok(CallState::Waiting)
    }

    fn next_send(&self) -> Instant {
        match self.sent.checked_sub(1).map(|again| CALL_AGAIN.get(again)) {
            None => self.begun,
            Some(Some(again)) => self.begun + *again,
            Some(None) => self.last + CALL_ANEW,
        }
    }

    /// When the call begins again. A hello goes on as long as it takes: its cookie may still come.
    fn anew(&self) -> Option<Instant> {
        matches!(self.stage, Stage::Knock(_)).then(|| self.begun + self.patience)
    }

    fn hello(&mut self, now: Instant) {
        self.rng.fill_bytes(&mut self.call.0);
        self.bytes = self.datagrams.hello(self.call, &mut self.rng).to_vec();
        (self.stage, self.begun, self.sent) = (Stage::Hello, now, 0);
    }

    fn knock(&mut self, cookie: Cookie, now: Instant) -> Result<()> {
        let prologue = self.datagrams.prologue(self.call, cookie, self.datagrams.class());
        let Errand { own, to, asked } = &self.errand;
        let prepared = self.prepared.take();
        let prepared = prepared.unwrap_or_else(|| Prepared::new(own, to, &mut self.rng));
        let (calling, noise) = Calling::begin(prepared, &prologue, asked, &mut self.rng)?;
        self.bytes = self.datagrams.knock(self.call, cookie, &noise, &mut self.rng).to_vec();
        (self.stage, self.begun, self.sent) = (Stage::Knock(Box::new(calling)), now, 0);
        Ok(())
    }
}
