//! Model: what a node knows and how it decides, as plain values.
//!
//! Nothing here opens a socket or a file, starts a thread, takes a lock or asks for the time: bytes and
//! instants come in, values and decisions go out. So all of it can be tested in memory.

pub mod address;
pub mod align;
pub mod beacon;
pub mod bucket;
pub mod caller;
pub mod classic;
pub mod codec;
pub mod datagram;
pub mod date;
pub mod dialect;
pub mod fields;
pub mod frame;
pub mod gate;
pub mod hex;
pub mod identity;
pub mod ids;
pub mod join;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod liveness;
pub mod meeting;
pub mod membership;
pub mod message;
pub mod noise;
pub mod offer;
pub mod parcel;
pub mod passphrase;
pub mod post;
pub mod presence;
pub mod public;
pub mod public_view;
pub mod reader;
pub mod reconcile;
pub mod record;
pub mod records;
pub mod row;
pub mod rumour;
pub mod secret;
pub mod section;
pub mod shown;
pub mod spoken;
pub mod squeeze;
pub mod statement;
pub mod status;
pub mod view_reader;
pub mod withheld;
pub mod writer;
pub mod x25519;
