//! Where peers were found that are not, or not only, where the peers file says: the file `addresses.json` of a node's
//! data folder. The peers file is a person's, and is never written here.
//!
//! ```json
//! { "boot": 7, "peers": { "2": ["10.35.70.9:33001"] } }
//! ```
//!
//! It is a help, not a truth: one that is missing or damaged costs a search, and no word.

use crate::base::error::Result;
use crate::model::ids::PeerNumber;
use crate::model::limits::{MAX_ADDRESSES_FILE, PROVED_ADDRESSES};
use crate::store::files;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// The name of the file in the data folder.
pub const FILE: &str = "addresses.json";

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// How often the node was started, about; rises with each start.
    pub boot: u64,
    /// Where peers were found, the last first.
    pub peers: BTreeMap<PeerNumber, Vec<SocketAddr>>,
}

impl Learned {
    /// Reads the file. What cannot be read is not there.
    pub fn read(path: &Path) -> Self {
        let read = || {
            let text = files::read_text(path, MAX_ADDRESSES_FILE).ok()?;
            serde_json::from_str::<Value>(&text).ok()
        };
        let value = read().unwrap_or_default();
        let peer = |(number, found): (&String, &Value)| {
            let found = found.as_array()?.iter().filter_map(Value::as_str);
            let found = found.filter_map(|address| address.parse().ok()).take(PROVED_ADDRESSES);
            Some((number.parse().ok()?, found.collect()))
        };
        let peers = value.get("peers").and_then(Value::as_object);
        let peers = peers.map(|peers| peers.iter().filter_map(peer).collect());
        let boot = value.get("boot").and_then(Value::as_u64).unwrap_or_default();
        Self { boot, peers: peers.unwrap_or_default() }
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let peer = |(number, found): (&PeerNumber, &Vec<SocketAddr>)| {
            let found: Vec<_> = found.iter().map(SocketAddr::to_string).collect();
            (number.to_string(), Value::from(found))
        };
        let peers: Map<_, _> = self.peers.iter().map(peer).collect();
        let text = format!("{:#}\n", json!({ "boot": self.boot, "peers": peers }));
        files::replace(path, |out| out.write_all(text.as_bytes())).map(|_| ())
    }

    /// Notes another start, and returns its number. `wall` is what the clock says, in seconds since 1970: if an old
    /// copy of the folder was put back, it most likely still rises.
    pub fn start(&mut self, wall: u64) -> u64 {
        self.boot = self.boot.saturating_add(1).max(wall);
        self.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_learned_is_read_again_and_what_is_damaged_is_left_out() {
        let path = std::env::temp_dir().join(format!("reunite-learned-{}", std::process::id()));
        let address = vec!["10.35.70.9:33001".parse().expect("an address")];
        let peers = BTreeMap::from([(2.try_into().expect("1 to 999"), address)]);
        let learned = Learned { boot: 7, peers };
        learned.write(&path).expect("written");
        assert_eq!(Learned::read(&path), learned);
        for (text, boot) in [
            ("", 0),
            ("[1]", 0),
            ("{\"boot\": 7, \"peers\": {\"0\": [\"10.0.0.1:1\"], \"3\": 4}}", 7),
        ] {
            fs::write(&path, text).expect("written");
            assert_eq!(Learned::read(&path), Learned { boot, ..Learned::default() }, "{text}");
        }
        fs::remove_file(&path).expect("removed");
        assert_eq!(Learned::read(&path), Learned::default());
    }

    #[test]
    fn every_start_has_a_higher_number_whatever_the_clock_says() {
        let mut learned = Learned::default();
        let starts: Vec<_> = [0, 0, 1_700_000_000, 0, 5].map(|wall| learned.start(wall)).into();
        assert!(starts.is_sorted_by(|one, next| one < next), "{starts:?}");
    }
}
