//! This process as a member of a sealed network, and what a connection costs without our protocol.

use crate::support::Network;
use crate::table::timed;
use reunite::base::clock::Deadline;
use reunite::base::threads::Stop;
use reunite::model::caller::{CallState, Caller, Errand};
use reunite::model::datagram::Datagrams;
use reunite::model::gate::{Decision, Gate};
use reunite::model::identity::Identity;
use reunite::model::keys::{NetworkKeys, SecretKey};
use reunite::model::limits::{MAX_FRAME, TOKEN_DIGITS};
use reunite::model::message::Talking;
use reunite::model::noise::{Asked, Purpose};
use reunite::model::secret::Token;
use reunite::model::x25519::Own;
use reunite::net::channel::Channel;
use reunite::net::phone::Phone;
use reunite::net::tls::{Credentials, Other};
use reunite::net::wire::Wire;
use rustls::{ClientConnection, Connection, ConnectionCommon, ServerConnection};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The token of who calls in memory.
const TOKEN: &[u8; TOKEN_DIGITS] = b"149418626997";

/// A member that calls the nodes of its network.
pub struct Member<'a> {
    network: &'a Network,
    number: usize,
    phone: Phone,
    /// As a node has it: with what it shares with each peer.
    own: Own,
}

impl<'a> Member<'a> {
    pub fn new(network: &'a Network, number: usize) -> Self {
        let secrets = network.secrets.as_ref().expect("sealed");
        let credentials = Credentials::of(&secrets.identities[number - 1]).expect("keys are right");
        let others = secrets.identities.iter().map(|other| other.public().knock);
        let own = secrets.identities[number - 1].knock_secret().expose();
        Self {
            network,
            number,
            phone: Phone { datagrams: Datagrams::new(&secrets.keys), credentials },
            own: Own::knowing(SecretKey::from(*own), others),
        }
    }

    /// Opens a session for messages with the node `to`; ready when this returns.
    pub fn call(&self, to: usize) -> Channel {
        self.try_call(to).expect("let in")
    }

    pub fn try_call(&self, to: usize) -> Result<Channel, reunite::base::error::Error> {
        let identities = &self.network.secrets.as_ref().expect("sealed").identities;
        let keys = identities[to - 1].public();
        let token: [u8; TOKEN_DIGITS] =
            self.network.tokens[self.number - 1].as_bytes().try_into().expect("twelve digits");
        let errand = Errand {
            own: self.own.copy(),
            to: keys.knock,
            asked: Asked { token: Zeroizing::new(token), purpose: Purpose::Talk },
        };
        self.phone.open(self.network.addresses[to - 1], &keys, errand, &Stop::default())
    }
}

/// Ends a session for messages; the node has ended it too when this returns.
pub fn end(mut channel: Channel) {
    channel.send(&Talking::Bye.encode()).expect("sent");
    assert_eq!(channel.receive(Deadline::after(PATIENCE)).expect("a good end"), None);
}

/// Two nodes that pin each other's key.
pub struct Pair {
    keys: [Identity; 2],
    credentials: [Credentials; 2],
}

impl Pair {
    pub fn new() -> Self {
        let keys = [1, 2].map(|byte| Identity::new(SecretKey::from([byte; 32])));
        let credentials = [0, 1].map(|at| Credentials::of(&keys[at]).expect("keys are right"));
        Self { keys, credentials }
    }

    pub fn client(&self) -> ClientConnection {
        match self.credentials[0].client(&self.keys[1].public().identity) {
            Ok(Connection::Client(tls)) => tls,
            other => unreachable!("{other:?}"),
        }
    }

    pub fn server(&self) -> ServerConnection {
        match self.credentials[1].server(Other::Node(self.keys[0].public().identity)) {
            Ok(Connection::Server(tls)) => tls,
            other => unreachable!("{other:?}"),
        }
    }

    /// A handshake in memory, with a byte there and back.
    pub fn agree(&self) {
        let (mut client, mut server) = (self.client(), self.server());
        client.writer().write_all(&[7]).expect("memory");
        let mut byte = [0];
        while server.reader().read(&mut byte).is_err() {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        server.writer().write_all(&byte).expect("memory");
        carry(&mut server, &mut client);
        client.reader().read_exact(&mut byte).expect("it came");
    }

    /// The two ends of a session over these streams.
    pub fn channels(&self, client: TcpStream, server: TcpStream) -> (Channel, Channel) {
        let wire = |stream| Wire::new(stream, &Stop::default()).expect("a stream");
        let mut client = Channel::new(self.client().into(), wire(client));
        let mut server = Channel::new(self.server().into(), wire(server));
        client.limit(MAX_FRAME);
        server.limit(MAX_FRAME);
        (client, server)
    }
}

fn carry<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).expect("memory");
    }
    let mut bytes = bytes.as_slice();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).expect("memory");
        to.process_new_packets().expect("they agree");
    }
}

/// A caller and the gate that it calls, in memory.
pub struct InMemory {
    gate: Gate,
    datagrams: Datagrams,
    keys: [Identity; 2],
    /// The caller's, as a node has it.
    own: Own,
    now: Instant,
}

impl InMemory {
    pub fn new() -> Self {
        let (now, keys) = (Instant::now(), NetworkKeys::random(&mut rand::rng()));
        let identities = [1, 2].map(|byte| Identity::new(SecretKey::from([byte; 32])));
        let knowing = |one: usize, other: usize| {
            let secret = SecretKey::from(*identities[one].knock_secret().expose());
            Own::knowing(secret, [identities[other].public().knock].into_iter())
        };
        let mut gate = Gate::new(&keys, knowing(1, 0), rand::random(), now);
        let token = Token::try_from(&TOKEN[..]).expect("twelve digits");
        gate.admit(
            1.try_into().expect("a number"),
            identities[0].public().knock,
            token,
            Ipv4Addr::LOCALHOST.into(),
        );
        let own = knowing(0, 1);
        Self { gate, datagrams: Datagrams::new(&keys), keys: identities, own, now }
    }

    /// A call from its hello to its open door.
    pub fn call(&mut self) {
        // No more of them than one member may make.
        self.now += Duration::from_millis(50);
        let (now, from) = (self.now, SocketAddr::from((Ipv4Addr::LOCALHOST, 1000)));
        let errand = Errand {
            own: self.own.copy(),
            to: self.keys[1].public().knock,
            asked: Asked { token: Zeroizing::new(*TOKEN), purpose: Purpose::Talk },
        };
        let mut caller = Caller::new(&self.datagrams, errand, rand::random(), now);
        loop {
            let bytes = caller.due(now).expect("something to send");
            let answer = match self.gate.datagram(bytes, from, now) {
                Decision::Answer(answer) => answer,
                Decision::Knock(knock) => {
                    let (answer, _) = knock.open(40_000, [1; 16]).expect("sealed");
                    self.gate.answered(&answer);
                    answer.bytes().to_vec()
                }
                Decision::Silence(refusal) => unreachable!("{refusal:?}"),
            };
            if let CallState::Open(..) = caller.datagram(&answer, now).expect("sealed") {
                return;
            }
        }
    }
}

/// A TCP connection of this machine to itself.
pub fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("a caller").0)
}

/// Answers each caller with the byte that it sends, once TLS is agreed on. Never ends.
pub fn bare_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let at = listener.local_addr().expect("bound");
    let pair = Pair::new();
    thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().expect("a caller");
            stream.set_nodelay(true).expect("set");
            let mut tls = pair.server();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            let mut byte = [0];
            tls.read_exact(&mut byte).and_then(|()| tls.write_all(&byte)).expect("a caller");
        }
    });
    at
}

/// How long it takes to connect, agree on TLS and hear the first byte come back.
pub fn bare_handshake(pair: &Pair, to: SocketAddr) -> Duration {
    let (time, ()) = timed(|| {
        let mut stream = TcpStream::connect(to).expect("connected");
        stream.set_nodelay(true).expect("set");
        let mut tls = pair.client();
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let mut byte = [7];
        tls.write_all(&byte).and_then(|()| tls.read_exact(&mut byte)).expect("answered");
    });
    time
}
