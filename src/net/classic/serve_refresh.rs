//! Answers a tier-2 node that asked for its copy.

use crate::base::clock::Deadline;
use crate::base::error::Result;
use crate::base::seats::{Seat, Seats};
use crate::base::threads::lock;
use crate::model::bucket::Buckets;
use crate::model::limits::{
    MAX_REFRESHES, MAX_SOURCE_REFRESHES, REFRESH_BURST, REFRESH_CONNECT, REFRESH_RATE,
    REFRESH_SOURCES,
};
use crate::net::classic::send;
use crate::net::context::Context;
use crate::net::wire::Wire;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Who is being answered, and how often each address may ask.
#[derive(Debug)]
pub struct Refreshes {
    seats: Seats<IpAddr>,
    buckets: Buckets<IpAddr>,
    under_way: Arc<Mutex<HashSet<SocketAddr>>>,
}

impl Default for Refreshes {
    fn default() -> Self {
        Self {
            seats: Seats::new(MAX_REFRESHES, MAX_SOURCE_REFRESHES),
            buckets: Buckets::new(REFRESH_BURST, REFRESH_RATE, REFRESH_SOURCES),
            under_way: Arc::default(),
        }
    }
}

impl Refreshes {
    /// Starts to answer the node that listens at `to`. `Ok(false)`: it asks too often, or too many do.
    pub fn answer(&mut self, context: &Arc<Context>, to: SocketAddr, now: Instant) -> Result<bool> {
        if lock(&self.under_way).contains(&to) {
            // It asked again while it is being answered.
            return Ok(true);
        }
        if !self.buckets.take(to.ip(), now) {
            return Ok(false);
        }
        let Some(seat) = self.seats.take(&to.ip()) else { return Ok(false) };
        lock(&self.under_way).insert(to);
        let place = Place { to, under_way: Arc::clone(&self.under_way), _seat: seat };
        let node = Arc::clone(context);
        context.crew.spawn("refresh", move || send(&node, &place))?;
        Ok(true)
    }
}

/// The place of one answer; free again when dropped.
struct Place {
    to: SocketAddr,
    under_way: Arc<Mutex<HashSet<SocketAddr>>>,
    _seat: Seat<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.to);
    }
}

fn send(context: &Context, place: &Place) -> Result<()> {
    let deadline = Deadline::after(REFRESH_CONNECT);
    let wire = match Wire::connect(place.to, deadline, &context.stop) {
        Ok(wire) => wire,
        Err(error) => {
            // A stranger can cause this as often as it likes: no warning.
            log::debug!("refresh for {}: {error}", place.to);
            return Ok(());
        }
    };
    let rows = context.classic.public.now(&context.database);
    if let Err(error) = send::public_copy(wire, &rows) {
        log::debug!("refresh for {}: {error}", place.to);
    }
    Ok(())
}
