//! `reunite setup`, `peers add`, `peers tier2` and `fingerprint` as real processes: what they make, what they say,
//! what they refuse, and that no secret is ever said.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::store::peer_book::PeerBook;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Folder, Node, path, reunite, run, to_own_address};

/// Runs the program, which is to succeed; returns all that it says.
fn done(arguments: &[&str]) -> (String, String) {
    let (code, out, err) = run(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    (out, err)
}

/// Runs the program, which is to refuse; returns what it complains of.
fn refused(arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {out}{err}");
    assert!(err.starts_with("reunite: ") && err.contains("\n  -> "), "{err}");
    err
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("there")).expect("JSON")
}

/// A node that is set up in a folder of its own; returns the folder and what was said.
fn set_up(folder: &Folder, number: &str, address: &str) -> (PathBuf, String, String) {
    let data = folder.path().join(format!("node{number}"));
    let node = ["setup", "--number", number, "--organisation", "Yangon", "--address", address];
    let (out, err) = done(&[&node[..], &["--data", path(&data)]].concat());
    (data, out, err)
}

/// The arguments that take these cards into a network.
fn adding<'a>(peers: &'a Path, cards: &[&'a str]) -> Vec<&'a str> {
    [&["peers", "add", "--yes", "--peers", path(peers)], cards].concat()
}

fn card(data: &Path, number: u64) -> String {
    path(&data.join(format!("card-{number}.json"))).to_owned()
}

/// Starts a node and ends it at once; returns what it complains of.
fn start(peers: &Path, number: &str, data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let node = ["tier1", "--peers", path(peers), "--number", number, "--data", path(data)];
    let (code, _, err) = run(&[&node[..], more].concat());
    (code, err)
}

#[test]
fn a_network_on_one_machine_is_made_whole_private_and_without_a_word_of_its_secrets() {
    let folder = Folder::new("setup-local");
    let net = folder.path().join("a net");
    let (out, err) = done(&["setup", "--local", "10", "--tier2", "1", "--out", path(&net)]);
    for path in ["peers.json", "peers-tier2.json", "node1/identity.json", "node10/identity.json"] {
        assert_eq!(mode(&net.join(path)), 0o600, "{path}");
    }
    for path in ["", "node1", "node10", "reader1"] {
        assert_eq!(mode(&net.join(path)), 0o700, "{path}");
    }
    let book = PeerBook::read_tier1(&net.join("peers.json")).expect("right");
    assert_eq!(book.all().len(), 10);
    assert!(book.all().iter().all(|peer| peer.address.ip().is_loopback()));
    let file = json(&net.join("peers.json"));
    let mut secrets = vec![file["network_key"].clone(), file["reader_key"].clone()];
    secrets
        .extend(file["peers"].as_array().expect("a list").iter().map(|peer| peer["token"].clone()));
    secrets.push(json(&net.join("node1/identity.json"))["secret"].clone());
    for secret in secrets {
        let secret = secret.as_str().expect("a text");
        assert!(secret.len() >= 12 && !out.contains(secret) && !err.contains(secret));
    }
    let public = fs::read_to_string(net.join("peers-tier2.json")).expect("there");
    assert!(!public.contains("token") && !public.contains("network_key"));
    assert_eq!(out.matches(" tier1 --peers '").count(), 10, "{out}");
    assert_eq!(out.matches(" tier2 --peers '").count(), 1, "{out}");
    let again = refused(&["setup", "--local", "1", "--out", path(&net)]);
    assert!(again.contains("something in this folder"), "{again}");
    assert!(
        refused(&["setup", "--local", "0", "--out", path(&folder.path().join("b"))])
            .contains("1 to 999")
    );
}

#[test]
fn a_folder_with_identity_and_peers_file_is_enough_to_start_a_node() {
    let folder = Folder::new("setup-folder");
    let net = folder.path().join("net");
    done(&["setup", "--local", "2", "--out", path(&net)]);
    let (data, peers) = (net.join("node2"), net.join("peers.json"));
    to_own_address(&peers);
    let error = refused(&["tier1", "--data", path(&data)]);
    assert!(error.contains("node2/peers.json"), "{error}");
    fs::rename(&peers, data.join("peers.json")).expect("ours");
    let mut command = reunite();
    command.args(["tier1", "--data", path(&data)]);
    let node = Node::start(command, "node 2".into());
    node.wait_for("reunite: node 2, ");
    assert!(node.quit().success());
    // What is not in it can be anywhere else, but has to be this node's.
    let error = refused(&["tier1", "--number", "1", "--data", path(&data)]);
    assert!(error.contains("identity of node 2, not of 1"), "{error}");
}

#[test]
fn a_node_starts_sealed_with_its_own_identity_and_with_no_other() {
    let folder = Folder::new("setup-start");
    let net = folder.path().join("net");
    done(&["setup", "--local", "2", "--out", path(&net)]);
    let peers = net.join("peers.json");
    to_own_address(&peers);
    let mut command = reunite();
    command.args(["tier1", "--peers", path(&peers), "--number", "1", "--data"]);
    let mut node = Node::start(
        {
            command.arg(net.join("node1"));
            command
        },
        "node 1".into(),
    );
    node.wait_for("Number (Enter");
    assert_eq!(node.count("WARNING"), 0, "nothing of it is in clear: {}", node.shown());
    node.end_input();
    assert!(node.wait_exit().success());

    let (code, err) = start(&peers, "1", &net.join("node2"), &[]);
    assert!(code == Some(1) && err.contains("identity of node 2"), "{err}");
    let (code, err) = start(&peers, "1", &net.join("nowhere"), &[]);
    assert!(
        code == Some(1) && err.contains("no identity") && err.contains("reunite setup"),
        "{err}"
    );
    let (other, ..) = set_up(&folder, "1", "127.0.0.1:33001");
    let (code, err) = start(&peers, "1", &other, &[]);
    assert!(code == Some(1) && err.contains("pins other keys"), "{err}");
    let (code, err) = start(&peers, "3", &net.join("node1"), &[]);
    assert!(code == Some(1) && err.contains("there is no peer 3"), "{err}");
}

#[test]
fn set_up_again_gives_the_same_card_and_never_a_second_identity() {
    let folder = Folder::new("setup-again");
    let (data, first, said) = set_up(&folder, "7", "10.0.0.1:33001");
    assert_eq!((mode(&data), mode(&data.join("identity.json"))), (0o700, 0o600));
    let secret = json(&data.join("identity.json"))["secret"].as_str().expect("a text").to_owned();
    assert!(!first.contains(&secret) && !said.contains(&secret));
    assert_eq!(fs::read_to_string(card(&data, 7)).expect("there"), first);
    fs::set_permissions(data.join("identity.json"), fs::Permissions::from_mode(0o644))
        .expect("ours");
    let (_, second, logged) = set_up(&folder, "7", "10.0.0.1:33001");
    assert_eq!(second, first);
    assert_eq!(mode(&data.join("identity.json")), 0o600);
    assert!(logged.contains("other users could read it"), "{logged}");
    let node = ["setup", "--organisation", "A", "--address", "10.0.0.1:1", "--data", path(&data)];
    assert!(refused(&[&node[..], &["--number", "8"]].concat()).contains("node 7"));
    assert!(refused(&[&node[..], &["--number", "0"]].concat()).contains("peer number"));
    let with_file = [&node[..], &["--number", "7", "--passphrase-file", "x"]].concat();
    assert!(refused(&with_file).contains("without a passphrase"));
    assert!(
        refused(&[
            "setup",
            "--number",
            "1",
            "--organisation",
            "A",
            "--address",
            "yangon",
            "--data",
            path(&data)
        ])
        .contains("IP address")
    );
}

#[test]
fn a_passphrase_protects_the_identity_and_is_asked_for_at_the_start() {
    let folder = Folder::new("setup-pass");
    let at = |name: &str| folder.path().join(name);
    for (name, passphrase) in
        [("right", "river stone\n"), ("wrong", "river stones"), ("short", "river")]
    {
        fs::write(at(name), passphrase).expect("written");
    }
    let data = at("node1");
    let node = [
        "setup",
        "--number",
        "1",
        "--organisation",
        "A",
        "--address",
        "127.0.0.1:0",
        "--data",
        path(&data),
    ];
    assert!(refused(&[&node[..], &["--passphrase"]].concat()).contains("no terminal"));
    assert!(
        refused(&[&node[..], &["--passphrase-file", path(&at("short"))]].concat())
            .contains("shorter")
    );
    assert!(!data.join("identity.json").exists());
    let (first, _) = done(&[&node[..], &["--passphrase-file", path(&at("right"))]].concat());
    assert!(json(&data.join("identity.json")).get("secret").is_none());
    assert_eq!(done(&[&node[..], &["--passphrase-file", path(&at("right"))]].concat()).0, first);
    let peers = at("peers.json");
    done(&["peers", "add", "--yes", "--peers", path(&peers), &card(&data, 1)]);
    let (code, err) = start(&peers, "1", &data, &[]);
    assert!(code == Some(1) && err.contains("no terminal"), "{err}");
    let (code, err) = start(&peers, "1", &data, &["--passphrase-file", path(&at("wrong"))]);
    assert!(code == Some(1) && err.contains("does not open this identity"), "{err}");
    assert!(!err.contains("river"), "{err}");
    let (code, err) = start(&peers, "1", &data, &["--passphrase-file", path(&at("right"))]);
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn cards_found_a_network_and_change_it_and_nobody_takes_the_place_of_another() {
    let folder = Folder::new("setup-cards");
    let peers = folder.path().join("peers.json");
    let (one, ..) = set_up(&folder, "1", "10.0.0.1:33001");
    let (two, ..) = set_up(&folder, "2", "10.0.0.2:33001");
    let unasked = refused(&["peers", "add", "--peers", path(&peers), &card(&one, 1)]);
    assert!(unasked.contains("no terminal") && !peers.exists(), "{unasked}");
    let (out, _) = done(
        &[&adding(&peers, &[&card(&one, 1), &card(&two, 2)])[..], &["--network", "camps"]].concat(),
    );
    assert_eq!(mode(&peers), 0o600);
    let file = json(&peers);
    for secret in [&file["network_key"], &file["reader_key"], &file["peers"][0]["token"]] {
        assert!(!out.contains(secret.as_str().expect("a text")));
    }
    let (list, _) = done(&["fingerprint", "--peers", path(&peers)]);
    let (second, _) = done(&["fingerprint", "--peers", path(&peers), "--number", "2"]);
    assert!(
        list.lines().count() == 2 && list.ends_with(&second) && out.contains(second[5..34].trim())
    );

    // The same card changes nothing; a new address is taken, and the token and all keys stay.
    assert!(done(&adding(&peers, &[&card(&one, 1)])).0.contains("nothing of it has changed"));
    assert_eq!(json(&peers), file);
    set_up(&folder, "1", "10.0.0.9:33001");
    done(&adding(&peers, &[&card(&one, 1)]));
    let moved = json(&peers);
    assert_eq!(moved["peers"][0]["address"], "10.0.0.9:33001");
    for field in ["network_key", "reader_key", "epoch"] {
        assert_eq!(moved[field], file[field]);
    }
    assert_eq!(moved["peers"][0]["token"], file["peers"][0]["token"]);

    let other = Folder::new("setup-cards-other");
    let (thief, ..) = set_up(&other, "1", "10.0.0.8:33001");
    assert!(refused(&adding(&peers, &[&card(&thief, 1)])).contains("other keys"));
    let (squatter, ..) = set_up(&other, "3", "10.0.0.2:33001");
    assert!(refused(&adding(&peers, &[&card(&squatter, 3)])).contains("address"));
    let copy = other.path().join("copy.json");
    let text_of_copy = fs::read_to_string(card(&two, 2)).expect("there");
    let text_of_copy =
        text_of_copy.replace("\"number\": 2", "\"number\": 4").replace("10.0.0.2", "10.0.0.4");
    fs::write(&copy, text_of_copy).expect("written");
    assert!(refused(&adding(&peers, &[path(&copy)])).contains("identity_key"));
    let second_card = card(&two, 2);
    let wrong_network = [&adding(&peers, &[&second_card])[..], &["--network", "others"]].concat();
    assert!(refused(&wrong_network).contains("camps"));
    assert!(
        refused(&["fingerprint", "--peers", path(&peers), "--number", "9"]).contains("no peer 9")
    );
    assert_eq!(json(&peers), moved, "what was refused changed nothing");
}

#[test]
fn readers_get_a_file_of_their_own_that_never_replaces_the_secret_one() {
    let folder = Folder::new("setup-tier2");
    let (peers, public) = (folder.path().join("peers.json"), folder.path().join("public.json"));
    let (one, ..) = set_up(&folder, "1", "10.0.0.1:33001");
    done(&["peers", "add", "--yes", "--peers", path(&peers), &card(&one, 1)]);
    done(&["peers", "tier2", "--peers", path(&peers), "--out", path(&public)]);
    assert!(PeerBook::read_tier1(&public).is_err() && PeerBook::read_tier2(&public).is_ok());
    let same = refused(&["peers", "tier2", "--peers", path(&peers), "--out", path(&peers)]);
    assert!(same.contains("itself") && PeerBook::read_tier1(&peers).is_ok(), "{same}");
    assert!(
        refused(&["peers", "add", "--yes", "--peers", path(&public), &card(&one, 1)])
            .contains("network_key")
    );
    let classic = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/local.json");
    assert!(refused(&["fingerprint", "--peers", path(&classic)]).contains("classic"));
    assert!(
        refused(&["peers", "add", "--yes", "--peers", path(&classic), &card(&one, 1)])
            .contains("classic")
    );
}
