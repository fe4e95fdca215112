//! Puts a tier-1 node together, and takes it apart: the only place that knows all of its threads.

use crate::base::error::{Error, Result};
use crate::base::seats::Seats;
use crate::base::threads::{Stop, spawn};
use crate::model::dialect::Dialect;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::ledger::names::Namer;
use crate::model::limits::{BROADCAST_QUEUE, LISTENER_BUFFER, MAX_ALARMS, MAX_PEERS};
use crate::net::broadcast;
use crate::net::classic;
use crate::net::context::{Context, Order};
use crate::net::knock;
use crate::net::notice::{Notice, Notices};
use crate::net::sealed::Sealed;
use crate::shell::identity::{self, no_peer};
use crate::shell::menu;
use crate::shell::notice_words;
use crate::shell::screen::Screen;
use crate::shell::words;
use crate::store::database::Database;
use crate::store::files::DataFolder;
use crate::store::opening::Owner;
use crate::store::peer_book::PeerBook;
use crate::store::saver::{Disk, Edits};
use rustix::net::sockopt;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end waits for what the person asked for and is still on its way.
const LAST_WORK: Duration = Duration::from_millis(250);
/// A running tier-1 node.
pub struct Node {
    context: Arc<Context>,
    threads: Vec<JoinHandle<()>>,
    saver: JoinHandle<()>,
    /// Ends the saver, when nobody can change anything any more.
    changes_end: Stop,
}

impl Node {
    /// Opens the database, binds the listener, and starts the threads.
    pub fn start(
        book: PeerBook,
        peers_file: &Path,
        me: PeerNumber,
        identity: Option<Identity>,
        folder: &DataFolder,
        screen: &Screen,
        stop: &Stop,
    ) -> Result<Self> {
        let own = book.peer(me).ok_or_else(|| no_peer(peers_file, me))?;
        let file = format!("DATABASE{me}.txt");
        let socket = bind(own.address)?;
        let sealed = match &identity {
            Some(identity) => Some(Arc::new(Sealed::new(&book, me, identity)?)),
            None => None,
        };
        let owner = owner(&book, me, identity, folder)?;
        let (database, loaded) = Database::open(&folder.file(&file), owner)?;
        screen.say(words::hello_tier1(&book, own));
        if book.dialect() == Dialect::Classic {
            screen.say(words::CLASSIC_WARNING);
        }
        screen.say(words::loaded(&file, &loaded));
        let (orders, queue) = sync_channel(BROADCAST_QUEUE);
        let context = Arc::new(Context {
            me,
            sealed: sealed.clone(),
            notices: notices(&book, screen),
            book,
            database,
            stop: stop.clone(),
            socket,
            classic: Default::default(),
            monitor: Default::default(),
            sending: Seats::new(MAX_PEERS, 1),
            alarms: Seats::new(MAX_ALARMS, MAX_ALARMS),
            shelves: Default::default(),
            crew: Default::default(),
            orders,
            work: Default::default(),
        });
        let (keeper, listener, teller) = (context.clone(), context.clone(), context.clone());
        let changes_end = Stop::default();
        let keep_until = changes_end.clone();
        let saver = spawn("saver", move || {
            let tell = |disk| {
                match disk {
                    Disk::Edited(edits) if edits == Edits::default() => return,
                    Disk::Edited(edits) if edits.changes > 0 => {
                        keeper.order(Order::ToAll(keeper.work.clone()));
                    }
                    Disk::Edited(_) | Disk::Failing(_) | Disk::Well | Disk::Gone => {}
                }
                keeper.notices.tell(Notice::Disk(disk));
            };
            keeper.database.keep_saved(&keep_until, tell)
        })?;
        let threads = vec![
            spawn("listener", move || match &sealed {
                Some(sealed) => knock::listen(&listener, sealed),
                None => classic::knock::listen(&listener),
            })?,
            spawn("broadcast", move || broadcast::run(&teller, &queue))?,
        ];
        // What was edited while the node was down, or owed before it ended, reaches the others in a while.
        context.order(Order::Started);
        Ok(Self { context, threads, saver, changes_end })
    }

    /// Runs the menu until the person, the end of input or a signal ends it.
    pub fn run_menu(&self, screen: &Screen) {
        menu::run(&self.context, screen);
    }

    /// Ends all threads and joins them. Returns whether everything is on the disk.
    pub fn end(self) -> bool {
        let begun = Instant::now();
        while !self.context.work.is_idle() && begun.elapsed() < LAST_WORK {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.context.stop.set();
        // Any order wakes the broadcast thread, which then sees the flag.
        self.context.order(Order::Started);
        for thread in self.threads {
            join(thread);
        }
        self.context.crew.join();
        let last = self.context.database.now();
        self.changes_end.set();
        self.context.database.wake();
        join(self.saver);
        self.context.database.is_saved(last)
    }
}

/// Who signs in the ledger, and what names its records.
fn owner(
    book: &PeerBook,
    me: PeerNumber,
    identity: Option<Identity>,
    folder: &DataFolder,
) -> Result<Owner> {
    let identity = match identity {
        Some(identity) => identity,
        None => identity::of_ledger(me, folder)?,
    };
    let shared = book.network_keys().and_then(|keys| keys.network.as_ref());
    // In a classic network no ledger travels: each node names records by itself.
    let namer = Namer::new(shared.unwrap_or(identity.expose()));
    Ok(Owner { identity, namer, dialect: book.dialect() })
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a thread of the node ended by a panic");
    }
}

/// The notices of the network, as lines on the screen.
fn notices(book: &PeerBook, screen: &Screen) -> Notices {
    let (book, screen) = (book.names(), screen.clone());
    Notices::new(move |notice| match notice_words::notice(&book, &notice) {
        (text, true) => screen.alarm(text),
        (text, false) => screen.notice(text),
    })
}

fn bind(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(address).map_err(|cause| {
        Error::input(
            format!("listen on {address}"),
            cause.to_string(),
            "the peers file gives this address for this node; is it this machine's, and is no other node running?",
        )
    })?;
    if let Err(cause) = sockopt::set_socket_recv_buffer_size(&socket, LISTENER_BUFFER) {
        log::debug!("the listener's buffer stays small: {cause}");
    }
    Ok(socket)
}
