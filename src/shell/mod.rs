//! Shell: what a person starts, sees and types.

pub mod cli;
pub mod display;
pub mod editor;
pub mod input;
pub mod keys;
pub mod menu;
pub mod node;
pub mod pages;
pub mod people;
pub mod screen;
pub mod table;
pub mod talk;
pub mod terminal;
pub mod tier2;
pub mod words;
