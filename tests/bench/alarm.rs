//! From the last line typed for an alarm on one node to its text on the screens of all others.

use crate::calls::bare_calls;
use crate::support::Network;
use crate::table::{Line, Runs, timed};
use std::time::Duration;

/// Alarms in each network: a node shows no more than ten of one peer at once.
const ALARMS: usize = 9;
/// Networks that are set up one after the other.
const NETWORKS: usize = 3;

pub fn measure() -> Vec<Line> {
    let bare = Runs::times(&bare_calls(7, 21));
    let [two, classic, seven] =
        [alarms(sealed, 2), alarms(classic, 2), alarms(sealed, 7)].map(|times| Runs::times(&times));
    vec![
        Line::new("alarm to 2 other screens", two).original(450.0, 800.0),
        Line::new("alarm to 2 other screens, classic", classic).original(450.0, 800.0),
        Line::new("alarm to 7 other screens", seven)
            .against("7 bare UDP round trips and TCP connects", &bare)
            .goal(20.0),
    ]
}

fn sealed(count: usize) -> Network {
    Network::new("bench-alarm", count)
}

fn classic(count: usize) -> Network {
    Network::classic("bench-alarm", count)
}

fn alarms(network: fn(usize) -> Network, others: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..NETWORKS {
        let network = network(others + 1);
        let mut nodes: Vec<_> = (1..=others + 1).map(|number| network.tier1(number)).collect();
        let (first, rest) = nodes.split_first_mut().expect("at least one");
        for number in 0..ALARMS {
            // The one before is in all ledgers: what that takes is not measured with this one.
            first.type_lines(&["9"]);
            first.wait_for("The database reached");
            let text = format!("FIRE IN CAMP {number}.");
            first.type_lines(&["10", "YES"]);
            first.wait_for("Text (Enter");
            let (time, ()) = timed(|| {
                first.type_lines(&[&text]);
                rest.iter().for_each(|node| drop(node.wait_for_any(&text)));
            });
            first.wait_for("The alarm reached");
            // The first one warms up.
            if number > 0 {
                times.push(time);
            }
        }
    }
    times
}
