//! Joining: how a newcomer and a member find that they mean each other, and what the newcomer is given.
//!
//! ```text
//! by code    code --> pake: both have typed the same --> line: sealed --> request --> person --> answer
//! by files   request, its fingerprint compared by voice -----------------------------> person --> answer
//! ```
//!
//! 1. *A code is good for one try.* Who does not know it learns nothing by trying that it could test elsewhere
//!    (SPAKE2), and a wrong try closes the door: one chance in 65,536 each time that a person opens it.
//! 2. *The newcomer shows first that it knows the code*, so that nobody can test a guess and go away uncounted.
//! 3. *A request is signed by the key that asks*, for this line alone (`Request::binding`): nobody joins under the key
//!    of somebody else, nor with a request that was heard elsewhere. Number and token are never the newcomer's to say.
//! 4. *An answer opens with the newcomer's key alone, and fits one request*: sealed by Noise `X`, bound to the hash of
//!    what was asked. Given to another, or to a later request, it cannot be opened.
//! 5. *Nothing of the network is told before a person has said yes*: not its name, not one member.

pub mod answer;
pub mod code;
pub mod limits;
pub mod line;
pub mod message;
pub mod pake;
pub mod paper;
pub mod porter;
pub mod request;
pub mod search;
pub mod sponsor;
pub mod welcome;
pub mod words;
