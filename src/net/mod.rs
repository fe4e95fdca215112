//! Net: sockets and the threads that serve them.
//!
//! ```text
//! who comes:  datagram -> knock -> admission -> door -> session -> merger -> database
//! who goes:   broadcast, menu -> deliver -> sync, talk -> dial -> phone -> channel (tls, wire)
//! who is it:  discovery (beacons) -> addresses -> dial;  probe (hello, cookie) -> monitor -> status
//! who may:    ledger -> roll -> members -> gate, door, dial, discovery, probe
//! ```
//!
//! What a knock is worth is decided in `model::gate`, what is said in a session stands in `model::message`.

pub mod addresses;
pub mod admission;
pub mod alarm;
pub mod ballot;
pub mod bell;
pub mod broadcast;
pub mod call;
pub mod channel;
pub mod classic;
pub mod context;
pub mod copies;
pub mod declined;
pub mod deliver;
pub mod dial;
pub mod discovery;
pub mod door;
pub mod ears;
pub mod intake;
pub mod join;
pub mod knock;
pub mod members;
pub mod merger;
pub mod meter;
pub mod monitor;
pub mod notice;
pub mod parting;
pub mod phone;
pub mod post;
pub mod probe;
pub mod refresh;
pub mod roll;
pub mod sealed;
pub mod session;
pub mod shelf;
pub mod status;
pub mod sync;
pub mod talk;
pub mod tls;
pub mod udp;
pub mod wire;
