//! What all threads of a tier-1 node share: `shell::node` makes it, once, and every listener, session and delivery is
//! given it. With it goes what they tell the broadcast thread.

use crate::base::error::{Error, Result};
use crate::base::seats::Seats;
use crate::base::threads::{Crew, Stop};
use crate::model::ids::PeerNumber;
use crate::net::addresses::Addresses;
use crate::net::classic::state::Classic;
use crate::net::members::Members;
use crate::net::monitor::Monitor;
use crate::net::notice::{Notice, Notices, Outcome};
use crate::net::sealed::Sealed;
use crate::net::shelf::Shelves;
use crate::store::database::{Database, Ticket};
use crate::store::peer_book::PeerBook;
use crate::store::post_box::PostBox;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

/// A tier-1 node, as its threads see it.
#[derive(Debug)]
pub struct Context {
    /// Who belongs to the network.
    pub members: Arc<Members>,
    /// The records.
    pub database: Database,
    /// Where the person is told.
    pub notices: Notices,
    /// Ends everything.
    pub stop: Stop,
    /// The socket of the listener in a classic network; a sealed node may have several listeners.
    pub socket: Option<UdpSocket>,
    /// Where peers are.
    pub addresses: Addresses,
    /// What a sealed network needs; in a classic one there is none.
    pub sealed: Option<Arc<Sealed>>,
    /// What a classic network needs; in a sealed one it is not used.
    pub classic: Classic,
    /// Whether others on the local network may find this node: by its beacons, and by a door that is open.
    pub is_lit: bool,
    /// What waits for peers that are away, and what was shown; in a classic network there is none.
    pub post: Option<PostBox>,
    /// Signs of life.
    pub monitor: Monitor,
    /// Peers to which a database is being sent: one sending each.
    pub sending: Seats<PeerNumber>,
    /// Alarms that are gone on with.
    pub alarms: Seats<()>,
    /// Sealed: the rows as they are given to others.
    pub shelves: Shelves,
    /// Threads of sessions and deliveries.
    pub crew: Crew,
    /// Where changes are told that peers may not have yet.
    pub orders: SyncSender<Order>,
    /// Whether there was no room for some of them.
    pub lost_orders: AtomicBool,
    /// What a person asked for and is still under way.
    pub work: Work,
}

/// A share in what is under way: as long as one lives besides the node's own, there is work to wait for.
#[derive(Clone, Debug, Default)]
pub struct Work(Arc<()>);

impl Work {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// What the broadcast thread is told.
#[derive(Clone, Debug)]
pub enum Order {
    /// Bring the database to all peers now.
    ToAll(Work),
    /// The node has started: the others may lack what it holds.
    Started,
    /// Rows came in from this peer: the others may lack them.
    Applied(PeerNumber),
    /// This peer has all that we had in this state.
    Current(PeerNumber, Ticket),
    /// The same, and who was told that it does not have it is told what became of it.
    Met(PeerNumber, Ticket, Outcome),
    /// There was contact with this peer, other than a meeting that went well: if it may lack something, it gets it soon.
    Heard(PeerNumber),
    /// Something was written here that has no hurry of a person's: an alarm, a letter. The others may lack it.
    Noted,
    /// This peer missed the database as it was in this state.
    Missed(PeerNumber, Ticket),
    /// This node is at another address: all peers have to know.
    Moved,
    /// This peer has come back, or says to be at another address: it is called at once.
    Returned(PeerNumber),
    /// This peer's beacon says that its ledger is another one; so many peers are near, and heard it.
    Differs(PeerNumber, usize),
}

impl Context {
    /// The number of this node.
    pub fn me(&self) -> PeerNumber {
        self.members.now().me
    }

    /// All nodes of the network at this moment.
    pub fn book(&self) -> Arc<PeerBook> {
        Arc::clone(&self.members.now().book)
    }

    /// A trusted peer gave a sign of life. One that was quiet is brought into step at once.
    pub fn heard(&self, peer: PeerNumber) {
        if self.monitor.heard(peer) {
            self.is_back(peer);
        }
    }

    /// A peer did what no honest one does. If it goes on, it is set aside for a while, and the person is told why.
    pub fn offended(&self, peer: PeerNumber, what: &str) {
        if self.monitor.offended(peer) {
            self.notices.tell(Notice::SetAside { peer, what: what.to_owned() });
        }
    }

    /// A peer that was quiet is there again.
    pub fn is_back(&self, peer: PeerNumber) {
        log::info!("peer {peer} is back");
        self.order(Order::Returned(peer));
    }

    /// The socket of a classic listener.
    pub fn classic_socket(&self) -> Result<&UdpSocket> {
        // A node of a classic network does not start without it.
        self.socket.as_ref().ok_or(Error::Stopped)
    }

    /// Tells the broadcast thread. What it has no room for makes it bring everybody into step: nothing is forgotten.
    pub fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.lost_orders.store(true, Ordering::Relaxed);
        }
    }
}
