//! What people read while a newcomer joins: at the newcomer, and at the member that lets it in.

use crate::model::ids::PeerNumber;
use crate::model::join::code::DoorNumber;
use crate::model::join::message::Refusal;
use crate::model::join::request::Request;
use crate::model::join::sponsor::{Judged, Remarks};
use crate::model::join::welcome::Welcome;
use crate::model::keys::PublicKeys;
use crate::model::shown::shown;
use crate::shell::setup_words::{argument, program};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

// --- at the newcomer ---

/// Why nobody joins a classic network so.
pub const CLASSIC: &str = "In a classic network nobody joins by a code: whoever keeps its peers file adds the node to it.";
/// Asks for the code.
pub const CODE: &str = "The code that the member reads to you (like 7-crossover-clockwork): ";
/// Asks for the address of the member.
pub const MEMBER: &str = "The address that the member reads to you (like 10.35.70.1:33001): ";
/// The door is looked for.
pub const SEARCH: &str = "Looking for the door on this local network …";

/// Where doors of this number answered.
pub fn found(number: DoorNumber, doors: &[SocketAddr]) -> String {
    let number = number.value();
    match doors {
        [] => format!("No door {number} is open on this local network: type where it is."),
        [door] => format!("Door {number} answers at {door}."),
        several => {
            let each = several.iter().map(|door| format!("\n  Door {number} answers at {door}."));
            format!(
                "More than one answers; type the address that was read to you.{}",
                each.collect::<String>()
            )
        }
    }
}

/// Asks whose node it is.
pub const ORGANISATION: &str = "Whose node is this (organisation, place): ";
/// Asks for the address of a new node.
pub const ADDRESS: &str = "Where the other nodes reach it (like 10.35.70.2:33001): ";
/// Asks for the name of a new network.
pub const NETWORK: &str = "The name of the new network: ";
/// What `reunite setup` asks first.
pub const WAYS: &str = "1 begin a new network
2 join a network by a code: a member reads it to you now
3 join a network by a file: a member answers it later";
/// Asks which way.
pub const WAY: &str = "Which: ";
/// Asks for a file.
pub const REQUEST_FILE: &str = "Write the request to this file: ";

/// Asks for the address of a new node, which is probably this one.
pub fn address_question(likely: &SocketAddr) -> String {
    format!("Where the other nodes reach it (Enter: {likely}): ")
}

/// That both have the same code.
pub fn met(keys: &PublicKeys) -> String {
    format!(
        "The member has the same code. It is asked now whether it lets this node in.\n  fingerprint of this node  {}",
        keys.fingerprint()
    )
}

/// What to do with a request.
pub fn requested(path: &Path, keys: &PublicKeys, data: &Path) -> String {
    format!(
        "Fingerprint: {}\n  -> Bring the request, which is no secret, to a member: {}\n     They call you, compare the fingerprint by voice, and make an answer of it. Then:\n     `{} join accept --data {} ANSWER`",
        keys.fingerprint(),
        argument(path),
        program(),
        argument(data)
    )
}

/// Who has answered a request.
pub fn answered(welcome: &Welcome) -> String {
    let name = welcome.name.to_string();
    let members = welcome.members.len().saturating_sub(1);
    let mut text = format!("Network \"{}\", other nodes: {members}.", shown(&name));
    if let Some(sponsor) = welcome.sponsored_by() {
        let organisation = sponsor.organisation.to_string();
        text.push_str(&format!(
            "\nAnswered by node {}, {}\n  fingerprint {}",
            sponsor.number,
            shown(&organisation),
            sponsor.keys.fingerprint()
        ));
    }
    text
}

/// That a node has joined, and how it is started.
pub fn joined(network: &str, number: PeerNumber, data: &Path) -> String {
    format!(
        "This is node {number} of the network \"{}\". {}",
        shown(network),
        start(data, "it fetches the database then")
    )
}

/// That a network has begun, and how its first node is started.
pub fn founded(network: &str, data: &Path, keys: &PublicKeys) -> String {
    format!(
        "The network \"{}\" begins with this node.\n  fingerprint {}\n{}",
        shown(network),
        keys.fingerprint(),
        start(data, "17 in its menu lets others join")
    )
}

/// How a node is started, and what happens then.
fn start(data: &Path, then: &str) -> String {
    match std::env::var_os(SERVICE) {
        Some(_) => format!("The service starts it; {then}."),
        None => format!("Start it; {then}:\n  {} tier1 --data {}", program(), argument(data)),
    }
}

/// Set where a service runs the node, as on a Pi.
const SERVICE: &str = "REUNITE_SERVICE";

// --- at the member ---

/// The two ways to let somebody in.
pub const WAYS_IN: &str = "1 by a code, now: the newcomer can reach this node
2 by a file that the newcomer made with `reunite join request`";
/// Asks which way.
pub const WAY_IN: &str = "Which (Enter: nothing): ";
/// Nothing was done.
pub const NOTHING: &str = "Nothing was done.";
/// While the door is open.
pub const WAITING: &str = "(Enter closes the door; once somebody asks, only YES lets it in): ";
/// Somebody is there.
pub const DECIDE: &str = "First have them read the fingerprint to you, from the newcomer's screen. Is it the same?\nType YES to let it in; anything else, also Enter alone, declines.";
/// The person closed the door.
pub const CLOSED: &str = "The door is closed. Nobody came in.";
/// It takes time.
pub const LETTING_IN: &str = "It is let in …";
/// Asks for a file.
pub const REQUEST: &str = "The request (a file; Enter: nothing): ";
/// Asks for a file.
pub const ANSWER: &str = "Write the answer to this file (Enter: give up): ";
/// How an answer that was given up is made again.
pub const SAME_AGAIN: &str = "The answer was not kept.\n  -> It is a member all the same; 17 makes the answer again, of the same request.";
/// The same, of who joined by a code.
pub const ASKED_AGAIN: &str = "The answer was not kept.\n  -> It may be a member all the same: let it run `reunite join request`; 17 makes the answer again, of that request.";
/// What to do when the command could not write an answer.
pub const OTHER_FILE: &str = "give another file: of the same request the answer is made again";

/// That the door is open.
pub fn open(code: &str, address: &SocketAddr, is_sought: bool, minutes: u64) -> String {
    let address = match address.ip().is_unspecified() {
        true => format!("port {} at the address that this device has now", address.port()),
        false => address.to_string(),
    };
    let asks = match is_sought {
        true => "which asks for the code; on another local network also for\nthe address.",
        false => "which asks for the code and the address.",
    };
    format!(
        "The door is open for {minutes} minutes, for one newcomer. Read to it, by telephone or face to face:\n\n    code     {code}\n    address  {address}\n\nThere it runs `reunite setup`, {asks} One wrong code closes the door."
    )
}

/// Who asks to be let in.
pub fn asks(request: &Request, remarks: &Remarks) -> String {
    let organisation = request.organisation().to_string();
    let mut text = format!(
        "Somebody asks to join:\n  organisation  {}\n  address       {}\n  fingerprint   {}",
        shown(&organisation),
        request.address(),
        request.keys().fingerprint()
    );
    if let Some(number) = remarks.same_name {
        text.push_str(&format!(
            "\nWARNING: node {number} has the same name. Is it a second node of theirs?"
        ));
    }
    text
}

/// Nobody came.
pub const UNUSED: &str = "Nobody came; the door is closed. Press Enter.";
/// The newcomer went away.
pub const GONE: &str = "The newcomer went away; nobody was let in. Press Enter.";
/// The person said nothing.
pub const UNDECIDED: &str =
    "You did not decide in time: nobody was let in, and the newcomer was told so. Press Enter.";
/// The person said no.
pub const DECLINED: &str = "It was declined; the newcomer was told so.";

/// Somebody tried a wrong code.
pub fn wrong_code(from: IpAddr) -> String {
    format!(
        "SOMEBODY AT {from} TRIED A WRONG CODE. The door is closed, and nobody came in. Press Enter.\n  -> If the newcomer did not mistype it, somebody else tries to come in."
    )
}

/// Why somebody who came by code cannot be let in.
pub fn refused(judged: &Judged) -> String {
    format!("The newcomer was refused: {}. It was told so. Press Enter.", why(judged))
}

/// Why somebody cannot be let in.
pub fn why(judged: &Judged) -> String {
    let with = judged.with.map_or(String::new(), |number| format!(" (node {number})"));
    let why = match judged.why {
        Refusal::Declined => "it was declined",
        Refusal::Undecided => "nobody decided in time",
        Refusal::KeyTaken => "one of its keys is a member's already",
        Refusal::ShutOut => "its key was shut out of the network, for ever",
        Refusal::AddressTaken => "a member has its address",
        Refusal::Full => "the network has as many members as it may have",
        Refusal::Failed => "it could not be done",
        Refusal::Unsaved => "the disk has not taken it yet",
    };
    format!("it cannot be let in: {why}{with}")
}

/// That somebody is a member.
pub fn welcomed(number: PeerNumber) -> String {
    format!("Node {number} has joined. All nodes learn it when they meet.")
}

/// That an answer may not have arrived.
pub const UNSURE: &str = "It is signed that it is a member, but it does not have its answer, as far as is known. Keep the answer in a file.";

/// That it is not known whether the newcomer was told.
pub fn unsure(number: PeerNumber, file: &Path) -> String {
    format!(
        "The answer to node {number} is in {}.\n  -> If the newcomer does not have it: bring it that file, for `reunite join accept`.",
        argument(file)
    )
}

/// That a member asks for its answer again.
pub fn again(number: PeerNumber) -> String {
    format!(
        "This is node {number} of the network already. Type YES to make its answer again (Enter: nothing): "
    )
}

/// That others have to agree.
pub fn waits(number: PeerNumber, needed: usize) -> String {
    format!(
        "Node {number}: this node's voice is given; the network asks for {needed}.\n  -> Others agree in their menu (16), or with the same request (17). Then make the answer here again."
    )
}

/// What to do with an answer.
pub fn answer_made(path: &Path, number: PeerNumber, own: &PublicKeys) -> String {
    format!(
        "Node {number} is a member. Bring it the answer, which only it can open: {}\n  fingerprint of this node, which it compares by voice  {}",
        argument(path),
        own.fingerprint()
    )
}
