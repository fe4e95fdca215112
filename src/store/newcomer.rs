//! What a newcomer keeps while it asks to join, and what it makes of the answer: a node that can be started.
//!
//! ```text
//! asking   identity-joining.json  identity-request.txt
//! joined   peers.json  network.json  identity.json
//! ```
//!
//! Until it has a number its identity file has the highest one. `identity.json` is written last: with it the node has
//! joined, and no answer is taken any more.

use crate::base::error::{Error, Result};
use crate::model::identity::Identity;
use crate::model::ids::PeerNumber;
use crate::model::join::limits::MAX_JOIN_FILE;
use crate::model::join::paper;
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::NetworkKeys;
use crate::model::limits::MAX_PEERS;
use crate::model::passphrase::Passphrase;
use crate::model::secret::Token;
use crate::store::files::{self, DataFolder};
use crate::store::identity_file::{self, IdentityFile};
use crate::store::network_file::{self, Pin};
use crate::store::peer_book::{Beacons, Peer, PeerBook};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The name of the peers file that is made in the data folder.
pub const PEERS: &str = "peers.json";
const JOINING: &str = "identity-joining.json";
const REQUEST: &str = "identity-request.txt";

/// The data folder of a newcomer that has not joined yet.
#[derive(Debug)]
pub struct Newcomer {
    folder: DataFolder,
}

impl Newcomer {
    /// Opens the folder, and makes it where it is missing. One in which a node has joined is refused.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = DataFolder::open(path)?;
        folder.tighten();
        let identity = folder.file(identity_file::FILE);
        if files::is_missing(&identity)? {
            return Ok(Self { folder });
        }
        let number = IdentityFile::read(&identity)?.number();
        Err(Error::input(
            path.display().to_string(),
            format!("there is node {number} already: an answer is used once"),
            "start it with `reunite tier1`; another node needs another folder: give it with --data",
        ))
    }

    /// The identity that asks, if it was made: its passphrase, if it has one, is asked for by `passphrase`.
    pub fn identity(
        &self,
        passphrase: impl FnOnce() -> Result<Passphrase>,
    ) -> Result<Option<(Identity, Option<Passphrase>)>> {
        let path = self.folder.file(JOINING);
        if files::is_missing(&path)? {
            return Ok(None);
        }
        let mut given = None;
        let identity = IdentityFile::read(&path)?.open(|| {
            let passphrase = passphrase()?;
            given = Some(passphrase.copy());
            Ok(passphrase)
        })?;
        Ok(Some((identity, given)))
    }

    /// Makes the identity that asks.
    pub fn make(&self, passphrase: Option<&Passphrase>) -> Result<Identity> {
        let identity = Identity::random(&mut rand::rng());
        let path = self.folder.file(JOINING);
        IdentityFile::create(&path, nobody()?, &identity, passphrase)?;
        Ok(identity)
    }

    /// Keeps what was asked for: an answer to anything else is refused.
    pub fn keep(&self, request: &Request) -> Result<()> {
        write(&self.folder.file(REQUEST), &paper::of_request(request))
    }

    /// What was asked for last.
    pub fn request(&self) -> Result<Request> {
        let path = self.folder.file(REQUEST);
        if files::is_missing(&path)? {
            return Err(Error::input(
                path.display().to_string(),
                "this node has asked for nothing",
                "give the --data with which the request was made",
            ));
        }
        paper::request(&files::read_text(&path, MAX_JOIN_FILE)?)
    }

    /// Makes the node of what it was given. Returns its peers file.
    pub fn install(
        self,
        identity: &Identity,
        passphrase: Option<&Passphrase>,
        welcome: Welcome,
    ) -> Result<PathBuf> {
        let pin = Pin { network: welcome.network, founder: welcome.founder };
        let (number, path) = (welcome.number, self.folder.file(PEERS));
        write(&path, &book(&path, welcome)?.to_json(true))?;
        pin.write(&self.folder.file(network_file::FILE))?;
        IdentityFile::create(&self.folder.file(identity_file::FILE), number, identity, passphrase)?;
        // The node has joined; what is left behind here is of no use to anybody else.
        for rest in [JOINING, REQUEST] {
            if let Err(error) = files::remove(&self.folder.file(rest)) {
                log::warn!("{error}");
            }
        }
        Ok(path)
    }
}

fn nobody() -> Result<PeerNumber> {
    PeerNumber::try_from(MAX_PEERS as u64)
}

fn write(path: &Path, text: &str) -> Result<()> {
    files::replace(path, |out| out.write_all(text.as_bytes())).map(|_| ())
}

/// The book of a network in which somebody has just been welcomed. Of several members at one address, which a peers file
/// cannot say, the newcomer and its sponsor come first; the ledger brings the others.
fn book(path: &Path, welcome: Welcome) -> Result<PeerBook> {
    let (own, sponsor) = (welcome.number, welcome.sponsor);
    let mut members = welcome.members;
    members.sort_by_key(|(profile, _)| {
        (profile.number != own, profile.number != sponsor, profile.number)
    });
    let mut addresses = BTreeSet::new();
    let peers = members.into_iter().filter(|(profile, _)| addresses.insert(profile.address));
    let peers = peers.map(|(profile, token)| {
        let token = Token::try_from(token.token().expose().as_slice()).ok();
        let address = profile.address.socket();
        Peer::new(profile.number, profile.organisation, address, token).with_keys(profile.keys)
    });
    let beacons = Beacons { members: welcome.member_beacon, readers: welcome.reader_beacon };
    let book = PeerBook::sealed(path, welcome.name.to_string(), welcome.keys, peers.collect())?;
    Ok(book.with_beacons(beacons))
}

/// Makes the first node of a new network: number 1, and nobody else yet. Returns its peers file.
pub fn found(
    folder: &Path,
    network: String,
    first: Peer,
    passphrase: Option<&Passphrase>,
) -> Result<(PathBuf, Identity)> {
    let newcomer = Newcomer::open(folder)?;
    let (identity, rng) = (Identity::random(&mut rand::rng()), &mut rand::rng());
    let (number, keys) = (first.number, NetworkKeys::random(rng));
    let peers = vec![first.with_keys(identity.public()).with_token(Token::random(rng))];
    let path = newcomer.folder.file(PEERS);
    // One whose identity was never written was cut off here: nobody has the keys in it.
    let has_identity = !files::is_missing(&newcomer.folder.file(identity_file::FILE))?;
    let is_alone = || PeerBook::read_tier1(&path).is_ok_and(|book| book.all().len() == 1);
    if !files::is_missing(&path)? && (has_identity || !is_alone()) {
        return Err(Error::input(
            path.display().to_string(),
            "there is a peers file already",
            "give another folder with --data",
        ));
    }
    let book = PeerBook::sealed(&path, network, keys, peers)?;
    write(&path, &book.to_json(true))?;
    IdentityFile::create(
        &newcomer.folder.file(identity_file::FILE),
        number,
        &identity,
        passphrase,
    )?;
    Ok((path, identity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;
    use crate::model::ledger::membership::Profile;
    use std::fs;
    use std::net::SocketAddr;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("reunite-newcomer-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn profile(number: u64, identity: &Identity, port: u16) -> Profile {
        Profile {
            number: number.try_into().expect("a number"),
            organisation: format!("Clinic {number}").parse().expect("a name"),
            keys: identity.public(),
            address: SocketAddr::from(([10, 0, 0, 1], port)).try_into().expect("an address"),
        }
    }

    fn welcome(own: &Identity) -> Welcome {
        let rng = &mut rand::rng();
        let others = [Identity::random(rng), Identity::random(rng)];
        let profiles = [profile(1, &others[0], 1), profile(2, &others[1], 1), profile(3, own, 3)];
        Welcome {
            network: [9; 32].into(),
            name: "aid".parse().expect("a name"),
            founder: others[0].public().identity,
            keys: NetworkKeys::random(rng),
            member_beacon: false,
            reader_beacon: true,
            sponsor: profiles[1].number,
            number: profiles[2].number,
            members: profiles.map(|one| (one, Token::random(rng).into())).into(),
        }
    }

    fn none() -> Result<Passphrase> {
        Err(Error::Stopped)
    }

    #[test]
    fn a_newcomer_that_was_given_all_is_a_node_and_takes_no_second_answer() {
        let path = folder("install");
        let newcomer = Newcomer::open(&path).expect("new");
        assert!(newcomer.identity(none).expect("none yet").is_none());
        let identity = newcomer.make(None).expect("made");
        let address = Address::try_from(SocketAddr::from(([10, 0, 0, 1], 3))).expect("one");
        let name = "Clinic 3".parse().expect("a name");
        let request = Request::for_file(&identity, name, address, &mut rand::rng());
        newcomer.keep(&request).expect("kept");
        drop(newcomer);
        // A day later.
        let newcomer = Newcomer::open(&path).expect("still none");
        let (again, passphrase) = newcomer.identity(none).expect("read").expect("there");
        assert_eq!((again.public(), passphrase.is_none()), (identity.public(), true));
        assert_eq!(newcomer.request().expect("kept"), request);
        let given = welcome(&identity);
        let pin = Pin { network: given.network, founder: given.founder };
        let peers = newcomer.install(&again, None, given).expect("installed");
        let book = PeerBook::read_tier1(&peers).expect("right");
        // Two members have one address: the sponsor is there, the other comes by the ledger.
        let numbers: Vec<_> = book.all().iter().map(|peer| peer.number.value()).collect();
        assert_eq!(numbers, [2, 3]);
        assert_eq!(book.beacons(), Beacons { members: false, readers: true });
        assert_eq!(Pin::read(&path.join(network_file::FILE)).expect("right"), Some(pin));
        let mut names: Vec<_> =
            fs::read_dir(&path).expect("there").flatten().map(|one| one.file_name()).collect();
        names.sort();
        assert_eq!(names, [".lock", "identity.json", "network.json", "peers.json"]);
        let error = Newcomer::open(&path).expect_err("joined").to_string();
        assert!(error.contains("node 3 already"), "{error}");
    }

    #[test]
    fn a_passphrase_is_kept_through_the_joining() {
        let path = folder("passphrase");
        let newcomer = Newcomer::open(&path).expect("new");
        let passphrase =
            || Passphrase::try_from(zeroize::Zeroizing::new("five good words".to_owned()));
        newcomer.make(Some(&passphrase().expect("long enough"))).expect("made");
        let (identity, given) = newcomer.identity(passphrase).expect("opened").expect("there");
        let given = given.expect("asked for");
        newcomer.install(&identity, Some(&given), welcome(&identity)).expect("installed");
        let file = IdentityFile::read(&path.join(identity_file::FILE)).expect("right");
        assert!(file.is_sealed() && file.open(passphrase).is_ok());
    }

    #[test]
    fn a_crash_before_the_end_leaves_a_newcomer_that_can_go_on() {
        let path = folder("crash");
        let newcomer = Newcomer::open(&path).expect("new");
        let identity = newcomer.make(None).expect("made");
        fs::write(path.join(PEERS), "half").expect("written");
        drop(newcomer);
        let newcomer = Newcomer::open(&path).expect("not joined");
        newcomer.install(&identity, None, welcome(&identity)).expect("installed");
        assert!(PeerBook::read_tier1(&path.join(PEERS)).is_ok());
    }

    #[test]
    fn the_first_node_is_alone_in_its_network() {
        let path = folder("found");
        let first = || {
            let address = ([10, 0, 0, 1], 33_001).into();
            Peer::new(
                1.try_into().expect("a number"),
                "Clinic".parse().expect("a name"),
                address,
                None,
            )
        };
        let (peers, identity) = found(&path, "aid".into(), first(), None).expect("founded");
        let book = PeerBook::read_tier1(&peers).expect("right");
        assert_eq!(book.all().len(), 1);
        assert_eq!(book.all()[0].keys(), Some(&identity.public()));
        assert!(found(&path, "aid".into(), first(), None).is_err(), "twice");
        // Cut off before its identity was written.
        std::fs::remove_file(path.join(identity_file::FILE)).expect("there");
        assert!(found(&path, "aid".into(), first(), None).is_ok());
    }
}
