//! Tier 2, classic: asks a tier-1 node for the public copy, and lets it connect to bring it.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::classic::datagram::{REFRESH, refresh_address};
use crate::model::limits::{
    BUFFER, FILE_GRACE, FILE_SILENCE, MAX_FILE, MAX_PEOPLE, PURPOSE_PAUSE, REFRESH_AGAIN,
    REFRESH_PATIENCE, SLOWEST_FILE, UNTERMINATED_FILE,
};
use crate::model::reader::{Item, Origin, Reader};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::net::notice::Progress;
use crate::net::udp::any_socket;
use crate::net::wire::{Wire, is_not_yet, wait_for_caller};
use crate::store::peer_book::Peer;
use indexmap::IndexSet;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 4 << 20;

/// Asks a node for its copy, and receives it. One of a node that was just set up is empty, and counts only
/// where it `may_be_empty`.
pub fn ask(
    peer: &Peer,
    may_be_empty: bool,
    stop: &Stop,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<IndexSet<Row>> {
    let wrong = |cause| Error::device("ask for a refresh", cause);
    let socket = any_socket(peer.address).map_err(wrong)?;
    // Connected: so the system says which address of ours the node sees, and that nobody listens there.
    socket.connect(peer.address).map_err(wrong)?;
    let own = socket.local_addr().map_err(wrong)?.ip();
    let listener = TcpListener::bind((own, 0)).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let at = listener.local_addr().map_err(wrong)?;
    let stream = wait_for_node(&socket, &listener, at, peer.address.ip(), stop)?;
    receive(Wire::new(stream, stop)?, may_be_empty, progress)
}

fn wait_for_node(
    socket: &UdpSocket,
    listener: &TcpListener,
    at: SocketAddr,
    from: IpAddr,
    stop: &Stop,
) -> Result<TcpStream> {
    let wrong = |cause| Error::device("ask for a refresh", cause);
    let deadline = Deadline::after(REFRESH_PATIENCE);
    while deadline.left().is_some() {
        socket.send(REFRESH).map_err(wrong)?;
        std::thread::sleep(PURPOSE_PAUSE);
        socket.send(refresh_address(at).as_bytes()).map_err(wrong)?;
        let again = deadline.or_after(REFRESH_AGAIN);
        while again.left().is_some() {
            match wait_for_caller(listener, again, stop) {
                Ok(()) => {}
                Err(Error::Deadline { .. }) => break,
                Err(error) => return Err(error),
            }
            match listener.accept() {
                Ok((stream, caller)) if caller.ip() == from || is_local(caller.ip(), from) => {
                    return Ok(stream);
                }
                Ok((_, caller)) => log::warn!("{caller} connected, and was not asked"),
                Err(cause) if is_not_yet(&cause) => {}
                Err(cause) => return Err(wrong(cause)),
            }
        }
    }
    Err(Error::Deadline { what: "its answer" })
}

fn is_local(one: IpAddr, other: IpAddr) -> bool {
    one.is_loopback() && other.is_loopback()
}

/// Receives a copy. Only a whole one counts.
fn receive(
    mut wire: Wire,
    may_be_empty: bool,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<IndexSet<Row>> {
    let (mut reader, mut rows) = (Reader::new(Origin::Peer), IndexSet::new());
    let mut take = |item| {
        if let Item::Row(Section::People, row) = item {
            if rows.len() < MAX_PEOPLE {
                rows.insert(crate::model::public::public(&row));
            }
        }
    };
    let (mut buffer, mut bytes, mut told, begun) = (vec![0; BUFFER], 0, 0, Instant::now());
    let (mut start, mut last) = (Vec::new(), None);
    loop {
        let count = wire.read(&mut buffer, Deadline::after(FILE_SILENCE))?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        if start.len() < TITLE.len() {
            start.extend(piece.iter().take(TITLE.len() - start.len()));
        }
        last = piece.last().copied().or(last);
        bytes += piece.len() as u64;
        reader.feed(piece, &mut take);
        let lasted = begun.elapsed();
        if bytes > MAX_FILE
            || (lasted > FILE_GRACE && bytes / lasted.as_secs().max(1) < SLOWEST_FILE)
        {
            return Err(Error::peer("its copy is too large or comes too slowly"));
        }
        if bytes - told >= REPORT_EVERY {
            told = bytes;
            progress(Progress::Receiving(bytes, None));
        }
    }
    // The original's file may lack a line break at its end, and is never long; ours never lacks it.
    let whole = last == Some(b'\n') || bytes <= UNTERMINATED_FILE;
    reader.finish(whole, &mut take);
    if rows.is_empty() && !may_be_empty {
        return Err(Error::peer("its copy is empty"));
    }
    if !start.eq_ignore_ascii_case(TITLE) || !whole {
        return Err(Error::peer("its copy broke off"));
    }
    Ok(rows)
}

/// How a copy begins.
const TITLE: &[u8] = b"People:";
