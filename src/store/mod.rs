//! Store: what is on the disk. The data folder, the database file, the peers file.

pub mod database;
pub mod files;
pub mod peer_book;
pub mod token_file;
