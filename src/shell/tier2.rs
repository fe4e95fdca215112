//! A tier-2 node: a refugee's own device, with a read-only copy and no way to change anything.

use crate::base::error::{Error, Result};
use crate::base::threads::{STACK_BYTES, Stop};
use crate::model::dialect::Dialect;
use crate::model::public_view::PublicView;
use crate::model::records::search;
use crate::model::row::Row;
use crate::model::section::{CAMPS, PUBLIC, Section};
use crate::model::statement::Signed;
use crate::model::view_reader::{Found, Seal, Sealed};
use crate::net::addresses::Addresses;
use crate::net::discovery;
use crate::net::notice::Progress;
use crate::net::refresh::{Opinion, Refresh, Renewed};
use crate::shell::input::{Gone, Input};
use crate::shell::pages;
use crate::shell::screen::Screen;
use crate::shell::{view_words, words};
use crate::store::files::{self, DataFolder};
use crate::store::peer_book::{Peer, PeerBook};
use crate::store::view_file::{self, Verdict, judge};
use std::path::PathBuf;
use std::thread;

/// The name of the copy.
pub const FILE: &str = "T2DATABASE.txt";

/// The name of what a refresh that broke off has brought: neither the old copy nor the new one.
const LEFT_BEHIND: &str = ".T2DATABASE.part";

/// A reader at its screen, with its copy. There is no way to change a row of it; only a refresh replaces it whole.
struct Reader<'a> {
    book: &'a PeerBook,
    screen: &'a Screen,
    stop: &'a Stop,
    /// Where nodes are.
    addresses: &'a Addresses,
    path: PathBuf,
    copy: Found,
    /// What a refresh that broke off has brought.
    begun: Option<PublicView>,
}

/// Runs a tier-2 node until it is to end.
pub fn run(book: &PeerBook, folder: &DataFolder, screen: &Screen, stop: &Stop) -> Result<()> {
    let path = folder.file(FILE);
    if files::is_missing(&path)? {
        view_file::write(&path, &PublicView::default(), None)?;
    }
    let copy = view_file::read(&path)?;
    let (addresses, over) = (Addresses::default(), Stop::default());
    let reader = Reader { book, screen, stop, addresses: &addresses, path, copy, begun: None };
    screen.say(words::hello_tier2(book, reader.copy.view.people().len()));
    if book.dialect() == Dialect::Classic {
        screen.say(words::CLASSIC_WARNING);
    }
    if let Some(verdict) = reader.verdict() {
        screen.say(view_words::verdict(&verdict));
    }
    thread::scope(|scope| {
        let listen = || match discovery::listen_as_reader(book, &addresses, &over) {
            Ok(()) => {}
            Err(error) => log::warn!("{error}"),
        };
        let builder = thread::Builder::new().name("beacons".into()).stack_size(STACK_BYTES);
        if let Err(cause) = builder.spawn_scoped(scope, listen) {
            log::warn!("no beacons are heard: {cause}");
        }
        // Also if the menu ends by a panic.
        let _ends = Ends(&over);
        menu(reader);
    });
    Ok(())
}

/// Sets its flag when it is dropped.
struct Ends<'a>(&'a Stop);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

fn menu(mut reader: Reader<'_>) {
    let (screen, stop) = (reader.screen, reader.stop);
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
            Ok("1") => reader.view(&mut input),
            Ok("2") => match input.line(words::SEARCH) {
                Err(Gone::TooLong) => screen.say(words::TOO_LONG),
                Err(Gone::Ended) => break,
                Ok(part) => reader.search(&mut input, &part),
            },
            Ok("3") => reader.refresh(),
            Ok(_) => screen.say(words::NO_SUCH_ITEM),
            Err(Gone::TooLong) => screen.say(words::TOO_LONG),
        }
    }
}

impl Reader<'_> {
    /// What the copy is worth, if it holds anything and its network signs.
    fn verdict(&self) -> Option<Verdict<'_>> {
        let is_new = self.copy.view.is_empty() && self.copy.sealed == Sealed::Not;
        let signs = self.book.dialect() == Dialect::Sealed;
        (signs && !is_new).then(|| judge(&self.copy, self.book))
    }

    fn view(&self, input: &mut Input) {
        if let Some(verdict) = self.verdict().filter(|one| !matches!(one, Verdict::Whole(..))) {
            self.screen.say(view_words::verdict(&verdict));
        }
        let (people, camps) = (self.copy.view.people(), self.copy.view.camps());
        self.screen.say(words::section_title(Section::People.title(), people.len()));
        // Also for who has seen enough of the people: camps are few.
        pages::show(self.screen, input, &PUBLIC, people, |_| "");
        if !camps.is_empty() {
            self.screen.say(words::section_title(Section::Camps.title(), camps.len()));
            self.show_camps(input, camps);
        }
    }

    fn search(&self, input: &mut Input, part: &str) {
        let found = |rows| search(rows, part).into_iter().cloned().collect::<Vec<_>>();
        let people = found(self.copy.view.people());
        let camps = found(self.copy.view.camps());
        if !people.is_empty() {
            pages::show(self.screen, input, &PUBLIC, &people, |_| "");
        }
        if !camps.is_empty() {
            self.show_camps(input, &camps);
        }
        self.screen.say(words::matches(people.len() + camps.len()));
    }

    fn show_camps(&self, input: &mut Input, camps: &[Row]) {
        pages::show(self.screen, input, &CAMPS, camps, |_| "");
        self.screen.say(view_words::CAMPS_LEGEND);
    }

    fn refresh(&mut self) {
        let left_behind = self.path.with_file_name(LEFT_BEHIND);
        let begun = self.begun.clone();
        let begun = begun.or_else(|| view_file::read(&left_behind).ok().map(|found| found.view));
        let mut refresh =
            Refresh::new(self.book, self.addresses, self.stop, &self.copy.view, begun);
        let screen = self.screen;
        let mut tell = |progress: Progress<'_>| screen.say(words::progress(progress));
        let renewed = match refresh.run(&mut tell) {
            Ok(renewed) => renewed,
            Err(error) => {
                // What came is worth the link that brought it: the next refresh goes on from it.
                if let Some(view) = refresh.left_behind() {
                    if let Err(error) = view_file::write(&left_behind, &view, None) {
                        log::warn!("{error}");
                    }
                    self.begun = Some(view);
                }
                return match error {
                    Error::Stopped => {}
                    _ => self.screen.say(words::NOT_REFRESHED),
                };
            }
        };
        let (giver, signed) = (renewed.giver, renewed.signed);
        if let Err(error) = self.keep(renewed) {
            return self.screen.say(words::failure(&error));
        }
        if let Err(error) = files::remove(&left_behind) {
            log::warn!("{error}");
        }
        let Some(signed) = signed else { return };
        screen.say(view_words::signed_by(giver, &signed));
        match refresh.second_opinion(giver, &signed, &mut tell) {
            Ok(opinion) => {
                if let Opinion::Contradicts(other, says) = &opinion {
                    self.keep_proof([(giver, &signed), (*other, &**says)]);
                }
                screen.say(view_words::opinion(giver, &opinion));
            }
            Err(error) => log::debug!("no second opinion: {error}"),
        }
    }

    /// Keeps what two nodes signed that do not agree: it proves to everybody that one of them lies.
    fn keep_proof(&self, both: [(&Peer, &Signed); 2]) {
        let seals = both.map(|(peer, signed)| self.seal(peer, *signed));
        let path = self.path.with_file_name(view_words::PROOF);
        if let Err(error) =
            files::replace(&path, |out| seals.iter().try_for_each(|seal| seal.write(out)))
        {
            log::warn!("{error}");
        }
    }

    fn seal(&self, peer: &Peer, signed: Signed) -> Seal {
        Seal { number: peer.number, network: self.book.network().to_owned(), signed }
    }

    /// Puts a new copy in the place of the old one.
    fn keep(&mut self, renewed: Renewed<'_>) -> Result<()> {
        let seal = renewed.signed.map(|signed| self.seal(renewed.giver, signed));
        view_file::write(&self.path, &renewed.view, seal.as_ref())?;
        let (before, now) = (self.copy.view.people().len(), renewed.view.people().len());
        self.screen.say(words::refreshed(now, before));
        let (view, hash) = (renewed.view, renewed.signed.map(|signed| signed.hash));
        let sealed = seal.map_or(Sealed::Not, |seal| Sealed::By(Box::new(seal)));
        self.copy = Found { view, hash: hash.unwrap_or_default(), sealed };
        self.begun = None;
        Ok(())
    }
}
