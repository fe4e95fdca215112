//! Which network a node belongs to, once and for all: a small file in its data folder.
//!
//! ```json
//! { "network": "64 hex digits", "founder": "64 hex digits" }
//! ```
//!
//! It is written when the node begins the network, joins it, or finds that somebody of its peers file began it. From then
//! on the ledger says who belongs to it, and no other beginning counts.

use crate::base::error::{Error, Result};
use crate::model::keys::IdentityKey;
use crate::model::ledger::names::NetworkId;
use crate::model::limits::MAX_CARD;
use crate::store::files;
use serde_json::{Value, json};
use std::path::Path;

/// The name of the file in the data folder.
pub const FILE: &str = "network.json";
const ADVICE: &str =
    "take it away; the node finds its network again, if its peers file has who began it";

/// The network to which a node belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which.
    pub network: NetworkId,
    /// Who began it.
    pub founder: IdentityKey,
}

impl Pin {
    /// The pin in the file at `path`, if there is one.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if files::is_missing(path)? {
            return Ok(None);
        }
        let text = files::read_text(path, MAX_CARD)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let key = |name: &str| value.get(name)?.as_str()?.parse::<IdentityKey>().ok();
        match (key("network"), key("founder")) {
            // Written in the same way as a key.
            (Some(network), Some(founder)) => {
                Ok(Some(Self { network: (*network.as_bytes()).into(), founder }))
            }
            _ => Err(Error::input(path.display().to_string(), "it names no network", ADVICE)),
        }
    }

    /// Writes it there, durably.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = json!({
            "network": self.network.to_string(),
            "founder": self.founder.to_string(),
        });
        files::replace(path, |out| writeln!(out, "{text:#}")).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_pin_is_read_as_it_was_written_and_one_that_is_none_is_an_error() {
        let path = std::env::temp_dir().join(format!("reunite-pin-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        assert_eq!(Pin::read(&path).expect("missing"), None);
        let pin = Pin { network: [7; 32].into(), founder: [9; 32].into() };
        pin.write(&path).expect("written");
        assert_eq!(Pin::read(&path).expect("right"), Some(pin));
        for wrong in ["", "{}", "[1]", r#"{"network": "00", "founder": 3}"#] {
            fs::write(&path, wrong).expect("written");
            let error = Pin::read(&path).expect_err("no pin").to_string();
            assert!(error.contains("names no network"), "{error}");
        }
        let _ = fs::remove_file(&path);
    }
}
