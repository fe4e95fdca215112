//! Shell: what a person starts, sees and types.

pub mod ask;
pub mod cli;
pub mod desk;
pub mod display;
pub mod editor;
pub mod identity;
pub mod input;
pub mod keys;
pub mod ledger_state;
pub mod ledger_words;
pub mod membership;
pub mod menu;
pub mod node;
pub mod pages;
pub mod people;
pub mod review;
pub mod screen;
pub mod setup;
pub mod setup_local;
pub mod setup_words;
pub mod table;
pub mod talk;
pub mod terminal;
pub mod tier2;
pub mod wipe;
pub mod words;
