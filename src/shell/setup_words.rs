//! What people read of cards, passphrases, fingerprints and peers files, and of `reunite setup --local` and `reunite wipe`.

use crate::base::error::Result;
use crate::model::keys::PublicKeys;
use crate::model::shown::shown;
use crate::shell::words::{counted, nodes};
use crate::store::destroy::Report;
use crate::store::holder::Held;
use crate::store::peer_book::Peer;
use std::path::{Path, PathBuf};

/// Asks for the passphrase of an identity that is being made.
pub const NEW_PASSPHRASE: &str =
    "A passphrase for this node (at least 8 letters; it is not shown): ";
/// Asks for it again.
pub const PASSPHRASE_AGAIN: &str = "The same again: ";
/// Asks for the passphrase of an identity.
pub const PASSPHRASE: &str = "Passphrase of this node: ";
/// Names of organisations for a network that is tried out on one machine.
pub const ORGANISATIONS: [&str; 8] = [
    "Yangon General Hospital",
    "Mandalay General Hospital",
    "Cox's Bazar NW 1",
    "Cox's Bazar SE 2",
    "Thandwe General Hospital",
    "Nyaung Oo General Hospital",
    "Zabu Thiri Hospital",
    "Pun Hlaing Siloam Hospital",
];
/// That the usual ports are taken.
pub const OTHER_PORTS: &str =
    "Not all ports from 33001 on are free here: the nodes get other free ones.";

/// A path as an argument that a shell takes whole.
pub fn argument(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@".contains(letter);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// How this program was called.
pub fn program() -> String {
    std::env::args_os().next().map_or("reunite".into(), |name| argument(Path::new(&name)))
}

/// How the nodes of a new network on this machine are started.
pub fn made_locally(out: &Path, nodes: u64, readers: u64) -> String {
    let (program, file) = (program(), |name: &str| argument(&out.join(name)));
    let mut text = format!(
        "The network is in {}. Nodes: {nodes}, readers: {readers}. Start each in a terminal of its own:",
        out.display()
    );
    for number in 1..=nodes {
        text.push_str(&format!(
            "\n  {program} tier1 --peers {} --number {number} --data {}",
            file("peers.json"),
            file(&format!("node{number}"))
        ));
    }
    for number in 1..=readers {
        text.push_str(&format!(
            "\n  {program} tier2 --peers {} --data {}",
            file("peers-tier2.json"),
            file(&format!("reader{number}"))
        ));
    }
    text
}

/// What to do with a card.
pub fn card_made(card: &Path, keys: &PublicKeys) -> String {
    format!(
        "Fingerprint: {}\n  -> Send this card, which is no secret, to whoever keeps the peers file: {}\n     They run `reunite peers add`, call you, and compare the fingerprint by voice.\n     The peers file that they bring you is secret.",
        keys.fingerprint(),
        argument(card)
    )
}

/// Who a card is of.
pub fn newcomer(peer: &Peer, keys: &PublicKeys) -> String {
    let organisation = peer.organisation.to_string();
    format!(
        "Peer {}, {}, at {}\n  fingerprint {}",
        peer.number,
        shown(&organisation),
        peer.address,
        keys.fingerprint()
    )
}

/// That a card changes nothing.
pub fn known(peer: &Peer) -> String {
    format!("Peer {} is in the file already, and nothing of it has changed.", peer.number)
}

/// What to do with a peers file that has changed.
pub fn network_changed(file: &Path, count: usize, founded: bool) -> String {
    let did = if founded { "A new network begins" } else { "The network is changed" };
    let file = argument(file);
    let (these, them) =
        if count == 1 { ("this node", "it") } else { ("each of these nodes", "them") };
    format!(
        "{did}: {} in {file}.\n  -> It holds secrets: carry it to {these} by a safe way (a USB stick,\n     not e-mail), and start {them} again. Readers get another file:\n     `reunite peers tier2 --peers {file} --out FILE`",
        nodes(count)
    )
}

/// A line of the list of fingerprints.
pub fn fingerprint(peer: &Peer, keys: &PublicKeys) -> String {
    let organisation = peer.organisation.to_string();
    format!("{:>3}  {}  {}", peer.number, keys.fingerprint(), shown(&organisation))
}

/// Asks whether all is to be destroyed.
pub const WIPE: &str = "It cannot be undone. Type WIPE: ";

/// What will be destroyed.
pub fn wipe_plan(folder: &Path, peers: &[PathBuf], foreign: &[String]) -> String {
    let folder = folder.display();
    let named: Vec<_> = peers.iter().map(|peers| peers.display().to_string()).collect();
    let mut plan = match named.is_empty() {
        false => format!(
            "Destroys the node in {folder}:\n  its identity, everything else in that folder, and the peers file {}.\n  If the node is running it is killed.",
            named.join(", ")
        ),
        true => format!(
            "Destroys the node in {folder}:\n  its identity, and everything else in that folder. If the node is running it is\n  killed. A peers file that is kept elsewhere stays: --peers names it."
        ),
    };
    if !foreign.is_empty() {
        let names = shown(&foreign.join(", ")).into_owned();
        plan.push_str(&format!("\nALSO DESTROYED, though no node needs it: {names}"));
    }
    plan
}

/// That not everything is destroyed.
pub fn left(count: usize) -> String {
    match count {
        1 => "1 thing is left, see above".into(),
        _ => format!("{count} things are left, see above"),
    }
}

/// What was destroyed and what was not.
pub fn wiped(report: &Report, held: &Result<Held>, emptied: bool) -> String {
    let mut text = match held {
        Ok(Held { was_running: true, .. }) => {
            "The node was running and has been killed.\n".to_owned()
        }
        Ok(_) => String::new(),
        Err(error) => format!("WARNING: the node may still be running: {error}\n"),
    };
    text.push_str(&format!("Destroyed: {}.", counted(report.destroyed, "file", "files")));
    for (path, left) in &report.in_part {
        text.push_str(&format!(
            "\n  {} is removed, but {} MB of it were not overwritten: there was no time.",
            path.display(),
            left.div_ceil(1 << 20)
        ));
    }
    for (path, cause) in &report.failed {
        text.push_str(&format!("\n  NOT destroyed for certain: {}: {cause}", path.display()));
    }
    if !report.failed.is_empty() {
        text.push_str("\n  -> Run it again, as root if need be, or destroy the card.");
    } else if !emptied {
        text.push_str("\nThe folder is empty, but could not be removed itself.");
    }
    text.push_str("\nFlash memory (SD cards, USB sticks) may keep traces that no program can reach.\n  -> If you can, destroy the card too.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_copied_whatever_the_path_is() {
        assert_eq!(argument(Path::new("/tmp/net-1/a.json")), "/tmp/net-1/a.json");
        assert_eq!(argument(Path::new("a b")), "'a b'");
        assert_eq!(argument(Path::new("it's;rm")), "'it'\\''s;rm'");
        assert_eq!(argument(Path::new("")), "''");
    }
}
