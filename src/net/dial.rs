//! Opens a session with a peer, as the member that this node is.

use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::caller::Errand;
use crate::model::limits::MOST_CLOSED_DOORS;
use crate::model::noise::{Asked, Purpose};
use crate::net::channel::Channel;
use crate::net::context::{Context, Order};
use crate::net::sealed::{Sealed, lacking};
use crate::store::peer_book::Peer;
use zeroize::Zeroizing;

/// Opens a session with `peer`, wherever it may be. One that does not answer costs `CALL_PATIENCE`.
pub fn dial(context: &Context, sealed: &Sealed, peer: &Peer, purpose: Purpose) -> Result<Channel> {
    let keys = peer.keys().ok_or_else(lacking)?;
    if context.monitor.is_aside(peer.number) {
        return Err(Error::peer("it is set aside for a while"));
    }
    let now = context.members.now();
    let token = Sealed::own_token(&now.book, now.me)?;
    let errand = || {
        let token = Zeroizing::new(*token.expose());
        Errand { own: lock(&sealed.own).copy(), to: keys.knock, asked: Asked { token, purpose } }
    };
    let mut closed_doors = 0;
    loop {
        let ways = context.addresses.ways(peer);
        match sealed.phone.reach(&ways, keys, &errand, &context.stop) {
            Ok((channel, at)) => {
                if !context.members.meets(&keys.identity, channel.handle()) {
                    return Err(Error::peer("it is shut out of the network"));
                }
                if context.addresses.proved(peer, at) {
                    log::info!("peer {} was found at {at}", peer.number);
                }
                lock(&sealed.gate).at_home(peer.number, at.ip());
                context.heard(peer.number);
                if purpose != Purpose::Sync {
                    context.order(Order::Heard(peer.number));
                }
                return Ok(channel);
            }
            // Its door was crowded by others, or closed before we came: knock again.
            Err(Error::Device { .. } | Error::Peer { .. }) if closed_doors < MOST_CLOSED_DOORS => {
                closed_doors += 1;
            }
            Err(error) => {
                // One that has no place now is there all the same.
                if !matches!(error, Error::Busy { .. } | Error::Stopped) {
                    context.addresses.missed(peer, &ways);
                }
                return Err(error);
            }
        }
    }
}
