//! The one way to start a thread, the one flag that ends them all, and the crew that joins them.

use crate::base::error::{Error, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Stack of every thread: the default 2 MiB times some hundred sessions would not fit a 32-bit Pi.
pub const STACK_BYTES: usize = 256 * 1024;

/// Locks `mutex`. A thread that panicked while holding it cannot have left plain data half-written
/// that later holders would misread, so its poison is not passed on.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The node's stop flag: set once, seen by all threads within one slice of waiting.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Ends the node.
    pub fn set(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Whether the node is ending.
    pub fn is_set(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Waits for `duration`, or less if the node ends. Returns whether it ends.
    pub fn wait(&self, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        let mut stopped = lock(&self.0.0);
        while !*stopped {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            stopped =
                self.0.1.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
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
        .spawn(move || match work() {
            Ok(()) | Err(Error::Stopped) => {}
            Err(error) => log::warn!("{label}: {error}"),
        })
        .map_err(|cause| Error::device(format!("start thread {name}"), cause))
}

/// Threads that come and go under one owner, who joins every one of them.
#[derive(Debug, Default)]
pub struct Crew(Mutex<Vec<JoinHandle<()>>>);

impl Crew {
    /// Starts a thread in this crew, and joins those that have ended meanwhile.
    pub fn spawn<F>(&self, name: &str, work: F) -> Result<()>
    where
        F: FnOnce() -> Result<()> + Send + 'static,
    {
        let handle = spawn(name, work)?;
        let mut handles = lock(&self.0);
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
        let handles = std::mem::take(&mut *lock(&self.0));
        join(handles);
    }
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
    use std::sync::mpsc::sync_channel;

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
    fn waiting_without_a_stop_ends_by_itself() {
        assert!(!Stop::default().wait(Duration::from_millis(1)));
    }
}
