//! The secret of this node on its disk: one small file, made once, never overwritten.
//!
//! ```json
//! { "version": 1, "number": 1, "secret": "64 hex digits" }
//! { "version": 1, "number": 1, "sealed": "96 hex digits",
//!   "argon2id": { "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": "32 hex digits" } }
//! ```
//!
//! With a passphrase the secret is sealed by ChaCha20-Poly1305 (RFC 8439), under a key that Argon2id (RFC 9106)
//! makes of the passphrase. A key has its own salt and seals one secret: its nonce is zero. The number is sealed too.

use crate::base::error::{Error, Result};
use crate::model::hex;
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::keys::{KEY_BYTES, SecretKey};
use crate::model::limits::{
    ARGON2_MEMORY, ARGON2_MEMORY_RANGE, ARGON2_MOST_LANES, ARGON2_MOST_PASSES, ARGON2_PASSES,
    MAX_CARD,
};
use crate::model::passphrase::Passphrase;
use crate::store::files;
use crate::store::json::SecretJson;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::Rng;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Map, Value, json};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// The name of the file in the data folder.
pub const FILE: &str = "identity.json";
/// What the file of this version says.
const VERSION: u64 = 1;
const SALT_BYTES: usize = 16;
/// The secret and its tag.
const SEALED_BYTES: usize = KEY_BYTES + 16;

/// What an identity file holds, before its passphrase is known.
#[derive(Debug)]
pub struct IdentityFile {
    number: PeerNumber,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Plain(SecretKey),
    Sealed(Cost, [u8; SEALED_BYTES]),
}

/// What one guess of the passphrase costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT_BYTES],
}

impl IdentityFile {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let json = SecretJson::read(path, MAX_CARD, ADVICE)?;
        let wrong = |field| wrong(path, field);
        let file = json.value().as_object().ok_or_else(|| wrong("file"))?;
        if file.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return Err(wrong("version"));
        }
        let number = file.get("number").and_then(Value::as_u64);
        let number = number.and_then(|number| number.try_into().ok());
        let number = number.ok_or_else(|| wrong("number"))?;
        let kept = match file.get("argon2id") {
            None => Kept::Plain(hex_of(file, "secret").ok_or_else(|| wrong("secret"))?.into()),
            Some(cost) => Kept::Sealed(
                Cost::read(cost).ok_or_else(|| wrong("argon2id"))?,
                hex_of(file, "sealed").ok_or_else(|| wrong("sealed"))?,
            ),
        };
        Ok(Self { number, kept })
    }

    /// Whose identity it is.
    pub fn number(&self) -> PeerNumber {
        self.number
    }

    /// Whether a passphrase is needed.
    pub fn is_sealed(&self) -> bool {
        matches!(self.kept, Kept::Sealed(..))
    }

    /// The identity. The passphrase is asked for only if there is one.
    pub fn open(self, passphrase: impl FnOnce() -> Result<Passphrase>) -> Result<Identity> {
        match self.kept {
            Kept::Plain(secret) => Ok(Identity::new(secret)),
            Kept::Sealed(cost, mut sealed) => {
                let key = cost.key(&passphrase()?)?;
                let opened = key
                    .open_in_place(nonce(), associated(self.number), &mut sealed)
                    .ok()
                    .and_then(|secret| <[u8; KEY_BYTES]>::try_from(&*secret).ok());
                sealed.zeroize();
                opened.map(|secret| Identity::new(secret.into())).ok_or_else(|| {
                    Error::input(
                        "passphrase",
                        "it does not open this identity",
                        "type it again; without it the identity is lost, and the node needs a new one",
                    )
                })
            }
        }
    }

    /// Makes the file, readable by its owner alone. One that is there already is never overwritten.
    pub fn create(
        path: &Path,
        number: PeerNumber,
        identity: &Identity,
        passphrase: Option<&Passphrase>,
    ) -> Result<()> {
        let secret = identity.expose();
        let json = match passphrase {
            None => plain(number, secret),
            Some(passphrase) => sealed(number, secret, passphrase, Cost::usual())?,
        };
        files::create(path, json.to_text().as_bytes())
    }
}

const ADVICE: &str = "put back the file that `reunite setup` made on this node, or make a new identity in another folder";

fn wrong(path: &Path, field: &str) -> Error {
    Error::input(
        format!("{}: {field}", path.display()),
        "it is missing, or not what this version writes",
        ADVICE,
    )
}

fn hex_of<const N: usize>(map: &Map<String, Value>, field: &str) -> Option<[u8; N]> {
    hex::bytes(map.get(field)?.as_str()?)
}

fn plain(number: PeerNumber, secret: &SecretKey) -> SecretJson {
    let secret = hex::digits(secret.expose());
    json!({ "version": VERSION, "number": number.value(), "secret": secret }).into()
}

fn sealed(
    number: PeerNumber,
    secret: &SecretKey,
    passphrase: &Passphrase,
    cost: Cost,
) -> Result<SecretJson> {
    // With room for the tag: what grows would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEALED_BYTES));
    bytes.extend_from_slice(secret.expose());
    cost.key(passphrase)?
        .seal_in_place_append_tag(nonce(), associated(number), &mut *bytes)
        .map_err(|_| Error::device("seal the identity", std::io::Error::other("it is too long")))?;
    let argon2id = json!({
        "memory_kib": cost.memory_kib, "passes": cost.passes, "lanes": cost.lanes,
        "salt": hex::digits(&cost.salt),
    });
    let sealed = hex::digits(&bytes);
    let number = number.value();
    Ok(json!({ "version": VERSION, "number": number, "argon2id": argon2id, "sealed": sealed })
        .into())
}

/// Each key seals one secret.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn associated(number: PeerNumber) -> Aad<[u8; 2]> {
    Aad::from(number.value().to_be_bytes())
}

impl Cost {
    fn usual() -> Self {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        Self { memory_kib: ARGON2_MEMORY, passes: ARGON2_PASSES, lanes: 1, salt }
    }

    /// What a file asks for, within bounds: it could ask for more than this device has.
    fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let number = |field| u32::try_from(map.get(field)?.as_u64()?).ok();
        let cost = Self {
            memory_kib: number("memory_kib")?,
            passes: number("passes")?,
            lanes: number("lanes")?,
            salt: hex_of(map, "salt")?,
        };
        let bounded = ARGON2_MEMORY_RANGE.contains(&cost.memory_kib)
            && (1..=ARGON2_MOST_PASSES).contains(&cost.passes)
            && (1..=ARGON2_MOST_LANES).contains(&cost.lanes);
        bounded.then_some(cost)
    }

    fn key(&self, passphrase: &Passphrase) -> Result<LessSafeKey> {
        let failed = |why: String| Error::device("open the identity", std::io::Error::other(why));
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES))
            .map_err(|error| failed(error.to_string()))?;
        let mut memory = Vec::new();
        memory
            .try_reserve_exact(params.block_count())
            .map_err(|_| failed("there is not enough memory".into()))?;
        memory.resize(params.block_count(), Block::default());
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let made = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.expose(),
                &self.salt,
                &mut *key,
                &mut memory,
            );
        memory.iter_mut().for_each(Zeroize::zeroize);
        made.map_err(|error| failed(error.to_string()))?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key);
        key.map(LessSafeKey::new).map_err(|_| failed("the key has another size".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("reunite-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn number(number: u64) -> PeerNumber {
        number.try_into().expect("1 to 999")
    }

    fn passphrase(text: &str) -> Result<Passphrase> {
        Zeroizing::new(text.to_owned()).try_into()
    }

    fn cheap() -> Cost {
        Cost { memory_kib: *ARGON2_MEMORY_RANGE.start(), passes: 1, ..Cost::usual() }
    }

    fn unasked() -> Result<Passphrase> {
        Err(Error::Stopped)
    }

    /// Reads a file with this text.
    fn read(name: &str, text: &str) -> Result<IdentityFile> {
        let path = path(name);
        fs::write(&path, text).expect("written");
        let file = IdentityFile::read(&path);
        fs::remove_file(&path).expect("removed");
        file
    }

    #[test]
    fn an_identity_comes_back_from_its_file_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let (path, identity) = (path("plain"), Identity::random(&mut rand::rng()));
        IdentityFile::create(&path, number(7), &identity, None).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let other = Identity::random(&mut rand::rng());
        let error = IdentityFile::create(&path, number(7), &other, None).expect_err("there");
        assert!(error.to_string().contains("exists"), "{error}");
        let file = IdentityFile::read(&path).expect("read");
        assert!(file.number() == number(7) && !file.is_sealed());
        assert_eq!(file.open(unasked).expect("plain").public(), identity.public());
        fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn a_sealed_identity_opens_with_its_passphrase_and_its_number_alone() {
        let identity = Identity::random(&mut rand::rng());
        let right = || passphrase("river stone");
        let json = sealed(number(7), identity.expose(), &right().expect("long"), cheap());
        let text = json.expect("sealed").to_text();
        assert!(!text.contains(&hex::digits(identity.expose().expose())));
        let file = |text: &str| read("sealed", text).expect("read");
        assert!(file(&text).is_sealed());
        assert_eq!(file(&text).open(right).expect("right").public(), identity.public());
        let other = file(&text).open(|| passphrase("river stones")).expect_err("wrong");
        assert!(other.to_string().contains("does not open"), "{other}");
        let renumbered = text.replace("\"number\": 7", "\"number\": 8");
        assert!(file(&renumbered).open(right).is_err());
    }

    #[test]
    fn a_hostile_file_gets_neither_much_memory_nor_much_time() {
        let secret = SecretKey::from([7; KEY_BYTES]);
        let right = passphrase("river stone").expect("long");
        let text = sealed(number(7), &secret, &right, cheap()).expect("sealed").to_text();
        for (from, to) in [
            ("\"memory_kib\": 8192", "\"memory_kib\": 4194304"),
            ("\"memory_kib\": 8192", "\"memory_kib\": 8"),
            ("\"passes\": 1", "\"passes\": 4000000000"),
            ("\"passes\": 1", "\"passes\": 0"),
            ("\"lanes\": 1", "\"lanes\": 1000"),
            ("\"salt\": \"", "\"salt\": \"00"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = read("hostile", &text.replace(from, to)).expect_err(to);
            assert!(error.to_string().contains("argon2id"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is() {
        let text = plain(number(7), &SecretKey::from([0xab; KEY_BYTES])).to_text();
        for (from, to, place) in [
            ("\"version\": 1", "\"version\": 2", "version"),
            ("\"number\": 7", "\"number\": 0", "number"),
            ("\"abab", "\"xbab", "secret"),
            ("\"abab", "\"ab", "secret"),
            ("{", "[{", "column"),
        ] {
            let error = read("wrong", &text.replace(from, to)).expect_err(to);
            let line = error.to_string();
            assert!(line.contains(place) && !line.contains("abab"), "{line}");
            assert!(error.advice().is_some());
        }
    }
}
