//! `DATABASEx.txt`, the face of the ledger: what people read, print and edit; and `DATABASEx.base` beside it, which
//! says what the text showed when this node last wrote it.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::hex;
use crate::model::ledger::heads::Heads;
use crate::model::limits::{MAX_BASE, MAX_TEXT_FILE};
use crate::model::reader::{Item, Kept, Origin, Reader};
use crate::model::records::{Loaded, Records};
use crate::model::section::Section;
use crate::model::writer::{Source, write_all};
use crate::store::disk::Print;
use crate::store::files;
use ring::digest;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What no ledger is known by.
pub const NO_LEDGER: Hash = [0; 32];

/// What the text showed when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The ledger, as one hash.
    pub ledger: Hash,
    /// How far its logs went.
    pub heads: Heads,
    /// The text itself.
    pub text: Hash,
}

impl Base {
    /// What is said beside the text at `path`; `None` if nothing that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        let text = files::read_text(&base(path), MAX_BASE).ok()?;
        let json: Value = serde_json::from_str(&text).ok()?;
        let field = |name| json.get(name).and_then(Value::as_str);
        let heads = hex::any_bytes(field("heads")?)?;
        let heads = Heads::decode(&mut Decoder::new(&heads)).ok()?;
        Some(Self {
            ledger: hex::bytes(field("ledger")?)?,
            heads,
            text: hex::bytes(field("text")?)?,
        })
    }

    /// Says it beside the text at `path`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut heads = Encoder::default();
        self.heads.encode(&mut heads);
        let json = json!({
            "ledger": hex::digits(&self.ledger),
            "heads": hex::digits(&heads.done()),
            "text": hex::digits(&self.text),
        });
        files::replace(&base(path), |out| writeln!(out, "{json}")).map(|_| ())
    }
}

/// Where it is said what the text at `path` showed.
fn base(path: &Path) -> PathBuf {
    path.with_extension("base")
}

/// What is in a text, without its rows.
#[derive(Debug)]
pub struct Scanned {
    /// The text as one hash.
    pub hash: Hash,
    /// Rows of people.
    pub people: usize,
    /// What is not understood.
    pub kept: Vec<Kept>,
}

/// Looks through the text at `path`, however large it is, of a ledger that shows so many rows.
pub fn scan(path: &Path, shown: usize) -> Result<Scanned> {
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut people, mut kept) = (0, Vec::new());
    let take = |item| match item {
        Item::Row(section, _) => people += usize::from(section == Section::People),
        Item::Kept(one) => kept.push(one),
    };
    pass(path, shown, |piece| context.update(piece), take)?;
    Ok(Scanned { hash: hash(context), people, kept })
}

/// Hands on what stands in a text. What its last line begins, and a line break does not end, is left out if rows of
/// the ledger are missing: then the file was cut off there, and half a row would be somebody who does not exist.
fn pass(
    path: &Path,
    shown: usize,
    mut look: impl FnMut(&[u8]),
    mut take: impl FnMut(Item),
) -> Result<()> {
    let (mut reader, rows) = (Reader::new(Origin::Own), Cell::new(0));
    let mut take = |item| {
        rows.set(rows.get() + usize::from(matches!(item, Item::Row(..))));
        take(item);
    };
    files::read_pieces(path, MAX_TEXT_FILE, |piece| {
        look(piece);
        reader.feed(piece, &mut take);
    })?;
    let is_whole = rows.get() >= shown;
    if reader.finish(is_whole, &mut take) {
        log::warn!("{}: it was cut off; the half row at its end is left out", path.display());
    }
    Ok(())
}

/// Reads the text at `path`, of a ledger that shows so many rows; equal rows once. Returns how many were there twice,
/// too.
pub fn read(path: &Path, shown: usize) -> Result<(Records, usize)> {
    let mut records = Records::default();
    let (mut doubled, mut full) = (0, false);
    let take = |item| match records.load(item) {
        Loaded::Known => doubled += 1,
        Loaded::Full => full = true,
        Loaded::New => {}
    };
    pass(path, shown, |_| (), take)?;
    if full {
        return Err(Error::input(
            path.display().to_string(),
            "it holds more rows than a node can carry",
            "split it, or move rows to another file",
        ));
    }
    Ok((records, doubled))
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The print of the file.
    pub print: Print,
    /// The text itself.
    pub hash: Hash,
    /// On which line each of the kept ones stands.
    pub kept_at: Vec<u64>,
}

/// Writes a text, unless `still` no longer holds: then `None`.
pub fn write(
    path: &Path,
    source: &impl Source,
    still: impl FnOnce() -> bool,
) -> Result<Option<Written>> {
    let (mut context, mut kept_at) = (digest::Context::new(&digest::SHA256), Vec::new());
    let (print, done) = files::replace_if(path, still, |out| {
        kept_at = write_all(source, &mut Hashing { out, context: &mut context })?;
        Ok(())
    })?;
    Ok(done.then(|| Written { print, hash: hash(context), kept_at }))
}

fn hash(context: digest::Context) -> Hash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// Hashes what passes.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    context: &'a mut digest::Context,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.context.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
