//! What the monitor sees, for the menu and for programs: a small file in the data folder, and one for Prometheus where a
//! person wants it. Files, so that no port has to be open.

use crate::base::clock::wall;
use crate::base::error::Error;
use crate::base::throttle::Throttle;
use crate::model::ids::PeerNumber;
use crate::model::limits::{STATUS_EVERY, STATUS_STALE};
use crate::model::liveness::State;
use crate::model::status::{Apart, PeerStatus, Status};
use crate::net::context::Context;
use crate::store::addresses_file;
use crate::store::files;
use crate::store::files::DataFolder;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The name of the status file in the data folder.
pub const FILE: &str = "status.json";
/// Only its owner reads the status; what is for Prometheus is read by another user.
const OWN: u32 = 0o600;
const FOR_ALL: u32 = 0o644;

/// What this node sees of its peers now.
pub fn now(context: &Context) -> Status {
    let own = context.database.heads();
    let digest = own.digest();
    let monitor = &context.monitor;
    let standing = context.members.now();
    let peers = standing.book.others(standing.me).map(|peer| PeerStatus {
        number: peer.number,
        organisation: peer.organisation.to_string(),
        address: context.addresses.best(peer),
        state: monitor.state(peer.number),
        heard: monitor.last_heard(peer.number),
        round_trip: monitor.round_trip(peer.number),
        in_step: monitor.last_in_step(peer.number),
        apart: monitor.apart(peer.number, &own, &digest),
        aside: monitor.aside(peer.number),
    });
    Status {
        me: standing.me,
        begun: monitor.begun(),
        records: context.database.with(|replica| replica.state().len()),
        peers: peers.collect(),
    }
}

/// What decides whether the files are written anew.
type Gist = Vec<(PeerNumber, State, Apart, SocketAddr)>;

/// Keeps the files as they should be.
#[derive(Debug)]
pub struct Files {
    status: PathBuf,
    metrics: Option<PathBuf>,
    addresses: PathBuf,
    boot: u64,
    looked: Option<Instant>,
    written: Option<(Instant, Gist)>,
    troubles: Throttle,
}

impl Files {
    /// The files of a node with this data folder, which was started for the `boot`th time.
    pub fn new(folder: &DataFolder, metrics: Option<&Path>, boot: u64) -> Self {
        let (status, addresses) = (folder.file(FILE), folder.file(addresses_file::FILE));
        let metrics = metrics.map(Path::to_owned);
        let (looked, written, troubles) = (None, None, Throttle::default());
        Self { status, metrics, addresses, boot, looked, written, troubles }
    }

    /// Writes what has changed, now and then.
    pub fn keep(&mut self, context: &Context) {
        let now = Instant::now();
        if self.looked.is_some_and(|last| now.duration_since(last) < STATUS_EVERY) {
            return;
        }
        self.looked = Some(now);
        if let Some(learned) = context.addresses.take_changed(self.boot) {
            if let Err(error) = learned.write(&self.addresses) {
                context.addresses.not_written();
                self.trouble(&error);
            }
        }
        let status = self::now(context);
        let gist = status.gist();
        let is_fresh = self.written.as_ref().is_some_and(|(at, written)| {
            *written == gist && now.duration_since(*at) < STATUS_STALE
        });
        if is_fresh {
            return;
        }
        let text = format!("{:#}\n", status.to_json(now, wall()));
        let metrics = self.metrics.as_ref().map(|path| (path, status.to_metrics(now)));
        let wrote = files::renew(&self.status, OWN, &text)
            .and(metrics.map_or(Ok(()), |(path, text)| files::renew(path, FOR_ALL, &text)));
        if let Err(error) = wrote {
            self.trouble(&error);
        }
        self.written = Some((now, gist));
    }

    /// The node ends. What Prometheus reads must not say any more that peers are up.
    pub fn end(&mut self, context: &Context) {
        self.looked = None;
        self.keep(context);
        if let Some(Err(error)) = self.metrics.as_ref().map(|path| files::remove(path)) {
            self.trouble(&error);
        }
    }

    fn trouble(&mut self, error: &Error) {
        if let Some(hushed) = self.troubles.note(Instant::now()) {
            log::warn!("{error}; {hushed} such before");
        }
    }
}
