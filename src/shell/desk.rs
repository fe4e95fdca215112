//! What menu items, and commands that start a node, work with: how they find a record, ask for a choice, and wait for the
//! disk.

use crate::base::error::Result;
use crate::model::ids::PersonId;
use crate::model::ledger::import::meant;
use crate::model::ledger::operation::{About, Operation};
use crate::model::ledger::replica::Replica;
use crate::model::ledger::view::View;
use crate::model::records::Part;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::net::context::{Context, Order};
use crate::shell::input::{Gone, Input};
use crate::shell::ledger_words;
use crate::shell::screen::Screen;
use crate::shell::table::Table;
use crate::shell::terminal;
use crate::shell::words;
use crate::store::database::Ticket;
use std::time::Duration;

/// How long the person waits for the disk before being told that it takes long.
const SAVE_PATIENCE: Duration = Duration::from_secs(20);
/// Most records to choose from.
pub const MOST_CHOICES: usize = 30;

/// The hands of the menu, or of such a command: what it shows on, asks with, and works on.
pub struct Desk<'a> {
    /// The node.
    pub context: &'a Context,
    /// Where it shows.
    pub screen: &'a Screen,
    /// Where it asks.
    pub input: Input,
}

/// What a menu item comes to: `Err` when the input ended in the middle of it, and nothing was done.
pub type Done = std::result::Result<(), Gone>;

/// A choice: `None` when the answer is none of what was offered.
pub type Chosen<T> = std::result::Result<Option<T>, Gone>;

impl Desk<'_> {
    /// Asks for a record of these sections; returns it as it is now.
    pub fn find(&mut self, what: &str, sections: &[Section]) -> Chosen<View> {
        let part = self.input.line(words::FIND)?;
        let found = self.matches(&part, sections);
        if found.len() > MOST_CHOICES {
            self.screen.say(ledger_words::TOO_MANY);
            return Ok(None);
        }
        let chosen = match found.as_slice() {
            [] => {
                self.screen.say(words::matches(0));
                None
            }
            [(one, _)] => Some(*one),
            several => {
                let rows: Vec<_> =
                    several.iter().map(|(about, row)| (about.section, row)).collect();
                self.list_found(&rows);
                let at = self.choose(what, rows.len())?;
                at.and_then(|at| several.get(at)).map(|(about, _)| *about)
            }
        };
        Ok(chosen
            .and_then(|about| self.context.database.with(|replica| replica.state().view(about))))
    }

    /// Records that are meant: by the Id of a person if it is one, else by part of any field. One more than can be
    /// chosen from, if there are more.
    fn matches(&self, words: &str, sections: &[Section]) -> Vec<(About, Row)> {
        let by_id = |replica: &Replica| {
            let id = words.trim().parse::<PersonId>().ok()?;
            let row = Row::new(&["", "", "", "", id.as_str()]);
            let about = meant(replica.state(), replica.namer(), Section::People, &row);
            let view = replica.state().view(about).filter(|view| !view.is_hidden())?;
            Some((about, view.row()))
        };
        if sections.contains(&Section::People) {
            if let Some(found) = self.context.database.with(by_id) {
                return vec![found];
            }
        }
        let part = Part::new(words);
        let mut found = Vec::new();
        for section in sections.iter().filter(|_| !part.is_empty()) {
            self.context.database.each_row(*section, |spot, row| {
                if found.len() <= MOST_CHOICES && part.is_in(&row) {
                    found.push((spot, row));
                }
            });
        }
        self.context.database.with(|replica| {
            let about = |(spot, row)| Some((replica.state().about(spot)?, row));
            found.into_iter().filter_map(about).collect()
        })
    }

    /// Asks for one of so many that were listed; `None` when the answer is none of them.
    pub fn choose(&mut self, what: &str, listed: usize) -> Chosen<usize> {
        let answer = self.input.line(&ledger_words::which_of(what, listed))?;
        let number = answer.parse::<usize>().ok().filter(|number| (1..=listed).contains(number));
        if number.is_none() {
            self.screen.say(ledger_words::UNCHANGED);
        }
        Ok(number.map(|number| number - 1))
    }

    /// Lists rows with numbers: under the columns of their section, if they are all of one.
    fn list_found(&self, found: &[(Section, &Row)]) {
        match found {
            [(first, _), others @ ..] if others.iter().all(|(section, _)| section == first) => {
                let rows: Vec<_> = found.iter().map(|(_, row)| *row).collect();
                self.list(*first, &rows);
            }
            _ => self.list_titled(found),
        }
    }

    /// Lists rows with numbers, each whole and behind the name of its section.
    pub fn list_titled(&self, rows: &[(Section, &Row)]) {
        for (number, (section, row)) in (1..).zip(rows) {
            self.screen.say(ledger_words::titled(number, section.title(), row.line()));
        }
    }

    /// Lists rows of one section with numbers.
    pub fn list(&self, section: Section, rows: &[&Row]) {
        let rows: Vec<_> = rows.iter().map(|row| (*row).clone()).collect();
        // The number before each row takes two columns more than a margin does.
        let room = self.screen.is_interactive().then(|| terminal::size().0.saturating_sub(2));
        let table = Table::new(section.columns(), &rows, room);
        self.screen.say(format!("  {}", table.header(section.columns())));
        for (at, row) in rows.iter().enumerate() {
            self.screen.say(table.row(&format!("{:>3} ", at + 1), row));
        }
    }

    /// Makes changes and says how it went. Returns whether there is a change.
    pub fn change(&self, make: impl FnOnce(&Replica) -> Result<(Vec<Operation>, String)>) -> bool {
        let written = self.context.database.write(make);
        match written {
            Ok((done, ticket)) => {
                self.say_saved(&done, ticket);
                true
            }
            Err(error) => {
                self.screen.say(words::failure(&error));
                false
            }
        }
    }

    /// Waits for the disk and says how it went.
    pub fn say_saved(&self, done: &str, ticket: Ticket) {
        let database = &self.context.database;
        match database.wait_saved(ticket, SAVE_PATIENCE, &self.context.stop) {
            Ok(()) => {
                self.screen.say(words::saved(done));
                if database.is_convicted() {
                    self.screen.say(ledger_words::CONVICTED);
                }
            }
            Err(error) => {
                self.screen.say(words::unsaved(done, &error));
            }
        }
    }

    /// Lets all peers have the change.
    pub fn tell_all(&self) {
        self.context.order(Order::ToAll(self.context.work.clone()));
    }
}
