//! What a block holds: changes, what its author says of logs, who belongs to the network, and alarms.
//!
//! ```text
//! entry = 1 operation | 2 checkpoint: heads | 3 resume: heads | 4 release: author 32  log u64  sequence u32
//!       | 5 to 10 membership | 11 to 13 alarm
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::ledger::alarm::Alarm;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::membership::Membership;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::LogName;
use crate::model::ledger::operation::Operation;
use crate::model::ledger::packed;

/// One entry of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A change of a record.
    Change(Operation),
    /// Heads of others that the author has seen: who rewrites one of these logs is found out.
    Checkpoint(Heads),
    /// The author's earlier logs, of which this one is the continuation. It stands first in the first block.
    Resume(Heads),
    /// People have looked into a fork: what its author writes in other logs counts again. What stands in the
    /// forked log from there on does not, until somebody takes it over.
    Release {
        /// The log that forked.
        name: LogName,
        /// From which sequence on.
        sequence: u32,
    },
    /// Who belongs to the network. There are few of these among many changes.
    Membership(Box<Membership>),
    /// Something about an alarm.
    Alarm(Alarm),
}

impl From<Membership> for Entry {
    fn from(said: Membership) -> Self {
        Self::Membership(Box::new(said))
    }
}

impl Entry {
    /// Whether the others are to hear of it soon. What every node signs by itself about one event is not news: in a
    /// network of a thousand, a thousand of these would each be passed on at once, and nobody waits for them.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Checkpoint(_) | Self::Resume(_) => false,
            Self::Membership(said) => !matches!(**said, Membership::Heeded(_)),
            Self::Alarm(said) => !matches!(said, Alarm::Seen(_)),
            _ => true,
        }
    }

    /// Its leaf in the tree of its block.
    pub fn leaf(&self) -> [u8; 32] {
        match self {
            Self::Change(operation) => *operation.id().as_bytes(),
            Self::Membership(said) => said.leaf(),
            Self::Checkpoint(_) | Self::Resume(_) | Self::Release { .. } | Self::Alarm(_) => {
                let mut out = Encoder::default();
                self.encode(&mut out);
                sha256(&[b"rn-e1", &out.done()])
            }
        }
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Change(operation) => packed::encode(operation, out.u8(1)),
            Self::Checkpoint(heads) => heads.encode(out.u8(2)),
            Self::Resume(heads) => heads.encode(out.u8(3)),
            Self::Release { name, sequence } => {
                name.encode(out.u8(4));
                out.u32(*sequence);
            }
            Self::Membership(said) => said.encode(out),
            Self::Alarm(said) => said.encode(out),
        }
    }

    /// Reads it.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        match from.u8()? {
            1 => packed::decode(from).map(Self::Change),
            2 => Heads::decode(from).map(Self::Checkpoint),
            3 => Heads::decode(from).map(Self::Resume),
            4 => Ok(Self::Release { name: LogName::decode(from)?, sequence: from.u32()? }),
            kind if Membership::KINDS.contains(&kind) => {
                Membership::decode(kind, from).map(Self::from)
            }
            kind if Alarm::KINDS.contains(&kind) => Alarm::decode(kind, from).map(Self::Alarm),
            _ => Err(Error::peer("sent an entry of a kind that is not known")),
        }
    }
}
