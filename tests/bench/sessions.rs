//! 200 sealed sessions at once, from seven peers that this process plays: each says one thing.

use crate::sealed::Member;
use crate::support::Network;
use crate::table::{Line, Runs, timed};
use reunite::model::message::Talking;
use reunite::model::spoken::Spoken;
use reunite::net::channel::Channel;
use std::thread;

const SESSIONS: usize = 200;
const PEERS: usize = 7;
const RUNS: usize = 5;

pub fn measure() -> Vec<Line> {
    let (mut opening, mut showing, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let network = Network::new("bench-sessions", PEERS + 1);
        let node = network.tier1(PEERS + 1);
        let alone = node.memory_kb();
        let (time, mut sessions) = timed(|| open(&network));
        opening.push(time);
        memory.push((node.memory_kb() - alone) as f64 / SESSIONS as f64);
        let (time, ()) = timed(|| {
            for (number, session) in sessions.iter_mut().enumerate() {
                let text = format!("message {number}.");
                let text = Spoken::try_from(text.as_str()).expect("short");
                session.send(&Talking::Say(text).encode()).expect("sent");
            }
            node.wait_for_times("Message from", SESSIONS);
        });
        showing.push(time);
        for number in 0..SESSIONS {
            assert_eq!(node.count(&format!("message {number}.")), 1, "each is shown once");
        }
    }
    let all = Runs::times(&opening);
    vec![
        Line::new("200 sessions opened by 7 peers", all),
        Line::new("a message in each of 200 sessions, all shown", Runs::times(&showing)),
        Line::new("memory for each of 200 open sessions", Runs::new("kB", memory)),
    ]
}

/// Opens the sessions, all peers at once.
fn open(network: &Network) -> Vec<Channel> {
    thread::scope(|scope| {
        let callers: Vec<_> = (1..=PEERS)
            .map(|number| {
                let share = SESSIONS / PEERS + usize::from(number <= SESSIONS % PEERS);
                scope.spawn(move || {
                    let member = Member::new(network, number);
                    (0..share).map(|_| member.call(PEERS + 1)).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("no panic")).collect()
    })
}
