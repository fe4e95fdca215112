//! Words of the menu items that reach other nodes: messages, sending, alarms, the list of peers.

use crate::model::classic::datagram::ALARM_STANDARD;
use crate::model::ids::PeerNumber;
use crate::shell::display::width;
use crate::shell::words::{YES, peer_name, shown_organisation};
use crate::store::peer_book::{Peer, PeerBook};
use std::net::SocketAddr;

/// Asks which peer is meant.
pub const WHICH_PEER: &str = "Peer number: ";
/// The peer that is meant cannot be this node.
pub const ITSELF: &str = "That is this node itself.";
/// Asks for a line of a message.
pub const LINE: &str = "> ";
/// What ends a message.
pub const QUIT: &str = "quit";
/// A line that does not go out.
pub const NOT_SENT: &str = "Not sent: too many lines wait, or the call has ended.";
/// The database goes out to all.
pub const SENDING_TO_ALL: &str = "Sending to all peers …";
/// It was not confirmed.
pub const NO_ALARM: &str = "No alarm was raised.";
/// An alarm for which there is no room.
pub const MANY_ALARMS: &str =
    "Many alarms are being sent already; this one was not. Try again in 3 seconds.";
/// An alarm goes out.
pub const ALARMING: &str = "The alarm is going out to all peers …";
/// In the list of peers, instead of when it was heard.
pub const THIS_NODE: &str = "this node";

/// A number that no peer has.
pub fn no_peer(number: PeerNumber) -> String {
    format!("There is no peer {number}. 11 lists all peers.")
}

/// How a message is typed.
pub fn each_line(book: &PeerBook, peer: PeerNumber) -> String {
    format!("Each line goes to {}; {QUIT} ends.", peer_name(book, peer))
}

/// The database goes out to one.
pub fn sending(book: &PeerBook, peer: PeerNumber) -> String {
    format!("Sending to {} …", peer_name(book, peer))
}

/// Asks whether an alarm is to be raised.
pub fn confirm_alarm() -> String {
    format!("This alarms ALL peers. Type {YES} to go on: ")
}

/// Asks for the text of an alarm.
pub fn alarm_text() -> String {
    format!("Text (Enter: {ALARM_STANDARD}): ")
}

/// A peer in the list of peers, whose organisations are at most so wide.
pub fn peer(peer: &Peer, wide: usize, address: SocketAddr, heard: &str) -> String {
    let organisation = shown_organisation(peer);
    let gap = " ".repeat(wide.saturating_sub(width(&organisation)));
    let (number, address) = (peer.number.value(), address.to_string());
    format!("{number:>4}  {organisation}{gap}  {address:<21}  {heard}")
}
