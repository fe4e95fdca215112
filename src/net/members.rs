//! Who belongs to the network now. It changes while the node runs; whoever needs it takes what is true at the moment, and
//! holds no lock while working with it. `roll` renews it.

use crate::base::threads::lock;
use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::names::LogName;
use crate::model::membership::roster::Roster;
use crate::store::network_file::Pin;
use crate::store::peer_book::PeerBook;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

/// Who belongs to the network at some moment.
#[derive(Debug)]
pub struct Standing {
    /// The number of this node.
    pub me: PeerNumber,
    /// All nodes with which it talks, and itself.
    pub book: Arc<PeerBook>,
    /// The network, if membership is in the ledger.
    pub pin: Option<Pin>,
    /// What the ledger says, once it is here.
    pub roster: Option<Roster>,
}

impl Standing {
    /// Whether what this key signs is taken and passed on: it belongs to the network, or once did.
    pub fn is_author(&self, key: &IdentityKey) -> bool {
        let is_member = match &self.roster {
            Some(roster) => roster.is_author(key) || self.book.knows(key),
            None => self.book.knows(key),
        };
        is_member || self.pin.is_some_and(|pin| pin.founder == *key)
    }

    /// Whether what stands there was written by somebody who is shut out, beyond what is believed.
    pub fn is_beyond(&self, log: &LogName, sequence: u32) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.is_beyond(log, sequence))
    }
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub struct Files {
    /// What people typed.
    pub peers: PathBuf,
    /// The pin.
    pub pin: PathBuf,
}

/// The handle to it; clones of what it gives stay as they are.
#[derive(Debug)]
pub struct Members {
    /// What the peers file says: what people typed at this node.
    typed: Arc<PeerBook>,
    /// The number of this node in it.
    me: PeerNumber,
    now: Mutex<Arc<Standing>>,
    /// Of which news of the ledger it follows. Whoever holds this renews it.
    pub(in crate::net) heard: Mutex<Option<(u64, u64)>>,
    files: Option<Files>,
    sessions: Mutex<HashMap<IdentityKey, Vec<Weak<TcpStream>>>>,
}

impl Members {
    /// Those of the peers file `typed`, in which this node is `me`. Without
    /// `files` no network of the ledger is ever pinned.
    pub fn new(typed: PeerBook, me: PeerNumber, pin: Option<Pin>, files: Option<Files>) -> Self {
        let typed = Arc::new(typed);
        let now = Standing { me, book: Arc::clone(&typed), pin, roster: None };
        Self {
            typed,
            me,
            now: Mutex::new(Arc::new(now)),
            heard: Mutex::default(),
            files,
            sessions: Mutex::default(),
        }
    }

    /// Who belongs to it at this moment.
    pub fn now(&self) -> Arc<Standing> {
        Arc::clone(&lock(&self.now))
    }

    /// What people typed at this node.
    pub fn typed(&self) -> &Arc<PeerBook> {
        &self.typed
    }

    /// The number of this node as it was typed.
    pub fn me_typed(&self) -> PeerNumber {
        self.me
    }

    /// Where it is kept, if the network can be in the ledger.
    pub fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// From now on it is so. Returns what was before.
    pub(in crate::net) fn set(&self, standing: Standing) -> Arc<Standing> {
        std::mem::replace(&mut *lock(&self.now), Arc::new(standing))
    }

    /// This is the network of this node, now and for ever.
    pub(in crate::net) fn choose(&self, pin: Pin) {
        let mut now = lock(&self.now);
        let (me, book) = (now.me, Arc::clone(&now.book));
        *now = Arc::new(Standing { me, book, pin: Some(pin), roster: None });
    }

    // --- open sessions ---

    /// A session with who has this key is open. Returns whether it may be: who is shut out meanwhile has none.
    pub fn meets(&self, key: &IdentityKey, stream: Weak<TcpStream>) -> bool {
        {
            let mut sessions = lock(&self.sessions);
            sessions.retain(|_, open| {
                open.retain(|stream| stream.strong_count() > 0);
                !open.is_empty()
            });
            sessions.entry(*key).or_default().push(stream);
        }
        // Behind the note: whoever is shut out after this look finds the session there.
        self.now().book.knows(key)
    }

    /// Ends all sessions with who has this key.
    pub(in crate::net) fn part_from(&self, key: &IdentityKey) {
        let open = lock(&self.sessions).remove(key).unwrap_or_default();
        for stream in open.iter().filter_map(Weak::upgrade) {
            if let Err(cause) = stream.shutdown(Shutdown::Both) {
                log::debug!("a session of a member that is shut out: {cause}");
            }
        }
    }
}
