//! What a process of this program begins with: screen, logging, signals, limits.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::shell::screen::{LogLines, Printer, Screen};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// File descriptors to ask for: sessions, doors and dials at their caps, with room to spare.
const DESCRIPTORS: u64 = 4096;

/// What a node of either tier begins with.
pub fn begin() -> Result<(Screen, Printer, Stop)> {
    let stop = Stop::default();
    let (screen, printer) = Screen::start(&stop)?;
    log_to(Some(&screen));
    raise_descriptors();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || on_signal.set())
        .map_err(|cause| Error::device("catch Ctrl-C", std::io::Error::other(cause.to_string())))?;
    Ok((screen, printer, stop))
}

/// Logs to stderr; through the screen when both are the same terminal. Times are since the start: the wall
/// clock of a Pi means nothing.
pub fn log_to(screen: Option<&Screen>) {
    let begun = Instant::now();
    let environment = env_logger::Env::default().default_filter_or("warn");
    let mut logger = env_logger::Builder::from_env(environment);
    logger.format(move |out, record| {
        let seconds = begun.elapsed().as_secs_f32();
        let text = crate::model::shown::shown(&record.args().to_string()).into_owned();
        writeln!(out, "[{seconds:9.3} {:5} {}] {text}", record.level(), record.target())
    });
    let screen = screen.filter(|screen| screen.is_interactive());
    if let (Some(screen), true) = (screen, std::io::stderr().is_terminal()) {
        logger.target(env_logger::Target::Pipe(Box::new(LogLines(screen.clone()))));
    }
    if logger.try_init().is_err() {
        log::debug!("logging was set up before");
    }
}

/// No core dump of this process is written: it would hold keys.
pub fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(cause) = setrlimit(Resource::Core, none) {
        log::debug!("core dumps cannot be forbidden: {cause}");
    }
}

fn raise_descriptors() {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS));
    if now.current.is_some_and(|current| current < wanted) {
        let limit = Rlimit { current: Some(wanted), maximum: now.maximum };
        if let Err(cause) = setrlimit(Resource::Nofile, limit) {
            log::warn!("the limit of open files stays at {:?}: {cause}", now.current);
        }
    }
}
