//! Net: sockets and the threads that serve them.
//!
//! ```text
//! datagram -> knock -> admission -> door -> session -> database -> (bounded channel) -> broadcast -> dial
//!               |                                                                                     |
//!               +-- port replies ----------------------------------------------------- replies <------+
//! ```

pub mod broadcast;
pub mod call;
pub mod classic;
pub mod context;
pub mod deliver;
pub mod monitor;
pub mod notice;
pub mod public_rows;
pub mod wire;
