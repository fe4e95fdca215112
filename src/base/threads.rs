//! The one way to start a thread, the one flag that ends them all, and the crew that joins them.

use crate::base::error::{Error, Result};
use rustix::event::{EventfdFlags, eventfd};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// Stack of every thread: the default 2 MiB times some hundred sessions would not fit a 32-bit Pi.
pub const STACK_BYTES: usize = 256 * 1024;

/// Locks `mutex`. A thread that panicked while holding it cannot have left plain data half-written
/// that later holders would misread, so its poison is not passed on.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks `mutex` once whoever holds it is done, which may take long; `Err(Stopped)` if the node ends before.
pub fn lock_unless<'a, T>(mutex: &'a Mutex<T>, stop: &Stop) -> Result<MutexGuard<'a, T>> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poison)) => return Ok(poison.into_inner()),
            Err(TryLockError::WouldBlock) if stop.wait(LOCK_LOOK) => return Err(Error::Stopped),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}

/// How often it is looked whether a lock that is held for long is free.
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// The node's stop flag: set once. It wakes who waits for it, also together with sockets; whoever waits for something
/// else looks at it after each slice.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_set: Mutex<bool>,
    bell: Condvar,
    /// Can be read once the flag is set: eventfd(2), made for the first who asks.
    wake: OnceLock<Option<OwnedFd>>,
}

impl Stop {
    /// Ends the node.
    pub fn set(&self) {
        *lock(&self.0.is_set) = true;
        self.0.bell.notify_all();
        self.ring();
    }

    /// Whether the node is ending.
    pub fn is_set(&self) -> bool {
        *lock(&self.0.is_set)
    }

    /// What can be read once the flag is set, to wait for it together with sockets; `None` if the system has no more.
    pub fn wake(&self) -> Option<BorrowedFd<'_>> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = self.0.wake.get_or_init(|| eventfd(0, flags).ok()).as_ref();
        if self.is_set() {
            self.ring();
        }
        wake.map(AsFd::as_fd)
    }

    /// Wakes who waits in poll(2). It stays readable: nobody reads it.
    fn ring(&self) {
        if let Some(Some(wake)) = self.0.wake.get() {
            // It fails only when it was rung very often already.
            let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
        }
    }

    /// Waits for `duration`, or less if the node ends. Returns whether it ends.
    pub fn wait(&self, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        let mut stopped = lock(&self.0.is_set);
        while !*stopped {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            let waited = self.0.bell.wait_timeout(stopped, left);
            stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// `Err(Stopped)` once the node ends.
    pub fn check(&self) -> Result<()> {
        if self.is_set() { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Starts a named thread. What it returns as an error is logged with its causes.
pub fn spawn<F>(name: &str, work: F) -> Result<JoinHandle<()>>
where
    F: FnOnce() -> Result<()> + Send + 'static,
{
    let label = name.to_owned();
    Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || log_failure(&label, work()))
        .map_err(|cause| Error::device(format!("start thread {name}"), cause))
}

/// Starts a named thread that borrows from `scope`, which joins it.
pub fn spawn_within<'scope, T, F>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: F,
) -> Result<ScopedJoinHandle<'scope, T>>
where
    T: Send + 'scope,
    F: FnOnce() -> T + Send + 'scope,
{
    Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn_scoped(scope, work)
        .map_err(|cause| Error::device(format!("start thread {name}"), cause))
}

/// Threads of one owner, who joins them when this is dropped. What they wait for must end before.
#[derive(Debug, Default)]
pub struct Joined(Vec<JoinHandle<()>>);

impl Joined {
    /// Adds a thread.
    pub fn add(&mut self, thread: JoinHandle<()>) {
        self.0.push(thread);
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        join(std::mem::take(&mut self.0));
    }
}

/// What a thread of a crew does, its errors logged.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that come and go under one owner, who joins every one of them. One that has done its work rests for a
/// while and takes the next: a caller need not wait until a thread is made.
#[derive(Debug, Default)]
pub struct Crew {
    handles: Mutex<Vec<JoinHandle<()>>>,
    resting: Arc<Mutex<Resting>>,
}

/// The threads that have nothing to do.
#[derive(Default)]
struct Resting {
    threads: Vec<(ThreadId, SyncSender<Job>)>,
    /// Nobody rests any more: all are being joined.
    is_over: bool,
}

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resting({})", self.threads.len())
    }
}

/// How long a thread rests before it ends.
const REST: Duration = Duration::from_secs(10);
/// How long all threads of a crew together are waited for at the end. All their waits see the stop flag within a second;
/// a write to a worn SD card takes longer, and one to a disk that hangs never returns.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether they have ended.
const JOIN_LOOK: Duration = Duration::from_millis(1);

impl Crew {
    /// Has a thread of this crew do `work`; `name` is for what it logs.
    pub fn spawn<F>(&self, name: &str, work: F) -> Result<()>
    where
        F: FnOnce() -> Result<()> + Send + 'static,
    {
        let label = name.to_owned();
        let mut job: Job = Box::new(move || log_failure(&label, work()));
        loop {
            let rested = lock(&self.resting).threads.pop();
            let Some((_, thread)) = rested else { break };
            match thread.try_send(job) {
                Ok(()) => return Ok(()),
                // It has just ended.
                Err(TrySendError::Disconnected(back) | TrySendError::Full(back)) => job = back,
            }
        }
        let resting = Arc::clone(&self.resting);
        let handle = spawn(name, move || {
            work_and_rest(job, &resting);
            Ok(())
        })?;
        let mut handles = lock(&self.handles);
        handles.push(handle);
        let (ended, running) =
            std::mem::take(&mut *handles).into_iter().partition(JoinHandle::is_finished);
        *handles = running;
        drop(handles);
        join(ended);
        Ok(())
    }

    /// Joins all threads. The stop flag must be set before, or this waits for their work.
    pub fn join(&self) {
        self.join_within(JOIN_PATIENCE);
    }

    fn join_within(&self, patience: Duration) {
        let mut resting = lock(&self.resting);
        resting.is_over = true;
        resting.threads.clear();
        drop(resting);
        let until = Instant::now() + patience;
        loop {
            // One that is joined may have started another one before it ended.
            let handles = std::mem::take(&mut *lock(&self.handles));
            if handles.is_empty() {
                break;
            }
            let (ended, hanging) = wait_ended(handles, until);
            join(ended);
            if hanging > 0 {
                log::error!("{hanging} threads do not end, as when a disk hangs: left behind");
                break;
            }
        }
        lock(&self.resting).is_over = false;
    }
}

fn work_and_rest(first: Job, resting: &Mutex<Resting>) {
    let mut job = first;
    loop {
        job();
        let (sender, next) = sync_channel(1);
        let id = thread::current().id();
        {
            let mut resting = lock(resting);
            if resting.is_over {
                return;
            }
            resting.threads.push((id, sender));
        }
        job = match next.recv_timeout(REST) {
            Ok(job) => job,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                lock(resting).threads.retain(|(other, _)| *other != id);
                // Somebody may have taken this thread out just before, and be about to give it a job.
                match next.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                }
            }
        };
    }
}

fn log_failure(label: &str, done: Result<()>) {
    match done {
        Ok(()) | Err(Error::Stopped) => {}
        Err(error) => log::warn!("{label}: {error}"),
    }
}

/// Waits until these threads have ended, or `until`. Returns those that have, and how many have not.
fn wait_ended(handles: Vec<JoinHandle<()>>, until: Instant) -> (Vec<JoinHandle<()>>, usize) {
    while !handles.iter().all(JoinHandle::is_finished) && Instant::now() < until {
        thread::sleep(JOIN_LOOK);
    }
    let (ended, hanging): (Vec<_>, Vec<_>) = handles.into_iter().partition(JoinHandle::is_finished);
    (ended, hanging.len())
}

fn join(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        let name = handle.thread().name().unwrap_or("thread").to_owned();
        if handle.join().is_err() {
            log::error!("{name}: ended by a panic; this is a fault in reunite, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn who_waits_for_a_lock_that_is_held_for_long_sees_the_stop_flag() {
        let (mutex, stop) = (Mutex::new(7), Stop::default());
        assert_eq!(lock_unless(&mutex, &stop).map(|guard| *guard).ok(), Some(7));
        let held = lock(&mutex);
        stop.set();
        assert!(matches!(lock_unless(&mutex, &stop), Err(Error::Stopped)));
        drop(held);
    }

    #[test]
    fn stop_wakes_a_waiting_thread_and_the_crew_joins_it() {
        let (stop, crew) = (Stop::default(), Crew::default());
        let (tell, told) = sync_channel(1);
        let waiting = stop.clone();
        crew.spawn("waiter", move || {
            tell.send(waiting.wait(Duration::from_secs(60))).map_err(|_| Error::Stopped)
        })
        .expect("a thread can be started");
        stop.set();
        crew.join();
        assert_eq!(told.recv(), Ok(true));
    }

    #[test]
    fn a_crew_survives_a_thread_that_panics() {
        let crew = Crew::default();
        crew.spawn("faulty", || panic!("on purpose")).expect("a thread can be started");
        crew.join();
        crew.spawn("next", || Ok(())).expect("the crew goes on");
        crew.join();
    }

    #[test]
    fn a_crew_joins_a_thread_that_another_one_starts_while_it_is_joined() {
        let (stop, crew) = (Stop::default(), Arc::new(Crew::default()));
        let (tell, told) = sync_channel(1);
        let (waiting, inner) = (stop.clone(), Arc::clone(&crew));
        let first = move || {
            waiting.wait(Duration::from_secs(60));
            // Long enough for the join to have begun with this one alone.
            thread::sleep(Duration::from_millis(50));
            inner.spawn("second", move || {
                thread::sleep(Duration::from_millis(50));
                tell.send(()).map_err(|_| Error::Stopped)
            })
        };
        crew.spawn("first", first).expect("a thread can be started");
        stop.set();
        crew.join();
        assert_eq!(told.try_recv(), Ok(()), "it had ended when all were joined");
    }

    #[test]
    fn a_thread_that_never_ends_does_not_keep_the_node_from_ending() {
        let crew = Crew::default();
        let (release, held) = sync_channel::<()>(1);
        crew.spawn("hanging", move || held.recv().map_err(|_| Error::Stopped))
            .expect("a thread can be started");
        crew.join_within(Duration::from_millis(20));
        assert!(lock(&crew.handles).is_empty());
        drop(release);
    }

    #[test]
    fn a_thread_that_rests_takes_the_next_work_and_rest_ends_with_the_crew() {
        let crew = Crew::default();
        let (tell, told) = sync_channel(100);
        let rests = || lock(&crew.resting).threads.len() == 1;
        for _ in 0..100 {
            let tell = tell.clone();
            let work = move || tell.send(thread::current().id()).map_err(|_| Error::Stopped);
            crew.spawn("work", work).expect("a thread can be started");
            while !rests() {
                thread::yield_now();
            }
        }
        let ids: HashSet<_> = told.try_iter().collect();
        assert_eq!(ids.len(), 1);
        crew.join();
        assert!(lock(&crew.handles).is_empty());
    }

    #[test]
    fn waiting_without_a_stop_ends_by_itself() {
        assert!(!Stop::default().wait(Duration::from_millis(1)));
    }
}
