//! Net: sockets and the threads that serve them.
//!
//! ```text
//! datagram -> knock -> admission -> door -> session -> database -> (bounded channel) -> broadcast -> dial
//!               |                                                                                     |
//!               +-- port replies ----------------------------------------------------- replies <------+
//! ```

pub mod admission;
pub mod broadcast;
pub mod call;
pub mod channel;
pub mod classic;
pub mod context;
pub mod deliver;
pub mod dial;
pub mod door;
pub mod knock;
pub mod merger;
pub mod monitor;
pub mod notice;
pub mod phone;
pub mod public_rows;
pub mod refresh;
pub mod sealed;
pub mod session;
pub mod shelf;
pub mod sync;
pub mod talk;
pub mod tls;
pub mod udp;
pub mod wire;
