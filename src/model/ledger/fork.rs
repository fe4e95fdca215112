//! Proof that an author signed two blocks with one sequence. Anybody can check it who has the author's key.

use crate::model::codec::Decoder;
use crate::model::ledger::block::SignedHeader;
use crate::model::ledger::fault::Fault;
use crate::model::ledger::names::LogName;

/// Two signed headers that cannot both stand in one log. Both signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof {
    /// The one with the lower hash.
    one: SignedHeader,
    other: SignedHeader,
}

impl ForkProof {
    /// The proof that these two are; a fault if they prove nothing.
    pub fn new(one: SignedHeader, other: SignedHeader) -> Result<Self, Fault> {
        let place = |signed: &SignedHeader| (signed.header().name, signed.header().sequence);
        if place(&one) != place(&other) || one.hash() == other.hash() {
            return Err(Fault::form());
        }
        one.check_signature()?;
        other.check_signature()?;
        let (one, other) = if one.hash() < other.hash() { (one, other) } else { (other, one) };
        Ok(Self { one, other })
    }

    /// Reads and checks a proof: two signed headers, one behind the other.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut from = Decoder::new(bytes);
        let one = SignedHeader::decode(&mut from)?;
        let other = SignedHeader::decode(&mut from)?;
        from.finish().map_err(|_| Fault::form())?;
        Self::new(one, other)
    }

    /// The bytes, to be kept and passed on.
    pub fn bytes(&self) -> Vec<u8> {
        [self.one.bytes().as_slice(), self.other.bytes()].concat()
    }

    /// Which log forked.
    pub fn name(&self) -> LogName {
        self.one.header().name
    }

    /// From which sequence on.
    pub fn sequence(&self) -> u32 {
        self.one.header().sequence
    }

    /// The lower Lamport number of the two: nothing of the author from there on counts.
    pub fn lamport(&self) -> u64 {
        self.one.header().lamport.min(self.other.header().lamport)
    }

    /// Both headers, the one with the lower hash first.
    pub fn both(&self) -> [&SignedHeader; 2] {
        [&self.one, &self.other]
    }
}
