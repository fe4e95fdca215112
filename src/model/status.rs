//! What a node sees of its peers at one moment, for programs: as JSON and as Prometheus text. No secret is in it, and the
//! Prometheus text, which others on the machine may read, has no names or addresses.

use crate::model::ids::PeerNumber;
use crate::model::liveness::State;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Whether two nodes hold the same, as far as one of them knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// Nothing was learned yet.
    Unknown,
    /// Their heads are the same.
    InStep,
    /// The peer lacks so many blocks of what is here, as it was when it was last met.
    Behind(u64),
    /// Its beacon says that its heads are others; how far apart is not known.
    Differs,
}

/// What is seen of one peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its number.
    pub number: PeerNumber,
    /// Its organisation.
    pub organisation: String,
    /// Where it is called first.
    pub address: SocketAddr,
    /// Whether it is there.
    pub state: State,
    /// When it was last heard.
    pub heard: Option<Instant>,
    /// How long its last answer took.
    pub round_trip: Option<Duration>,
    /// When both were last brought into step.
    pub in_step: Option<Instant>,
    /// How far apart both are.
    pub apart: Apart,
    /// For how long it is set aside still, if it is.
    pub aside: Option<Duration>,
}

/// What a node sees.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its number.
    pub me: PeerNumber,
    /// Since when it runs.
    pub begun: Instant,
    /// How many records it shows.
    pub records: usize,
    /// Its peers.
    pub peers: Vec<PeerStatus>,
}

impl Status {
    /// What others are to know, without what changes by itself as time goes by: when it is the same, no file need be
    /// written.
    pub fn gist(&self) -> Vec<(PeerNumber, State, Apart, SocketAddr)> {
        let gist = |peer: &PeerStatus| (peer.number, peer.state, peer.apart, peer.address);
        self.peers.iter().map(gist).collect()
    }

    /// As JSON. `wall` is what the clock of the node says, in seconds since 1970: a hint.
    pub fn to_json(&self, now: Instant, wall: u64) -> Value {
        json!({
            "version": 1,
            "node": self.me.value(),
            "written": wall,
            "up_seconds": seconds(now, self.begun),
            "records": self.records,
            "peers": self.peers.iter().map(|peer| peer.to_json(now)).collect::<Vec<_>>(),
        })
    }

    /// As text for Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    pub fn to_metrics(&self, now: Instant) -> String {
        let mut text = String::new();
        let up = seconds(now, self.begun);
        metric(&mut text, "up_seconds", "Seconds since the node started.", [("", up as f64)]);
        let records = self.records as f64;
        metric(&mut text, "records", "Records that the node shows.", [("", records)]);
        let each = |value: &dyn Fn(&PeerStatus) -> Option<f64>| -> Vec<(String, f64)> {
            let label = |peer: &PeerStatus| format!("{{peer=\"{}\"}}", peer.number);
            let of = |peer| value(peer).map(|value| (label(peer), value));
            self.peers.iter().filter_map(of).collect()
        };
        let is_up = each(&|peer| Some(f64::from(u8::from(peer.state == State::Up))));
        metric(&mut text, "peer_up", "Whether the peer answers.", is_up);
        let ago = |since: Option<Instant>| since.map(|since| seconds(now, since) as f64);
        let heard = each(&|peer| ago(peer.heard));
        metric(&mut text, "peer_heard_seconds", "Seconds since it was last heard.", heard);
        let trips = each(&|peer| peer.round_trip.map(|trip| trip.as_secs_f64()));
        metric(&mut text, "peer_round_trip_seconds", "How long its last answer took.", trips);
        let met = each(&|peer| ago(peer.in_step));
        metric(&mut text, "peer_sync_seconds", "Seconds since both were brought into step.", met);
        let steps = each(&|peer| match peer.apart {
            Apart::Unknown => None,
            Apart::InStep => Some(1.0),
            Apart::Behind(_) | Apart::Differs => Some(0.0),
        });
        metric(&mut text, "peer_in_step", "Whether it holds what is here.", steps);
        let lacks = each(&|peer| match peer.apart {
            Apart::InStep => Some(0.0),
            Apart::Behind(blocks) => Some(blocks as f64),
            Apart::Unknown | Apart::Differs => None,
        });
        metric(&mut text, "peer_lacks_blocks", "Blocks that it lacks, if that is known.", lacks);
        text
    }
}

impl PeerStatus {
    fn to_json(&self, now: Instant) -> Value {
        let ago = |since: Option<Instant>| since.map(|since| seconds(now, since));
        let (state, apart) = (state_name(self.state), self.apart);
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("number", self.number.value().into());
        put("organisation", self.organisation.clone().into());
        put("address", self.address.to_string().into());
        put("state", state.into());
        put("heard_seconds_ago", ago(self.heard).into());
        put("round_trip_ms", self.round_trip.map(|trip| trip.as_secs_f64() * 1000.0).into());
        put("sync_seconds_ago", ago(self.in_step).into());
        let in_step = match apart {
            Apart::Unknown => None,
            Apart::InStep => Some(true),
            Apart::Behind(_) | Apart::Differs => Some(false),
        };
        put("in_step", in_step.into());
        let lacks = match apart {
            Apart::InStep => Some(0),
            Apart::Behind(blocks) => Some(blocks),
            Apart::Unknown | Apart::Differs => None,
        };
        put("lacks_blocks", lacks.into());
        put("set_aside_seconds", self.aside.map(|left| left.as_secs()).into());
        Value::Object(fields)
    }
}

/// A state in one word.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Never => "never",
        State::Up => "up",
        State::Quiet(_) => "quiet",
    }
}

fn seconds(now: Instant, since: Instant) -> u64 {
    now.saturating_duration_since(since).as_secs()
}

fn metric<L: AsRef<str>>(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, f64)>,
) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP reunite_{name} {help}\n# TYPE reunite_{name} gauge");
    for (label, value) in values {
        let _ = writeln!(text, "reunite_{name}{} {value}", label.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(now: Instant) -> Status {
        let begun = now;
        let peer = |number: u64, state, apart| PeerStatus {
            number: number.try_into().expect("1 to 999"),
            organisation: "Cox's Bazar \"NW\"".into(),
            address: ([10, 0, 0, number as u8], 33_000).into(),
            state,
            heard: (state != State::Never).then_some(begun),
            round_trip: (state == State::Up).then_some(Duration::from_micros(1500)),
            in_step: (state == State::Up).then_some(begun),
            apart,
            aside: None,
        };
        let peers = vec![
            peer(2, State::Up, Apart::InStep),
            peer(3, State::Quiet(begun), Apart::Behind(7)),
            peer(4, State::Never, Apart::Unknown),
            peer(5, State::Up, Apart::Differs),
        ];
        Status { me: 1.try_into().expect("1"), begun, records: 9, peers }
    }

    #[test]
    fn json_says_all_and_what_is_not_known_is_null() {
        let now = Instant::now();
        let json = status(now).to_json(now + Duration::from_secs(5), 1_700_000_000);
        assert_eq!((&json["node"], &json["up_seconds"]), (&1.into(), &5.into()));
        let [up, quiet, never, differs] = json["peers"].as_array().expect("a list").as_slice()
        else {
            panic!("four peers");
        };
        assert_eq!((&up["state"], &up["round_trip_ms"]), (&"up".into(), &1.5.into()));
        assert_eq!((&up["in_step"], &up["lacks_blocks"]), (&true.into(), &0.into()));
        assert_eq!((&quiet["state"], &quiet["heard_seconds_ago"]), (&"quiet".into(), &5.into()));
        assert_eq!((&quiet["in_step"], &quiet["lacks_blocks"]), (&false.into(), &7.into()));
        for field in ["heard_seconds_ago", "round_trip_ms", "in_step", "lacks_blocks"] {
            assert!(never[field].is_null(), "{field}");
        }
        assert_eq!((&differs["in_step"], &differs["lacks_blocks"]), (&false.into(), &Value::Null));
    }

    #[test]
    fn metrics_are_lines_that_prometheus_reads_and_name_nobody() {
        let now = Instant::now();
        let text = status(now).to_metrics(now + Duration::from_secs(5));
        assert!(text.contains("reunite_peer_up{peer=\"2\"} 1\nreunite_peer_up{peer=\"3\"} 0\n"));
        assert!(text.contains("reunite_peer_round_trip_seconds{peer=\"2\"} 0.0015\n"));
        assert!(text.contains("reunite_peer_lacks_blocks{peer=\"3\"} 7\n"));
        assert!(!text.contains("Cox") && !text.contains("10.0.0"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            assert!(name.starts_with("reunite_") && value.parse::<f64>().is_ok(), "{line}");
            let family = name.split('{').next().expect("a name");
            assert_eq!(text.matches(&format!("# TYPE {family} gauge\n")).count(), 1, "{family}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn the_gist_does_not_change_as_time_goes_by() {
        let now = Instant::now();
        let (mut one, other) = (status(now), status(now));
        one.records += 1;
        assert_eq!(one.gist(), other.gist());
        one.peers[0].state = State::Quiet(now);
        assert_ne!(one.gist(), other.gist());
    }
}
