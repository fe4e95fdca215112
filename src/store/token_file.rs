//! The original's `token.txt`: a line a peer, `IP, UDP port, token, organisation`; the number is the line's.

use crate::base::error::{Error, Result};
use crate::model::fields;
use crate::model::ids::{Organisation, PeerNumber};
use crate::model::limits::MAX_PEERS_FILE;
use crate::model::secret::Token;
use crate::store::files;
use crate::store::peer_book::{Peer, PeerBook};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use zeroize::Zeroize;

/// Reads the original's token file.
pub fn import(path: &Path, network: &str) -> Result<PeerBook> {
    let mut text = files::read_text(path, MAX_PEERS_FILE)?;
    let mut peers = Vec::new();
    let mut failed = None;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match peer(path, at + 1, line) {
            Ok(peer) => peers.push(peer),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    text.zeroize();
    match failed {
        Some(error) => Err(error),
        None => PeerBook::new(path, network.to_owned(), peers),
    }
}

fn peer(path: &Path, line_number: usize, line: &str) -> Result<Peer> {
    let wrong = |field: &str, what: &str| {
        Error::input(
            format!("{}, line {line_number}: {field}", path.display()),
            what,
            "a line is `IP, port, token, organisation`",
        )
    };
    let mut fields = fields::split(line);
    let mut next = || fields.next().unwrap_or_default();
    let ip: IpAddr = next().parse().map_err(|_| wrong("address", "it is not an IP address"))?;
    let port: u16 = next().parse().map_err(|_| wrong("port", "it is not a port"))?;
    let token = Token::try_from(next().as_bytes())
        .map_err(|_| wrong("token", "it is not twelve digits"))?;
    // A name may hold commas: it is the rest of the line.
    let name = fields.collect::<Vec<_>>().join(", ");
    let organisation: Organisation =
        name.parse().map_err(|error: Error| wrong("organisation", &error.to_string()))?;
    let number = PeerNumber::try_from(line_number as u64)?;
    Ok(Peer::new(number, organisation, SocketAddr::new(ip, port), Some(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<PeerBook> {
        let path =
            std::env::temp_dir().join(format!("reunite-token-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let book = import(&path, "n");
        std::fs::remove_file(&path).expect("removed");
        book
    }

    #[test]
    fn the_number_of_a_peer_is_its_line() {
        let text = "127.0.0.1, 33001 , 149418626990 , Yangon General\n\n10.0.0.3, 33003 , 747323719280 , A, B\n";
        let book = read("right", text).expect("right");
        let lines: Vec<_> = book
            .all()
            .iter()
            .map(|peer| (peer.number.value(), peer.organisation.to_string()))
            .collect();
        assert_eq!(lines, [(1, "Yangon General".into()), (3, "A, B".into())]);
    }

    #[test]
    fn an_error_names_line_and_field_and_no_token() {
        for (text, place) in [
            ("yangon, 33001 , 149418626990 , A", "line 1: address"),
            ("127.0.0.1, x, 149418626990 , A", "line 1: port"),
            ("127.0.0.1, 33001 , 14941862699 , A", "line 1: token"),
            ("127.0.0.1, 33001 , 149418626990 , ", "line 1: organisation"),
        ] {
            let error = read("wrong", text).expect_err(text).to_string();
            assert!(error.contains(place) && !error.contains("1494186"), "{error}");
        }
    }
}
