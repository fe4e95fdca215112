//! The one error type. Each variant says whose fault it was: that decides who is told, and what.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why something could not be done.
///
/// `Display` is one lowercase line, `what: cause`, without a full stop and without any secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// This device failed: a disk, a socket, a thread.
    Device {
        /// What was being done.
        what: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Somebody gave us a file, an argument or an answer that cannot be used.
    Input {
        /// Where: a file and line, a peer and field, an option.
        place: String,
        /// What is wrong there.
        what: String,
        /// What to do about it.
        advice: String,
    },
    /// The other side broke the protocol or a limit.
    Peer {
        /// What it did.
        what: String,
    },
    /// The other side gave what is not what somebody signed: no honest node does, unless its memory fails.
    Forged {
        /// What it gave.
        what: String,
    },
    /// The time for it ran out.
    Deadline {
        /// What was waited for.
        what: &'static str,
    },
    /// A bounded place is taken.
    Full {
        /// Which place, and its bound.
        what: &'static str,
    },
    /// The other side has no place now.
    Busy {
        /// When to come back, as it says.
        retry_after: Duration,
    },
    /// The node is stopping.
    Stopped,
}

/// A result with the error of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// This device failed while doing `what`.
    pub fn device(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Device { what: what.into(), cause }
    }

    /// `what` is wrong at `place`; `advice` says what to do.
    pub fn input(
        place: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Input { place: place.into(), what: what.into(), advice: advice.into() }
    }

    /// The other side did `what`.
    pub fn peer(what: impl Into<String>) -> Self {
        Self::Peer { what: what.into() }
    }

    /// The other side gave what nobody signed.
    pub fn forged(what: impl Into<String>) -> Self {
        Self::Forged { what: what.into() }
    }

    /// What the person can do about it, if there is anything.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Input { advice, .. } => Some(advice),
            Self::Device { cause, .. } => match cause.kind() {
                io::ErrorKind::NotFound => Some("check whether the path is right"),
                io::ErrorKind::PermissionDenied => Some("check who may use it"),
                io::ErrorKind::StorageFull => Some("make room on the disk"),
                io::ErrorKind::ReadOnlyFilesystem => Some("make the disk writable, or use another"),
                _ => None,
            },
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { what, cause } => write!(f, "{what}: {cause}"),
            Self::Input { place, what, .. } => write!(f, "{place}: {what}"),
            Self::Peer { what } | Self::Forged { what } => f.write_str(what),
            Self::Deadline { what } => write!(f, "{what}: time ran out"),
            Self::Full { what } => write!(f, "no place left: {what}"),
            Self::Busy { retry_after } => {
                write!(f, "it has no place now: come back in {} s", retry_after.as_secs())
            }
            Self::Stopped => f.write_str("the node is stopping"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Device { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_error_is_one_line_with_its_cause_kept() {
        let error = Error::device("write DATABASE1.txt", io::Error::other("disk full"));
        assert_eq!(error.to_string(), "write DATABASE1.txt: disk full");
        assert!(error.source().is_some());
        assert!(error.advice().is_none());
    }

    #[test]
    fn an_input_error_says_where_what_and_what_to_do() {
        let error = Error::input("peers.json, peer 2, token", "11 digits", "give 12");
        assert_eq!(error.to_string(), "peers.json, peer 2, token: 11 digits");
        assert_eq!(error.advice(), Some("give 12"));
    }
}
