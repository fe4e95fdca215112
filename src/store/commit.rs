//! Group commit: many threads hand in entries, one of them at a time writes for all, and each waits on its
//! ticket.
//!
//! ```text
//! append --entry--> queue --group--> who waits and finds the sink free --> sink
//!           ticket <------------------- settled --------------------------+
//! ```
//!
//! There is no thread of its own: whoever waits and finds the sink free takes it and commits what is queued, its
//! own entry among it. The lock is held for memory only, never while the sink works, and what comes meanwhile
//! is the next group. A group that fails fails with all that waits behind it, and nothing more is taken until
//! `resume` succeeds.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::model::limits::{LEDGER_GROUP, LEDGER_QUEUE, SLICE};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::time::Duration;
use sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The locks, or what the model checker puts in their place.
mod sync {
    #[cfg(loom)]
    pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub use std::sync::PoisonError;
    #[cfg(not(loom))]
    pub use std::sync::{Arc, Condvar, Mutex, MutexGuard};
}

/// Where groups of entries are committed.
pub trait Sink {
    /// What the owner of an entry gets for it.
    type Receipt: Copy + Debug;
    /// Writes the entries, and returns when all are durable: a receipt for each, in their order.
    fn commit(&mut self, group: &[Vec<u8>]) -> io::Result<Vec<Self::Receipt>>;
    /// Looks whether it can go on after a failure.
    fn resume(&mut self) -> io::Result<()>;
}

/// Entries on their way to a sink.
#[derive(Debug)]
pub struct Commits<S: Sink> {
    /// What is done, for errors.
    what: String,
    state: Mutex<State<S>>,
    bell: Condvar,
}

#[derive(Debug)]
struct State<S: Sink> {
    /// Taken by who works with it.
    sink: Option<S>,
    queue: VecDeque<Waiting<S::Receipt>>,
    /// Bytes of the entries in the queue.
    bytes: usize,
    trouble: Option<Trouble>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting<R> {
    entry: Vec<u8>,
    slot: Arc<Slot<R>>,
}

type Slot<R> = Mutex<Option<std::result::Result<R, Trouble>>>;

/// An entry that was handed in, and may or may not be durable yet.
#[derive(Debug)]
#[must_use = "nothing is acknowledged before the ticket was waited for"]
pub struct Ticket<R>(Arc<Slot<R>>);

/// Why the sink failed, for all who have to know.
#[derive(Clone, Debug)]
struct Trouble {
    kind: io::ErrorKind,
    code: Option<i32>,
    text: String,
}

impl Trouble {
    fn of(cause: &io::Error) -> Self {
        Self { kind: cause.kind(), code: cause.raw_os_error(), text: cause.to_string() }
    }

    fn cause(&self) -> io::Error {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.kind, self.text.clone()),
        }
    }
}

impl<S: Sink> Commits<S> {
    /// Begins with `sink`, which may have failed before; `what` it does stands in errors.
    pub fn new(what: impl Into<String>, sink: S, failed: Option<&io::Error>) -> Self {
        let state = State {
            sink: Some(sink),
            queue: VecDeque::new(),
            bytes: 0,
            trouble: failed.map(Trouble::of),
            closed: false,
        };
        Self { what: what.into(), state: Mutex::new(state), bell: Condvar::new() }
    }

    /// Puts an entry behind those before it. It is written when a ticket is waited for.
    pub fn append(&self, entry: Vec<u8>) -> Result<Ticket<S::Receipt>> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Error::Stopped);
        }
        if let Some(trouble) = &state.trouble {
            return Err(self.error(trouble));
        }
        if state.bytes + entry.len() > LEDGER_QUEUE {
            return Err(Error::Full { what: "entries that wait for the disk" });
        }
        state.bytes += entry.len();
        let slot = Arc::new(Mutex::new(None));
        state.queue.push_back(Waiting { entry, slot: slot.clone() });
        Ok(Ticket(slot))
    }

    /// Waits until the entry of `ticket` is durable, or cannot be made so, or `patience` ends; commits it, with
    /// all that waits, if nobody else does. After a deadline it may still become durable.
    pub fn wait(&self, ticket: &Ticket<S::Receipt>, patience: Duration) -> Result<S::Receipt> {
        let deadline = Deadline::after(patience);
        let mut state = lock(&self.state);
        loop {
            if let Some(settled) = &*lock(&ticket.0) {
                return settled.as_ref().copied().map_err(|trouble| self.error(trouble));
            }
            state = match self.lead(state) {
                Ok(()) => lock(&self.state),
                Err(state) => {
                    let slice = deadline.slice(SLICE);
                    let slice = slice.ok_or(Error::Deadline { what: "writing the ledger" })?;
                    self.pause(state, slice)
                }
            };
        }
    }

    /// What became of the entry of `ticket`, if that is known already.
    pub fn settled(&self, ticket: &Ticket<S::Receipt>) -> Option<Result<S::Receipt>> {
        let settled = lock(&ticket.0).clone();
        settled.map(|settled| settled.map_err(|trouble| self.error(&trouble)))
    }

    /// Commits all that waits now; what comes meanwhile is not waited for.
    pub fn flush(&self) -> Result<()> {
        let mut state = lock(&self.state);
        let last = state.queue.back().map(|last| last.slot.clone());
        loop {
            if let Some(trouble) = &state.trouble {
                return Err(self.error(trouble));
            }
            let is_done = match &last {
                Some(last) => lock(last).is_some(),
                None => state.sink.is_some(),
            };
            if is_done {
                return Ok(());
            }
            state = match self.lead(state) {
                Ok(()) => lock(&self.state),
                Err(state) => self.pause(state, SLICE),
            };
        }
    }

    /// Why nothing is taken now, if that is so.
    pub fn trouble(&self) -> Option<io::Error> {
        lock(&self.state).trouble.as_ref().map(Trouble::cause)
    }

    /// Goes on after a failure, if the sink can. What failed stays so.
    pub fn resume(&self) -> Result<()> {
        if self.trouble().is_none() {
            return Ok(());
        }
        let done = self.with_sink(S::resume);
        lock(&self.state).trouble = done.as_ref().err().map(Trouble::of);
        done.map_err(|cause| Error::device(self.what.clone(), cause))
    }

    /// Commits all that waits, takes nothing more, and ends with `last`, unless the sink has failed.
    pub fn close(&self, last: impl FnOnce(&mut S) -> io::Result<()>) -> Result<()> {
        let was_closed = std::mem::replace(&mut lock(&self.state).closed, true);
        self.flush()?;
        match was_closed {
            true => Ok(()),
            false => self.with_sink(last).map_err(|cause| Error::device(self.what.clone(), cause)),
        }
    }

    /// Works with the sink when nobody else does.
    fn with_sink<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        let mut state = lock(&self.state);
        loop {
            if let Some(sink) = state.sink.take() {
                drop(state);
                let mut lead = Lead { commits: self, sink: Some(sink), group: Vec::new() };
                let sink = lead.sink.as_mut().expect("just put there");
                return work(sink);
            }
            state = self.pause(state, SLICE);
        }
    }

    /// Commits one group if the sink is free, without the lock; gives it back if the sink is not.
    fn lead<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
    ) -> std::result::Result<(), MutexGuard<'a, State<S>>> {
        let Some(sink) = state.sink.take() else { return Err(state) };
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(next) = state.queue.front() {
            if bytes > 0 && bytes + next.entry.len() > LEDGER_GROUP {
                break;
            }
            bytes += next.entry.len();
            group.extend(state.queue.pop_front());
        }
        state.bytes -= bytes;
        drop(state);
        let (entries, slots): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.entry, waiting.slot)).unzip();
        let mut lead = Lead { commits: self, sink: Some(sink), group: slots };
        let done = match lead.sink.as_mut() {
            Some(sink) if !entries.is_empty() => sink.commit(&entries),
            _ => Ok(Vec::new()),
        };
        lead.settle(done);
        Ok(())
    }

    fn pause<'a>(
        &self,
        state: MutexGuard<'a, State<S>>,
        slice: Duration,
    ) -> MutexGuard<'a, State<S>> {
        self.bell.wait_timeout(state, slice).unwrap_or_else(PoisonError::into_inner).0
    }

    fn error(&self, trouble: &Trouble) -> Error {
        Error::device(self.what.clone(), trouble.cause())
    }
}

/// Who has the sink. It goes back, and the group is settled, also if the sink panics.
struct Lead<'a, S: Sink> {
    commits: &'a Commits<S>,
    sink: Option<S>,
    group: Vec<Arc<Slot<S::Receipt>>>,
}

impl<S: Sink> Lead<'_, S> {
    fn settle(&mut self, done: io::Result<Vec<S::Receipt>>) {
        let group = std::mem::take(&mut self.group);
        match done {
            Ok(receipts) if receipts.len() == group.len() => {
                for (slot, receipt) in group.iter().zip(receipts) {
                    *lock(slot) = Some(Ok(receipt));
                }
            }
            Ok(_) => self.fail(&group, &io::Error::other("not every entry was written")),
            Err(cause) => self.fail(&group, &cause),
        }
    }

    /// The group fails, and all that waits: what comes behind it in the ledger builds on it.
    fn fail(&self, group: &[Arc<Slot<S::Receipt>>], cause: &io::Error) {
        let trouble = Trouble::of(cause);
        let mut state = lock(&self.commits.state);
        state.bytes = 0;
        let waiting: Vec<_> = state.queue.drain(..).map(|waiting| waiting.slot).collect();
        for slot in group.iter().chain(&waiting) {
            *lock(slot) = Some(Err(trouble.clone()));
        }
        state.trouble = Some(trouble);
    }
}

impl<S: Sink> Drop for Lead<'_, S> {
    fn drop(&mut self) {
        if !self.group.is_empty() {
            self.settle(Err(io::Error::other("the writer ended in its midst")));
        }
        lock(&self.commits.state).sink = self.sink.take();
        self.commits.bell.notify_all();
    }
}

/// As `base::threads::lock`, also for the locks of the model checker.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
