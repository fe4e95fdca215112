//! What must hold whatever bytes come in. A check takes any input and panics where something does not hold.
//! `tests/properties.rs` runs them over mutated seeds, the targets of `tests/fuzz` over what a fuzzer finds.
//!
//! Inputs are readable, so that seeds can be written and findings understood: see each check. In text and
//! database files `^` stands for `UNFOLDED` letters, so that a short input can go over the limits.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

use reunite::base::error::{Error, Result};
use reunite::model::classic::datagram::{
    ALARM_PREFIX, Datagram, Purpose, QUIT, parse, refresh_address,
};
use reunite::model::classic::pairing::{Knock, Pairing};
use reunite::model::classic::text_session::{Said, TextSession};
use reunite::model::dialect::Dialect;
use reunite::model::ids::PeerNumber;
use reunite::model::limits::{
    BUFFER, HALF_KNOCK, HALF_KNOCKS, LOWEST_PORT, MAX_MESSAGES, MAX_ROW, MAX_TEXT, ORPHANS, SLICE,
    TEXT_CHUNK, TOKEN_DIGITS,
};
use reunite::model::parcel::travels;
use reunite::model::public_view::PublicView;
use reunite::model::reader::{Item, Kept, Origin, Reader};
use reunite::model::records::Records;
use reunite::model::row::Row;
use reunite::model::secret::Token;
use reunite::model::section::Section;
use reunite::model::shown::shown;
use reunite::model::view_reader::{Found, Sealed, ViewReader, write_copy};
use reunite::model::withheld::is_census;
use reunite::model::writer::{Snapshot, write_all, write_people};
use reunite::store::peer_book::PeerBook;
use reunite::store::token_file;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A check: panics if `input` shows that something does not hold.
pub type Check = fn(input: &[u8]);

/// All checks, by the name of their fuzz target and of their folder of seeds.
pub const ALL: [(&str, Check); 5] = [
    ("datagrams", datagrams),
    ("text_session", text_session),
    ("database_file", database_file),
    ("peers_file", peers_file),
    ("view_file", view_file),
];

/// Letters that `^` stands for.
const UNFOLDED: usize = 1500;
/// Bytes as text for a message, folded again.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(&"x".repeat(UNFOLDED), "^")
}

/// Unfolds, but not to much more than `most` bytes.
fn unfold(input: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(input.len());
    for byte in input {
        match byte {
            b'^' if bytes.len() < most => bytes.resize(bytes.len() + UNFOLDED, b'x'),
            other => bytes.push(*other),
        }
    }
    bytes
}

// --- datagrams ---

/// Peers 1 to 3 have these tokens; `@1` to `@3` stand for them.
const TOKENS: [&[u8; TOKEN_DIGITS]; 3] = [b"100000000007", b"200000000014", b"300000000021"];
/// What the third letter of a line says: how much later than the one before.
const LATER: [u64; 8] = [0, 1, 20, 100, 250, 400, 1900, 2500];

/// A line is a datagram: a letter for its IP address (`10.0.0.` and the letter's code), one for its port,
/// one for how much later it comes, and the rest is what it says.
pub fn datagrams(input: &[u8]) {
    let mut listener = Listener::new();
    for line in input.split(|byte| *byte == b'\n') {
        if let [ip, port, later, said @ ..] = line {
            let from = SocketAddr::new([10, 0, 0, *ip].into(), 1000 + u16::from(*port));
            listener.pass(Duration::from_millis(LATER[usize::from(*later) % LATER.len()]));
            match said {
                [b'@', peer @ b'1'..=b'3'] => {
                    listener.hear(from, TOKENS[usize::from(peer - b'1')]);
                }
                said => listener.hear(from, said),
            }
        }
    }
    listener.assert_tables_are_bounded();
}

/// Does with a `Pairing` what the listener thread does, and keeps its own record of what was heard.
struct Listener {
    pairing: Pairing,
    now: Instant,
    tokens: Vec<(Instant, SocketAddr, PeerNumber)>,
    purposes: Vec<(Instant, SocketAddr, Purpose)>,
    codes: Vec<(Instant, SocketAddr)>,
    addresses: Vec<(Instant, SocketAddr, SocketAddr)>,
}

impl Listener {
    fn new() -> Self {
        Self {
            pairing: Pairing::default(),
            now: Instant::now(),
            tokens: Vec::new(),
            purposes: Vec::new(),
            codes: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Time passes; the listener ticks at least once in each slice.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + SLICE);
            for knock in self.pairing.tick(self.now) {
                self.assert_was_heard(knock);
            }
        }
    }

    fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        match parse(bytes) {
            Some(Datagram::Token(token)) => {
                assert!(bytes.len() == TOKEN_DIGITS && bytes.iter().all(u8::is_ascii_digit));
                if let Some(peer) = owner(&token) {
                    self.tokens.push((now, from, peer));
                    let knock = self.pairing.token(from, peer, now);
                    knock.into_iter().for_each(|knock| self.assert_was_heard(knock));
                }
            }
            Some(Datagram::Purpose(purpose)) => {
                assert_eq!(bytes, purpose.datagram());
                self.purposes.push((now, from, purpose));
                let knock = self.pairing.purpose(from, purpose, now);
                knock.into_iter().for_each(|knock| self.assert_was_heard(knock));
            }
            Some(Datagram::Port(port)) => assert!(port >= LOWEST_PORT),
            Some(Datagram::Refresh) => {
                self.codes.push((now, from));
                let to = self.pairing.refresh(from, now);
                to.into_iter().for_each(|to| self.assert_was_asked(from, to));
            }
            Some(Datagram::RefreshAddress(to)) => {
                let again = parse(refresh_address(to).as_bytes());
                assert!(matches!(again, Some(Datagram::RefreshAddress(same)) if same == to));
                self.addresses.push((now, from, to));
                let to = self.pairing.refresh_address(from, to, now);
                to.into_iter().for_each(|to| self.assert_was_asked(from, to));
            }
            None => {}
        }
    }

    /// A knock is made of one token and one purpose that came lately, and each is used only once.
    fn assert_was_heard(&mut self, knock: Knock) {
        let since = self.now.checked_sub(HALF_KNOCK + SLICE);
        let fresh = |at: Instant| since.is_none_or(|since| at >= since);
        let token = self
            .tokens
            .iter()
            .position(|(at, from, peer)| fresh(*at) && (*from, *peer) == (knock.from, knock.peer));
        let purpose = self.purposes.iter().position(|(at, from, purpose)| {
            fresh(*at) && from.ip() == knock.from.ip() && *purpose == knock.purpose
        });
        let (Some(token), Some(purpose)) = (token, purpose) else {
            panic!("{knock:?} was not heard: token {token:?}, purpose {purpose:?}");
        };
        self.tokens.remove(token);
        self.purposes.remove(purpose);
    }

    /// A refresh goes to an address that was named by itself, with a code from there, both lately.
    fn assert_was_asked(&self, from: SocketAddr, to: SocketAddr) {
        assert_eq!(to.ip(), from.ip(), "a refresh goes only to the address that asks");
        assert!(to.port() >= LOWEST_PORT);
        let since = self.now.checked_sub(HALF_KNOCK + SLICE);
        let fresh = |at: Instant| since.is_none_or(|since| at >= since);
        assert!(self.codes.iter().any(|(at, code)| fresh(*at) && code.ip() == from.ip()));
        let named = |(at, by, named): &(_, SocketAddr, _)| {
            fresh(*at) && by.ip() == from.ip() && *named == to
        };
        assert!(self.addresses.iter().any(named));
    }

    /// Sends the other half to all that ever sent one half: what becomes whole is what was held.
    fn assert_tables_are_bounded(mut self) {
        let now = self.now;
        let pairing = &mut self.pairing;
        let tokens = sources(self.tokens.iter().map(|(_, from, _)| *from));
        let whole =
            tokens.iter().filter(|from| pairing.purpose(**from, Purpose::Text, now).is_some());
        assert!(whole.count() <= HALF_KNOCKS * TOKENS.len(), "too many tokens are held");
        let purposes = sources(self.purposes.iter().map(|(_, from, _)| *from));
        let peer = owner_of(TOKENS[0]).expect("its own token");
        let whole = purposes.iter().filter(|from| pairing.token(**from, peer, now).is_some());
        assert!(whole.count() <= ORPHANS, "too many purposes are held");
        let codes = sources(self.codes.iter().map(|(_, from)| SocketAddr::new(from.ip(), 40_000)));
        let whole = codes.iter().filter(|to| pairing.refresh_address(**to, **to, now).is_some());
        assert!(whole.count() <= ORPHANS, "too many codes are held");
        let addresses =
            sources(self.addresses.iter().map(|(_, from, _)| SocketAddr::new(from.ip(), 1)));
        let whole = addresses.iter().filter(|from| pairing.refresh(**from, now).is_some());
        assert!(whole.count() <= ORPHANS, "too many addresses are held");
    }
}

fn sources(from: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut from = sorted(from);
    from.dedup();
    from
}

fn owner(token: &Token) -> Option<PeerNumber> {
    owner_of(token.expose())
}

fn owner_of(digits: &[u8; TOKEN_DIGITS]) -> Option<PeerNumber> {
    let at = TOKENS.iter().position(|token| *token == digits)?;
    PeerNumber::try_from(at as u64 + 1).ok()
}

// --- text sessions ---

/// Largest read of a session.
const READ: usize = 4096;

/// `|` stands between two reads; `~` too, and a moment passes there.
pub fn text_session(input: &[u8]) {
    let input = unfold(input, MAX_TEXT);
    let (mut session, mut heard) = (TextSession::default(), Heard::default());
    for moment in input.split_inclusive(|byte| *byte == b'~') {
        let (reads, passes) = match moment.strip_suffix(b"~") {
            Some(reads) => (reads, true),
            None => (moment, false),
        };
        for read in reads.split(|byte| *byte == b'|').flat_map(|read| read.chunks(READ)) {
            heard.read(read);
            let said = session.feed(read);
            if !heard.take(said) {
                return;
            }
        }
        if passes && session.holds() {
            let said = session.moment_passed();
            assert!(length(said.as_ref()) <= TEXT_CHUNK * 3 + 9, "too much was held: {said:?}");
            heard.take(said);
        }
    }
    let said = session.finish();
    assert!(length(said.as_ref()) <= TEXT_CHUNK * 3 + 9, "too much was held: {said:?}");
    heard.take(said);
    heard.assert_complete();
}

/// What was sent, and what was heard of it.
#[derive(Default)]
struct Heard {
    sent: Vec<u8>,
    text: String,
    pieces: usize,
}

impl Heard {
    fn read(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }

    /// Takes what the session said. Returns whether it goes on.
    fn take(&mut self, said: Option<Said>) -> bool {
        let (alarm, piece) = match said {
            None => return true,
            Some(Said::Message(piece)) => (false, piece),
            Some(Said::Alarm(piece)) => (true, piece),
            Some(Said::Quit) => {
                self.sent.truncate(self.sent.len() - QUIT.len());
                self.assert_is_all();
                return false;
            }
            Some(Said::TooMuch) => {
                assert!(self.sent.len() > MAX_TEXT || self.pieces >= MAX_MESSAGES);
                return false;
            }
        };
        assert!(self.sent.len() <= MAX_TEXT);
        assert!(!alarm || self.pieces == 0, "only the first text can be an alarm");
        assert!(
            alarm || self.pieces > 0 || !piece.starts_with(ALARM_PREFIX),
            "an alarm was missed"
        );
        assert!(piece.len() <= (READ + TEXT_CHUNK) * 3);
        assert_is_safe(&piece);
        self.text.extend([if alarm { ALARM_PREFIX } else { "" }, &piece]);
        self.pieces += 1;
        true
    }

    /// The session is over: everything was heard, but for a `quit` at the end.
    fn assert_complete(mut self) {
        if valid(&String::from_utf8_lossy(&self.sent)) != valid(&self.text) {
            let whole = self.sent.strip_suffix(QUIT.as_bytes());
            self.sent = whole.expect("what is missing is no quit").to_vec();
        }
        self.assert_is_all();
    }

    fn assert_is_all(&self) {
        assert_eq!(valid(&String::from_utf8_lossy(&self.sent)), valid(&self.text));
    }
}

/// All that is text: what is no UTF-8 may be shown in more or fewer marks, depending on the reads.
fn valid(text: &str) -> String {
    text.chars().filter(|letter| *letter != char::REPLACEMENT_CHARACTER).collect()
}

fn length(said: Option<&Said>) -> usize {
    match said {
        Some(Said::Message(text) | Said::Alarm(text)) => text.len(),
        _ => 0,
    }
}

/// What is shown controls no terminal, reads in one direction, and is shown the same when shown again.
fn assert_is_safe(text: &str) {
    let safe = shown(text);
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!safe.contains(hidden), "{text:?} is shown as {safe:?}");
    assert_eq!(shown(&safe), safe);
}

// --- database files ---

/// The input is a database file as it stands; where it is cut in pieces follows from its bytes.
pub fn database_file(input: &[u8]) {
    let bytes = unfold(input, MAX_ROW * 4);
    let items = own(&bytes);
    assert_nothing_is_lost(&bytes, &items);
    let mut records = Records::default();
    for item in items {
        records.load(item);
    }
    let snapshot = records.snapshot();
    if !is_known(&snapshot) {
        assert_rewritten_is_the_same(&snapshot);
        assert_peers_agree(&records.people(), &bytes);
    }
}

fn read(origin: Origin, pieces: &[&[u8]], whole: bool) -> (Vec<Item>, bool) {
    let (mut reader, mut items) = (Reader::new(origin), Vec::new());
    for piece in pieces {
        reader.feed(piece, &mut |item| items.push(item));
    }
    let cut = reader.finish(whole, &mut |item| items.push(item));
    (items, cut)
}

/// What is found in a file of our own, in whatever pieces it is read.
fn own(bytes: &[u8]) -> Vec<Item> {
    let (items, cut) = read(Origin::Own, &[bytes], true);
    assert!(!cut);
    assert!(read(Origin::Own, &pieces(bytes), true).0 == items, "in pieces\n{}", text(bytes));
    items
}

/// Every letter and digit of a line that is no title and no header is in a row or in what is kept.
fn assert_nothing_is_lost(bytes: &[u8], items: &[Item]) {
    let is_form = |line: &&[u8]| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_start_matches('\u{feff}');
        Section::titled(line).is_some()
            || Section::ALL.iter().any(|section| section.header(line).is_some())
    };
    let content = bytes.split(|byte| *byte == b'\n').filter(|line| !is_form(line));
    let wanted: usize = content.map(letters).sum();
    let found: usize = items.iter().map(|item| letters(content_of(item))).sum();
    assert!(found >= wanted, "{found} of {wanted} letters are left of\n{}", text(bytes));
    assert!(found <= letters(bytes), "letters came from nowhere in\n{}", text(bytes));
}

fn letters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).count()
}

fn content_of(item: &Item) -> &[u8] {
    match item {
        Item::Row(_, row) => row.line().as_bytes(),
        Item::Kept(kept) => &kept.bytes,
    }
}

/// What was written is read as the same rows and the same kept bytes, and soon written the same again: a
/// kept line may move once, to where it is understood the same for ever.
fn assert_rewritten_is_the_same(snapshot: &Snapshot) {
    let (once, _) = rewritten(snapshot);
    let (twice, file) = rewritten(&once);
    let (_, again) = rewritten(&twice);
    assert!(again == file, "{}\nis rewritten as\n{}", text(&file), text(&again));
}

/// Writes a file and reads it again; it has to hold the same. Returns what was read, and the file.
fn rewritten(snapshot: &Snapshot) -> (Snapshot, Vec<u8>) {
    let mut file = Vec::new();
    let lines = write_all(snapshot, &mut file).expect("memory takes all");
    let mut records = Records::default();
    for item in own(&file) {
        records.load(item);
    }
    let again = records.snapshot();
    assert!(again.rows == snapshot.rows, "other rows in\n{}", text(&file));
    let told = snapshot.kept.iter().zip(lines).flat_map(|(kept, line)| numbered(line, kept));
    let found = again.kept.iter().flat_map(|kept| numbered(kept.line, kept));
    assert!(sorted(told) == sorted(found), "other lines kept, or elsewhere, of\n{}", text(&file));
    (again, file)
}

/// Finding 9, see `tests/properties.rs`: a carriage return before the one at the end of a line gets lost.
fn is_known(snapshot: &Snapshot) -> bool {
    snapshot.kept.iter().any(|kept| kept.bytes.ends_with(b"\r"))
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values
}

/// The lines of something kept, of which the first is `line`. Lines that were kept together may be kept one
/// by one when they are read again.
fn numbered(line: u64, kept: &Kept) -> impl Iterator<Item = (u64, &[u8])> {
    (line..).zip(kept.bytes.split(|byte| *byte == b'\n'))
}

/// The rows that we send arrive as the same rows; a file that breaks off makes nobody up; and whatever a
/// peer sends, little of it is held at a time.
fn assert_peers_agree(people: &[Row], bytes: &[u8]) {
    let mut sent = Vec::new();
    write_people(people, &mut sent).expect("memory takes all");
    let rows = |items: Vec<Item>| items.into_iter().map(row_of_people).collect::<Vec<_>>();
    let (items, cut) = read(Origin::Peer, &pieces(&sent), false);
    assert!(!cut && rows(items) == people, "sent as\n{}", text(&sent));
    assert_nobody_is_made_up(people);
    let mut reader = Reader::new(Origin::Peer);
    for piece in pieces(bytes) {
        reader.feed(piece, &mut assert_is_bounded);
    }
    let mut held = 0;
    let cut = reader.finish(false, &mut |item| held += content_of(&item).len());
    assert!(held <= MAX_ROW * 4, "{held} bytes were held");
    assert!(cut || bytes.last().is_none_or(|last| *last == b'\n'), "half a line was taken");
}

/// A transfer that breaks off anywhere brings the rows before that place and no others.
fn assert_nobody_is_made_up(people: &[Row]) {
    let mut room = MAX_ROW;
    let few = |row: &&Row| {
        room = room.saturating_sub(row.line().len());
        room > 0
    };
    let people: Vec<_> = people.iter().filter(few).cloned().collect();
    let mut sent = Vec::new();
    write_people(&people, &mut sent).expect("memory takes all");
    let step = 1 + sent.len() / 20;
    for end in (0..sent.len()).step_by(step) {
        assert_cut_off_is_a_beginning(&people, sent.get(..end).unwrap_or_default());
    }
}

/// What has come of a transfer of `people` that broke off is the first of them.
pub fn assert_cut_off_is_a_beginning(people: &[Row], begun: &[u8]) {
    let (items, _) = read(Origin::Peer, &[begun], false);
    let rows: Vec<_> = items.into_iter().map(row_of_people).collect();
    assert!(people.starts_with(&rows), "{rows:?} made up out of\n{}", text(begun));
}

fn row_of_people(item: Item) -> Row {
    match item {
        Item::Row(Section::People, row) => row,
        other => panic!("{other:?} is no row of people"),
    }
}

fn assert_is_bounded(item: Item) {
    match item {
        Item::Row(_, row) => assert!(row.line().len() <= MAX_ROW),
        Item::Kept(kept) => assert!(kept.bytes.len() <= BUFFER + MAX_ROW * 2),
    }
}

/// Cuts `bytes` at places that follow from them, none further apart than a read.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let (mut dice, mut rest, mut pieces) = (Dice::new(seed), bytes, Vec::new());
    let most = [2, 40, 1000, BUFFER][dice.below(4)].max(bytes.len() / 32);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + dice.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

// --- copies of tier 2 ---

/// The input is the copy of a tier-2 node.
pub fn view_file(input: &[u8]) {
    let bytes = unfold(input, MAX_ROW);
    let found = view_in([bytes.as_slice()]);
    assert_eq!(view_in(pieces(&bytes)), found);
    if let Sealed::By(seal) = &found.sealed {
        let mut section = Vec::new();
        seal.write(&mut section).expect("memory takes all");
        assert!(bytes.ends_with(&section), "{}", text(&section));
    }
    // Whoever signed it: what other nodes would take of it is the same after being written and read.
    let travels = |(section, row): &(Section, &Row)| travels(*section, row.line());
    let rows = found.view.rows().filter(travels).map(|(section, row)| (section, row.clone()));
    let view = PublicView::of(rows);
    let seal = match &found.sealed {
        Sealed::By(seal) => Some(&**seal),
        Sealed::Not | Sealed::Unreadable => None,
    };
    let mut again = Vec::new();
    write_copy(&view, seal, &mut again).expect("memory takes all");
    let again = view_in([again.as_slice()]);
    assert_eq!((&again.view, again.hash), (&view, view.hash()));
    match seal {
        Some(_) => assert_eq!(again.sealed, found.sealed),
        None => assert_eq!(again.sealed, Sealed::Not),
    }
    // What stands in it of people has no Id, and of camps no count that tells who.
    assert!(found.view.people().iter().all(|row| row.fields().count() <= 4));
    let is_public = |row: &Row| is_census(&row.fields().collect::<Vec<_>>());
    assert!(found.view.camps().iter().all(is_public));
}

fn view_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let mut reader = ViewReader::default();
    pieces.into_iter().for_each(|piece| reader.feed(piece));
    reader.finish()
}

// --- peers files and token files ---

/// The input is a peers file, or the original's token file.
pub fn peers_file(input: &[u8]) {
    let file = Temporary::new("peers");
    fs::write(&file.0, input).expect("written");
    let digits = long_numbers(input);
    for read in
        [PeerBook::read_tier1, PeerBook::read_tier2, |path: &Path| token_file::import(path, "n")]
    {
        match read(&file.0) {
            Ok(book) => assert_is_read_again(&book, &file.0),
            Err(error) => assert_tells_no_token(&error, &digits),
        }
        // The book has been written over it.
        fs::write(&file.0, input).expect("written");
    }
}

fn assert_is_read_again(book: &PeerBook, path: &Path) {
    let (with_tokens, without) = (book.to_json(true), book.to_json(false));
    let all_have_one = book.all().iter().all(|peer| peer.token().is_some());
    let again = |text: &str, read: fn(&Path) -> Result<PeerBook>| {
        fs::write(path, text).expect("written");
        read(path)
    };
    if all_have_one {
        let read = again(&with_tokens, PeerBook::read_tier1).expect("it was a book");
        assert_eq!(read.to_json(true), with_tokens);
    }
    let read = again(&without, PeerBook::read_tier2).expect("it was a book");
    assert_eq!(read.to_json(true), without, "tier 2 has no tokens");
    assert!(book.names().network_keys().is_none());
    if book.dialect() == Dialect::Classic {
        assert_eq!(book.names().to_json(true), without);
    }
    let shown = format!("{book:?}");
    for peer in book.all() {
        if let Some(token) = peer.token() {
            assert_eq!(book.owner(token).map(|owner| owner.number), Some(peer.number));
            let digits = text(token.expose());
            let public = without.contains(&digits);
            assert!(public || !shown.contains(&digits), "a token is shown");
        }
    }
}

/// Runs of at least six digits: half a token, and longer than any number that an error names.
fn long_numbers(input: &[u8]) -> Vec<&[u8]> {
    let runs = input.split(|byte| !byte.is_ascii_digit());
    runs.flat_map(|run| run.windows(TOKEN_DIGITS / 2)).collect()
}

fn assert_tells_no_token(error: &Error, digits: &[&[u8]]) {
    let told = format!("{error} {} {error:?}", error.advice().unwrap_or_default());
    for digits in digits {
        assert!(!told.contains(&text(digits)), "{told}");
    }
    assert!(!error.to_string().contains('\n'), "{error}");
}

/// A file of this thread's own, in memory where the system can. Its name has no digits.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let own = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let letters: String = own
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|digit| char::from(digit - b'0' + b'a'))
            .collect();
        Self(folder.join(format!("reunite-{name}-{letters}")))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

// --- chance that can be repeated ---

/// Numbers that follow from a seed: SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `most` - 1; 0 if there is none.
    pub fn below(&mut self, most: usize) -> usize {
        self.roll() as usize % most.max(1)
    }
}
