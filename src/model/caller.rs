//! The other half of the gate: a call to a node, as a value. It says what to send and when, takes what comes,
//! and ends with the port of a door. `net::dial` moves its bytes.
//!
//! ```text
//! hello --cookie--> knock --port--> open
//!   ^                 |
//!   +-- no answer ----+      the node was started anew, and knows the cookie no more
//! ```

use crate::base::error::Result;
use crate::model::datagram::{Answer, CallId, Cookie, Datagrams};
use crate::model::keys::{KnockKey, SecretKey};
use crate::model::limits::{CALL_AGAIN, CALL_ANEW};
use crate::model::message::Bind;
use crate::model::noise::{Asked, Calling, Granted, Prepared};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};

/// Whom to call, as whom, for what.
#[derive(Debug)]
pub struct Errand {
    /// The knock secret of the caller; a reader makes one up for each call.
    pub own: SecretKey,
    /// The node's key, from the peers file.
    pub to: KnockKey,
    /// What is sealed in the knock.
    pub asked: Asked,
}

/// How a call stands after a datagram.
#[derive(Debug)]
pub enum Progress {
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
    sent: usize,
}

#[derive(Debug)]
enum Stage {
    Hello(Option<Box<Prepared>>),
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
            stage: Stage::Hello(None),
            bytes: Vec::new(),
            begun: now,
            sent: 0,
        };
        caller.hello(now);
        caller
    }

    /// What is to be sent now, if anything.
    pub fn due(&mut self, now: Instant) -> Option<&[u8]> {
        if now >= self.begun + CALL_ANEW {
            // Another call, so that no late answer is taken for one to this one.
            self.hello(now);
        }
        if now < self.next_send() {
            return None;
        }
        self.sent += 1;
        Some(&self.bytes)
    }

    /// Does what can be done of the knock while its cookie is on its way. To be called after what was due is sent.
    pub fn prepare(&mut self) {
        if let Stage::Hello(prepared @ None) = &mut self.stage {
            let Errand { own, to, .. } = &self.errand;
            *prepared = Some(Box::new(Prepared::new(own, to, &mut self.rng)));
        }
    }

    /// When to ask again for what is due.
    pub fn next(&self) -> Instant {
        self.next_send().min(self.begun + CALL_ANEW)
    }

    /// Takes a datagram. Whatever is not the answer that is waited for changes nothing.
    pub fn datagram(&mut self, bytes: &[u8], now: Instant) -> Result<Progress> {
        match (self.datagrams.answer(bytes), &mut self.stage) {
            (Ok(Answer::Cookie(call, cookie)), Stage::Hello(_)) if call == self.call => {
                self.knock(cookie, now)?;
            }
            (Ok(Answer::Port(call, noise)), Stage::Knock(calling)) if call == self.call => {
                match calling.finish(noise) {
                    Ok((Granted::Open { port, .. }, Some(binding))) => {
                        return Ok(Progress::Open(port, binding));
                    }
                    Ok((Granted::Busy { retry_after }, _)) => {
                        return Ok(Progress::Busy(Duration::from_secs(retry_after.into())));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            _ => {}
        }
        Ok(Progress::Waiting)
    }

    fn next_send(&self) -> Instant {
        match self.sent.checked_sub(1) {
            None => self.begun,
            Some(again) => self.begun + CALL_AGAIN.get(again).copied().unwrap_or(CALL_ANEW),
        }
    }

    fn hello(&mut self, now: Instant) {
        self.rng.fill_bytes(&mut self.call.0);
        self.bytes = self.datagrams.hello(self.call, &mut self.rng).to_vec();
        (self.stage, self.begun, self.sent) = (Stage::Hello(None), now, 0);
    }

    fn knock(&mut self, cookie: Cookie, now: Instant) -> Result<()> {
        let prologue = self.datagrams.prologue(self.call, cookie, self.datagrams.class());
        self.prepare();
        let Stage::Hello(Some(prepared)) = std::mem::replace(&mut self.stage, Stage::Hello(None))
        else {
            return Ok(());
        };
        let asked = &self.errand.asked;
        let (calling, noise) = Calling::begin(*prepared, &prologue, asked, &mut self.rng)?;
        self.bytes = self.datagrams.knock(self.call, cookie, &noise, &mut self.rng).to_vec();
        (self.stage, self.begun, self.sent) = (Stage::Knock(Box::new(calling)), now, 0);
        Ok(())
    }
}
