//! Who belongs to the network is in the ledger: real processes on the loopback learn it by syncing, talk to whom it admits,
//! and refuse whom it shuts out.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/links.rs"]
mod links;
mod support;

use reunite::base::threads::Stop;
use reunite::model::dialect::Dialect;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::membership::{Admitted, Membership, Moved, Profile};
use reunite::model::ledger::names::{Namer, NetworkId};
use reunite::model::secret::Token;
use reunite::store::database::Database;
use reunite::store::files::DataFolder;
use reunite::store::network_file::{self, Pin};
use reunite::store::opening::Owner;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use support::{Network, Node, ORGANISATIONS, PATIENCE, another, free_ports, reunite, until};

// --- what tests need ---

/// Node `number`, with the peers file of its own that `links::peers` names.
fn start(network: &Network, number: usize) -> Node {
    let mut command = reunite();
    command.arg("tier1").arg("--peers").arg(links::peers(network, number));
    command.arg("--number").arg(number.to_string()).arg("--data").arg(network.data(number));
    let node = Node::start(command, format!("node {number}"));
    node.wait_for("Number (Enter");
    node
}

/// Gives node `number` a peers file with these nodes alone.
fn knows(network: &Network, number: usize, nodes: &[usize]) {
    let text = network.book().to_json(true).to_string();
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let peers = json["peers"].as_array_mut().expect("a list");
    peers.retain(|peer| nodes.iter().any(|node| peer["number"] == *node));
    fs::write(links::peers(network, number), json.to_string()).expect("written");
}

/// A network of so many in the ledger, begun on node 1; those from `known` on are in nobody's peers file yet.
fn begun(name: &str, nodes: usize, known: usize) -> Network {
    begun_by(name, nodes, known, &[])
}

/// The same with these options.
fn begun_by(name: &str, nodes: usize, known: usize, options: &[&str]) -> Network {
    let network = Network::new(name, nodes);
    let all: Vec<_> = (1..=known).collect();
    all.iter().for_each(|number| knows(&network, *number, &all));
    let mut command = reunite();
    command.args(["network", "begin", "--number", "1"]).args(options);
    command.arg("--peers").arg(links::peers(&network, 1)).arg("--data").arg(network.data(1));
    let done = command.output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    network
}

fn identity(network: &Network, number: usize) -> Identity {
    let secrets = network.secrets.as_ref().expect("sealed");
    copy(&secrets.identities[number - 1])
}

fn copy(identity: &Identity) -> Identity {
    Identity::new(SecretKey::from(*identity.expose().expose()))
}

fn pin(network: &Network, number: usize) -> Option<Pin> {
    Pin::read(&network.data(number).join(network_file::FILE)).expect("a pin or none")
}

/// Signs this as `by` in the ledger of node `number`, which is down.
fn say(network: &Network, number: usize, by: Identity, said: Membership) {
    let folder = DataFolder::open(&network.data(number)).expect("nobody runs on it");
    let secrets = network.secrets.as_ref().expect("sealed");
    let namer = Namer::new(secrets.keys.network.as_ref().expect("tier 1"));
    let owner = Owner { identity: by, namer, dialect: Dialect::Sealed };
    let path = folder.file(&format!("DATABASE{number}.txt"));
    let (database, _) = Database::open(&path, owner).expect("it opens");
    let ticket = database.note(|_| vec![Entry::from(said)]).expect("room");
    database.wait_saved(ticket, PATIENCE, &Stop::default()).expect("on the disk");
}

/// The admission of node `number` of the network, as the others will know it.
fn admission(network: &Network, id: NetworkId, number: usize) -> Membership {
    let profile = Profile {
        number: (number as u64).try_into().expect("a number"),
        organisation: format!("Newcomer {number}").parse().expect("a name"),
        keys: identity(network, number).public(),
        address: network.addresses[number - 1].try_into().expect("an address"),
    };
    let token = Token::try_from(network.tokens[number - 1].as_bytes()).expect("digits");
    Membership::Admitted(Admitted::new(id, profile, token.into(), &mut rand::rng()))
}

/// What the ledger of a node says of members.
fn members(network: &Network, number: usize) -> Value {
    let done = reunite().arg("members").arg(network.data(number)).arg("--json").output();
    serde_json::from_slice(&done.expect("it runs").stdout).unwrap_or_default()
}

fn numbers(list: &Value) -> Vec<u64> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|one| one["number"].as_u64()).collect()
}

/// Sends a message, by the menu, and waits until it is on the other screen.
fn reaches(from: &mut Node, to: usize, other: &Node, text: &str) {
    from.message(to, text);
    other.wait_for(text);
}

/// Whether somebody of this name is in the text of node `number`.
fn has(network: &Network, number: usize, name: &str) -> bool {
    network.people(number).iter().any(|row| row.contains(name))
}

// --- beginning ---

#[test]
fn a_network_of_before_is_put_into_the_ledger_by_one_and_all_know_it_and_agree() {
    let network = Network::new("taken-up", 3);
    let mut one = network.tier1(1);
    let others = [2, 3].map(|number| network.tier1(number));
    one.type_lines(&["16", "no", "16", "YES"]);
    one.wait_for("Nothing was changed");
    one.wait_for("Saved. The others learn it");
    for other in &others {
        other.wait_for_any("The ledger now says who belongs to \"test\": 3 nodes");
    }
    let known = pin(&network, 1).expect("it began it");
    assert_eq!(known.founder, identity(&network, 1).public().identity);
    for number in [2, 3] {
        until("it is pinned", || pin(&network, number) == Some(known));
    }
    for number in 1..=3 {
        until("all have agreed with their admission", || {
            let members = members(&network, number)["members"].as_array().cloned();
            let members = members.unwrap_or_default();
            members.len() == 3 && members.iter().all(|member| member["has_consented"] == true)
        });
    }
    one.type_lines(&["16", ""]);
    one.wait_for("taken in by 1");
}

// --- admission ---

#[test]
fn whom_node_1_admits_node_3_talks_to_though_nobody_typed_it_there() {
    let network = begun("admitted", 4, 3);
    knows(&network, 4, &[1, 4]);
    let known = pin(&network, 1).expect("begun");
    say(&network, 1, identity(&network, 1), admission(&network, known.network, 4));
    known.write(&network.data(4).join(network_file::FILE)).expect("the answer brings it");
    let one = start(&network, 1);
    let mut three = start(&network, 3);
    three.wait_for_any("The ledger now says who belongs to");
    let mut four = start(&network, 4);
    until("node 4 knows node 3", || numbers(&members(&network, 4)["members"]) == [1, 2, 3, 4]);
    reaches(&mut three, 4, &four, "welcome to the network");
    reaches(&mut four, 3, &three, "thank you all");
    // It is so also after a restart, without anybody having typed anything.
    assert!(one.quit().success());
    assert!(three.quit().success());
    let mut three = start(&network, 3);
    reaches(&mut three, 4, &four, "still there");
    until("node 4 has agreed with its admission", || {
        let members = members(&network, 3)["members"].clone();
        members[3]["has_consented"] == true
    });
}

#[test]
fn an_admission_that_no_member_signed_counts_for_nothing_and_goes_nowhere() {
    let network = begun("forged", 4, 3);
    knows(&network, 4, &[1, 2, 3, 4]);
    let known = pin(&network, 1).expect("begun");
    known.write(&network.data(4).join(network_file::FILE)).expect("it knows the network");
    let forged = admission(&network, known.network, 4);
    // The stranger signs it itself, into the ledger of a member and into its own.
    say(&network, 2, identity(&network, 4), forged.clone());
    say(&network, 4, identity(&network, 4), forged);
    let one = start(&network, 1);
    let mut two = start(&network, 2);
    two.wait_for_any("The ledger now says who belongs to");
    let mut four = start(&network, 4);
    four.type_lines(&["7", "1", "let me in", "quit"]);
    one.wait_for_log("is refused (Unknown)");
    two.broadcast_until("The database reached 1 of 2 peers: 1.");
    for number in [1, 2] {
        let said = members(&network, number);
        assert_eq!(numbers(&said["members"]), [1, 2, 3], "node {number}: {said}");
        assert_eq!(said["open"].as_array().map(Vec::len), Some(0));
    }
    assert!(!one.shown().contains("let me in") && !one.shown().contains("New in the network"));
    let ledger = fs::read(network.data(1).join("DATABASE1.ledger")).expect("there");
    let stranger = identity(&network, 4).public().identity;
    let mut windows = ledger.windows(32);
    assert!(!windows.any(|window| window == stranger.as_bytes()), "its log came to node 1");
}

// --- shutting out ---

/// Node 1 and node 2 shut out node 3.
fn shut_out_three(one: &mut Node, two: &mut Node) {
    one.type_lines(&["16", "1", "3", "taken at the road block", "3"]);
    one.wait_for("Voices against it: 1 of 2");
    two.wait_for_any("A member asks others to agree");
    two.type_lines(&["16", "2", "1", "taken at the road block", "3"]);
    two.wait_for("Saved. It is shut out.");
    one.wait_for_any("SHUT OUT of the network: node 3");
}

#[test]
fn one_voice_shuts_nobody_out_two_do_and_an_open_session_ends_with_it() {
    let network = begun("two-revoke", 3, 3);
    let (mut one, mut two) = (start(&network, 1), start(&network, 2));
    let mut three = start(&network, 3);
    two.wait_for_any("The ledger now says who belongs to");
    three.wait_for_any("The ledger now says who belongs to");
    for choice in ["1", "3", "4"] {
        one.type_lines(&["16", choice, ""]);
        one.wait_for("Nothing was changed");
    }
    one.type_lines(&["16", "1", "1", "16", "1", "7", "16", "1", "3", "no reason", "2"]);
    one.wait_for("That is this node itself");
    one.wait_for("No member has this number");
    one.wait_for("It takes 2 members to shut it out; 0 have asked");
    one.wait_for("Nothing was changed");
    // A line to a node that will be shut out stays open until then.
    three.type_lines(&["7", "1", "before"]);
    one.wait_for("before");
    one.type_lines(&["16", "1", "3", "taken at the road block", "3"]);
    one.wait_for("Voices against it: 1 of 2");
    assert_eq!(numbers(&members(&network, 1)["members"]), [1, 2, 3]);
    three.type_lines(&["after one voice"]);
    one.wait_for("after one voice");
    two.wait_for_any("A member asks others to agree");
    two.type_lines(&["16", "2", "1", "taken at the road block", "3"]);
    two.wait_for("Saved. It is shut out.");
    one.wait_for_any("SHUT OUT of the network: node 3");
    three.type_lines(&["after two voices", "quit"]);
    one.wait_for_log("is refused (Unknown)");
    let said = members(&network, 1);
    assert_eq!((numbers(&said["members"]), numbers(&said["shut_out"])), (vec![1, 2], vec![3]));
    assert!(!one.shown().contains("after two voices"));
}

#[test]
fn who_is_shut_out_does_not_come_back_with_an_old_ledger_at_a_new_address() {
    let network = begun("returns", 3, 3);
    let (mut one, mut two, mut three) =
        (start(&network, 1), start(&network, 2), start(&network, 3));
    two.wait_for_any("The ledger now says who belongs to");
    three.wait_for_any("The ledger now says who belongs to");
    until("node 3 is a member by its own word too", || {
        let all = members(&network, 1)["members"].clone();
        all[2]["has_consented"] == true
    });
    // What it wrote before stays.
    three.type_lines(&["3", "Written before", "", "", "missing"]);
    until("the others have it", || (1..=2).all(|number| has(&network, number, "Written before")));
    assert!(three.quit().success());
    one.type_lines(&["7", "3", "Come back.", "quit", ""]);
    one.wait_for("Kept. peer 3");
    shut_out_three(&mut one, &mut two);
    one.wait_for_any("1 message of yours that waited for a member that is shut out now");
    // Its ledger knows nothing of that, and it lights its beacon at another address.
    let old = network.addresses[2];
    let new = SocketAddr::new(another(old.ip()), old.port());
    links::write_peers_with(&network, 3, true, |to| (to == 3).then_some(new));
    let mut three = start(&network, 3);
    three.type_lines(&["3", "Written afterwards", "", "", "missing", "9"]);
    three.wait_for("does NOT have it");
    for node in [&one, &two] {
        node.wait_for_log("is refused (Unknown)");
        node.wait_for_log("is ignored (Forged)");
        assert!(!node.logged().contains("peer 3 was found at"), "{}", node.logged());
    }
    let before = "Written before, , , missing";
    until("what it wrote before is there", || {
        network.people(1).iter().any(|row| row.starts_with(before))
    });
    one.type_lines(&["3", "Somebody else", "", "", "missing"]);
    one.wait_for("reached peer 2");
    one.type_lines(&["13", "Written before"]);
    one.wait_for(&format!("node 3 ({}), SHUT OUT", ORGANISATIONS[2]));
    for number in [1, 2] {
        assert!(!network.people(number).iter().any(|row| row.contains("Written afterwards")));
        until("its status does not name it any more", || {
            let text = fs::read_to_string(network.data(number).join("status.json"));
            let status: Value = serde_json::from_str(&text.expect("there")).expect("JSON");
            !numbers(&status["peers"]).contains(&3)
        });
    }
    assert!(!network.people(3).iter().any(|row| row.contains("Somebody else")));
    let ledger = reunite().arg("verify").arg(network.data(1)).output().expect("it runs");
    assert!(ledger.status.success(), "{}", String::from_utf8_lossy(&ledger.stdout));
}

#[test]
fn who_is_shut_out_does_not_come_back_through_a_member_that_has_not_heard_of_it() {
    let network = begun("through-another", 4, 4);
    let (mut one, mut two) = (start(&network, 1), start(&network, 2));
    let (mut three, four) = (start(&network, 3), start(&network, 4));
    until("all are members by their own word too", || {
        let all = members(&network, 1)["members"].clone();
        (0..4).all(|at| all[at]["has_consented"] == true)
    });
    three.type_lines(&["3", "Written before", "", "", "missing"]);
    until("all have it", || {
        [1, 2, 4].iter().all(|number| has(&network, *number, "Written before"))
    });
    assert!(three.quit().success() && four.quit().success());
    shut_out_three(&mut one, &mut two);
    assert!(one.quit().success() && two.quit().success());
    // They know nothing of that, and meet alone.
    let (mut three, mut four) = (start(&network, 3), start(&network, 4));
    three.type_lines(&["3", "Written afterwards", "", "", "missing"]);
    until("node 4 has it", || has(&network, 4, "Written afterwards"));
    assert!(three.quit().success());
    let (one, two) = (start(&network, 1), start(&network, 2));
    four.wait_for_any("SHUT OUT of the network: node 3");
    until("it does not count there any more", || !has(&network, 4, "Written afterwards"));
    four.type_lines(&["3", "Somebody else", "", "", "missing"]);
    for number in [1, 2, 4] {
        until("what node 4 writes is there", || has(&network, number, "Somebody else"));
        assert!(has(&network, number, "Written before"));
        assert!(!has(&network, number, "Written afterwards"));
    }
    assert!([one, two, four].into_iter().all(|node| node.quit().success()));
}

// --- by commands ---

/// `reunite members` with this change on node `number`, which is down; returns its exit status and all that it said.
fn change(network: &Network, number: usize, what: &[&str]) -> (Option<i32>, String) {
    let mut command = reunite();
    command.arg("members").args(what).arg("--number").arg(number.to_string());
    command.arg("--peers").arg(links::peers(network, number));
    command.arg("--data").arg(network.data(number));
    let done = command.stdin(Stdio::null()).output().expect("it runs");
    let told = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(told).expect("text"))
}

#[test]
fn nodes_that_are_down_shut_out_and_agree_by_commands_and_only_once_it_is_confirmed() {
    let network = begun("commands", 3, 3);
    let refused = |number, what: &[&str], why: &str| {
        let (code, told) = change(&network, number, what);
        assert!(code == Some(1) && told.contains(why), "{what:?}: {told}");
    };
    let shut_out = ["shut-out", "--reason", "taken at the road block"];
    refused(1, &[&shut_out[..], &["3"]].concat(), "no terminal to ask on");
    refused(1, &[&shut_out[..], &["--yes", "1"]].concat(), "this node itself");
    refused(1, &[&shut_out[..], &["--yes", "7"]].concat(), "no member has the number 7");
    assert_eq!(members(&network, 1)["open"].as_array().map(Vec::len), Some(0));
    let (code, told) = change(&network, 1, &[&shut_out[..], &["--yes", "3"]].concat());
    assert!(code == Some(0) && told.contains("Saved. Voices against it: 1 of 2"), "{told}");
    assert_eq!(numbers(&members(&network, 1)["members"]), [1, 2, 3]);
    let (one, two) = (start(&network, 1), start(&network, 2));
    until("node 2 knows what is asked", || {
        members(&network, 2)["open"].as_array().is_some_and(|open| open.len() == 1)
    });
    let three = identity(&network, 3).public().fingerprint();
    let agree = ["agree", "--yes", "--fingerprint", &three];
    refused(2, &[&agree[..], &["1"]].concat(), "another node is running on it");
    assert!(two.quit().success());
    refused(2, &["agree", "1"], "no terminal to ask on");
    refused(2, &[&agree[..], &["2"]].concat(), "nothing with the number 2");
    let (code, told) = change(&network, 2, &[&agree[..], &["1"]].concat());
    assert!(code == Some(0) && told.contains("Saved. It is shut out."), "{told}");
    assert!(told.contains("taken at the road block"), "{told}");
    let said = members(&network, 2);
    assert_eq!((numbers(&said["members"]), numbers(&said["shut_out"])), (vec![1, 2], vec![3]));
    let _two = start(&network, 2);
    one.wait_for_any("SHUT OUT of the network: node 3");
}

#[test]
fn whom_a_command_agrees_to_take_in_without_asking_is_named_by_its_fingerprint() {
    let network = begun_by("agreed", 4, 2, &["--admit", "2"]);
    let known = pin(&network, 1).expect("begun");
    say(&network, 1, identity(&network, 1), admission(&network, known.network, 3));
    let agree = ["agree", "1", "--yes"];
    let (code, told) = change(&network, 1, &agree);
    assert!(code == Some(2) && told.contains("--fingerprint <DIGITS>"), "{told}");
    let [three, other] = [3, 4].map(|number| identity(&network, number).public().fingerprint());
    let (code, told) = change(&network, 1, &[&agree[..], &["--fingerprint", &other]].concat());
    assert!(code == Some(1) && told.contains(&format!("is about {three}, and nothing")), "{told}");
    // Node 2 has heard of it, and is down.
    let (one, two) = (start(&network, 1), start(&network, 2));
    until("node 2 knows what is asked", || {
        members(&network, 2)["open"].as_array().is_some_and(|open| open.len() == 1)
    });
    assert!(one.quit().success() && two.quit().success());
    let (code, told) = change(&network, 2, &[&agree[..], &["--fingerprint", &other]].concat());
    assert!(code == Some(1) && told.contains("is about"), "{told}");
    assert_eq!(numbers(&members(&network, 2)["members"]), [1, 2]);
    let three = three.replace(' ', "");
    let (code, told) = change(&network, 2, &[&agree[..], &["--fingerprint", &three]].concat());
    assert!(code == Some(0) && told.contains("Saved. This node agrees."), "{told}");
    assert_eq!(numbers(&members(&network, 2)["members"]), [1, 2, 3]);
}

#[test]
fn a_node_that_is_down_is_renamed_and_moved_by_commands_and_all_follow() {
    let network = begun("moved", 2, 2);
    let (one, two) = (start(&network, 1), start(&network, 2));
    until("node 2 is a member by its own word", || {
        members(&network, 1)["members"][1]["has_consented"] == true
    });
    assert!(two.quit().success());
    let (code, told) = change(&network, 2, &["rename", "Camp 9 clinic"]);
    assert!(code == Some(0) && told.contains("All members will see the new name"), "{told}");
    let to = free_ports(network.addresses[1].ip(), 1)[0];
    let (code, told) = change(&network, 2, &["move", "clinic:1"]);
    assert!(code == Some(1) && told.contains("not an IP address and port"), "{told}");
    let (code, told) = change(&network, 2, &["move", &to.to_string()]);
    assert!(code == Some(0) && told.contains("has the new address"), "{told}");
    let mut two = start(&network, 2);
    until("node 1 knows both", || {
        let two = members(&network, 1)["members"][1].clone();
        two["organisation"] == "Camp 9 clinic" && two["addresses"][0] == to.to_string()
    });
    reaches(&mut two, 1, &one, "from the other place");
}

#[test]
fn a_node_of_a_network_that_is_kept_by_hand_is_not_moved_and_no_node_moves_another() {
    let network = Network::new("by-hand", 2);
    knows(&network, 1, &[1, 2]);
    let (code, told) = change(&network, 1, &["move", "127.0.0.9:33001"]);
    assert!(code == Some(1) && told.contains("not in the ledger here"), "{told}");
    let peers = links::peers(&network, 1);
    let before = fs::read(&peers).expect("there");
    let mut command = reunite();
    command.args(["members", "move", "127.0.0.9:33001", "--number", "2", "--peers"]);
    let done = command.arg(&peers).arg("--data").arg(network.data(1)).output().expect("it runs");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && told.contains("identity of node 1, not of 2"), "{told}");
    assert_eq!(fs::read(&peers).expect("there"), before);
}

// --- addresses ---

#[test]
fn what_others_say_of_where_a_member_is_moves_nobody() {
    let network = begun("spoofed", 3, 3);
    let known = pin(&network, 1).expect("begun");
    let wrong: SocketAddr = "10.99.99.99:33001".parse().expect("an address");
    let (member, address) =
        (identity(&network, 3).public().identity, wrong.try_into().expect("an address"));
    let moved = Moved { network: known.network, member, address };
    say(&network, 2, identity(&network, 2), Membership::Moved(moved));
    let mut one = start(&network, 1);
    let (_two, three) = (start(&network, 2), start(&network, 3));
    until("node 1 has heard it", || {
        let all = members(&network, 1)["members"][2]["addresses"].clone();
        all.as_array().is_some_and(|all| all.iter().any(|one| *one == wrong.to_string()))
    });
    until("its own word comes first", || {
        let three = members(&network, 1)["members"][2].clone();
        three["has_consented"] == true && three["addresses"][0] == network.addresses[2].to_string()
    });
    reaches(&mut one, 3, &three, "where you always were");
    let text = fs::read_to_string(network.data(1).join("status.json")).expect("there");
    let status: Value = serde_json::from_str(&text).expect("JSON");
    let seen = status["peers"].as_array().and_then(|all| all.iter().find(|one| one["number"] == 3));
    assert_eq!(seen.expect("listed")["address"], network.addresses[2].to_string());
}
