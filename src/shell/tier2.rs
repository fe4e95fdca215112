//! A tier-2 node: a refugee's own device, with a read-only copy and no way to change anything.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::dialect::Dialect;
use crate::model::limits::MAX_FILE;
use crate::model::public::public;
use crate::model::reader::{Item, Origin, Reader};
use crate::model::records::search;
use crate::model::row::Row;
use crate::model::section::{PUBLIC, Section};
use crate::model::writer::write_public;
use crate::net::refresh::Refresh;
use crate::shell::input::{Gone, Input};
use crate::shell::pages;
use crate::shell::screen::Screen;
use crate::shell::words;
use crate::store::files::{self, DataFolder};
use crate::store::peer_book::PeerBook;
use indexmap::IndexSet;
use std::path::{Path, PathBuf};

/// The name of the copy.
pub const FILE: &str = "T2DATABASE.txt";

/// The name of what a refresh that broke off has brought: neither the old copy nor the new one.
const LEFT_BEHIND: &str = ".T2DATABASE.part";

/// The copy of the public rows. There is no way to change a row of it; only a refresh replaces it whole.
struct Copy {
    path: PathBuf,
    rows: Vec<Row>,
    /// What a refresh that broke off has brought.
    begun: Option<Vec<Row>>,
}

/// Runs a tier-2 node until it is to end.
pub fn run(book: &PeerBook, folder: &DataFolder, screen: &Screen, stop: &Stop) -> Result<()> {
    let mut copy = Copy::open(folder.file(FILE))?;
    screen.say(words::hello_tier2(book, copy.rows.len()));
    if book.dialect() == Dialect::Classic {
        screen.say(words::CLASSIC_WARNING);
    }
    let mut input = Input::new(screen, stop);
    let mut show_menu = true;
    loop {
        if show_menu {
            screen.say(words::MENU_TIER2);
        }
        let choice = input.line(words::CHOOSE);
        show_menu = screen.is_interactive() || choice.as_deref() == Ok("");
        match choice.as_deref() {
            Ok("") => {}
            Ok("0") | Err(Gone::Ended) => break,
            Ok("1") => {
                screen.say(words::section_title(Section::People.title(), copy.rows.len()));
                pages::show(screen, &mut input, &PUBLIC, &copy.rows, |_| "");
            }
            Ok("2") => match input.line("Search for: ") {
                Err(Gone::TooLong) => screen.say(words::TOO_LONG),
                Err(Gone::Ended) => break,
                Ok(part) => {
                    let found: Vec<_> = search(&copy.rows, &part).into_iter().cloned().collect();
                    if !found.is_empty() {
                        pages::show(screen, &mut input, &PUBLIC, &found, |_| "");
                    }
                    screen.say(words::matches(found.len()));
                }
            },
            Ok("3") => copy.refresh(book, screen, stop),
            Ok(_) => screen.say(words::NO_SUCH_ITEM),
            Err(Gone::TooLong) => screen.say(words::TOO_LONG),
        }
    }
    Ok(())
}

impl Copy {
    fn open(path: PathBuf) -> Result<Self> {
        if files::is_missing(&path)? {
            save(&path, &[])?;
        }
        let rows = read(&path)?;
        Ok(Self { path, rows, begun: None })
    }

    fn refresh(&mut self, book: &PeerBook, screen: &Screen, stop: &Stop) {
        let begun = self.begun.clone().or_else(|| read(&self.left_behind()).ok());
        let mut refresh = Refresh::new(book, stop, &self.rows, begun);
        let fetched = refresh.run(&mut |progress| screen.say(words::progress(progress)));
        let rows = match fetched {
            Ok(rows) => rows,
            Err(error) => {
                // What came is worth the link that brought it: the next refresh goes on from it.
                if let Some(rows) = refresh.left_behind() {
                    if let Err(error) = save(&self.left_behind(), &rows) {
                        log::warn!("{error}");
                    }
                    self.begun = Some(rows);
                }
                return match error {
                    Error::Stopped => {}
                    _ => screen.say(words::NOT_REFRESHED),
                };
            }
        };
        if let Err(error) = save(&self.path, &rows) {
            return screen.say(words::failure(&error));
        }
        if let Err(error) = files::remove(&self.left_behind()) {
            log::warn!("{error}");
        }
        self.begun = None;
        screen.say(words::refreshed(rows.len(), self.rows.len()));
        self.rows = rows;
    }

    /// Where a refresh that broke off leaves what came.
    fn left_behind(&self) -> PathBuf {
        self.path.with_file_name(LEFT_BEHIND)
    }
}

/// The public rows in a file; equal ones once.
fn read(path: &Path) -> Result<Vec<Row>> {
    let (mut reader, mut rows) = (Reader::new(Origin::Own), IndexSet::new());
    let mut take = |item| {
        if let Item::Row(Section::People, row) = item {
            rows.insert(public(&row));
        }
    };
    files::read_pieces(path, MAX_FILE, |piece| reader.feed(piece, &mut take))?;
    reader.finish(true, &mut take);
    Ok(rows.into_iter().collect())
}

fn save(path: &Path, rows: &[Row]) -> Result<()> {
    files::replace(path, |out| write_public(rows, out)).map(|_| ())
}
