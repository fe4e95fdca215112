//! Messages and alarms to peers that are away, with real nodes: they wait, travel with a third, arrive once, also when
//! nodes are killed, and nobody drowns them.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::base::threads::Stop;
use reunite::model::dialect::Dialect;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::alarm::{Alarm, Raised};
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::names::Namer;
use reunite::model::limits::{ALARM_BURST, MAX_ALARMS_OF};
use reunite::model::spoken::Spoken;
use reunite::shell::alarm_words;
use reunite::store::database::Database;
use reunite::store::files::DataFolder;
use reunite::store::opening::Owner;
use reunite::store::post_box::post_path;
use std::fs;
use std::time::Instant;
use support::{Network, Node, PATIENCE, until};

/// One keeps this for three, which is away; two has it once it has logged that.
const TEXT: &str = "bring water to camp 4";

fn keep(one: &mut Node, two: &Node) {
    one.type_lines(&["7", "3", TEXT, "quit", ""]);
    one.wait_for("Kept. peer 3");
    two.wait_for_log("messages to be carried");
}

/// A node of this number after one meeting at least with the other, which is up.
fn met(network: &Network, number: usize) -> Node {
    let mut node = network.tier1(number);
    node.type_lines(&["9"]);
    node.wait_for("The database reached");
    node
}

#[test]
fn a_message_for_a_node_that_is_away_comes_by_a_third_and_is_shown_once() {
    let network = Network::new("carried", 3);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    keep(&mut one, &two);
    one.kill();
    for number in [1, 2] {
        let bag = fs::read(post_path(&network.database(number))).expect("written");
        let is_there = bag.windows(TEXT.len()).any(|part| part == TEXT.as_bytes());
        assert!(!is_there, "node {number} can read it");
    }
    // The carrier is killed too, and has it on its disk.
    two.kill();
    let (two, three) = (network.tier1(2), network.tier1(3));
    let shown = three.wait_for(TEXT);
    assert!(
        shown.starts_with("Message from peer 1 (Yangon General Hospital), written 20"),
        "{shown}"
    );
    // Its sender is told, however late it comes back.
    let one = network.tier1(1);
    one.wait_for("Your message that waited reached peer 3 (Cox's Bazar NW 1), 20");
    assert_eq!(three.count(TEXT), 1);
    three.kill();
    let three = met(&network, 3);
    assert_eq!((three.count(TEXT), two.count(TEXT)), (0, 0));
    one.kill();
    let one = met(&network, 1);
    assert_eq!(one.count("that waited reached"), 0, "told once");
}

#[test]
fn a_message_is_kept_only_if_the_person_wants_it() {
    let network = Network::new("not-kept", 2);
    let mut one = network.tier1(1);
    one.type_lines(&["7", "2", TEXT, "quit", "n"]);
    one.wait_for(&format!("Not sent: {TEXT}"));
    one.type_lines(&["7", "2", "come", "quit", ""]);
    one.wait_for("Kept. peer 2");
    let two = network.tier1(2);
    two.wait_for("by its clock: come");
    assert_eq!(two.count(TEXT), 0);
    one.wait_for("Your message that waited reached peer 2");
}

#[test]
fn a_message_for_which_there_is_no_room_is_not_kept_by_half() {
    let network = Network::new("half", 2);
    let mut one = network.tier1(1);
    let lines = |name: &str| (0..40).map(|at| format!("{name}-{at:02}")).collect::<Vec<_>>();
    let say = |one: &mut Node, name: &str| {
        let lines = lines(name);
        let mut typed = vec!["7", "2"];
        typed.extend(lines.iter().map(String::as_str));
        typed.extend(["quit", ""]);
        one.type_lines(&typed);
    };
    say(&mut one, "first");
    one.wait_for("Kept. peer 2");
    // The first 24 of these would find room.
    say(&mut one, "second");
    one.wait_for("messages that wait for peers that are away");
    one.type_lines(&["7", "2", "third", "quit", ""]);
    one.wait_for("Kept. peer 2");
    let two = network.tier1(2);
    two.wait_for("third");
    for line in lines("first") {
        two.wait_for_any(&line);
    }
    assert_eq!(two.count("second"), 0);
}

/// Waits until the list of alarms of a node shows `text`.
fn listed(node: &mut Node, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    until(&format!("18 lists {text:?}"), || {
        lines = node.ask(&["18", ""]);
        lines.iter().any(|line| line.contains(text))
    });
    lines
}

/// Waits until what a node has shown is on its disk.
fn noted(network: &Network, number: usize) {
    let path = post_path(&network.database(number));
    until("what was shown is noted", || path.exists());
}

const RINGS: &str = "EMERGENCY ALARM from";

#[test]
fn an_alarm_reaches_who_was_away_once_across_kills_and_only_its_raiser_calls_it_off() {
    let network = Network::new("away", 4);
    let (mut one, mut two) = (network.tier1(1), network.tier1(2));
    one.ask(&["10", "YES", "FIRE IN CAMP 4."]);
    two.wait_for(RINGS);
    // By the ledger too, and it is the same one.
    listed(&mut two, "by its clock: FIRE IN CAMP 4.");
    assert_eq!(two.count(RINGS), 1);
    noted(&network, 2);
    until("that it was read on node 2 is on the disk there", || {
        let ledger = support::reunite().arg("ledger").arg(network.data(2)).arg("--json").output();
        String::from_utf8_lossy(&ledger.expect("it runs").stdout).contains("alarm_seen")
    });
    one.kill();
    two.kill();
    let mut two = network.tier1(2);
    two.wait_for_any(&alarm_words::stand_at_start(1));
    let returned = Instant::now();
    let (mut three, four) = (network.tier1(3), network.tier1(4));
    for node in [&three, &four] {
        node.wait_for(RINGS);
        println!("it rings {} ms after they were started", returned.elapsed().as_millis());
        node.wait_for("FIRE IN CAMP 4.");
        node.wait_for("raised 20");
    }
    assert_eq!(two.count(RINGS), 0, "it was shown before it was killed");
    noted(&network, 4);
    four.kill();
    let mut four = met(&network, 4);
    assert_eq!(four.count(RINGS), 0, "it was shown before it was killed");
    // Who has read it says so, and the raiser finds that when it is back.
    three.ask(&[""]);
    let mut one = network.tier1(1);
    for number in [2, 3] {
        listed(&mut one, &format!("peer {number} ("));
    }
    assert_eq!(three.count(RINGS), 1);
    // Another one does not call it off.
    two.ask(&["10", "YES", "WATER."]);
    listed(&mut two, "by its clock: WATER.");
    let shown = two.ask(&["18", "2"]);
    assert!(shown.iter().any(|line| line == alarm_words::NOT_YOURS), "{shown:#?}");
    listed(&mut one, "by its clock: WATER.");
    let lines = listed(&mut one, "by its clock: FIRE IN CAMP 4.");
    let fire = lines.iter().find(|line| line.contains("by its clock: FIRE")).expect("listed");
    let number = fire.split_whitespace().next().expect("a number").to_owned();
    let shown = one.ask(&["18", &number]);
    assert!(shown.iter().any(|line| line == alarm_words::CALLED_OFF), "{shown:#?}");
    three.wait_for_any("ALARM CALLED OFF by peer 1 (Yangon General Hospital): FIRE IN CAMP 4.");
    listed(&mut four, alarm_words::OVER);
}

#[test]
fn a_thousand_alarms_of_one_peer_do_not_bury_that_of_another() {
    let network = Network::new("flood", 3);
    flood(&network, 2);
    let (mut two, mut three) = (network.tier1(2), network.tier1(3));
    three.ask(&["10", "YES", "WATER IS RISING."]);
    listed(&mut two, "by its clock: WATER IS RISING.");
    let mut one = network.tier1(1);
    one.wait_for_any("WATER IS RISING.");
    one.wait_for_any("!!  fire 0.");
    one.wait_for_any("more alarms, which are not shown one by one");
    let floods = one.count("!!  fire ");
    assert!(floods <= 2 * ALARM_BURST as usize, "{floods} of the flood were shown");
    // Whoever looks finds both, and the one is not hidden behind the others for being older.
    let lines = listed(&mut one, "by its clock: WATER IS RISING.");
    let fires = lines.iter().filter(|line| line.contains("by its clock: fire ")).count();
    assert!(
        fires <= MAX_ALARMS_OF && lines.iter().any(|line| line.contains("fire 999.")),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.contains("earlier ones of peer 2")), "{lines:#?}");
}

/// Puts a thousand alarms into the ledger of a node that does not run.
fn flood(network: &Network, number: usize) {
    let secrets = network.secrets.as_ref().expect("sealed");
    let copy = |secret: &SecretKey| SecretKey::from(*secret.expose());
    let identity = Identity::new(copy(secrets.identities[number - 1].expose()));
    let namer = Namer::new(secrets.keys.network.as_ref().expect("a member's"));
    let _folder = DataFolder::open(&network.data(number)).expect("free");
    let owner = Owner { identity, namer, dialect: Dialect::Sealed };
    let (database, _) = Database::open(&network.database(number), owner).expect("opened");
    let raised = |at| {
        let text = Spoken::try_from(format!("fire {at}.").as_str()).expect("short");
        Entry::Alarm(Alarm::Raised(Raised::new(text, &mut rand::rng())))
    };
    let ticket = database.note(|_| (0..1000).map(raised).collect()).expect("room");
    database.wait_saved(ticket, PATIENCE, &Stop::default()).expect("written");
}
