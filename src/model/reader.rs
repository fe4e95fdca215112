//! Reads a database file as it comes, in pieces of any size, from a disk or from a peer.
//!
//! ```text
//! file    = *( section )
//! section = title ":" LF  [ column names LF ]  *( row LF / blank LF )
//! row     = fields between commas; a quoted field may run over several lines, never over an empty one
//! ```
//!
//! Nothing is dropped: what is not understood comes out as `Kept`, byte for byte, with its line number.

use crate::model::align;
use crate::model::fields::{Quotes, quotes};
use crate::model::limits::{MAX_ROW, MAX_ROW_LINES};
use crate::model::row::Row;
use crate::model::section::{Header, Section, is_unknown_title, unpadded};

/// Something found in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A row of a section.
    Row(Section, Row),
    /// Lines that are not understood.
    Kept(Kept),
}

/// A line, or lines, that this version does not understand and keeps as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// In which section; `None` in one that this version does not know.
    pub section: Option<Section>,
    /// Where it began, counted from 1.
    pub line: u64,
    /// The bytes, without the line break at the end.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Whose file it is. It decides what becomes of a line without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our own: however long a line is, it is kept.
    Own,
    /// A copy of what tier 2 may see: its censuses are public ones.
    View,
    /// Somebody else's: of a line longer than a row may be, nothing is kept in memory.
    Peer,
}

/// Where in the file the reader is.
#[derive(Clone, Copy, Debug)]
enum Place {
    In(Section),
    /// In a section, behind column names in an order that this version does not know.
    Disordered(Section),
    /// In a section that this version does not know.
    Unknown,
}

/// A reader in the middle of a file.
#[derive(Debug)]
pub struct Reader {
    origin: Origin,
    pending: Vec<u8>,
    skipping: bool,
    line: u64,
    place: Place,
    columns: usize,
    header_due: bool,
    after_blank: bool,
}

impl Reader {
    /// A reader at the start of a file. A file that begins without a title begins in `People`.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            pending: Vec::new(),
            skipping: false,
            line: 0,
            place: Place::In(Section::People),
            columns: Section::People.columns().len(),
            header_due: true,
            after_blank: true,
        }
    }

    /// Takes the next bytes and hands on what they complete.
    pub fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Item)) {
        if self.pending.is_empty() && !self.skipping {
            let used = self.consume(bytes, false, found);
            self.pending.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            self.pending.extend_from_slice(bytes);
            self.consume_pending(false, found);
        }
        self.skip_endless(found);
    }

    /// Takes the end of the file. `whole` says whether a last line without a line break is complete; if
    /// not, it is dropped, since a cut-off row would be a person who does not exist.
    /// Returns whether something was dropped.
    pub fn finish(mut self, whole: bool, found: &mut impl FnMut(Item)) -> bool {
        let complete = if whole && !self.skipping { self.pending.len() } else { 0 };
        let cut = self.skipping || complete < self.pending.len();
        // All that is complete was handed on already: what waits is part of an unfinished row.
        self.pending.truncate(complete);
        self.consume_pending(true, found);
        cut
    }

    fn consume_pending(&mut self, end: bool, found: &mut impl FnMut(Item)) {
        let pending = std::mem::take(&mut self.pending);
        let used = self.consume(&pending, end, found);
        self.pending = pending;
        self.pending.drain(..used);
    }

    /// Hands on all complete lines of `bytes`; returns how many bytes they are.
    fn consume(&mut self, bytes: &[u8], end: bool, found: &mut impl FnMut(Item)) -> usize {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let (line, length) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => (rest.get(..at).unwrap_or_default(), at + 1),
                None if end => (rest, rest.len()),
                None => break,
            };
            if std::mem::take(&mut self.skipping) {
                self.line += 1;
                used += length;
                continue;
            }
            match self.whole_row(rest, line, length, end) {
                Extent::Waits => break,
                Extent::Takes { bytes: taken, length, lines } => {
                    self.line += 1;
                    self.take(taken, found);
                    self.line += lines - 1;
                    used += length;
                }
            }
        }
        used
    }

    /// How far the row goes that begins with `line`: further than one line if a quoted field does.
    fn whole_row<'a>(
        &self,
        rest: &'a [u8],
        line: &'a [u8],
        length: usize,
        end: bool,
    ) -> Extent<'a> {
        let one = Extent::Takes { bytes: line, length, lines: 1 };
        let rows = matches!(self.place, Place::In(_));
        if !rows || !line.contains(&b'"') || state(line) != Quotes::Open {
            return one;
        }
        let (mut from, mut lines) = (length, 1);
        while lines < MAX_ROW_LINES as u64 {
            let Some(next) = rest.get(from..).filter(|next| !next.is_empty()) else { break };
            let (more, ended) = match next.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at, 1),
                None if end => (next.len(), 0),
                None => break,
            };
            lines += 1;
            let row = rest.get(..from + more).unwrap_or_default();
            let added = next.get(..more).unwrap_or_default();
            if added.trim_ascii().is_empty() || row.len() > MAX_ROW {
                return one;
            }
            from += more + ended;
            match state(row) {
                Quotes::Open => {}
                Quotes::Closed => return Extent::Takes { bytes: row, length: from, lines },
                Quotes::Broken => return one,
            }
        }
        if end || lines >= MAX_ROW_LINES as u64 || rest.len() > MAX_ROW {
            one
        } else {
            Extent::Waits
        }
    }

    /// Forgets what has come of a peer's endless line, so that it cannot fill the memory.
    fn skip_endless(&mut self, found: &mut impl FnMut(Item)) {
        if self.origin == Origin::Peer && self.pending.len() > MAX_ROW * 2 {
            let why = "it is longer than a row may be";
            self.line += 1;
            self.keep(b"", why, found);
            self.line -= 1;
            self.pending = Vec::new();
            self.skipping = true;
        }
        if self.skipping {
            self.pending = Vec::new();
        }
    }

    fn take(&mut self, bytes: &[u8], found: &mut impl FnMut(Item)) {
        let line = bytes;
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = match self.line {
            1 => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            _ => bytes,
        };
        let text = std::str::from_utf8(bytes);
        let blank = text.is_ok_and(|text| unpadded(text).is_empty());
        let after_blank = std::mem::replace(&mut self.after_blank, blank);
        if blank {
            return;
        }
        let Ok(text) = text else {
            return self.keep(line, "it is not UTF-8 text", found);
        };
        if text.contains('\0') {
            return self.keep(line, "it is no plain text; save it as UTF-8", found);
        }
        if let Some(section) = Section::titled(text) {
            self.place = Place::In(section);
            self.columns = section.columns().len();
            self.header_due = true;
            return;
        }
        if after_blank && is_unknown_title(text) {
            self.place = Place::Unknown;
        }
        let section = match self.place {
            Place::In(section) => section,
            Place::Disordered(_) => {
                return self.keep(line, "it stands behind columns in an unknown order", found);
            }
            Place::Unknown => {
                return self.keep(line, "this version does not know the section", found);
            }
        };
        match section.header(text) {
            Some(Header::Columns(columns)) => {
                if std::mem::take(&mut self.header_due) {
                    self.columns = columns;
                }
                return;
            }
            Some(Header::OtherOrder) => {
                if !text.contains('\n') {
                    self.place = Place::Disordered(section);
                }
                return self.keep(line, "its columns are in an unknown order", found);
            }
            None => self.header_due = false,
        }
        if bytes.len() > MAX_ROW {
            return self.keep(line, "it is longer than a row may be", found);
        }
        let row = match (self.origin, section) {
            (Origin::View, Section::Camps) => align::public_census(text),
            _ => align::row(section, self.columns, text),
        };
        match row {
            Ok(row) if row.line().len() <= MAX_ROW => found(Item::Row(section, row)),
            Ok(_) => self.keep(line, "it is longer than a row may be", found),
            Err(why) => self.keep(line, why, found),
        }
    }

    fn keep(&self, bytes: &[u8], why: &'static str, found: &mut impl FnMut(Item)) {
        let section = match self.place {
            Place::In(section) | Place::Disordered(section) => Some(section),
            Place::Unknown => None,
        };
        let (line, bytes) = (self.line, bytes.to_vec());
        found(Item::Kept(Kept { section, line, bytes, why }));
    }
}

enum Extent<'a> {
    Takes { bytes: &'a [u8], length: usize, lines: u64 },
    Waits,
}

fn state(row: &[u8]) -> Quotes {
    std::str::from_utf8(row).map_or(Quotes::Broken, quotes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(origin: Origin, pieces: &[&[u8]], whole: bool) -> Vec<Item> {
        let (mut reader, mut items) = (Reader::new(origin), Vec::new());
        for piece in pieces {
            reader.feed(piece, &mut |item| items.push(item));
        }
        reader.finish(whole, &mut |item| items.push(item));
        items
    }

    fn lines(text: &str) -> Vec<String> {
        read(Origin::Own, &[text.as_bytes()], true)
            .into_iter()
            .map(|item| match item {
                Item::Row(section, row) => format!("{} {}", section.title(), row.line()),
                Item::Kept(kept) => {
                    format!(
                        "{} {:?} {}",
                        kept.line,
                        kept.section,
                        String::from_utf8_lossy(&kept.bytes)
                    )
                }
            })
            .collect()
    }

    #[test]
    fn titles_headers_and_blanks_are_form_and_rows_are_content() {
        assert_eq!(
            lines("People:\nName, Apperance, Last Seen\n\nTom , fair , 24/1 \r\nCamps:\n\nx"),
            ["People Tom, fair, 24/1, ,", "7 Some(Camps) x"]
        );
    }

    #[test]
    fn a_row_where_the_header_should_be_is_a_row() {
        assert_eq!(
            lines("People:\njay , brown , 01/01/22 , missing , 233\n\nAna, , , ,"),
            ["People jay, brown, 01/01/22, missing, 233", "People Ana, , , ,"]
        );
        assert_eq!(lines("Ana, tall, , found, 1"), ["People Ana, tall, , found, 1"]);
    }

    #[test]
    fn a_quoted_field_runs_over_lines_but_never_over_an_empty_one() {
        assert_eq!(
            lines("a, \"b\nc\", d, e, 1\nf, , , ,"),
            ["People a, \"b\nc\", d, e, 1", "People f, , , ,"]
        );
        assert_eq!(
            lines("a, \"b, c, missing, 1\n\nf\", , , ,"),
            ["People a, \"\"\"b\", c, missing, 1", "People \"f\"\"\", , , ,"]
        );
    }

    #[test]
    fn an_unknown_section_and_unknown_columns_are_kept_as_they_are() {
        let text = "People:\nAna, , , ,\n\nHospitals:\nName, Beds\n\nCentral, 9\n\nCamps:\n";
        assert_eq!(
            lines(text),
            ["People Ana, , , ,", "4 None Hospitals:", "5 None Name, Beds", "7 None Central, 9"]
        );
        assert_eq!(
            lines("People:\nId, Name\n1, Ana"),
            ["2 Some(People) Id, Name", "3 Some(People) 1, Ana"]
        );
        assert_eq!(
            lines("Ana, , , ,\nMother of three:"),
            ["People Ana, , , ,", "People Mother of three:, , , ,"]
        );
    }

    #[test]
    fn a_cut_off_last_line_is_a_person_only_if_the_file_is_whole() {
        let text = b"Ana, , , missing, 14729384756\nBen, , , missing, 147";
        assert_eq!(read(Origin::Peer, &[text], true).len(), 2);
        assert_eq!(read(Origin::Peer, &[text], false).len(), 1);
    }

    #[test]
    fn a_peers_endless_line_takes_no_memory_and_spoils_no_other() {
        let (mut reader, mut items) = (Reader::new(Origin::Peer), Vec::new());
        reader.feed(b"Ana, , , ,\n", &mut |item| items.push(item));
        for _ in 0..1000 {
            reader.feed(&[b'x'; 4096], &mut |item| items.push(item));
            assert!(reader.pending.capacity() <= MAX_ROW * 4);
        }
        reader.feed(b"\nBen, , , ,\n", &mut |item| items.push(item));
        assert!(!reader.finish(true, &mut |item| items.push(item)));
        let rows = items.iter().filter(|item| matches!(item, Item::Row(..))).count();
        assert_eq!((rows, items.len()), (2, 3), "{items:?}");
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_items(
            text in "([a-b\", \n:\u{1000}]|People:\n|\n\nX:\n|Name, Status\n){0,60}",
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(read(Origin::Own, &pieces, true), read(Origin::Own, &[bytes], true));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            read(Origin::Own, &[&bytes], true);
            read(Origin::Peer, &[&bytes], false);
        }
    }
}
