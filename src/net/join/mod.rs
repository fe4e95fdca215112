//! Joining over TCP: a door that a person opens for a newcomer, and the newcomer that calls there.

pub mod call;
pub mod door;
pub mod here;
pub mod host;
pub mod search;
pub mod talk;
