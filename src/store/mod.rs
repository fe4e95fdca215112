//! Store: what is on the disk: the ledger and the text beside it, copies of readers, peers, identities, and the messages
//! for peers that are away.

pub mod addresses_file;
pub mod blocks;
pub mod commit;
pub mod database;
pub mod destroy;
pub mod disk;
pub mod edits;
pub mod files;
pub mod forks;
pub mod holder;
pub mod identity_file;
pub mod journal;
pub mod json;
pub mod ledger_check;
pub mod ledger_file;
pub mod ledger_frame;
pub mod ledger_load;
pub mod ledger_scan;
pub mod ledger_walk;
pub mod ledger_writer;
pub mod loader;
pub mod member_book;
pub mod network_file;
pub mod newcomer;
pub mod opening;
pub mod peer_book;
pub mod peers_file;
pub mod post_box;
pub mod rebuild;
pub mod roster_file;
pub mod saver;
pub mod text;
pub mod text_check;
pub mod token_file;
pub mod view_file;
