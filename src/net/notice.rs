//! What the network tells the person at the node: values, which the shell puts into words.

use crate::base::error::Error;
use crate::model::ids::{NetworkName, Organisation, PeerNumber, Reason};
use crate::model::ledger::names::AlarmId;
use crate::model::membership::roster::Known;
use crate::store::peer_book::Peer;
use crate::store::saver::Disk;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened without the person having asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A peer sent a message.
    Message {
        /// Who.
        peer: PeerNumber,
        /// What, as it came: not yet made safe for a terminal.
        text: String,
    },
    /// A peer raised an alarm.
    Alarm {
        /// Who.
        peer: PeerNumber,
        /// What, as it came.
        text: String,
        /// Its name, if it stands in a ledger.
        id: Option<AlarmId>,
        /// When, by the peer's clock, if it is not known to be now.
        wall: Option<u64>,
    },
    /// A peer raised so many more alarms that they are not told one by one.
    MoreAlarms {
        /// Who.
        peer: PeerNumber,
        /// How many.
        count: usize,
    },
    /// A peer called off an alarm that was shown here.
    CalledOff {
        /// Who.
        peer: PeerNumber,
        /// What it said.
        text: String,
        /// Its name.
        id: AlarmId,
    },
    /// A message that did not reach a peer waits until it is back, or could not be kept.
    Kept {
        /// The receiver.
        peer: PeerNumber,
        /// Its lines.
        unsent: Vec<String>,
        /// Why it could not be kept, if so.
        kept: std::result::Result<(), String>,
    },
    /// A message came that had waited until this node was back.
    Letter {
        /// Who wrote it.
        peer: PeerNumber,
        /// What, as it came.
        text: String,
        /// When, by the peer's clock.
        wall: u64,
    },
    /// A message of this node that waited has come to its receiver.
    LetterDone {
        /// The receiver.
        peer: PeerNumber,
        /// Whether it was shown there; else it could not be opened.
        is_shown: bool,
        /// When, by the peer's clock.
        wall: u64,
    },
    /// A message of this node has waited too long, and is given up.
    LetterLost {
        /// The receiver.
        peer: PeerNumber,
    },
    /// A peer gave what it has, and something of it was new here, or could not be taken.
    Received {
        /// Who.
        peer: PeerNumber,
        /// What was in it.
        tally: Tally,
    },
    /// What we sent has reached its receivers, or not.
    Delivered {
        /// What was sent.
        what: Sent,
        /// What became of it at each peer, by number.
        outcomes: Vec<(PeerNumber, Outcome)>,
    },
    /// A long sending goes on.
    Sending {
        /// To whom.
        peer: PeerNumber,
        /// Blocks that were sent.
        done: u64,
        /// Blocks in all.
        all: u64,
    },
    /// A long receiving goes on.
    Receiving {
        /// From whom.
        peer: PeerNumber,
        /// Blocks that have come.
        done: u64,
        /// Blocks in all.
        all: u64,
    },
    /// A peer has more of this node's own log than this node: its memory was put back.
    PutBack {
        /// Who has it.
        peer: PeerNumber,
    },
    /// Somebody was proved to have signed two histories.
    Forked {
        /// Who.
        peer: PeerNumber,
        /// Whether that is this node itself.
        is_own: bool,
    },
    /// A peer is set aside for a while.
    SetAside {
        /// Which.
        peer: PeerNumber,
        /// What it did, again and again.
        what: String,
    },
    /// Messages that waited for members that were shut out are given up.
    LettersDropped {
        /// How many.
        count: usize,
    },
    /// Something has changed in who belongs to the network.
    Membership(News),
    /// Our own disk fails, or is well again.
    Disk(Disk),
}

/// What has changed in who belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// From now on the ledger says it.
    Begun {
        /// Of which network.
        network: NetworkName,
        /// How many members it has.
        members: usize,
    },
    /// Somebody belongs to it now.
    Joined {
        /// By which number.
        number: PeerNumber,
        /// Whose node.
        organisation: Organisation,
    },
    /// Somebody is shut out.
    ShutOut {
        /// As whom it was known.
        known_as: Known,
        /// Why.
        reasons: Vec<Reason>,
    },
    /// This node itself is shut out.
    ShutOutHere,
    /// Something waits until more members have agreed.
    Asked,
}

/// How a refresh is going.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A node is being asked; the number of this try, and of how many.
    Asking(&'a Peer, usize, usize),
    /// Nobody answered; it is waited until a node says on the local network where it is.
    Listening,
    /// Another node is being asked whether it signs the same.
    Confirming(&'a Peer),
    /// It did not answer, or not with a whole copy.
    Failed(&'a Peer, &'a Error),
    /// So many bytes have come, of so many where that is known.
    Receiving(u64, Option<u64>),
}

/// What was new in what a peer sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes that are new here.
    pub new: usize,
    /// Changes, or rows, that were here already.
    pub known: usize,
    /// Lines that are not understood; they stay with the peer.
    pub strange: usize,
    /// Changes for which there was no room.
    pub refused: usize,
    /// Changes that wait until people have looked into a fork.
    pub waiting: usize,
    /// Records of which there are several versions now, among those that came.
    pub contested: usize,
    /// Whether the transfer broke off.
    pub broken: bool,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The database, as the person asked or after a change.
    Database,
    /// An alarm.
    Alarm,
    /// Messages: how many lines reached the peer's machine, and those that did not.
    Messages {
        /// Lines that were sent.
        sent: usize,
        /// Lines that could not be sent.
        unsent: Vec<String>,
    },
}

/// What became of something that was sent to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer took all of it and closed.
    Delivered,
    /// The peer has all that is here, and this node all that the peer has.
    InStep {
        /// How many changes were new to the peer.
        new: u32,
    },
    /// The peer has what is on the disk here; what was changed last is not there yet.
    Unsaved,
    /// The peer has what it had room for, and no room for the rest.
    Full,
    /// It was sent; the peer did not say that it took all of it.
    Unconfirmed,
    /// An earlier sending to the peer still goes on; it gets this one afterwards.
    Busy,
    /// The peer did not answer in time.
    NoAnswer,
    /// The peer has no place now, and asks to come back after this long.
    Crowded(Duration),
    /// The connection broke off.
    Broken(String),
    /// This node ended before it could be sent.
    Stopped,
}

impl Outcome {
    /// Whether the peer has it, as far as can be known.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Unconfirmed) || self.is_certain()
    }

    /// Whether the peer has said that it has it.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::Delivered | Self::InStep { .. })
    }
}

/// What a failed call or session means for what was to be sent.
impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error {
            Error::Deadline { .. } => Self::NoAnswer,
            Error::Busy { retry_after } => Self::Crowded(retry_after),
            Error::Stopped => Self::Stopped,
            other => Self::Broken(other.to_string()),
        }
    }
}

/// Where notices go. Telling never blocks for long: what the screen cannot take is counted there.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(Notice) -> bool + Send + Sync>);

impl Notices {
    /// Notices that go to `tell`, which must not block, and says whether there was room for it.
    pub fn new(tell: impl Fn(Notice) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells the person.
    pub fn tell(&self, notice: Notice) {
        self.shows(notice);
    }

    /// The same, for what must not be lost: returns whether it is on its way to the screen.
    pub fn shows(&self, notice: Notice) -> bool {
        (self.0)(notice)
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}
