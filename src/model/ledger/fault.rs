//! What is wrong with blocks, by name, and with which of them.

use crate::base::error::Error;
use crate::model::ledger::names::LogName;
use std::fmt;

/// A kind of damage or tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// The bytes are no block.
    Form,
    /// What the block holds is not what its header says.
    Content,
    /// The signature is not its author's.
    Signature,
    /// Blocks before it are not here.
    Gap,
    /// It does not stand behind the block before it: one was removed, changed or put in.
    Chain,
    /// It is of another log than those before it.
    Foreign,
    /// Another block of its author has the same sequence.
    Fork,
    /// A peer signed that it saw another block in this place.
    Rewritten,
    /// There is no room for further logs or blocks.
    Full,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the bytes are no block",
            Self::Content => "what it holds is not what its author signed",
            Self::Signature => "the signature is not its author's",
            Self::Gap => "blocks before it are missing",
            Self::Chain => "it does not continue the block before it",
            Self::Foreign => "it is of another log than the block before it",
            Self::Fork => "its author signed two blocks with this sequence",
            Self::Rewritten => "a peer saw another block in this place",
            Self::Full => "there is no room for it",
        })
    }
}

/// Something wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What is wrong.
    pub wrong: Wrong,
    /// In which log, and with the block of which sequence; `None` if that cannot be read.
    pub block: Option<(LogName, u32)>,
}

impl Fault {
    /// Something wrong with this block.
    pub fn at(wrong: Wrong, name: LogName, sequence: u32) -> Self {
        Self { wrong, block: Some((name, sequence)) }
    }

    /// Bytes that are no block.
    pub fn form() -> Self {
        Self { wrong: Wrong::Form, block: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.block {
            Some((name, sequence)) => write!(f, "block {sequence} of {name}: {}", self.wrong),
            None => write!(f, "a block: {}", self.wrong),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let what = format!("sent a ledger that cannot be taken: {fault}");
        match fault.wrong {
            Wrong::Signature | Wrong::Foreign => Self::forged(what),
            // Something may have come in between; or a later version wrote what is not understood here.
            Wrong::Form
            | Wrong::Content
            | Wrong::Gap
            | Wrong::Chain
            | Wrong::Fork
            | Wrong::Rewritten
            | Wrong::Full => Self::peer(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_is_wrong_with_which_block_of_whom() {
        let name = LogName { author: [0xab; 32].into(), log: 7.into() };
        assert_eq!(
            Error::from(Fault::at(Wrong::Signature, name, 3)).to_string(),
            "sent a ledger that cannot be taken: block 3 of log 0000000000000007 of abababab…: \
             the signature is not its author's"
        );
    }
}
