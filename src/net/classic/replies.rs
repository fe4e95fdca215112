//! Brings the port that a peer answers to the thread that knocked there.
//!
//! The original answers from wherever it likes, so an answer is matched by the peer's exact address, and
//! only if that fails by its IP address alone, when nobody else there could be meant.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock};
use crate::model::ids::PeerNumber;
use crate::model::limits::SLICE;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The knocks of this node that wait for an answer: one for each peer, so that no answer can be mistaken.
#[derive(Debug, Default)]
pub struct Replies {
    table: Mutex<Table>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<PeerNumber, (SocketAddr, SyncSender<u16>)>,
    exact: HashSet<PeerNumber>,
    ambiguous: HashSet<IpAddr>,
}

/// Answers of one peer that may wait: late ones to earlier knocks, besides the right one.
const ANSWERS: usize = 4;

/// The right to knock at a peer, and where its answer comes.
#[derive(Debug)]
pub struct Expected<'a> {
    replies: &'a Replies,
    peer: PeerNumber,
    answer: Receiver<u16>,
}

impl Replies {
    /// Waits for the turn to knock at `peer`, whose listener is at `address`.
    pub fn expect(
        &self,
        peer: PeerNumber,
        address: SocketAddr,
        deadline: Deadline,
        stop: &Stop,
    ) -> Result<Expected<'_>> {
        let mut table = lock(&self.table);
        while table.waiting.contains_key(&peer) {
            stop.check()?;
            let slice =
                deadline.slice(SLICE).ok_or(Error::Deadline { what: "an earlier knock" })?;
            let waited = self.bell.wait_timeout(table, slice);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (tell, answer) = sync_channel(ANSWERS);
        table.waiting.insert(peer, (address, tell));
        Ok(Expected { replies: self, peer, answer })
    }

    /// From where answers were lost since the last look, because they could have been meant for several
    /// knocks.
    pub fn take_ambiguous(&self) -> HashSet<IpAddr> {
        std::mem::take(&mut lock(&self.table).ambiguous)
    }

    /// A port came from `from`. Returns whose answer it is, if anybody waits for it.
    pub fn deliver(&self, from: SocketAddr, port: u16) -> Option<PeerNumber> {
        let mut table = lock(&self.table);
        let exact = table.waiting.iter().find(|(_, (address, _))| *address == from);
        let peer = match exact.map(|(peer, _)| *peer) {
            Some(peer) => {
                table.exact.insert(peer);
                peer
            }
            None => {
                let near = |(peer, (address, _)): &(&PeerNumber, &(SocketAddr, _))| {
                    address.ip() == from.ip() && !table.exact.contains(peer)
                };
                let mut near = table.waiting.iter().filter(near);
                match (near.next(), near.next()) {
                    (Some((peer, _)), None) => *peer,
                    (None, _) => return None,
                    (Some(_), Some(_)) => {
                        table.ambiguous.insert(from.ip());
                        return None;
                    }
                }
            }
        };
        let (_, tell) = table.waiting.get(&peer)?;
        tell.try_send(port).ok().map(|()| peer)
    }
}

impl Expected<'_> {
    /// Waits up to `patience` for the port.
    pub fn port(&self, patience: Duration, stop: &Stop) -> Result<Option<u16>> {
        let deadline = Deadline::after(patience);
        while let Some(slice) = deadline.slice(SLICE) {
            stop.check()?;
            match self.answer.recv_timeout(slice) {
                Ok(port) => return Ok(Some(port)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(None)
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        lock(&self.replies.table).waiting.remove(&self.peer);
        self.replies.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64) -> PeerNumber {
        PeerNumber::try_from(number).expect("a number")
    }

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn an_answer_reaches_the_one_who_knocked_there() {
        let (replies, stop) = (Replies::default(), Stop::default());
        let deadline = Deadline::after(Duration::from_secs(60));
        let one = replies.expect(peer(1), at(1), deadline, &stop).expect("free");
        let two = replies.expect(peer(2), at(2), deadline, &stop).expect("free");
        assert_eq!(replies.deliver(at(2), 40_002), Some(peer(2)));
        drop(two);
        assert_eq!(one.port(SOON, &stop).expect("no stop"), None);
    }

    #[test]
    fn an_answer_from_another_port_counts_when_only_one_can_be_meant() {
        let (replies, stop) = (Replies::default(), Stop::default());
        let deadline = Deadline::after(Duration::from_secs(60));
        let one = replies.expect(peer(1), at(1), deadline, &stop).expect("free");
        assert_eq!(replies.deliver(at(9), 40_009), Some(peer(1)));
        assert_eq!(one.port(SOON, &stop).expect("no stop"), Some(40_009));
        let two = replies.expect(peer(2), at(2), deadline, &stop).expect("free");
        assert_eq!(replies.deliver(at(9), 40_009), None, "1 or 2?");
        assert!(
            replies.take_ambiguous().contains(&at(9).ip()),
            "and it is known that one was lost"
        );
        drop((one, two));
        assert_eq!(replies.deliver(at(1), 40_001), None, "nobody waits");
    }

    #[test]
    fn a_peer_that_answers_exactly_cannot_be_imitated_from_another_port() {
        let (replies, stop) = (Replies::default(), Stop::default());
        let deadline = Deadline::after(Duration::from_secs(60));
        drop(
            replies.expect(peer(1), at(1), deadline, &stop).map(|_| replies.deliver(at(1), 40_001)),
        );
        let _again = replies.expect(peer(1), at(1), deadline, &stop).expect("free");
        assert_eq!(replies.deliver(at(9), 40_666), None);
    }

    #[test]
    fn a_second_knock_at_the_same_peer_waits_its_turn() {
        let (replies, stop) = (Replies::default(), Stop::default());
        let deadline = Deadline::after(Duration::from_secs(60));
        let first = replies.expect(peer(1), at(1), deadline, &stop).expect("free");
        assert!(replies.expect(peer(1), at(1), Deadline::after(SOON), &stop).is_err());
        drop(first);
        assert!(replies.expect(peer(1), at(1), deadline, &stop).is_ok());
    }
}
