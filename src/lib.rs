//! reunite: records missing and found people, peer to peer, where there is no centre to rely on.
//!
//! ```text
//!   UDP                                        TCP + TLS, a port for each session
//! hello, knock --> knock (gate) --> admission --> door --> session --> database --> journal --> DATABASEx.ledger
//!                                                                      ^  |  |
//!                                                                menu -+  |  +--> saver --> DATABASEx.txt
//!                                                                         +--(bounded channel)--> broadcast
//!                                                                                                     |
//!   UDP + TCP + TLS, to the peers  <-- phone <-- dial <-- sync, talk <-- deliver <-------------------+
//!                                                 ^                                                  ^
//! beacons <--> discovery --> addresses -----------+                                                  |
//! hello, cookie <--> probe --> monitor --> status.json     who is elsewhere, or back, is called -----+
//! ```
//!
//! `net::classic` holds the same steps in the original's wire, in clear, for networks that ask for it.
//!
//! The layers, lowest first; a module uses only its own layer and those before it, and nothing in a circle:
//! [`base`] errors, threads, limited places; [`model`] pure values and decisions; [`store`] the disk;
//! [`net`] sockets; [`shell`] what a person sees. `shell::node` puts it all together.

pub mod base;
pub mod model;
pub mod net;
pub mod shell;
pub mod store;
