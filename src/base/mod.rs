//! Base: what every other layer may use. Errors, deadlines, threads, waiting, places that are limited.

pub mod clock;
pub mod error;
pub mod seats;
pub mod threads;
pub mod throttle;
pub mod waiting;
