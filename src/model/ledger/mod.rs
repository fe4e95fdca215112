//! Ledger: every change as an operation that says what it replaces, in signed chains of blocks, one author each.
//!
//! ```text
//! row --> import, view --> operation --> pen: a signed block --> the others
//!                                                                   |
//! rows, conflicts, history <-- state <-- chains: verified <-- block: received
//! ```
//!
//! The lowest first: [`names`] of things; [`operation`] one change of one record, each field hashed by itself;
//! [`packed`] its bytes; [`merkle`] many names as one; [`heads`] how far each log goes; [`membership`] who belongs to
//! the network; [`alarm`] what calls everybody, and [`alarms`] those that stand; [`entry`] what a block holds;
//! [`block`] its bytes; [`stored`] what a ledger's file holds; [`fault`] what is wrong with one; [`fork`] proof of two
//! histories; [`room`] what each author may fill; [`bar`] what those wrote who are shut out, and [`verdict`] which
//! blocks count after a fork; [`chains`] the logs of all authors, forks and witnesses; [`pen`] writes the own log;
//! [`register`] what is said of who belongs to the network; [`arena`] values of a million records; [`graph`] which
//! operation is over which; [`view`] what they say of one record; [`history`] its past; [`state`] all of them;
//! [`listing`] them in order; [`import`] rows of text as operations; [`replica`] a node's whole ledger in memory;
//! [`finding`] and [`audit`] name what cannot be verified.

pub mod alarm;
pub mod alarms;
pub mod arena;
pub mod audit;
pub mod bar;
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
pub mod membership;
pub mod merkle;
pub mod names;
pub mod operation;
pub mod packed;
pub mod pen;
pub mod register;
pub mod replica;
pub mod room;
pub mod state;
pub mod stored;
pub mod verdict;
pub mod view;
