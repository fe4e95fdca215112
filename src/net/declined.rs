//! Why the other side does not go on, as an error.

use crate::base::error::Error;
use crate::model::message::Declined;

/// What this node says when it takes nothing more because of this.
pub fn because(error: &Error) -> Declined {
    match error {
        Error::Stopped => Declined::Stopping,
        Error::Deadline { .. } | Error::Busy { .. } => Declined::Busy,
        Error::Peer { .. } | Error::Forged { .. } => Declined::Wrong,
        Error::Device { .. } | Error::Input { .. } | Error::Full { .. } => Declined::Disk,
    }
}

/// Who was being given something declined it.
pub fn by_taker(why: Declined) -> Error {
    Error::peer(match why {
        Declined::Busy => "it takes long to store it, and may still do so",
        Declined::Full => "it has no room for all of it",
        Declined::Disk => "its disk cannot be written",
        Declined::Stopping => "it is being ended",
        Declined::Wrong => "it found blocks that are not right, and took none behind them",
    })
}

/// Who was asked for a copy declined to give it, or the rest of it.
pub fn by_giver(why: Declined) -> Error {
    match why {
        Declined::Busy => Error::peer("it has newer news than this, or is reading them; ask again"),
        other => by_taker(other),
    }
}
