//! A member that lets newcomers in, for tests: its network is in memory, and founded as a real one is.

#![allow(dead_code, missing_docs, reason = "each test uses its part of this")]

use reunite::base::error::{Error, Result};
use reunite::base::threads::Stop;
use reunite::model::address::Address;
use reunite::model::identity::Identity;
use reunite::model::ids::PeerNumber;
use reunite::model::join::code::Code;
use reunite::model::join::limits::JOIN_DECISION;
use reunite::model::join::request::Request;
use reunite::model::join::sponsor::{Admission, Remarks, Sponsor};
use reunite::model::join::welcome::Welcome;
use reunite::model::keys::{NetworkKeys, PublicKeys, SecretKey};
use reunite::model::ledger::membership::{Founded, Profile, Rule};
use reunite::model::ledger::names::NetworkId;
use reunite::model::secret::{SharedToken, Token};
use reunite::model::x25519::Own;
use reunite::net::join::call::{self, Given, Newcomer};
use reunite::net::join::door::Door;
use reunite::net::join::host::{End, Person, host};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub const NETWORK: &str = "Cox's Bazar";

/// A network of one, and who joined it.
pub struct Member {
    pub identity: Identity,
    pub network: NetworkId,
    keys: NetworkKeys,
    members: Mutex<Vec<(Profile, SharedToken)>>,
    pub shut: Mutex<Vec<PublicKeys>>,
    /// Whether its disk takes nothing in time.
    pub is_slow: AtomicBool,
}

pub fn address(port: u16) -> Address {
    SocketAddr::from(([10, 0, 0, 1], port)).try_into().expect("an address")
}

pub fn organisation(name: &str) -> reunite::model::ids::Organisation {
    name.parse().expect("a name")
}

impl Member {
    pub fn founder() -> Arc<Self> {
        let mut rng = rand::rng();
        let identity = Identity::random(&mut rng);
        let name = NETWORK.parse().expect("a name");
        let founded = Founded::new(name, Rule::default(), &mut rng);
        let network = founded.network(&identity.public().identity);
        let profile = Profile {
            number: 1.try_into().expect("a number"),
            organisation: organisation("Yangon General Hospital"),
            keys: identity.public(),
            address: address(33_001),
        };
        let members = vec![(profile, Token::random(&mut rng).into())];
        Arc::new(Self {
            identity,
            network,
            keys: NetworkKeys::random(&mut rng),
            members: Mutex::new(members),
            shut: Mutex::default(),
            is_slow: AtomicBool::default(),
        })
    }

    pub fn numbers(&self) -> Vec<u16> {
        self.members().iter().map(|member| member.number.value()).collect()
    }

    /// All that must never be seen by others.
    pub fn secrets(&self) -> Vec<Vec<u8>> {
        let members = self.members.lock().expect("no panic");
        let tokens = members.iter().map(|(_, token)| token.token().expose().to_vec());
        let network = self.keys.network.as_ref().expect("tier 1");
        tokens.chain([network.expose().to_vec(), self.keys.reader.expose().to_vec()]).collect()
    }
}

impl Sponsor for Member {
    fn members(&self) -> Vec<Profile> {
        self.members.lock().expect("no panic").iter().map(|(profile, _)| profile.clone()).collect()
    }

    fn is_shut_out(&self, keys: &PublicKeys) -> bool {
        self.shut.lock().expect("no panic").contains(keys)
    }

    fn admit(&self, request: &Request) -> Result<Admission> {
        let mut members = self.members.lock().expect("no panic");
        let number = PeerNumber::try_from(members.len() as u64 + 1)?;
        let profile = Profile {
            number,
            organisation: request.organisation().clone(),
            keys: *request.keys(),
            address: request.address(),
        };
        members.push((profile, Token::random(&mut rand::rng()).into()));
        drop(members);
        let welcome = self.again(request)?.into();
        Ok(match self.is_slow.load(Ordering::SeqCst) {
            true => Admission::Unsaved(welcome),
            false => Admission::Member(welcome),
        })
    }

    fn again(&self, request: &Request) -> Result<Welcome> {
        let members = self.members.lock().expect("no panic");
        let mut all = members.iter().map(|(profile, _)| profile);
        let own = all.find(|profile| profile.keys == *request.keys());
        let number = own.expect("a member").number;
        let copy = |key: &SecretKey| SecretKey::from(*key.expose());
        let keys = NetworkKeys {
            epoch: self.keys.epoch,
            network: self.keys.network.as_ref().map(copy),
            reader: copy(&self.keys.reader),
        };
        Ok(Welcome {
            network: self.network,
            name: NETWORK.parse()?,
            founder: self.identity.public().identity,
            keys,
            member_beacon: true,
            reader_beacon: false,
            sponsor: 1.try_into()?,
            number,
            members: members.clone(),
        })
    }

    fn own(&self) -> Result<Own> {
        Ok(SecretKey::from(*self.identity.knock_secret().expose()).into())
    }
}

/// A door that is open, and what is decided there.
pub struct Open {
    pub address: SocketAddr,
    pub code: String,
    pub decide: SyncSender<bool>,
    pub asked: Receiver<(Request, Remarks)>,
    pub stop: Stop,
    thread: JoinHandle<Result<End>>,
}

impl Open {
    pub fn of(member: &Arc<Member>) -> Self {
        Self::within(member, JOIN_DECISION)
    }

    /// A door at which the person decides in this time, or not.
    pub fn within(member: &Arc<Member>, patience: Duration) -> Self {
        let door = Door::open("127.0.0.1:0".parse().expect("an address"), false).expect("open");
        let (address, code) = (door.address(), door.expose().to_string());
        let (decide, decision) = sync_channel(1);
        let (tell, asked) = sync_channel(1);
        let (stop, member) = (Stop::default(), Arc::clone(member));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let ask = |request: &Request, remarks: &Remarks| {
                tell.send((request.clone(), remarks.clone())).expect("awaited");
            };
            let person = Person { ask: &ask, decision: &decision, patience };
            host(door, &*member, &person, &stopped)
        });
        Self { address, code, decide, asked, stop, thread }
    }

    pub fn code(&self) -> Code {
        self.code.parse().expect("a code")
    }

    /// A code for the same door with another word.
    pub fn wrong_code(&self) -> Code {
        let (front, last) = self.code.rsplit_once('-').expect("two words");
        let other = if last == "zulu" { "merit" } else { "zulu" };
        format!("{front}-{other}").parse().expect("a code")
    }

    /// Why nothing came of it.
    pub fn failed(self) -> Error {
        self.thread.join().expect("no panic").expect_err("something came of it")
    }

    pub fn end(self) -> End {
        self.thread.join().expect("no panic").expect("no fault of ours")
    }
}

/// Joins with this code, and says how that ended.
pub fn join(at: SocketAddr, code: &Code, newcomer: &Newcomer<'_>) -> Result<Given> {
    let met = call::meet(at, code, &Stop::default())?;
    let request = met.request(newcomer);
    met.ask(&request, newcomer)
}
