//! `T2DATABASE.txt`, the copy of a tier-2 node: read, written, and judged by who signed it.

use crate::base::error::Result;
use crate::model::ids::PeerNumber;
use crate::model::limits::MAX_TEXT_FILE;
use crate::model::public_view::PublicView;
use crate::model::view_reader::{Found, Seal, Sealed, ViewReader, write_copy};
use crate::store::files;
use crate::store::peer_book::{Peer, PeerBook};
use std::path::Path;

/// Reads the copy at `path`.
pub fn read(path: &Path) -> Result<Found> {
    let mut reader = ViewReader::default();
    files::read_pieces(path, MAX_TEXT_FILE, |piece| reader.feed(piece))?;
    Ok(reader.finish())
}

/// Writes a copy, signed if somebody has signed it.
pub fn write(path: &Path, view: &PublicView, seal: Option<&Seal>) -> Result<()> {
    files::replace(path, |out| write_copy(view, seal, out)).map(|_| ())
}

/// What a copy is worth.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It is as this node signed it.
    Whole(&'a Peer, &'a Seal),
    /// Nobody has signed it.
    Unsigned,
    /// It was changed after it had been signed, by this node as far as can be known.
    Altered(Option<&'a Peer>),
    /// The node that it names has not signed it.
    Forged(&'a Peer),
    /// The node that it names is not in the peers file.
    Unknown(PeerNumber),
    /// It was signed in the network of this name.
    OtherNetwork(&'a str),
}

/// Judges a copy by the keys that are pinned in a peers file.
pub fn judge<'a>(found: &'a Found, book: &'a PeerBook) -> Verdict<'a> {
    let seal = match &found.sealed {
        Sealed::Not => return Verdict::Unsigned,
        Sealed::Unreadable => return Verdict::Altered(None),
        Sealed::By(seal) => seal,
    };
    if seal.network != book.network() {
        return Verdict::OtherNetwork(&seal.network);
    }
    let pinned = book.peer(seal.number).and_then(|peer| Some((peer, peer.keys()?)));
    let Some((peer, keys)) = pinned else { return Verdict::Unknown(seal.number) };
    let signed = &seal.signed;
    if !signed.is_by(&keys.identity, book.network()) {
        return Verdict::Forged(peer);
    }
    match signed.hash == found.hash && signed.rows as usize == found.view.len() {
        true => Verdict::Whole(peer, seal),
        false => Verdict::Altered(Some(peer)),
    }
}
