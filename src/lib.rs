//! reunite: records missing and found people, peer to peer, where there is no centre to rely on.

pub mod base;
pub mod model;
pub mod store;
