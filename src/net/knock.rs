//! The listener of a sealed network: one thread that reads every datagram, believes none, and dies of none.
//! What it decides, `model::gate` decides.

use crate::base::error::Result;
use crate::base::threads::{Stop, lock};
use crate::base::throttle::Throttle;
use crate::base::waiting::wait_to_read;
use crate::model::datagram::{KNOCK, Refusal};
use crate::model::gate::{Decision, Knock, Visitor};
use crate::model::limits::{BUSY_RETRY, WOKEN_LOOK};
use crate::net::context::{Context, Order};
use crate::net::door;
use crate::net::sealed::Sealed;
use crate::net::udp::{answer, receive_at_once};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Listens on `socket` until the node stops, or `end` is set.
pub fn listen(
    context: &Arc<Context>,
    sealed: &Arc<Sealed>,
    socket: &Arc<UdpSocket>,
    end: &Stop,
) -> Result<()> {
    let mut listener = Listener {
        context,
        sealed,
        socket,
        strangers: Throttle::default(),
        troubles: Throttle::default(),
        failures: Throttle::default(),
    };
    // One byte more than the longest datagram: a longer one is seen to be longer.
    let mut buffer = [0; KNOCK + 1];
    while !context.stop.is_set() && !end.is_set() {
        let came = receive_at_once(socket, &mut buffer).and_then(|came| match came {
            Some((count, from)) => {
                listener.datagram(buffer.get(..count).unwrap_or_default(), from, Instant::now());
                Ok(())
            }
            None => wait_to_read([socket.as_fd()], &[&context.stop, end], WOKEN_LOOK).map(|_| ()),
        });
        if let Err(cause) = came {
            // Linux reports here what became of datagrams sent earlier: no reason to stop.
            if let Some(hushed) = listener.failures.note(Instant::now()) {
                log::warn!("listener: {cause}; {hushed} such before");
            }
            context.stop.wait(Duration::from_millis(1));
        }
    }
    Ok(())
}

struct Listener<'a> {
    context: &'a Arc<Context>,
    sealed: &'a Arc<Sealed>,
    socket: &'a Arc<UdpSocket>,
    strangers: Throttle,
    troubles: Throttle,
    failures: Throttle,
}

impl Listener<'_> {
    fn datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Instant) {
        let decision = lock(&self.sealed.gate).datagram(bytes, from, now);
        match decision {
            Decision::Answer(bytes) => {
                answer(self.socket, &bytes, from);
                lock(&self.sealed.gate).prepare();
            }
            Decision::Knock(knock) => self.admit(knock),
            Decision::Silence(Refusal::Form | Refusal::Epoch | Refusal::Mac) => {
                if let Some(hushed) = self.strangers.note(now) {
                    log::warn!("{from} is a stranger, and gets no answer; {hushed} such before");
                }
            }
            // Its door is being opened; or its answer was lost, and the same knock came again, too late.
            Decision::Silence(Refusal::Pending | Refusal::Cookie) => {}
            Decision::Silence(refusal) => {
                if let Some(hushed) = self.troubles.note(now) {
                    log::warn!(
                        "a knock from {from} is refused ({refusal:?}); {hushed} such before"
                    );
                }
            }
        }
    }

    fn admit(&mut self, knock: Box<Knock>) {
        if let Visitor::Member(peer) = knock.visitor() {
            if self.context.monitor.is_aside(peer) {
                return log::debug!("peer {peer} knocks, and is set aside");
            }
            self.context.heard(peer);
        }
        match self.sealed.places.admit(knock) {
            Ok(admitted) => {
                let (context, sealed) = (Arc::clone(self.context), Arc::clone(self.sealed));
                let socket = Arc::clone(self.socket);
                let started = self.context.crew.spawn("session", move || {
                    door::open(&context, &sealed, &socket, admitted);
                    Ok(())
                });
                if let Err(error) = started {
                    log::warn!("{error}");
                }
            }
            Err(knock) => {
                let from = knock.from();
                if let Visitor::Member(peer) = knock.visitor() {
                    self.context.order(Order::Heard(peer));
                }
                match knock.busy(BUSY_RETRY.as_secs() as u16) {
                    Ok(busy) => {
                        lock(&self.sealed.gate).answered(&busy);
                        answer(self.socket, busy.bytes(), from);
                    }
                    Err(error) => log::debug!("{from}: {error}"),
                }
                if let Some(hushed) = self.troubles.note(Instant::now()) {
                    log::warn!("no place for a session of {from}; {hushed} such before");
                }
            }
        }
    }
}
