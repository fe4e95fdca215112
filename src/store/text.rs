//! `DATABASEx.txt`, the face of the ledger: what people read, print and edit; and `DATABASEx.base` beside it, which
//! says what the text showed when this node last wrote it.

use crate::base::error::{Error, Result};
use crate::model::hex;
use crate::model::limits::{MAX_CARD, MAX_FILE};
use crate::model::reader::{Item, Kept, Origin, Reader};
use crate::model::records::{Loaded, Records};
use crate::model::section::Section;
use crate::model::writer::{Source, write_all};
use crate::store::disk::Print;
use crate::store::files;
use ring::digest;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What the text showed when it was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The ledger, as one hash.
    pub ledger: Hash,
    /// The text itself.
    pub text: Hash,
}

impl Base {
    /// What is said beside the text at `path`; `None` if nothing that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        let text = files::read_text(&base(path), MAX_CARD).ok()?;
        let json: Value = serde_json::from_str(&text).ok()?;
        let hash = |field| hex::bytes(json.get(field)?.as_str()?);
        Some(Self { ledger: hash("ledger")?, text: hash("text")? })
    }

    fn write(&self, path: &Path) -> Result<()> {
        let json = json!({ "ledger": hex::digits(&self.ledger), "text": hex::digits(&self.text) });
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

/// Looks through the text at `path`, however large it is.
pub fn scan(path: &Path) -> Result<Scanned> {
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut reader, mut people, mut kept) = (Reader::new(Origin::Own), 0, Vec::new());
    let mut take = |item| match item {
        Item::Row(section, _) => people += usize::from(section == Section::People),
        Item::Kept(one) => kept.push(one),
    };
    files::read_pieces(path, MAX_FILE, |piece| {
        context.update(piece);
        reader.feed(piece, &mut take);
    })?;
    reader.finish(true, &mut take);
    Ok(Scanned { hash: hash(context), people, kept })
}

/// Reads the text at `path`; equal rows once. Returns how many were there twice, too.
pub fn read(path: &Path) -> Result<(Records, usize)> {
    let (mut reader, mut records) = (Reader::new(Origin::Own), Records::default());
    let (mut doubled, mut full) = (0, false);
    let mut take = |item| match records.load(item) {
        Loaded::Known => doubled += 1,
        Loaded::Full => full = true,
        Loaded::New => {}
    };
    files::read_pieces(path, MAX_FILE, |piece| reader.feed(piece, &mut take))?;
    reader.finish(true, &mut take);
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
    /// On which line each of the kept ones stands.
    pub kept_at: Vec<u64>,
}

/// Writes the text of a ledger, of which this is the digest, unless `still` no longer holds: then `None`.
pub fn write(
    path: &Path,
    source: &impl Source,
    ledger: Hash,
    still: impl FnOnce() -> bool,
) -> Result<Option<Written>> {
    let (mut context, mut kept_at) = (digest::Context::new(&digest::SHA256), Vec::new());
    let (print, done) = files::replace_if(path, still, |out| {
        kept_at = write_all(source, &mut Hashing { out, context: &mut context })?;
        Ok(())
    })?;
    if !done {
        return Ok(None);
    }
    Base { ledger, text: hash(context) }.write(path)?;
    Ok(Some(Written { print, kept_at }))
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
