//! Ledger: every change as an operation that says what it replaces, in signed chains of blocks, one author each.
//!
//! ```text
//! row --> import, view --> operation --> pen: a signed block --> the others
//!                                                                   |
//! rows, conflicts, history <-- state <-- chains: verified <-- block: received
//! ```
//!
//! The lowest first: [`names`] of things; [`operation`] one change of one record, each field hashed by itself;
//! [`merkle`] many names as one; [`heads`] how far each log goes; [`entry`] what a block holds; [`block`] its
//! bytes; [`fault`] what is wrong with one; [`chains`] the logs of all authors, forks and witnesses; [`pen`]
//! writes the own log; [`state`] all operations, and what they say; [`import`] rows of text as operations;
//! [`audit`] names what cannot be verified.

pub mod arena;
pub mod audit;
pub mod block;
pub mod chains;
pub mod entry;
pub mod fault;
pub mod finding;
pub mod fork;
pub mod graph;
pub mod heads;
pub mod history;
pub mod import;
pub mod listing;
pub mod merkle;
pub mod names;
pub mod operation;
pub mod packed;
pub mod pen;
pub mod replica;
pub mod room;
pub mod state;
pub mod stored;
pub mod view;
