//! Puts a tier-1 node together, and takes it apart: the only place that knows all of its threads.

use crate::base::clock::wall;
use crate::base::error::{Error, Result};
use crate::base::seats::Seats;
use crate::base::threads::{Stop, spawn};
use crate::model::dialect::Dialect;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::ledger::names::Namer;
use crate::model::limits::{BROADCAST_QUEUE, MAX_ALARMS, MAX_PEERS};
use crate::net::addresses::Addresses;
use crate::net::bell;
use crate::net::broadcast;
use crate::net::classic;
use crate::net::context::{Context, Order};
use crate::net::discovery::{self, Lighthouse};
use crate::net::ears::listener;
use crate::net::knock;
use crate::net::members::{Files, Members, Standing};
use crate::net::monitor::Monitor;
use crate::net::notice::{Notice, Notices};
use crate::net::probe;
use crate::net::roll;
use crate::net::sealed::Sealed;
use crate::net::status;
use crate::shell::identity::{self, no_peer};
use crate::shell::menu;
use crate::shell::screen::{Screen, Unread};
use crate::shell::{alarm_words, notice_words, status_words, words};
use crate::store::addresses_file::{self, Learned};
use crate::store::database::Database;
use crate::store::files::DataFolder;
use crate::store::network_file::{self, Pin};
use crate::store::opening::Owner;
use crate::store::peer_book::{Peer, PeerBook};
use crate::store::post_box::PostBox;
use crate::store::saver::{Disk, Edits};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end waits for what the person asked for and is still on its way.
const LAST_WORK: Duration = Duration::from_millis(250);
/// What a tier-1 node is made of.
pub struct Plan<'a> {
    /// Who belongs to its network.
    pub book: PeerBook,
    /// Where that was read.
    pub peers_file: &'a Path,
    /// Which of them it is.
    pub me: PeerNumber,
    /// Its identity; in a classic network it needs none.
    pub identity: Option<Identity>,
    /// Its data.
    pub folder: &'a DataFolder,
    /// Whether it may tell and hear on the local network who is where.
    pub lights_beacons: bool,
    /// Where a file for Prometheus is kept.
    pub metrics: Option<&'a Path>,
}

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
    pub fn start(plan: Plan<'_>, screen: &Screen, stop: &Stop) -> Result<Self> {
        let Plan { book, peers_file, me, identity, folder, lights_beacons, metrics } = plan;
        let own = book.peer(me).ok_or_else(|| no_peer(peers_file, me))?;
        let file = format!("DATABASE{me}.txt");
        let (learned, boot) = learned(folder, book.dialect());
        let house = identity.as_ref().filter(|_| lights_beacons);
        let house = house.and_then(|identity| Lighthouse::new(&book, me, identity, boot));
        let is_lit = house.is_some();
        let mut socket = bind(own.address, is_lit)?;
        let sealed = match &identity {
            Some(identity) => Some(Arc::new(Sealed::new(&book, me, identity)?)),
            None => None,
        };
        let post = post(&folder.file(&file), identity.as_ref(), screen)?;
        let owner = owner(&book, me, identity, folder)?;
        let (database, loaded) = Database::open(&folder.file(&file), owner)?;
        let (members, standing) = members(book, peers_file, me, folder, &database)?;
        if let Some(sealed) = &sealed {
            sealed.follow(&standing.book, standing.me);
        }
        let (typed, book) = (members.typed(), &standing.book);
        let own =
            book.peer(standing.me).or(typed.peer(me)).ok_or_else(|| no_peer(peers_file, me))?;
        greet(screen, book, own, socket.is_none(), &words::loaded(&file, &loaded));
        let (orders, queue) = sync_channel(BROADCAST_QUEUE);
        let context = Arc::new(Context {
            sealed: sealed.clone(),
            notices: notices(&members, screen),
            addresses: Addresses::new(&standing.book, &learned),
            monitor: Monitor::new(standing.book.others(standing.me).map(|peer| peer.number)),
            socket: socket.take_if(|_| sealed.is_none()),
            members,
            database,
            stop: stop.clone(),
            classic: Default::default(),
            is_lit,
            post,
            sending: Seats::new(MAX_PEERS, 1),
            alarms: Seats::new(MAX_ALARMS, MAX_ALARMS),
            shelves: Default::default(),
            crew: Default::default(),
            orders,
            lost_orders: Default::default(),
            work: Default::default(),
        });
        // What this node has to say by itself: that it agrees with its admission, where it is.
        roll::follow(&context);
        let changes_end = Stop::default();
        let keep_until = changes_end.clone();
        let saver = spawn_with(&context, "saver", move |context| keep_saved(context, &keep_until))?;
        tell_alarms(&context, screen);
        let mut threads = match sealed {
            None => vec![spawn_with(&context, "listener", classic::knock::listen)?],
            Some(sealed) => {
                let files = status::Files::new(folder, metrics, boot);
                listening(&context, &sealed, socket, house, files)?
            }
        };
        threads.push(spawn_with(&context, "broadcast", move |node| broadcast::run(node, &queue))?);
        // What was edited while the node was down, or owed before it ended, reaches the others in a while.
        context.order(Order::Started);
        Ok(Self { context, threads, saver, changes_end })
    }

    /// What its threads share, for what is done on it without the menu.
    pub fn context(&self) -> &Context {
        &self.context
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

/// Keeps the files of the database as they should be, until `end`.
fn keep_saved(context: &Arc<Context>, end: &Stop) -> Result<()> {
    let tell = |disk| {
        match disk {
            Disk::Edited(edits) if edits == Edits::default() => return,
            Disk::Edited(edits) if edits.changes > 0 => {
                context.order(Order::ToAll(context.work.clone()));
            }
            Disk::Edited(_) | Disk::Failing(_) | Disk::Well | Disk::Gone => {}
        }
        context.notices.tell(Notice::Disk(disk));
    };
    context.database.keep_saved(end, tell)
}

/// Starts a thread that shares the node.
fn spawn_with(
    context: &Arc<Context>,
    name: &str,
    work: impl FnOnce(&Arc<Context>) -> Result<()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let context = Arc::clone(context);
    spawn(name, move || work(&context))
}

/// The threads of a sealed node that listen, probe, and find peers. `socket` is at the address of the peers file, if
/// this machine has it.
fn listening(
    context: &Arc<Context>,
    sealed: &Arc<Sealed>,
    socket: Option<UdpSocket>,
    house: Option<Lighthouse>,
    mut files: status::Files,
) -> Result<Vec<JoinHandle<()>>> {
    let (mut threads, is_there) = (Vec::new(), socket.is_some());
    if let Some(socket) = socket.map(Arc::new) {
        let sealed = Arc::clone(sealed);
        let listen =
            move |context: &Arc<Context>| knock::listen(context, &sealed, &socket, &context.stop);
        threads.push(spawn_with(context, "listener", listen)?);
    }
    if let Some(house) = house {
        let sealed = Arc::clone(sealed);
        let find = move |context: &Arc<Context>| discovery::run(context, &sealed, house, is_there);
        threads.push(spawn_with(context, "discovery", find)?);
    }
    let sealed = Arc::clone(sealed);
    let watch = move |context: &Arc<Context>| {
        let done = probe::run(context, &sealed, || files.keep(context));
        files.end(context);
        done
    };
    threads.push(spawn_with(context, "monitor", watch)?);
    Ok(threads)
}

/// What an earlier run learned of where peers are, and the number of this start.
fn learned(folder: &DataFolder, dialect: Dialect) -> (Learned, u64) {
    if dialect == Dialect::Classic {
        return (Learned::default(), 0);
    }
    let path = folder.file(addresses_file::FILE);
    let mut learned = Learned::read(&path);
    let boot = learned.start(wall());
    if let Err(error) = learned.write(&path) {
        log::warn!("{error}");
    }
    (learned, boot)
}

/// Who belongs to the network: as the peers file says, until the ledger does.
fn members(
    book: PeerBook,
    peers_file: &Path,
    me: PeerNumber,
    folder: &DataFolder,
    database: &Database,
) -> Result<(Arc<Members>, Arc<Standing>)> {
    let pin = folder.file(network_file::FILE);
    let files = Files { peers: peers_file.to_owned(), pin };
    let (pin, files) = match book.dialect() {
        Dialect::Classic => (None, None),
        Dialect::Sealed => (Pin::read(&files.pin)?, Some(files)),
    };
    let members = Arc::new(Members::new(book, me, pin, files));
    roll::at_start(&members, database);
    let standing = members.now();
    Ok((members, standing))
}

fn greet(screen: &Screen, book: &PeerBook, own: &Peer, is_elsewhere: bool, loaded: &str) {
    screen.say(words::hello_tier1(book, own));
    if book.dialect() == Dialect::Classic {
        screen.say(words::CLASSIC_WARNING);
    }
    if is_elsewhere {
        screen.say(format!("{}: {}.", own.address, status_words::ELSEWHERE));
    }
    screen.say(loaded);
}

/// The alarms that stand: those that nobody was shown, and how many there are.
fn tell_alarms(context: &Context, screen: &Screen) {
    bell::tell_standing(context);
    let standing = context.database.with(|replica| replica.alarms().standing().count());
    if standing > 0 && context.post.is_some() {
        screen.say(alarm_words::stand_at_start(standing));
    }
}

/// What waits for peers that are away: in a classic network nothing does.
fn post(text: &Path, identity: Option<&Identity>, screen: &Screen) -> Result<Option<PostBox>> {
    let Some(identity) = identity else { return Ok(None) };
    let (post, aside) = PostBox::open(text, identity)?;
    if let Some(aside) = aside {
        screen.say(alarm_words::post_damaged(&aside));
    }
    Ok(Some(post))
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
fn notices(members: &Arc<Members>, screen: &Screen) -> Notices {
    let (members, screen) = (Arc::clone(members), screen.clone());
    Notices::new(move |notice| {
        let text = notice_words::notice(&members.now().book, &notice);
        match notice {
            Notice::Alarm { peer, id, .. } => {
                screen.alarm(Unread { peer, id, text });
                true
            }
            Notice::CalledOff { id, .. } => {
                screen.called_off(id);
                screen.notice(text)
            }
            _ => screen.notice(text),
        }
    })
}

/// Binds the listener. A node that finds its peers and is found by them starts also where this machine does not have
/// its address, or not yet.
fn bind(address: SocketAddr, is_found: bool) -> Result<Option<UdpSocket>> {
    match listener(address) {
        Ok(socket) => Ok(Some(socket)),
        Err(cause) if is_found && cause.kind() == ErrorKind::AddrNotAvailable => Ok(None),
        Err(cause) => Err(Error::input(
            format!("listen on {address}"),
            cause.to_string(),
            "the peers file gives this address for this node; is it this machine's, and is no other node running?",
        )),
    }
}
