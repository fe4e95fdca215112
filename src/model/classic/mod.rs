//! The original's wire, as values: what its datagrams and text sessions say, and how two halves are one knock.

pub mod datagram;
pub mod limits;
pub mod pairing;
pub mod text_session;
