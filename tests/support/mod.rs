//! Real nodes for tests: processes on free ports of a loopback address of their own, driven by their menus.
//! Nothing here sleeps to wait: every wait is for a line or a state, with a bound.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod bridge;

use reunite::model::identity::Identity;
use reunite::model::keys::{NetworkKeys, SecretKey};
use reunite::model::ledger::names::Namer;
use reunite::model::ledger::replica::Replica;
use reunite::model::reader::{Item, Origin, Reader};
use reunite::model::secret::Token;
use reunite::model::section::Section;
use reunite::model::writer::Snapshot;
use reunite::store::disk::RealDisk;
use reunite::store::files::DataFolder;
use reunite::store::identity_file::{self, IdentityFile};
use reunite::store::ledger_load::Load;
use reunite::store::ledger_walk::walk;
use reunite::store::peer_book::{Peer, PeerBook};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything takes that works, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// So many broadcasts reach everybody who is there.
const MOST_BROADCASTS: usize = 20;

pub const ORGANISATIONS: [&str; 8] = [
    "Yangon General Hospital",
    "Mandalay General Hospital",
    "Cox's Bazar NW 1",
    "Cox's Bazar SE 2",
    "Thandwe General Hospital",
    "Nyaung Oo General Hospital",
    "Zabu Thiri Hospital",
    "Pun Hlaing Siloam Hospital",
];

/// A folder of this test's own, removed at the end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("reunite-{name}-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("REUNITE_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A network of tier-1 nodes: a peers file, and a folder for each.
#[derive(Debug)]
pub struct Network {
    pub folder: Folder,
    pub ip: IpAddr,
    pub addresses: Vec<SocketAddr>,
    pub tokens: Vec<String>,
    /// The secrets of a sealed network, so that a test can play any of its nodes.
    pub secrets: Option<Secrets>,
}

/// What the nodes of a sealed network keep to themselves.
#[derive(Debug)]
pub struct Secrets {
    pub keys: NetworkKeys,
    /// By number, from 1: the first is at 0.
    pub identities: Vec<Identity>,
}

impl Network {
    /// A sealed network of `count` peers on free ports of a loopback address that no other test uses.
    pub fn new(name: &str, count: usize) -> Self {
        let mut rng = rand::rng();
        let identities = (0..count).map(|_| Identity::random(&mut rng)).collect();
        Self::laid_out(
            name,
            count,
            Some(Secrets { keys: NetworkKeys::random(&mut rng), identities }),
        )
    }

    /// The same in the classic dialect.
    pub fn classic(name: &str, count: usize) -> Self {
        Self::laid_out(name, count, None)
    }

    fn laid_out(name: &str, count: usize, secrets: Option<Secrets>) -> Self {
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = IpAddr::from([127, a.clamp(1, 254), b, c.clamp(2, 254)]);
        let addresses = free_ports(ip, count);
        let tokens: Vec<_> =
            (1..=count).map(|number| format!("{:012}", 100_000_000_007 * number as u64)).collect();
        let network = Self { folder: Folder::new(name), ip, addresses, tokens, secrets };
        network.write_peers();
        for (at, identity) in network.secrets.iter().flat_map(|s| s.identities.iter().enumerate()) {
            let folder = DataFolder::open(&network.data(at + 1)).expect("made");
            let number = (at as u64 + 1).try_into().expect("1 to 999");
            IdentityFile::create(&folder.file(identity_file::FILE), number, identity, None)
                .expect("written");
        }
        network
    }

    pub fn peers(&self) -> PathBuf {
        self.folder.path().join("peers.json")
    }

    pub fn peers_tier2(&self) -> PathBuf {
        self.folder.path().join("peers-tier2.json")
    }

    fn write_peers(&self) {
        let book = self.book();
        fs::write(self.peers(), &*book.to_json(true)).expect("written");
        fs::write(self.peers_tier2(), &*book.to_json(false)).expect("written");
    }

    /// The peers file, as a value.
    pub fn book(&self) -> PeerBook {
        let peers = self.addresses.iter().enumerate().map(|(at, address)| {
            let number = (at as u64 + 1).try_into().expect("1 to 999");
            let token = Token::try_from(self.tokens[at].as_bytes()).expect("twelve digits");
            let organisation = ORGANISATIONS[at % 8].parse().expect("a name");
            let peer = Peer::new(number, organisation, *address, Some(token));
            match &self.secrets {
                Some(secrets) => peer.with_keys(secrets.identities[at].public()),
                None => peer,
            }
        });
        let (path, peers) = (self.peers(), peers.collect());
        match &self.secrets {
            Some(secrets) => PeerBook::sealed(&path, "test".into(), copy(&secrets.keys), peers),
            None => PeerBook::new(&path, "test".into(), peers),
        }
        .expect("right")
    }

    pub fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("data{number}"))
    }

    pub fn database(&self, number: usize) -> PathBuf {
        self.data(number).join(format!("DATABASE{number}.txt"))
    }

    /// Puts a database in place before the node starts.
    pub fn put(&self, number: usize, text: &str) {
        fs::create_dir_all(self.data(number)).expect("made");
        fs::write(self.database(number), text).expect("written");
    }

    /// The rows of people in a node's file, sorted.
    pub fn people(&self, number: usize) -> Vec<String> {
        people_of(&fs::read_to_string(self.database(number)).unwrap_or_default())
    }

    /// Waits until a node has written its files after its first start; this is the last of them.
    pub fn wait_written(&self, number: usize) {
        let base = self.database(number).with_extension("base");
        until("the files are written", || base.exists());
    }

    /// Waits until these rows of people, and no others, are in a node's file.
    #[track_caller]
    pub fn people_become<S: AsRef<str>>(&self, number: usize, rows: &[S]) {
        let mut rows: Vec<_> = rows.iter().map(AsRef::as_ref).collect();
        rows.sort_unstable();
        let end = Instant::now() + PATIENCE;
        while self.people(number) != rows {
            let there = self.people(number);
            assert!(Instant::now() < end, "node {number} has {there:#?}, not {rows:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn tier1(&self, number: usize) -> Node {
        let (peers, data) = (self.peers(), self.data(number));
        let mut command = reunite();
        command
            .arg("tier1")
            .arg("--peers")
            .arg(peers)
            .arg("--number")
            .arg(number.to_string())
            .arg("--data")
            .arg(data);
        let node = Node::start(command, format!("node {number}"));
        node.wait_for("Number (Enter");
        node
    }

    pub fn tier2(&self, number: usize) -> Node {
        let data = self.folder.path().join(format!("tier2-{number}"));
        let mut command = reunite();
        command.arg("tier2").arg("--peers").arg(self.peers_tier2()).arg("--data").arg(data);
        let node = Node::start(command, format!("tier-2 node {number}"));
        node.wait_for("Number (Enter");
        node
    }
}

/// The same keys again.
pub fn copy(keys: &NetworkKeys) -> NetworkKeys {
    let copy = |key: &SecretKey| SecretKey::from(*key.expose());
    NetworkKeys {
        epoch: keys.epoch,
        network: keys.network.as_ref().map(copy),
        reader: copy(&keys.reader),
    }
}

/// The rows of people in a database text, sorted.
pub fn people_of(text: &str) -> Vec<String> {
    let mut rows: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("People"))
        .skip(2)
        .take_while(|line| !line.ends_with(':'))
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    rows.sort();
    rows
}

/// The program under test.
pub fn reunite() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reunite"));
    command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into()));
    command
}

type Lines = Arc<(Mutex<Vec<String>>, Condvar)>;

/// A running node. Killed when dropped.
pub struct Node {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
    logs: Lines,
    seen: Mutex<usize>,
}

impl Node {
    pub fn start(mut command: Command, name: String) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = gather(child.stdout.take().expect("piped"));
        let logs = gather(child.stderr.take().expect("piped"));
        let stdin = child.stdin.take();
        Self { name, child, stdin, lines, logs, seen: Mutex::new(0) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types lines.
    pub fn type_lines(&mut self, lines: &[&str]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let stdin = self.stdin.as_mut().expect("still open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("the node reads");
    }

    /// Waits for a line that holds `text`, after the one found by the last wait; returns it.
    pub fn wait_for(&self, text: &str) -> String {
        let mut seen = self.seen.lock().expect("no panic");
        let found = self.wait_from(*seen, text);
        *seen = found.0 + 1;
        found.1
    }

    /// Waits for a line that holds `text`, from the start of the node.
    pub fn wait_for_any(&self, text: &str) -> String {
        self.wait_from(0, text).1
    }

    fn wait_from(&self, from: usize, text: &str) -> (usize, String) {
        wait(&self.lines, |lines| {
            lines
                .iter()
                .enumerate()
                .skip(from)
                .find(|(_, line)| line.contains(text))
                .map(|(at, line)| (at, line.clone()))
        })
        .unwrap_or_else(|| {
            panic!(
                "{} did not show {text:?}; it showed:\n{}\nlogs:\n{}",
                self.name,
                self.shown(),
                self.logged()
            )
        })
    }

    /// Waits for a log line that holds `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait(&self.logs, |lines| lines.iter().find(|line| line.contains(text)).cloned())
            .unwrap_or_else(|| {
                panic!("{} did not log {text:?}; it logged:\n{}", self.name, self.logged())
            })
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        self.lines.0.lock().expect("no panic").join("\n")
    }

    /// All that was logged so far.
    pub fn logged(&self) -> String {
        self.logs.0.lock().expect("no panic").join("\n")
    }

    /// How many lines shown so far hold `text`.
    pub fn count(&self, text: &str) -> usize {
        self.lines.0.lock().expect("no panic").iter().filter(|line| line.contains(text)).count()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Ends the input, as a pipe that closes does.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Quits by the menu and waits for the end.
    pub fn quit(mut self) -> ExitStatus {
        self.type_lines(&["0"]);
        self.wait_exit()
    }

    /// Stops all of its threads, where they are.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let stat = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat"));
        let is_stopped = |task: fs::DirEntry| stat(task).is_ok_and(|stat| stat.contains(") T "));
        until(&format!("{} is stopped", self.name), || {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
            tasks.flatten().all(is_stopped)
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.pid() as i32).expect("a process");
        kill_process(process, signal).expect("sent");
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(
                Instant::now() < end,
                "{} does not end; it showed:\n{}",
                self.name,
                self.shown()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory, kB.
    pub fn memory_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("running");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("on Linux");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(from: impl std::io::Read + Send + 'static) -> Lines {
    let lines: Lines = Arc::default();
    let filled = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            filled.0.lock().expect("no panic").push(String::from_utf8_lossy(&line).into_owned());
            filled.1.notify_all();
        }
    });
    lines
}

fn wait<T>(lines: &Lines, look: impl Fn(&[String]) -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    let mut guard = lines.0.lock().expect("no panic");
    loop {
        if let Some(found) = look(&guard) {
            return Some(found);
        }
        let left = end.checked_duration_since(Instant::now())?;
        guard = lines.1.wait_timeout(guard, left).expect("no panic").0;
    }
}

/// Waits until `state` holds, looking often.
pub fn until(what: &str, mut state: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !state() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub mod attacker;
pub mod certificates;
pub mod original;

impl Network {
    /// The same network on another IP address of this machine.
    pub fn moved_to(mut self, ip: IpAddr) -> Self {
        self.ip = ip;
        self.addresses = free_ports(ip, self.addresses.len());
        self.write_peers();
        self
    }
}

impl Node {
    /// Types lines, and returns what is shown until the menu asks for the next number.
    pub fn ask(&mut self, lines: &[&str]) -> Vec<String> {
        let from = *self.seen.lock().expect("no panic");
        self.type_lines(lines);
        self.wait_for("Number (Enter");
        let to = *self.seen.lock().expect("no panic");
        self.lines.0.lock().expect("no panic")[from..to - 1].to_vec()
    }

    /// Writes a message to a peer. If it is not confirmed at once, it is not kept for later: it is under way.
    pub fn message(&mut self, to: usize, text: &str) {
        self.type_lines(&["7", &to.to_string(), text, "quit"]);
        if self.wait_for_either("keep the message", "Number (Enter") {
            self.ask(&["n"]);
        }
    }

    /// Brings all others up to date until the outcome is `told`: at first somebody may be missed, with whom an earlier
    /// meeting goes on.
    pub fn broadcast_until(&mut self, told: &str) {
        for _ in 0..MOST_BROADCASTS {
            let before = self.lines.0.lock().expect("no panic").len();
            self.ask(&["9"]);
            // It comes before the prompt, or after it.
            let outcome = wait(&self.lines, |lines| {
                let is_outcome = |line: &&String| {
                    line.contains("The database reached") && line.contains(" peers")
                };
                lines[before..].iter().find(is_outcome).cloned()
            });
            if outcome.expect("it says whom it reached").contains(told) {
                return;
            }
        }
        panic!("{}: never {told:?}:\n{}", self.name, self.shown());
    }

    /// Waits until `times` lines that hold `text` were shown since the node started.
    pub fn wait_for_times(&self, text: &str, times: usize) {
        until(&format!("{} shows {text:?} {times} times", self.name), || self.count(text) >= times);
    }

    /// Waits for the end, and returns all that was shown.
    pub fn last_words(mut self) -> Vec<String> {
        self.wait_exit();
        // The thread that gathers the lines holds them too, until it has read all.
        until("all is read", || Arc::strong_count(&self.lines) == 1);
        std::mem::take(&mut *self.lines.0.lock().expect("no panic"))
    }

    /// kill -9. Returns all that was shown until then.
    pub fn kill_and_read(mut self) -> Vec<String> {
        self.child.kill().expect("killed");
        self.last_words()
    }
}

/// What reunite's own reader finds in a database file.
pub fn contents(text: &[u8]) -> Snapshot {
    let (mut reader, mut found) = (Reader::new(Origin::Own), Snapshot::default());
    let mut take = |item| match item {
        Item::Row(section, row) => {
            let at = Section::ALL.iter().position(|one| *one == section).expect("one of all");
            found.rows[at].push(row);
        }
        Item::Kept(kept) => found.kept.push(kept),
    };
    reader.feed(text, &mut take);
    reader.finish(true, &mut take);
    found
}

/// How a database file begins.
pub const HEAD: &str = "People:\nName, Appearance, Last Seen, Status, Id\n\n";

/// A database file with these rows of people.
pub fn database<S: AsRef<str>>(rows: &[S]) -> String {
    rows.iter().fold(HEAD.to_owned(), |text, row| text + row.as_ref() + "\n")
}

/// The Id in a line like "Saved. The person has the Id N.", if it is one.
pub fn new_id(line: &str) -> Option<String> {
    let id = line.strip_prefix("Saved.")?.chars().filter(char::is_ascii_digit).collect();
    Some(id).filter(|id: &String| !id.is_empty())
}

/// Free ports of `ip` that port 0 never gives: while a node is down, no socket of this machine can get its
/// port by chance, and it can start again.
pub fn free_ports(ip: IpAddr, count: usize) -> Vec<SocketAddr> {
    // All are held until all are known, so that no port is given twice.
    let mut held = Vec::new();
    while held.len() < count {
        held.extend(UdpSocket::bind((ip, rand::random_range(20_000..30_000))));
    }
    held.iter().map(|socket| socket.local_addr().expect("bound")).collect()
}

/// Waits until `state` holds, but no longer than `patience`: for what must not wait for something slower.
pub fn until_within(patience: Duration, what: &str, mut state: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    until(what, || {
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        state()
    });
}

/// Moves a network that `reunite setup --local` made to a loopback address that no other test uses.
pub fn to_own_address(peers: &Path) {
    let [a, b, c]: [u8; 3] = rand::random();
    let own = format!("127.{}.{b}.{}:", a.clamp(1, 254), c.clamp(2, 254));
    let text = fs::read_to_string(peers).expect("there").replace("127.0.0.1:", &own);
    fs::write(peers, text).expect("written");
}

impl Node {
    /// Waits for a line that holds either text, after the one found by the last wait; returns whether it is `one`.
    pub fn wait_for_either(&self, one: &str, other: &str) -> bool {
        let mut seen = self.seen.lock().expect("no panic");
        let found = wait(&self.lines, |lines| {
            let mut lines = lines.iter().enumerate().skip(*seen);
            let found = lines.find(|(_, line)| line.contains(one) || line.contains(other));
            found.map(|(at, line)| (at, line.contains(one)))
        });
        let (at, is_one) = found.unwrap_or_else(|| {
            panic!("{}: neither {one:?} nor {other:?}:\n{}", self.name, self.shown())
        });
        *seen = at + 1;
        is_one
    }

    /// Waits for a line that holds `text`, and returns those after the one found by the last wait, and it.
    pub fn lines_until(&self, text: &str) -> Vec<String> {
        let from = *self.seen.lock().expect("no panic");
        self.wait_for(text);
        let to = *self.seen.lock().expect("no panic");
        self.lines.0.lock().expect("no panic")[from..to].to_vec()
    }
}

/// An address of the same network that no node has.
pub fn another(ip: IpAddr) -> IpAddr {
    let IpAddr::V4(ip) = ip else { panic!("an IPv4 address") };
    let [a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, if d < 150 { d + 100 } else { d - 100 }).into()
}

/// Says that something is not tested here, and why. On the stream itself: what a test prints that passes is not shown.
pub fn left_out(what: &str, why: &str) {
    let _ = writeln!(io::stderr(), "\n!!! NOT TESTED: {what}: {why}\n");
}

/// Says that there is no local network of namespaces here, and why.
pub fn no_bridge(why: &str) {
    left_out("a bridge between network namespaces", &format!("{why}; the nodes are on loopback"));
}

/// The same of what takes something that `scripts/test.sh` installs: where `CI` is set it is there, or the test fails.
#[track_caller]
pub fn not_tested(what: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}: {why}");
    left_out(what, why);
}

/// A file of the original, which lie outside of this project; `None`, and a word about it, where they are not.
pub fn original_file(name: &str) -> Option<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/original");
    if !corpus.exists() {
        left_out(name, "the original's files are not here");
        return None;
    }
    Some(corpus.join(name))
}

/// What the environment says that a test is to do, if it says something of it: a count, a time, a seed.
pub fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs the program to its end, without a terminal; returns its exit status, output and errors.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = reunite().args(arguments).stdin(Stdio::null()).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}

impl Network {
    /// The copy of a tier-2 node.
    pub fn copy(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("tier2-{number}/T2DATABASE.txt"))
    }

    /// What the ledger of a node that does not run says: it is whole, it verifies, and nobody forked.
    pub fn ledger(&self, number: usize) -> Replica {
        let path = self.database(number).with_extension("ledger");
        let keys = &self.secrets.as_ref().expect("sealed").keys;
        let namer = Namer::new(keys.network.as_ref().expect("a member's"));
        let mut load = Load::new(Replica::new(Identity::random(&mut rand::rng()), namer));
        let walked = walk(&RealDisk, &path, |place, entry| load.entry(place, entry));
        assert_eq!(walked.expect("it can be read").damages, [], "node {number}");
        let (replica, found) = load.finish();
        assert!(found.faults.is_empty(), "node {number}: {:?}", found.faults);
        assert!(replica.chains().forks().next().is_none(), "node {number}: somebody forked");
        replica
    }
}
