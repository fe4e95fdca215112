//! Every feature of both tiers, as a person uses it: real processes, driven by their menus.

mod support;

use support::{Network, until};

const HEAD: &str = "People:\nName, Appearance, Last Seen, Status, Id\n\n";

#[test]
fn an_added_person_reaches_the_other_node_and_both_files() {
    let network = Network::new("add", 2);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.type_lines(&["3", "Nur Begum", "thin, scar", "Balukhali 12/8/24", "missing"]);
    one.wait_for("Saved. The person has the Id");
    two.wait_for("Yangon General Hospital) sent its database. New rows: 1.");
    one.wait_for("The database reached peer 2");
    until("the same rows in both files", || {
        network.people(1).len() == 1 && network.people(1) == network.people(2)
    });
    assert!(network.people(1)[0].starts_with("Nur Begum, \"thin, scar\", Balukhali 12/8/24, missing, "));
    assert!(one.quit().success() && two.quit().success());
}

#[test]
fn two_versions_of_one_person_are_shown_and_settled() {
    let network = Network::new("settle", 2);
    network.put(1, &format!("{HEAD}Ana, tall, , missing, 14729384756392834\n"));
    network.put(2, &format!("{HEAD}Ana, tall, , found, 14729384756392834\n"));
    let (mut one, mut two) = (network.tier1(1), network.tier1(2));
    one.type_lines(&["8", "2"]);
    two.wait_for("several versions");
    two.type_lines(&["1"]);
    two.wait_for("* Ana");
    two.wait_for("* Ana");
    two.type_lines(&["4", "14729384756392834", "1", "", "", "Camp 7", ""]);
    two.wait_for("Saved.");
    two.wait_for("The database reached peer 1");
    until("one version", || network.people(2) == ["Ana, tall, Camp 7, found, 14729384756392834"]);
    // The other node still has its own: it settles too, and a stale copy undoes neither.
    one.type_lines(&["4", "14729384756392834", "2", "", "", "", ""]);
    one.wait_for("Saved.");
    until("equal", || network.people(1) == network.people(2));
    two.type_lines(&["9"]);
    two.wait_for("Sending to all peers");
    two.wait_for("The database reached");
    assert_eq!(network.people(1), ["Ana, tall, Camp 7, found, 14729384756392834"]);
}
