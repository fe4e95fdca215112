//! JSON files that hold secrets: read with errors that quote nothing of them, wiped when dropped.

use crate::base::error::{Error, Result};
use crate::store::files;
use serde_json::Value;
use std::fmt;
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// A JSON value that may hold secrets.
pub struct SecretJson(Value);

impl SecretJson {
    /// Reads a file of at most `most` bytes; `advice` is for one that is not JSON.
    pub fn read(path: &Path, most: u64, advice: &str) -> Result<Self> {
        let text = Zeroizing::new(files::read_text(path, most)?);
        serde_json::from_str(&text).map(Self).map_err(|error| {
            // Only the place: the message of serde_json can quote what stands there.
            Error::input(
                format!("{}, line {}, column {}", path.display(), error.line(), error.column()),
                "this is not JSON",
                advice,
            )
        })
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The text for a file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text.push('\n');
        Zeroizing::new(text)
    }
}

impl From<Value> for SecretJson {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Drop for SecretJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for SecretJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretJson(…)")
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_wiped_at_every_depth_and_never_shown() {
        let mut value = json!({"a": ["geheim", {"b": "geheim"}], "c": 1});
        wipe(&mut value);
        assert_eq!(value, json!({"a": ["", {"b": ""}], "c": 1}));
        assert_eq!(format!("{:?}", SecretJson::from(json!("geheim"))), "SecretJson(…)");
    }
}
