//! The bag of this node on the disk, `DATABASEx.post`: what it holds for others, and what it has shown.

use crate::base::error::{Error, Result};
use crate::base::threads::{Stop, lock, lock_unless};
use crate::model::identity::Identity;
use crate::model::post::bag::Bag;
use crate::model::post::hand::Hand;
use crate::model::post::limits::MAX_POST_FILE;
use crate::model::post::stored;
use crate::store::files;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How often the bag may change while it is written, before who waits for it is sent away.
const MOST_CHANGES: usize = 20;

/// The bag, and the hand that writes and opens its letters.
#[derive(Debug)]
pub struct PostBox {
    path: PathBuf,
    hand: Hand,
    inner: Mutex<Inner>,
    /// Held while the file is written, by nobody else than who writes it.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct Inner {
    bag: Bag,
    /// Counts the changes of the bag.
    version: u64,
    /// Up to where they are on the disk.
    saved: u64,
}

/// The bag beside the text at `path`.
pub fn post_path(path: &Path) -> PathBuf {
    path.with_extension("post")
}

impl PostBox {
    /// Reads the bag beside the text of the database at `text`. One that cannot be read is kept aside, and an empty one
    /// is begun: the second value says where it is.
    pub fn open(text: &Path, identity: &Identity) -> Result<(Self, Option<PathBuf>)> {
        let (path, hand) = (post_path(text), Hand::new(identity));
        let (mut bag, mut aside) = (Bag::new(hand.me()), None);
        if !files::is_missing(&path)? {
            match read(&path, &hand) {
                Ok(kept) => bag = kept,
                Err(error) => {
                    log::warn!("{}: {error}; an empty one is begun", path.display());
                    let name = path.with_extension("post.damaged");
                    std::fs::rename(&path, &name).map_err(|cause| {
                        Error::device(format!("put {} aside", path.display()), cause)
                    })?;
                    aside = Some(name);
                }
            }
        }
        let inner = Mutex::new(Inner { bag, version: 0, saved: 0 });
        Ok((Self { path, hand, inner, writing: Mutex::new(()) }, aside))
    }

    /// What writes and opens letters here.
    pub fn hand(&self) -> &Hand {
        &self.hand
    }

    /// Looks into the bag. `look` must not block.
    pub fn with<T>(&self, look: impl FnOnce(&Bag) -> T) -> T {
        look(&lock(&self.inner).bag)
    }

    /// Changes the bag, in memory. `change` must not block.
    pub fn change<T>(&self, change: impl FnOnce(&mut Bag) -> T) -> T {
        let mut inner = lock(&self.inner);
        inner.version += 1;
        change(&mut inner.bag)
    }

    /// Has all changes so far on the disk. Those who come while it is written share one write.
    pub fn save(&self, stop: &Stop) -> Result<()> {
        let wanted = lock(&self.inner).version;
        if lock(&self.inner).saved >= wanted {
            return Ok(());
        }
        let _writing = lock_unless(&self.writing, stop)?;
        let (version, bytes) = {
            let inner = lock(&self.inner);
            if inner.saved >= wanted {
                return Ok(());
            }
            (inner.version, stored::encode(&inner.bag))
        };
        files::replace(&self.path, |out| out.write_all(&bytes))?;
        lock(&self.inner).saved = version;
        Ok(())
    }

    /// Looks into the bag when all that is in it is on the disk: what may be told to others.
    pub fn saved<T>(&self, stop: &Stop, look: impl FnOnce(&Bag) -> T) -> Result<T> {
        for _ in 0..MOST_CHANGES {
            self.save(stop)?;
            let inner = lock(&self.inner);
            if inner.saved == inner.version {
                return Ok(look(&inner.bag));
            }
        }
        Err(Error::Deadline { what: "writing the messages that wait" })
    }
}

fn read(path: &Path, hand: &Hand) -> Result<Bag> {
    let mut bytes = Vec::new();
    files::read_pieces(path, MAX_POST_FILE, |piece| bytes.extend_from_slice(piece))?;
    stored::decode(&bytes, hand.me())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::SecretKey;
    use crate::model::post::bag::Took;
    use crate::model::spoken::Spoken;
    use std::fs;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("reunite-post-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        path
    }

    fn identity() -> Identity {
        Identity::new(SecretKey::from([1; 32]))
    }

    fn keep(post: &PostBox) {
        let text = Spoken::try_from("come").expect("short");
        let to = Identity::new(SecretKey::from([2; 32])).public();
        let letter = post.hand().write(&to, &text, 1, &mut rand::rng()).expect("sealed");
        assert_eq!(post.change(|bag| bag.take(letter, 0)), Took::New);
    }

    #[test]
    fn what_was_saved_is_there_after_a_start_and_what_is_told_was_saved() {
        let text = folder("kept").join("DATABASE1.txt");
        let open = || PostBox::open(&text, &identity()).expect("opened");
        let (post, aside) = open();
        assert_eq!(aside, None);
        keep(&post);
        assert_eq!(open().0.with(|bag| bag.lists().letters.len()), 0, "not yet on the disk");
        let told = post.saved(&Stop::default(), |bag| bag.lists()).expect("written");
        assert_eq!(open().0.with(|bag| bag.lists()), told);
    }

    #[test]
    fn what_cannot_be_written_is_not_told() {
        let folder = folder("full");
        let (post, _) = PostBox::open(&folder.join("DATABASE1.txt"), &identity()).expect("opened");
        fs::remove_dir_all(&folder).expect("ours");
        keep(&post);
        assert!(post.saved(&Stop::default(), |_| ()).is_err());
    }

    #[test]
    fn a_damaged_bag_is_put_aside_and_the_node_starts() {
        let text = folder("damaged").join("DATABASE1.txt");
        fs::write(post_path(&text), "reunite post 1\nhalf").expect("written");
        let (post, aside) = PostBox::open(&text, &identity()).expect("opened");
        let aside = aside.expect("kept");
        assert!(fs::read(aside).expect("there").ends_with(b"half"));
        keep(&post);
        post.save(&Stop::default()).expect("written");
    }
}
