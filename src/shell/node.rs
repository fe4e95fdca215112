//! Puts a tier-1 node together, and takes it apart: the only place that knows all of its threads.

use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, spawn};
use crate::model::ids::PeerNumber;
use crate::model::limits::{BROADCAST_QUEUE, LISTENER_BUFFER};
use crate::net::broadcast;
use crate::net::context::Context;
use crate::net::knock;
use crate::net::notice::{Notice, Notices};
use crate::shell::menu;
use crate::shell::screen::Screen;
use crate::shell::words;
use crate::store::database::Database;
use crate::store::files::DataFolder;
use crate::store::peer_book::PeerBook;
use rustix::net::sockopt;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end waits for what the person asked for and is still on its way.
const LAST_WORK: Duration = Duration::from_millis(400);
/// How long the end waits for the last write.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// A running tier-1 node.
pub struct Node {
    context: Arc<Context>,
    threads: Vec<JoinHandle<()>>,
}

impl Node {
    /// Opens the database, binds the listener, and starts the threads.
    pub fn start(
        book: PeerBook,
        peers_file: &Path,
        me: PeerNumber,
        folder: &DataFolder,
        screen: &Screen,
        stop: &Stop,
    ) -> Result<Self> {
        let own = book.peer(me).ok_or_else(|| {
            Error::input(
                peers_file.display().to_string(),
                format!("there is no peer {me}"),
                "give --number one of the numbers in the file",
            )
        })?;
        let file = format!("DATABASE{me}.txt");
        let (database, loaded) = Database::open(&folder.file(&file))?;
        let socket = bind(own.address)?;
        screen.say(words::hello_tier1(&book, own));
        screen.say(words::CLASSIC_WARNING);
        screen.say(words::loaded(&file, &loaded));
        let (orders, queue) = sync_channel(BROADCAST_QUEUE);
        let context = Arc::new(Context {
            me,
            notices: notices(&book, screen),
            book,
            database,
            stop: stop.clone(),
            socket,
            admissions: Default::default(),
            replies: Default::default(),
            monitor: Default::default(),
            crew: Default::default(),
            orders,
            work: Default::default(),
        });
        let (saver, listener, teller) = (context.clone(), context.clone(), context.clone());
        let threads = vec![
            spawn("saver", move || {
                let tell = |disk| saver.notices.tell(Notice::Disk(disk));
                saver.database.keep_saved(&saver.stop, tell)
            })?,
            spawn("listener", move || knock::listen(&listener))?,
            spawn("broadcast", move || broadcast::run(&teller, &queue))?,
        ];
        Ok(Self { context, threads })
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
        let last = self.context.database.now();
        let saved = self.context.database.wait_saved(last, LAST_WRITE).is_ok();
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("a thread of the node ended by a panic");
            }
        }
        self.context.crew.join();
        saved || self.context.database.wait_saved(last, Duration::ZERO).is_ok()
    }
}

/// The notices of the network, as lines on the screen.
fn notices(book: &PeerBook, screen: &Screen) -> Notices {
    let (book, screen) = (book.names(), screen.clone());
    Notices::new(move |notice| match words::notice(&book, &notice) {
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
