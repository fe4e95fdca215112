//! The text of a tier-2 copy: what tier 2 may see, and behind it who signed that.
//!
//! ```text
//! copy   = view  LF "Signed:" LF  column names LF  LF  row LF
//! row    = node, network, rows, clock, ledger, hash, signature
//! ```
//!
//! The signature is over the hash of the bytes before the empty line, as they stand there, and over the rest of its
//! row: no byte of a copy can be changed unnoticed. A copy without it is read too.

use crate::model::date;
use crate::model::fields;
use crate::model::hex;
use crate::model::ids::PeerNumber;
use crate::model::public::public;
use crate::model::public_view::{HashedText, PublicView};
use crate::model::reader::{Item, Origin, Reader};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::model::statement::{Hash, Signed};
use indexmap::IndexSet;
use std::io::{self, Write};

/// Columns of `Signed`.
const COLUMNS: &str = "Node, Network, Rows, Clock, Ledger, Hash, Signature";
/// What stands before the section; the first line break ends the view.
const MARK: &[u8] = b"\n\nSigned:\n";
/// Longest section, with its mark, bytes: more than ten times what it has for a network with a long name.
const TAIL: usize = 8 * 1024;

/// Who signed a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The node, as the copy says.
    pub number: PeerNumber,
    /// Of which network.
    pub network: String,
    /// What it signed.
    pub signed: Signed,
}

impl Seal {
    /// Writes the section.
    pub fn write(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        out.write_all(self.text().as_bytes())
    }

    fn text(&self) -> String {
        let Signed { heads, rows, hash, time, signature } = &self.signed;
        let row = Row::new(&[
            self.number.to_string(),
            self.network.clone(),
            rows.to_string(),
            format!("{time} ({})", date::shown(*time)),
            hex::digits(heads),
            hex::digits(hash),
            hex::digits(signature),
        ]);
        format!("\nSigned:\n{COLUMNS}\n\n{}\n", row.line())
    }

    /// Reads the section: only what `write` writes.
    fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let row = text.strip_prefix("\nSigned:\n")?.strip_prefix(COLUMNS)?.trim();
        let found: Vec<_> = fields::split(row).collect();
        let [number, network, rows, clock, heads, hash, signature] = found.as_slice() else {
            return None;
        };
        let signed = Signed {
            heads: hex::bytes(heads)?,
            rows: rows.parse().ok()?,
            hash: hex::bytes(hash)?,
            time: clock.split(' ').next()?.parse().ok()?,
            signature: hex::bytes(signature)?,
        };
        let number = number.parse().ok()?;
        let seal = Self { number, network: network.clone().into_owned(), signed };
        Some(seal).filter(|seal| seal.text() == text)
    }
}

/// What is said at the end of a copy of who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Nothing.
    Not,
    /// Something that no copy says.
    Unreadable,
    /// This.
    By(Box<Seal>),
}

/// What is in a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it shows.
    pub view: PublicView,
    /// The hash of that, byte for byte.
    pub hash: Hash,
    /// Who signed it.
    pub sealed: Sealed,
}

/// A reader in the middle of a copy.
pub struct ViewReader {
    reader: Reader,
    rows: IndexSet<(Section, Row)>,
    text: HashedText,
    /// The last bytes that came: the section may begin in them.
    tail: Vec<u8>,
}

impl Default for ViewReader {
    fn default() -> Self {
        let reader = Reader::new(Origin::View);
        Self { reader, rows: IndexSet::new(), text: HashedText::default(), tail: Vec::new() }
    }
}

impl ViewReader {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let before = self.tail.len().saturating_sub(TAIL);
        let rest = self.tail.split_off(before);
        let passed = std::mem::replace(&mut self.tail, rest);
        self.pass(&passed);
    }

    /// Takes bytes of the view.
    fn pass(&mut self, bytes: &[u8]) {
        // It takes everything.
        let _ = self.text.write_all(bytes);
        let rows = &mut self.rows;
        self.reader.feed(bytes, &mut |item| take(item, rows));
    }

    /// Takes the end.
    pub fn finish(mut self) -> Found {
        let tail = std::mem::take(&mut self.tail);
        let mark = tail.windows(MARK.len()).rposition(|window| window == MARK);
        let (view, section) = match mark.and_then(|at| tail.split_at_checked(at + 1)) {
            Some((view, section)) => (view, Some(section)),
            None => (tail.as_slice(), None),
        };
        self.pass(view);
        let Self { reader, mut rows, text, .. } = self;
        reader.finish(true, &mut |item| take(item, &mut rows));
        let sealed = match section.map(Seal::read) {
            None => Sealed::Not,
            Some(None) => Sealed::Unreadable,
            Some(Some(seal)) => Sealed::By(Box::new(seal)),
        };
        Found { view: PublicView::of(rows), hash: text.hash(), sealed }
    }
}

/// Equal rows count once.
fn take(item: Item, rows: &mut IndexSet<(Section, Row)>) {
    match item {
        Item::Row(Section::People, row) => {
            rows.insert((Section::People, public(&row)));
        }
        Item::Row(Section::Camps, row) => {
            rows.insert((Section::Camps, row));
        }
        Item::Row(Section::Vaccinations | Section::Replaced, _) | Item::Kept(_) => {}
    }
}

/// Writes a copy, signed if somebody has signed it.
pub fn write_copy(
    view: &PublicView,
    seal: Option<&Seal>,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    view.write(out)?;
    seal.map_or(Ok(()), |seal| seal.write(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::statement::Signer;
    use proptest::prelude::*;

    fn seal(view: &PublicView, network: &str) -> Seal {
        let signer = Signer::new(&Identity::new(SecretKey::from([7; 32])), network);
        let signed = signer.sign([1; 32], view.len() as u32, view.hash(), 1_764_075_999);
        let number = PeerNumber::try_from(3).expect("1 to 999");
        Seal { number, network: network.into(), signed }
    }

    fn copy(names: &[&str], network: &str) -> (Vec<u8>, PublicView, Seal) {
        let person = |name: &&str| Row::new(&[*name, "", "", "missing", "7"]);
        let census = Row::new(&["C, 4", "d", "s", "1", "4", "4"].map(str::to_owned));
        let fields = census.fields().map(|field| field.into_owned());
        let fields: Vec<_> = fields.chain(vec!["0".to_owned(); 9]).collect();
        let view = PublicView::project(names.iter().map(person), [Row::new(&fields)]);
        let seal = seal(&view, network);
        let mut text = Vec::new();
        write_copy(&view, Some(&seal), &mut text).expect("memory");
        (text, view, seal)
    }

    fn read(bytes: &[u8], size: usize) -> Found {
        let mut reader = ViewReader::default();
        bytes.chunks(size).for_each(|piece| reader.feed(piece));
        reader.finish()
    }

    #[test]
    fn a_copy_can_be_read_and_printed_and_says_who_signed_it() {
        let (text, view, seal) = copy(&["Nur", "Ana"], "aid, \"all\"");
        let shown = String::from_utf8(text.clone()).expect("text");
        assert!(shown.contains("\n\nSigned:\nNode, Network, Rows, Clock, Ledger, Hash, Signature\n\n3, \"aid, \"\"all\"\"\", 3, 1764075999 (2025-11-25 13:06), 0101"), "{shown}");
        let found = read(&text, 7);
        assert_eq!((&found.view, found.hash), (&view, view.hash()));
        assert_eq!(found.sealed, Sealed::By(Box::new(seal)));
    }

    #[test]
    fn a_copy_without_a_signature_is_read_too() {
        let (text, view, _) = copy(&["Nur"], "n");
        let end = text.windows(MARK.len()).position(|window| window == MARK).expect("signed");
        let found = read(&text[..=end], 100);
        assert_eq!((found.view, found.sealed), (view, Sealed::Not));
        assert_eq!(read(b"", 1).sealed, Sealed::Not);
    }

    #[test]
    fn what_stands_behind_or_within_the_signature_makes_it_unreadable() {
        let (text, _, _) = copy(&["Nur"], "n");
        for more in ["Invented, , , found\n", "\n", " "] {
            let sealed = read(&[&text, more.as_bytes()].concat(), 100).sealed;
            assert_eq!(sealed, Sealed::Unreadable, "{more:?}");
        }
        assert_eq!(read(&text[..text.len() - 1], 100).sealed, Sealed::Unreadable);
        assert_eq!(read(b"\n\nSigned:\n", 100).sealed, Sealed::Unreadable);
    }

    proptest! {
        #[test]
        fn no_byte_of_a_copy_can_be_changed_unnoticed(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3_u8, size in 1usize..9000,
        ) {
            let (text, view, seal) = copy(&["Nur", "Ana", "Bo"], "n");
            let mut bytes = text.clone();
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            let found = read(&bytes, size);
            let key = Identity::new(SecretKey::from([7; 32])).public().identity;
            let is_whole = match found.sealed {
                Sealed::By(by) => {
                    by.number == seal.number
                        && by.signed.hash == found.hash
                        && by.signed.rows as usize == found.view.len()
                        && by.signed.is_by(&key, &by.network)
                }
                Sealed::Not | Sealed::Unreadable => false,
            };
            prop_assert_eq!(is_whole, bytes == text);
            if is_whole {
                prop_assert_eq!(found.view, view);
            }
        }

        #[test]
        fn any_bytes_are_read_the_same_in_pieces_of_any_size(
            text in "([ab,\" \n:5]|People:\n|\n\nCamps:\n|\n\nSigned:\n|Name, Status\n|, 5, <5|, \\.\\.){0,40}",
            size in 1usize..40,
        ) {
            prop_assert_eq!(read(text.as_bytes(), size), read(text.as_bytes(), usize::MAX));
        }
    }
}
