//! What people read of the monitor: who is there, how far away, and how far apart.

use crate::model::limits::STATUS_STALE;
use crate::model::liveness::State;
use crate::model::shown::shown;
use crate::model::status::{Apart, PeerStatus};
use crate::shell::words::elapsed;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What to do when there is no status file.
pub const NO_STATUS: &str = "give the --data folder of a node of a sealed network that has run";
/// Why a classic node keeps no file for Prometheus.
pub const NO_METRICS: &str = "in a classic network nobody is probed";
/// What is said of the address of a node when the machine has another one.
pub const ELSEWHERE: &str = "this machine does not have that address now. The node listens at all that it has, and tells its peers by beacons and calls";

/// What is seen of one peer, behind its name.
pub fn peer(peer: &PeerStatus, now: Instant) -> String {
    let ago = |since| elapsed(now.saturating_duration_since(since));
    let there = match (peer.state, peer.heard) {
        (State::Never, _) => return "not heard since this node started".into(),
        // Heard, but never probed: in the classic dialect nobody is.
        (State::Up, Some(heard)) if peer.round_trip.is_none() => format!("heard {}", ago(heard)),
        (State::Up, heard) => {
            let trip = peer.round_trip.map(|trip| format!(", {}", round_trip(trip)));
            let heard = heard.map(|heard| format!(", heard {}", ago(heard)));
            format!("up{}{}", trip.unwrap_or_default(), heard.unwrap_or_default())
        }
        (State::Quiet(since), _) => format!("QUIET, heard {}", ago(since)),
    };
    let (apart, aside) = (apart(peer.apart), aside(peer.aside));
    let sync = peer.in_step.map(|at| format!(", in step {}", ago(at)));
    format!("{there}{}{apart}{aside}", sync.unwrap_or_default())
}

/// For how long a peer is set aside, behind a comma, if it is.
fn aside(left: Option<Duration>) -> String {
    left.map_or(String::new(), |left| format!(", SET ASIDE for {} min", left.as_secs() / 60 + 1))
}

/// How far apart a peer is, behind a comma, if that is worth a word.
fn apart(apart: Apart) -> String {
    match apart {
        Apart::Unknown => String::new(),
        Apart::InStep => ", has all".into(),
        Apart::Behind(1) => ", lacks 1 block".into(),
        Apart::Behind(blocks) => format!(", lacks {blocks} blocks"),
        Apart::Differs => ", has something else".into(),
    }
}

fn round_trip(trip: Duration) -> String {
    match trip.as_micros() {
        micros @ 0..=9_999 => format!("{}.{} ms", micros / 1000, micros / 100 % 10),
        micros => format!("{} ms", micros / 1000),
    }
}

/// The status of a node, from its file.
pub fn status(value: &Value, is_running: bool, wall: u64) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let ago = wall.saturating_sub(number(&value["written"]));
    let runs = match is_running {
        true if ago > 2 * STATUS_STALE.as_secs() => {
            "runs, but has not written its status for a while"
        }
        true => "runs",
        false => "does not run",
    };
    let age = elapsed(Duration::from_secs(ago));
    let mut text = format!("Node {} {runs}. As of {age}, by its clock:", number(&value["node"]));
    for peer in value["peers"].as_array().into_iter().flatten() {
        let word = |field: &str| shown(peer[field].as_str().unwrap_or_default()).into_owned();
        let heard = peer["heard_seconds_ago"].as_u64().map(Duration::from_secs);
        let heard = heard.map_or(String::new(), |heard| format!(", heard {}", elapsed(heard)));
        let apart = match (peer["in_step"].as_bool(), peer["lacks_blocks"].as_u64()) {
            (Some(true), _) => apart(Apart::InStep),
            (Some(false), Some(blocks)) => apart(Apart::Behind(blocks)),
            (Some(false), None) => apart(Apart::Differs),
            (None, _) => String::new(),
        };
        let aside = aside(peer["set_aside_seconds"].as_u64().map(Duration::from_secs));
        let (organisation, address, state) = (word("organisation"), word("address"), word("state"));
        text.push_str(&format!(
            "\n{:>4}  {organisation}  {address}  {state}{heard}{apart}{aside}",
            number(&peer["number"])
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_peer_is_up_quiet_or_never_seen_in_words() {
        let now = Instant::now();
        let mut seen = PeerStatus {
            number: 2.try_into().expect("2"),
            organisation: "B".into(),
            address: ([10, 0, 0, 2], 33_000).into(),
            state: State::Up,
            heard: Some(now),
            round_trip: Some(Duration::from_micros(1_540)),
            in_step: Some(now),
            apart: Apart::InStep,
            aside: None,
        };
        let later = now + Duration::from_secs(90);
        assert_eq!(peer(&seen, now), "up, 1.5 ms, heard just now, in step just now, has all");
        (seen.state, seen.apart) = (State::Quiet(now), Apart::Behind(3));
        let words = peer(&seen, later);
        assert_eq!(words, "QUIET, heard 90 s ago, in step 90 s ago, lacks 3 blocks");
        seen.state = State::Never;
        assert_eq!(peer(&seen, later), "not heard since this node started");
    }

    #[test]
    fn the_status_of_a_file_is_shown_and_cannot_control_the_terminal() {
        let value = json!({ "node": 1, "written": 100, "peers": [
            { "number": 2, "organisation": "B\u{1b}[2J", "address": "10.0.0.2:33000", "state": "quiet",
              "heard_seconds_ago": 40, "in_step": false, "lacks_blocks": 1 },
            { "number": 3 }, 7,
        ] });
        let text = status(&value, true, 105);
        assert!(text.starts_with("Node 1 runs. As of 5 s ago"), "{text}");
        assert!(text.contains("10.0.0.2:33000  quiet, heard 40 s ago, lacks 1 block"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(status(&value, false, 0).contains("does not run"));
        assert!(status(&value, true, 1000).contains("not written its status"));
        assert!(status(&Value::Null, false, 0).contains("Node 0"));
    }
}
