//! The screen: one thread writes to it, whoever has something to show gives it to that thread.
//!
//! So an alarm appears at once above the line that is being typed, and no terminal that has stopped
//! scrolling can hold up a session.

use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock, spawn};
use crate::model::ids::PeerNumber;
use crate::model::ledger::names::AlarmId;
use crate::model::limits::SCREEN_QUEUE;
use crate::shell::display::Display;
use crate::shell::words;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_millis(500);
/// How long a full queue is left alone before it is looked at again.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// How often an unread alarm rings again.
const RING_AGAIN: Duration = Duration::from_secs(15);

/// Something for the screen.
#[derive(Debug)]
enum Show {
    /// What the person asked for.
    Text(String),
    /// What happened meanwhile; goes above the line being typed.
    Notice(String),
    /// An alarm; rings until it is read.
    Alarm(String),
    /// The line being typed: prompt, text before the cursor, text behind it.
    Typing(String, String, String),
    /// The line was entered.
    Entered,
    /// The person has read the alarms.
    AlarmsRead,
    /// Nothing more comes.
    End,
}

/// A handle to the screen; clones share it.
#[derive(Clone, Debug)]
pub struct Screen {
    queue: SyncSender<Show>,
    missed: Arc<AtomicUsize>,
    alarms: Arc<Mutex<Vec<Unread>>>,
    interactive: bool,
    stop: Stop,
}

/// The thread that writes; its owner ends it.
#[derive(Debug)]
pub struct Printer {
    queue: SyncSender<Show>,
    thread: JoinHandle<()>,
    done: Receiver<()>,
}

/// An alarm that nobody has read yet.
#[derive(Clone, Debug)]
pub struct Unread {
    /// Who raised it.
    pub peer: PeerNumber,
    /// Its name, if it stands in a ledger.
    pub id: Option<AlarmId>,
    /// How it is shown.
    pub text: String,
}

/// Most unread alarms of one peer that are repeated, the first; all are shown once.
const MOST_UNREAD: usize = 5;

impl Screen {
    /// The screen on standard output, and the thread that writes to it.
    pub fn start(stop: &Stop) -> Result<(Self, Printer)> {
        let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
        let (queue, shows) = sync_channel(SCREEN_QUEUE);
        let (ended, done) = sync_channel(1);
        let missed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&missed);
        let thread = spawn("screen", move || {
            let written = print(&shows, &counted, interactive);
            // Who waits may be gone already.
            let _ = ended.try_send(());
            written.map_err(|cause| Error::device("write to the screen", cause))
        })?;
        let printer = Printer { queue: queue.clone(), thread, done };
        let (alarms, stop) = (Arc::default(), stop.clone());
        Ok((Self { queue, missed, alarms, interactive, stop }, printer))
    }

    /// Whether a person sits at a terminal.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Shows what the person asked for, and a line break.
    pub fn say(&self, text: impl Into<String>) {
        self.send(Show::Text(text.into()));
    }

    /// Shows what happened meanwhile. Never blocks: when the screen is far behind, it is counted instead. Returns
    /// whether it is shown.
    pub fn notice(&self, text: impl Into<String>) -> bool {
        let sent = self.queue.try_send(Show::Notice(text.into()));
        if let Err(TrySendError::Full(_)) = sent {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        sent.is_ok()
    }

    /// Shows an alarm, which goes on until it is read.
    pub fn alarm(&self, alarm: Unread) {
        let text = alarm.text.clone();
        let mut alarms = lock(&self.alarms);
        if alarms.iter().filter(|one| one.peer == alarm.peer).count() < MOST_UNREAD {
            alarms.push(alarm);
        }
        drop(alarms);
        // An alarm has to get through: it waits a while for a screen that is far behind.
        let mut show = Show::Alarm(text);
        for _ in 0..20 {
            match self.queue.try_send(show) {
                Err(TrySendError::Full(again)) => show = again,
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            }
            if self.stop.wait(Duration::from_millis(100)) {
                return;
            }
        }
    }

    /// The alarms that nobody has read yet.
    pub fn unread_alarms(&self) -> Vec<String> {
        lock(&self.alarms).iter().map(|alarm| alarm.text.clone()).collect()
    }

    /// The person has read the alarms: returns the names of those that were not read before.
    pub fn read_alarms(&self) -> Vec<AlarmId> {
        let read = std::mem::take(&mut *lock(&self.alarms));
        self.send(Show::AlarmsRead);
        read.into_iter().filter_map(|alarm| alarm.id).collect()
    }

    /// An alarm is over: it is not repeated any more.
    pub fn called_off(&self, id: AlarmId) {
        let mut alarms = lock(&self.alarms);
        let before = alarms.len();
        alarms.retain(|alarm| alarm.id != Some(id));
        if before > 0 && alarms.is_empty() && self.queue.try_send(Show::AlarmsRead).is_err() {
            log::debug!("the screen is far behind: it rings on until somebody has read");
        }
    }

    /// Shows the line being typed.
    pub fn typing(&self, prompt: &str, before: &str, behind: &str) {
        self.send(Show::Typing(prompt.into(), before.into(), behind.into()));
    }

    /// The line was entered; what comes next goes below it.
    pub fn entered(&self) {
        self.send(Show::Entered);
    }

    /// Waits for room: what the person asked for is shown whole, however slow the screen is. But not when
    /// the node is to end.
    fn send(&self, show: Show) {
        let mut show = show;
        loop {
            match self.queue.try_send(show) {
                Err(TrySendError::Full(again)) => show = again,
                // Without a printer there is nothing to show it on.
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            }
            if self.stop.wait(FULL_PAUSE) {
                return;
            }
        }
    }
}

impl Printer {
    /// Waits, not long, until all is written.
    pub fn end(self) {
        if self.queue.try_send(Show::End).is_err() {
            log::debug!("the screen is too far behind to be waited for");
        }
        // A screen that takes nothing any more must not keep the node from ending.
        if self.done.recv_timeout(LAST_LINES) != Err(RecvTimeoutError::Timeout)
            && self.thread.join().is_err()
        {
            log::error!("the screen thread ended by a panic");
        }
    }
}

/// Log lines on a terminal go above the line being typed too.
#[derive(Debug)]
pub struct LogLines(pub Screen);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.notice(String::from_utf8_lossy(bytes).trim_end().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn print(shows: &Receiver<Show>, missed: &AtomicUsize, interactive: bool) -> io::Result<()> {
    let mut display = Display::new(io::stdout(), interactive);
    let (mut ringing, mut ring) = (false, Instant::now());
    loop {
        if ringing && ring.elapsed() >= RING_AGAIN {
            ring = Instant::now();
            display.ring()?;
        }
        match shows.recv_timeout(RING_AGAIN) {
            Ok(Show::Text(text)) => display.text(&text)?,
            Ok(Show::Notice(text)) => display.notice(&text)?,
            Ok(Show::Alarm(text)) => {
                (ringing, ring) = (true, Instant::now());
                display.alarm(&text)?;
            }
            Ok(Show::Typing(prompt, before, behind)) => display.typing(prompt, before, behind)?,
            Ok(Show::Entered) => display.entered()?,
            Ok(Show::AlarmsRead) => ringing = false,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Show::End) | Err(RecvTimeoutError::Disconnected) => return display.end(),
        }
        match missed.swap(0, Ordering::Relaxed) {
            0 => {}
            count => display.notice(&words::not_shown(count))?,
        }
    }
}
