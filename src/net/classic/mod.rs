//! The classic dialect: the original's wire, in clear, byte for byte.
//!
//! ```text
//! datagram -> knock -> admission -> door -> session -> database
//!               |                                  dial <- send, call
//!               +-- port replies -- replies ------> +
//! ```

pub mod admission;
pub mod dial;
pub mod door;
pub mod knock;
pub mod public_rows;
pub mod refresh;
pub mod replies;
pub mod send;
pub mod serve_refresh;
pub mod session;
pub mod state;
