//! Store: what is on the disk. The data folder, the database file, the peers file, the identity.

pub mod database;
pub mod destroy;
pub mod files;
pub mod holder;
pub mod identity_file;
pub mod json;
pub mod peer_book;
pub mod peers_file;
pub mod token_file;
