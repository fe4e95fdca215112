//! Opens a session with a peer, as the member that this node is.

use crate::base::error::{Error, Result};
use crate::model::caller::Errand;
use crate::model::limits::MOST_CLOSED_DOORS;
use crate::model::noise::{Asked, Purpose};
use crate::net::channel::Channel;
use crate::net::context::{Context, Order};
use crate::net::sealed::{Sealed, lacking};
use crate::store::peer_book::Peer;
use zeroize::Zeroizing;

/// Opens a session with `peer`. One that does not answer costs `CALL_PATIENCE`.
pub fn dial(context: &Context, sealed: &Sealed, peer: &Peer, purpose: Purpose) -> Result<Channel> {
    let keys = peer.keys().ok_or_else(lacking)?;
    let mut closed_doors = 0;
    loop {
        let token = Zeroizing::new(*Sealed::own_token(&context.book, context.me)?.expose());
        let errand =
            Errand { own: sealed.own.copy(), to: keys.knock, asked: Asked { token, purpose } };
        match sealed.phone.open(peer.address, keys, errand, &context.stop) {
            Ok(channel) => {
                context.monitor.heard(peer.number);
                if purpose != Purpose::Sync {
                    context.order(Order::Heard(peer.number));
                }
                return Ok(channel);
            }
            // Its door was crowded by others, or closed before we came: knock again.
            Err(Error::Device { .. } | Error::Peer { .. }) if closed_doors < MOST_CLOSED_DOORS => {
                closed_doors += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
