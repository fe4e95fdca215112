//! Tier 2: fetches the public copy from any tier-1 node, trying random ones until one answers.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::classic::datagram::{REFRESH, refresh_address};
use crate::model::limits::{
    BUFFER, FILE_GRACE, FILE_SILENCE, MAX_FILE, MAX_PEOPLE, PURPOSE_PAUSE, REFRESH_AGAIN,
    REFRESH_PATIENCE, REFRESH_TRIES, SLOWEST_FILE, UNTERMINATED_FILE,
};
use crate::model::reader::{Item, Origin, Reader};
use crate::model::row::Row;
use crate::model::section::Section;
use crate::net::udp::any_socket;
use crate::net::wire::{Wire, is_not_yet, wait_for_caller};
use crate::store::peer_book::{Peer, PeerBook};
use indexmap::IndexSet;
use rand::seq::SliceRandom;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How a refresh is going.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A node is being asked; the number of this try, and of how many.
    Asking(&'a Peer, usize, usize),
    /// It did not answer, or not with a whole copy.
    Failed(&'a Peer, &'a Error),
    /// So many bytes have come.
    Receiving(u64),
}

/// Pause between two rounds through all nodes.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(300);
/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 4 << 20;

/// Asks random tier-1 nodes, each at most three times. Returns the public rows of the first whole copy; a
/// node that was just set up has an empty one, which counts only where `may_be_empty`.
pub fn refresh(
    book: &PeerBook,
    may_be_empty: bool,
    stop: &Stop,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<IndexSet<Row>> {
    let mut peers: Vec<_> = book.all().iter().collect();
    let tries = peers.len() * REFRESH_TRIES;
    for round in 0..REFRESH_TRIES {
        if round > 0 && stop.wait(BETWEEN_ROUNDS) {
            return Err(Error::Stopped);
        }
        peers.shuffle(&mut rand::rng());
        for (at, peer) in peers.iter().enumerate() {
            stop.check()?;
            progress(Progress::Asking(peer, round * peers.len() + at + 1, tries));
            match ask(peer, may_be_empty, stop, progress) {
                Ok(rows) => return Ok(rows),
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => progress(Progress::Failed(peer, &error)),
            }
        }
    }
    Err(Error::Deadline { what: "a tier-1 node's answer" })
}

fn ask(
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
            progress(Progress::Receiving(bytes));
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
