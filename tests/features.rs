//! Every feature of both tiers, as a person uses it: real processes, driven by their menus.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::model::limits::{MAX_SPOKEN, MAX_TYPED};
use reunite::shell::{ledger_words, words};
use reunite::store::peer_book::PeerBook;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::original::{FILE, Original, TEXT, socket, write};
use support::{
    Folder, HEAD, Network, Node, ORGANISATIONS, PATIENCE, database, new_id, original_file, path,
    run, until,
};

const NUR: &str = "Nur Begum, \"thin, scar\", Balukhali 12/8/24, missing, 482915736620194857";
const ANA: &str = "Ana, tall, , missing, 14729384756392834";
const ANA_FOUND: &str = "Ana, tall, , found, 14729384756392834";
const MAUNG: &str = "မောင်မောင်, အသက် ၃၀, ရန်ကုန်, missing,";
const DOSE: &str = "482915736620194857, Polio, bOPV, L7, 2/3/24, 2, Bangladesh, Ukhiya";
const CENSUS: &str = "Camp 4, 2024-06-30, UNHCR, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1";

/// A database file with all sections.
fn all_sections() -> String {
    format!(
        "{}\nVaccinations:\nPerson Id, Vaccine, Brand, Lot, Date, Dose, Country, Centre\n\n{DOSE}\n\
         \nCamps:\nCamp, Date, Source, Households, Individuals, F 0-4, F 5-11, F 12-17, F 18-59, F 60+, \
         M 0-4, M 5-11, M 12-17, M 18-59, M 60+\n\n{CENSUS}\n",
        database(&[NUR, ANA, MAUNG])
    )
}

/// A node that is its whole network, on this database.
fn alone(name: &str, text: &str) -> (Network, Node) {
    let network = Network::new(name, 1);
    network.put(1, text);
    let node = network.tier1(1);
    // What is written into a file in the moment in which another takes its place is in neither.
    network.wait_written(1);
    (network, node)
}

/// Two nodes, with these databases.
fn pair(name: &str, one: &[&str], two: &[&str]) -> (Network, Node, Node) {
    let network = Network::new(name, 2);
    network.put(1, &database(one));
    network.put(2, &database(two));
    let (one, two) = (network.tier1(1), network.tier1(2));
    (network, one, two)
}

fn file(network: &Network, number: usize) -> String {
    fs::read_to_string(network.database(number)).expect("there")
}

/// Waits until the file says so: it follows what was saved within a second.
#[track_caller]
fn file_gets(network: &Network, number: usize, text: &str) {
    until(&format!("{text:?} is in the file of node {number}"), || {
        fs::read_to_string(network.database(number)).is_ok_and(|file| file.contains(text))
    });
}

fn has(shown: &[String], text: &str) -> bool {
    shown.iter().any(|line| line.contains(text))
}

#[track_caller]
fn assert_shows(shown: &[String], text: &str) {
    assert!(has(shown, text), "{text:?} is not in:\n{}", shown.join("\n"));
}

/// The Id that a person got who was just added.
fn id_of_new(shown: &[String]) -> String {
    shown.iter().find_map(|line| new_id(line)).expect("it was saved")
}

// --- 1 view ---

#[test]
fn view_shows_three_sections_in_aligned_columns() {
    let (_network, mut node) = alone("view", &all_sections());
    assert_eq!(
        node.ask(&["1"]),
        [
            "People: 3",
            "  Name       Appearance  Last Seen          Status   Id",
            "  Nur Begum  thin, scar  Balukhali 12/8/24  missing  482915736620194857",
            "  Ana        tall                           missing  14729384756392834",
            "  မောင်မောင်   အသက် ၃၀      ရန်ကုန်               missing",
            "Vaccinations: 1",
            "  Person Id           Vaccine  Brand  Lot  Date    Dose  Country     Centre",
            "  482915736620194857  Polio    bOPV   L7   2/3/24  2     Bangladesh  Ukhiya",
            "Camps: 1",
            "  Camp    Date        Source  Households  Individuals  F 0-4  F 5-11  F 12-17  F 18-59  \
             F 60+  M 0-4  M 5-11  M 12-17  M 18-59  M 60+",
            "  Camp 4  2024-06-30  UNHCR   3           10           1      1       1        1        \
             1      1      1       1        1        1",
        ]
    );
}

#[test]
fn view_is_whole_where_there_is_no_terminal() {
    let rows: Vec<_> = (0..2000)
        .map(|at| format!("Person {at}, {}, Camp 4, missing, {}", "x".repeat(90), 10_000_000 + at))
        .collect();
    let rows: Vec<_> = rows.iter().map(String::as_str).collect();
    let (_network, mut node) = alone("whole", &database(&rows));
    let shown = node.ask(&["1"]);
    assert_eq!(shown.len(), 2 + 2000);
    let column = shown[1].find("Last Seen");
    assert!(shown[2..].iter().zip(&rows).all(|(line, row)| {
        row.split(", ").all(|field| line.contains(field)) && line.find("Camp 4") == column
    }));
}

#[test]
fn view_marks_versions_and_shows_lines_that_are_not_understood() {
    let text = database(&[ANA, "Cy, tall, 4/4/23, missing, call me", ANA_FOUND, MAUNG]);
    let (network, mut node) = alone("marks", &text);
    node.wait_for_any(
        "line 5: Cy, tall, 4/4/23, missing, call me  (there is text behind the status",
    );
    let shown = node.ask(&["1"]);
    assert_eq!(shown.iter().filter(|line| line.starts_with("* Ana")).count(), 1, "{shown:#?}");
    assert_shows(&shown, &words::versions_marked(1));
    assert_shows(&shown, "Cy, tall, 4/4/23, missing, call me");
    // It is still there when the file was written anew.
    node.ask(&["3", "Bo", "", "", ""]);
    file_gets(&network, 1, "\nBo, ");
    assert!(file(&network, 1).contains("\nCy, tall, 4/4/23, missing, call me\n"));
}

#[test]
fn what_stands_in_a_row_cannot_control_the_terminal() {
    let (_network, mut node) = alone("controls", &database(&["\u{1b}[2J\u{202e}Ana, \u{7}, , ,"]));
    let shown = node.ask(&["1"]).join("\n");
    assert!(shown.contains("␛[2J<U+202E>Ana  ␇"), "{shown:?}");
}

// --- 2 search ---

#[test]
fn search_finds_part_of_any_field_in_any_case_and_counts() {
    let (_network, mut node) = alone("search", &all_sections());
    for (part, found) in [
        ("nur", vec!["Nur Begum"]),
        ("BEGUM", vec!["Nur Begum"]),
        ("tall", vec!["Ana"]),
        ("balukhali", vec!["Nur Begum"]),
        ("Missing", vec!["Nur Begum", "Ana", "မောင်မောင်"]),
        ("14729384756392834", vec!["Ana"]),
        ("4829157", vec!["Nur Begum", "Polio"]),
        ("polio", vec!["Polio"]),
        ("unhcr", vec!["Camp 4"]),
        ("မောင်", vec!["မောင်မောင်"]),
        ("ရန်ကုန်", vec!["မောင်မောင်"]),
        (", ", vec!["Nur Begum", "Ana"]),
        ("nobody", vec![]),
    ] {
        let shown = node.ask(&["2", part]);
        let count = if part == ", " { 1 } else { found.len() };
        assert_shows(&shown, &words::matches(count));
        let rows = shown.iter().filter(|line| found.iter().any(|name| line.contains(name)));
        assert_eq!(rows.count(), count, "{part}: {shown:#?}");
    }
}

#[test]
fn search_marks_a_person_of_whom_another_version_does_not_match() {
    let (_network, mut node) = alone("search-mark", &database(&[ANA, ANA_FOUND]));
    assert_shows(&node.ask(&["2", "found"]), "* Ana");
}

// --- 3 add ---

#[test]
fn an_added_person_reaches_the_other_node_and_both_files() {
    let (network, mut one, two) = pair("add", &[], &[]);
    let shown = one.ask(&["3", "Nur Begum", "thin, scar", "Balukhali 12/8/24", "missing"]);
    two.wait_for_any("peer 1 (Yangon General Hospital) sent what it has");
    one.wait_for_any("The database reached peer 2 (Mandalay General Hospital)");
    until("the same rows in both files", || {
        network.people(1).len() == 1 && network.people(1) == network.people(2)
    });
    let row =
        format!("Nur Begum, \"thin, scar\", Balukhali 12/8/24, missing, {}", id_of_new(&shown));
    assert_eq!(network.people(1), [row]);
    assert!(one.quit().success() && two.quit().success());
}

#[test]
fn what_is_unknown_of_a_person_may_be_left_empty() {
    let (network, mut node) = alone("empty", HEAD);
    let shown = node.ask(&["3", "မောင်", "", "", ""]);
    assert!((18..=19).contains(&id_of_new(&shown).len()), "{shown:#?}");
    let again = node.ask(&["3", "", "", "by the river", ""]);
    let rows = [
        format!(", , by the river, , {}", id_of_new(&again)),
        format!("မောင်, , , , {}", id_of_new(&shown)),
    ];
    network.people_become(1, &rows);
}

#[test]
fn an_end_of_input_in_the_middle_adds_nobody() {
    let (network, mut node) = alone("middle", HEAD);
    node.type_lines(&["3", "Nur", "thin"]);
    node.end_input();
    assert!(node.wait_exit().success());
    assert_eq!(file(&network, 1), HEAD);
}

// --- 4 update ---

#[test]
fn an_update_by_id_keeps_what_is_left_empty_and_clears_what_is_a_dash() {
    let (network, mut node) = alone("update", &database(&[NUR, ANA]));
    let shown = node.ask(&["4", "482915736620194857", "", "-", "Camp 7", "found"]);
    assert_shows(&shown, "Status (missing, found, deceased, …) [missing]:");
    assert_shows(&shown, "Saved.");
    network.people_become(1, &[ANA, "Nur Begum, , Camp 7, found, 482915736620194857"]);
    let history = node.ask(&["13", "482915736620194857"]);
    assert_shows(&history, "Appearance: thin, scar -> (unknown)");
    assert_shows(&history, "Last Seen: Balukhali 12/8/24 -> Camp 7");
    assert_shows(&history, "Status: missing -> found");
}

#[test]
fn an_update_by_part_of_a_name_asks_which_of_several_is_meant() {
    let (network, mut node) = alone("several", &database(&[NUR, ANA, "Nurul, , , missing, 77"]));
    let shown = node.ask(&["4", "NUR", "2", "", "", "", "found"]);
    assert_shows(&shown, "  1 Nur Begum");
    assert_shows(&shown, "  2 Nurul");
    assert!(!has(&shown, "Ana"));
    network.people_become(1, &[ANA, NUR, "Nurul, , , found, 77"]);
}

#[test]
fn an_update_of_nobody_changes_nothing() {
    let crowd: Vec<_> = (0..40).map(|at| format!("Crowd, , , missing, {at}")).collect();
    let mut rows = vec![ANA, NUR];
    rows.extend(crowd.iter().map(String::as_str));
    let (network, mut node) = alone("cancel", &database(&rows));
    let before = file(&network, 1);
    for (answers, shown) in [
        (["4", "i", ""], "More than 30 records match"),
        (["4", "nobody", ""], "Nothing matches."),
        (["4", "", ""], "Nothing matches."),
    ] {
        assert_shows(&node.ask(&answers[..2]), shown);
    }
    for choice in ["", "0", "3", "-1", "x"] {
        assert_shows(&node.ask(&["4", "a", choice]), "Nothing was changed.");
    }
    let unchanged = node.ask(&["4", "14729384756392834", "", "", "", ""]);
    assert_shows(&unchanged, "Nothing was changed.");
    assert!(node.quit().success());
    assert_eq!(file(&network, 1), before);
}

#[test]
fn an_update_gives_an_id_to_a_row_that_has_none() {
    let (network, mut node) = alone("no-id", &database(&[MAUNG]));
    assert_shows(&node.ask(&["4", "မောင်", "", "", "", "found"]), "Saved.");
    file_gets(&network, 1, "found");
    let row = network.people(1)[0].clone();
    let id = row.strip_prefix("မောင်မောင်, အသက် ၃၀, ရန်ကုန်, found, ").expect("the rest stays");
    assert!((18..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
}

#[test]
fn a_dash_clears_also_a_field_of_which_there_are_several_versions() {
    let (network, mut node) = alone("dash", &database(&[ANA, ANA_FOUND]));
    let shown = node.ask(&["4", "14729384756392834", "", "", "", "-"]);
    assert_shows(&shown, "Status has 2 versions:");
    assert_shows(&shown, "Saved.");
    network.people_become(1, &["Ana, tall, , , 14729384756392834"]);
    assert_shows(&node.ask(&["12"]), &ledger_words::conflicts(0));
}

#[test]
fn two_versions_of_one_person_are_shown_and_settled() {
    let (network, mut one, mut two) = pair("settle", &[ANA], &[ANA_FOUND]);
    one.ask(&["8", "2"]);
    for node in [&one, &two] {
        node.wait_for_any("Of 1 record there are several versions now");
    }
    // The same row is shown on both, and it is marked.
    until("the same row is in both files", || network.people(1) == network.people(2));
    assert_shows(&one.ask(&["1"]), "* Ana");
    // An update that says nothing of the status leaves both versions.
    two.ask(&["4", "14729384756392834", "", "", "Camp 7", ""]);
    until("both files have it", || {
        let people = network.people(2);
        has(&people, "Camp 7") && people == network.people(1)
    });
    let old = file(&network, 1);
    // The second one listed is the one that is not shown.
    let right = if has(&network.people(2), "found") { "missing" } else { "found" };
    let listed = two.ask(&["12", "1", "2"]);
    assert_shows(&listed, "Status has 2 versions:");
    assert_shows(&listed, "Saved. The versions are settled.");
    let settled = format!("Ana, tall, Camp 7, {right}, 14729384756392834");
    for number in [1, 2] {
        network.people_become(number, &[&settled]);
    }
    assert_shows(&one.ask(&["12"]), &ledger_words::conflicts(0));
    // A stale copy brings neither back, here nor there.
    fs::write(network.database(1), old).expect("written");
    one.wait_for("1 row says only what was known before");
    let reached = one.count("The database reached peer 2");
    one.ask(&["9"]);
    one.wait_for_times("The database reached peer 2", reached + 1);
    for (number, node) in [(1, &mut one), (2, &mut two)] {
        assert_shows(&node.ask(&["12"]), &ledger_words::conflicts(0));
        network.people_become(number, &[&settled]);
    }
}

// --- 5 vaccination, 6 census ---

#[test]
fn any_of_many_retracted_records_can_be_brought_back() {
    let ids: Vec<_> = (0..33_u64).map(|at| format!("{}", 48_291_573_662_000 + at)).collect();
    let rows: Vec<_> = ids.iter().map(|id| format!("Ana, tall, , missing, {id}")).collect();
    let rows: Vec<_> = rows.iter().map(String::as_str).collect();
    let (_network, mut node) = alone("bring-back", &database(&rows));
    for id in &ids {
        assert_shows(&node.ask(&["14", "1", id, "twice"]), "The record is retracted.");
    }
    assert_shows(&node.ask(&["15"]), "0 records, 0 with several versions, 33 retracted.");
    let listed = node.ask(&["14", "2", "", ""]);
    assert_eq!(listed.iter().filter(|line| line.contains("People: Ana")).count(), 30);
    assert_shows(&listed, "… and 3 more");
    assert_shows(&node.ask(&["14", "2", "nobody"]), "Nothing matches.");
    // Whichever are listed: three of them are not.
    for id in ids.iter().filter(|id| !has(&listed, id)) {
        assert_shows(&node.ask(&["14", "2", id, "1"]), "The record is back.");
        assert_shows(&node.ask(&["2", id]), id);
    }
}

#[test]
fn records_of_several_sections_are_listed_with_all_their_fields() {
    let (_network, mut node) = alone("sections", &all_sections());
    for menu in [&["13"][..], &["14", "1"]] {
        // Part of a date or number of all three sections.
        let shown = node.ask(&[menu, &["1"], &[""]].concat());
        assert_shows(&shown, &format!("  1 People: {NUR}"));
        assert_shows(&shown, &format!(" Vaccinations: {DOSE}"));
        assert_shows(&shown, &format!(" Camps: {CENSUS}"));
        assert_shows(&shown, "Nothing was changed.");
    }
}

#[test]
fn a_vaccination_is_recorded_for_an_id_and_refused_for_a_wrong_one() {
    let (network, mut node) = alone("dose", &database(&[NUR]));
    let details = ["Polio", "bOPV", "L7", "2/3/24", "2", "Bangladesh", "Ukhiya"];
    let mut record = |id: &str| node.ask(&[&["5", id][..], &details].concat());
    for wrong in ["", "Nur", "12x", "12345678901234567890"] {
        let shown = record(wrong);
        assert_shows(&shown, "Id: it is not a number of 1 to 19 digits");
        assert!(!has(&shown, "Saved."));
    }
    assert!(!file(&network, 1).contains("Vaccinations:"));
    let shown = record("482915736620194857");
    assert_shows(&shown, "Saved. The vaccination is recorded.");
    assert!(!has(&shown, words::STAYS_HERE), "it travels");
    file_gets(&network, 1, &format!("\n{DOSE}\n"));
    assert_shows(&record("77"), "Nobody here has this Id yet.");
    file_gets(&network, 1, "\n77, Polio, bOPV");
}

#[test]
fn a_census_must_add_up() {
    let (network, mut node) = alone("census", HEAD);
    let right: Vec<_> = ["6"].into_iter().chain(CENSUS.split(", ")).collect();
    let with = |at: usize, answer| {
        let mut answers = right.clone();
        answers[at] = answer;
        answers
    };
    for (answers, why) in [
        (with(5, "11"), "the groups do not add up to the individuals"),
        (with(4, "many"), "households and individuals must be whole numbers"),
        (with(9, ""), "the count of a group must be a whole number"),
        (with(15, "-1"), "the count of a group must be a whole number"),
    ] {
        let shown = node.ask(&answers);
        assert_shows(&shown, why);
        assert_shows(&shown, "nothing was saved");
    }
    assert_eq!(file(&network, 1), HEAD);
    assert_shows(&node.ask(&right), "Saved. The census is recorded.");
    file_gets(&network, 1, &format!("\n{CENSUS}\n"));
}

#[test]
fn vaccinations_and_censuses_do_not_travel_in_the_classic_dialect() {
    let network = Network::classic("stay", 2);
    network.put(1, &all_sections());
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.ask(&["9"]);
    two.wait_for("sent what it has");
    until("the people are there", || network.people(2).len() == 3);
    let theirs = file(&network, 2);
    for stays in ["Vaccinations", "Polio", "Camps", "UNHCR"] {
        assert!(!theirs.contains(stays), "{stays} travelled");
    }
}

// --- 7 message, 8 send, 9 broadcast ---

#[test]
fn a_message_is_several_lines_until_quit_and_an_empty_line_is_none() {
    let (_network, mut one, two) = pair("message", &[], &[]);
    one.ask(&["7", "2", "come to camp 4", "", "ရေယူခဲ့ပါ", "\u{1b}[2Jquit", "quit"]);
    let from = "Message from peer 1 (Yangon General Hospital): ";
    for text in ["come to camp 4", "ရေယူခဲ့ပါ", "␛[2Jquit"] {
        assert_eq!(two.wait_for(from), format!("{from}{text}"));
    }
    one.wait_for_any("Your message reached peer 2 (Mandalay General Hospital).");
    assert_eq!(two.count("Message from"), 3);
}

#[test]
fn a_message_to_a_dead_peer_is_given_back_as_not_sent() {
    let network = Network::new("dead", 2);
    let mut one = network.tier1(1);
    one.ask(&["7", "2", "come to camp 4", "bring water", "quit", "n"]);
    one.wait_for_any("peer 2 (Mandalay General Hospital): does NOT have it: no answer.");
    one.wait_for_any("Not sent: come to camp 4 / bring water");
    assert_eq!(one.count("reached"), 0);
}

#[test]
fn a_message_that_the_end_of_the_node_cuts_off_is_given_back_too() {
    let network = Network::new("cut-off", 2);
    let mut one = network.tier1(1);
    one.type_lines(&["7", "2", "come to camp 4", "quit", "n", "0"]);
    assert_shows(&one.last_words(), "Not sent: come to camp 4");
}

#[test]
fn what_does_not_fit_into_one_packet_is_not_said() {
    let (_network, mut one, two) = pair("spoken", &[], &[]);
    let (fits, too_long) = ("x".repeat(MAX_SPOKEN), "y".repeat(MAX_SPOKEN + 1));
    assert_shows(&one.ask(&["7", "2", &too_long, &fits, "quit"]), words::TOO_LONG);
    assert_shows(&one.ask(&["10", "YES", &too_long]), words::TOO_LONG);
    one.ask(&["10", "YES", &fits]);
    two.wait_for_times(&fits, 2);
    assert_eq!(two.count("yyy"), 0);
}

#[test]
fn a_message_of_no_lines_is_not_said_to_have_reached_anybody() {
    let (_network, mut one, _two) = pair("silent", &[], &[]);
    one.type_lines(&["7", "2", "quit", "0"]);
    let shown = one.last_words();
    assert!(!has(&shown, "Your message") && !has(&shown, "NOT have it"), "{shown:#?}");
}

#[test]
fn a_message_or_a_database_goes_only_to_another_known_number() {
    let (_network, mut one, two) = pair("number", &[NUR], &[]);
    for (number, answer) in [
        ("1", "That is this node itself."),
        ("3", "There is no peer 3."),
        ("0", "0 is not one"),
        ("1000", "1000 is not one"),
        ("two", "this is not a number"),
        ("", "this is not a number"),
    ] {
        for item in ["7", "8"] {
            assert_shows(&one.ask(&[item, number]), answer);
        }
    }
    assert_eq!(one.count("Sending to") + one.count("Each line goes to"), 0);
    assert_eq!(two.count("Message from"), 0);
}

#[test]
fn the_database_is_sent_to_one_peer_and_to_no_other() {
    let network = Network::new("send", 3);
    network.put(1, &database(&[NUR, ANA]));
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.ask(&["8", "2"]);
    two.wait_for("peer 1 (Yangon General Hospital) sent what it has");
    one.wait_for_any("The database reached peer 2 (Mandalay General Hospital).");
    network.people_become(2, &[ANA, NUR]);
    assert_eq!(one.count("of 2 peers"), 0, "it was meant for one");
}

#[test]
fn a_broadcast_tells_who_got_it_and_who_did_not() {
    let network = Network::new("broadcast", 4);
    network.put(1, &database(&[NUR]));
    let (mut one, _two, _four) = (network.tier1(1), network.tier1(2), network.tier1(4));
    assert_shows(&one.ask(&["9"]), "Sending to all peers");
    one.wait_for_any("The database reached 2 of 3 peers: 2, 4.");
    one.wait_for_any("peer 3 (Cox's Bazar NW 1): does NOT have it: no answer.");
    one.wait_for_any("It is tried again by itself");
    until("two have it", || network.people(2) == [NUR] && network.people(4) == [NUR]);
}

// --- 10 alarm, 11 peers ---

#[test]
fn an_alarm_wants_yes_and_names_its_organisation_at_every_peer() {
    let network = Network::new("alarm", 3);
    let (mut one, two, three) = (network.tier1(1), network.tier1(2), network.tier1(3));
    for no in ["", "yes", "no", "Y", "YES!"] {
        assert_shows(&one.ask(&["10", no]), "No alarm was raised.");
    }
    one.ask(&["10", "YES", "Fire in block C, ပြေး"]);
    one.wait_for_any("The alarm reached 2 of 2 peers: 2, 3.");
    one.ask(&["10", "YES", ""]);
    one.wait_for_times("The alarm reached 2 of 2 peers: 2, 3.", 2);
    for peer in [&two, &three] {
        for text in ["Fire in block C, ပြေး", "SAFEZONE COMPROMISED"] {
            peer.wait_for("!!  EMERGENCY ALARM from peer 1 (Yangon General Hospital)");
            assert_eq!(peer.wait_for(text), format!("!!  {text}"));
        }
        assert_eq!(peer.count("EMERGENCY ALARM from"), 2, "only the two that were meant");
    }
}

#[test]
fn an_alarm_tells_whom_it_did_not_reach() {
    let network = Network::new("alarm-dead", 3);
    let (mut one, two) = (network.tier1(1), network.tier1(2));
    one.ask(&["10", "YES", ""]);
    two.wait_for("EMERGENCY ALARM");
    one.wait_for_any("The alarm reached 1 of 2 peers: 2.");
    one.wait_for_any("peer 3 (Cox's Bazar NW 1): does NOT have it: no answer.");
    one.wait_for_any("Warn them in another way");
    // It goes on, and reaches who comes back.
    let three = network.tier1(3);
    three.wait_for("EMERGENCY ALARM");
    one.wait_for_any("The alarm reached peer 3");
}

#[test]
fn the_list_of_peers_says_who_was_heard_of_and_shows_no_token() {
    let network = Network::new("peers", 3);
    let (mut one, mut two) = (network.tier1(1), network.tier1(2));
    two.ask(&["7", "1", "hello", "quit"]);
    one.wait_for("Message from peer 2");
    let shown = one.ask(&["11"]);
    for ((line, organisation), address) in shown.iter().zip(ORGANISATIONS).zip(&network.addresses) {
        assert!(line.contains(organisation) && line.contains(&address.to_string()), "{line}");
    }
    assert!(shown[0].ends_with("this node"));
    assert!(shown[1].contains("heard") && !shown[1].contains("not heard"), "{}", shown[1]);
    assert!(shown[2].ends_with("not heard since this node started"));
    assert_eq!(shown.len(), 3);
    for secret in &network.tokens {
        assert!(!format!("{}{}", one.shown(), one.logged()).contains(secret), "a token is shown");
    }
}

// --- the menu itself ---

#[test]
fn a_number_that_is_not_in_the_menu_and_a_line_that_is_too_long_do_nothing() {
    let (network, mut node) = alone("menu", &database(&[NUR]));
    let longest = "ရ".repeat(MAX_TYPED / 3);
    for wrong in ["19", "99", "-1", "1.", "view", "quit", &longest] {
        assert_eq!(node.ask(&[wrong]), [words::NO_SUCH_ITEM], "{wrong}");
    }
    let too_long = longest.clone() + "ရ";
    assert_eq!(node.ask(&[&too_long]), [words::TOO_LONG]);
    assert_shows(&node.ask(&["2", &too_long.repeat(99)]), words::TOO_LONG);
    assert_shows(&node.ask(&["3", &too_long]), words::TOO_LONG);
    // Each line is short enough, and yet the row would be too long to be read again.
    let shown = node.ask(&["3", &longest, &longest, "", ""]);
    assert_shows(&shown, "longer than 4096 bytes");
    assert_eq!(file(&network, 1), database(&[NUR]));
    node.ask(&["3", &longest, "", "", ""]);
    file_gets(&network, 1, &longest);
    assert!(node.ask(&[""]).join("\n").contains(words::MENU_TIER1));
}

#[test]
fn zero_and_the_end_of_input_quit() {
    let ends: [fn(&mut Node); 2] = [|node| node.type_lines(&["0"]), |node| node.end_input()];
    for end in ends {
        let (_network, mut node) = alone("quit", HEAD);
        end(&mut node);
        node.wait_for(words::GOODBYE);
        assert!(node.wait_exit().success());
    }
}

#[test]
fn rows_that_a_peer_is_still_sending_at_the_end_are_on_the_disk() {
    let network = Network::classic("end", 2);
    let (peer, mut node) = (Original::new(&network, 2), network.tier1(1));
    let rows: Vec<_> = (0..8).map(|at| format!("Person {at}, , , missing, {at}")).collect();
    let _sessions: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut session = peer.enter(FILE);
            write(
                &mut session,
                &database(&[row.as_str(), "Cut off in the mid"])[..HEAD.len() + row.len() + 5],
            );
            session
        })
        .collect();
    node.type_lines(&["0"]);
    node.wait_for(words::GOODBYE);
    assert!(node.wait_exit().success());
    // What was told of is there; what came with the last breath may be too.
    let told = node.count("sent what it has");
    assert!(network.people(1).len() >= told, "{told} were told of");
    assert!(network.people(1).iter().all(|row| rows.contains(row)));
}

#[test]
fn the_menu_and_all_other_peers_go_on_while_a_peer_hangs() {
    let network = Network::classic("hang", 3);
    let hanging = Original::new(&network, 2);
    let (mut one, three) = (network.tier1(1), network.tier1(3));
    one.ask(&["3", "Nur", "", "", "missing"]);
    // It opens its door, and then neither reads nor closes.
    let _session = hanging.let_in(&hanging.knocked());
    three.wait_for("sent what it has");
    assert_shows(&one.ask(&["1"]), "Nur");
    assert_shows(&one.ask(&["2", "nur"]), "1 match.");
    assert_shows(&one.ask(&["3", "Ana", "", "", "found"]), "Saved.");
    one.ask(&["7", "3", "hello", "quit"]);
    three.wait_for_any("Message from peer 1");
    until("the second person is there too", || network.people(3).len() == 2);
    assert_eq!(one.count("not confirmed"), 0, "the peer still hangs");
    assert!(one.quit().success());
}

#[test]
fn a_peer_that_took_the_database_and_never_confirmed_it_gets_it_again() {
    let network = Network::classic("unconfirmed", 2);
    let (hanging, mut one) = (Original::new(&network, 2), network.tier1(1));
    one.ask(&["3", "Nur", "", "", "missing"]);
    let session = hanging.let_in(&hanging.knocked());
    one.wait_for_any("not confirmed");
    // Its device was switched off and on again.
    drop(session);
    hanging.waiting();
    hanging.send_knock(&socket(), TEXT);
    while hanging.datagram(PATIENCE).expect("a knock for a file session").0 != FILE {}
}

#[test]
fn a_disk_that_cannot_be_written_is_told_and_the_person_is_kept_in_memory() {
    let (network, mut node) = alone("disk", HEAD);
    // A folder in the place of the temporary file makes every write fail, for root too.
    network.wait_written(1);
    let obstacle = network.data(1).join(".DATABASE1.txt.tmp");
    fs::create_dir(&obstacle).expect("made");
    let shown = node.ask(&["3", "Nur", "", "", "missing"]);
    // It is in the ledger; the text that people read cannot follow.
    assert_shows(&shown, "Saved.");
    node.wait_for_any("WARNING: the disk cannot be written");
    assert_shows(&node.ask(&["1"]), "Nur");
    fs::remove_dir(&obstacle).expect("removed");
    node.wait_for_any("The disk can be written again; everything is saved.");
    assert_eq!(network.people(1).len(), 1);
}

// --- editing the file by hand ---

#[test]
fn rows_edited_while_the_node_is_down_are_there_at_start_and_travel() {
    let (network, one, _two) = pair("edited", &[NUR, ANA], &[NUR]);
    assert!(one.quit().success());
    let by_hand = "  Bo ,no shoes,,missing\n";
    fs::write(network.database(1), database(&[NUR, ANA_FOUND]) + by_hand).expect("edited");
    let mut one = network.tier1(1);
    one.wait_for_any("DATABASE1.txt: 3 people");
    assert_shows(&one.ask(&["1"]), "Ana        tall                           found");
    one.ask(&["9"]);
    until("the edits travelled", || {
        network.people(2) == [ANA_FOUND, "Bo, no shoes, , missing,", NUR]
    });
}

#[test]
fn rows_edited_while_the_node_runs_are_not_lost_and_travel_with_the_next_change() {
    let (network, mut one, _two) = pair("editing", &[NUR, ANA], &[]);
    fs::write(network.database(1), database(&[NUR, ANA_FOUND, "Bo, , , missing,"]))
        .expect("edited");
    let id = id_of_new(&one.ask(&["3", "Cy", "", "", ""]));
    // Cy was not in the file that was edited, and is none of its edits.
    let expected = [NUR, ANA_FOUND, "Bo, , , missing,", &format!("Cy, , , , {id}")];
    network.people_become(1, &expected);
    network.people_become(2, &expected);
    assert_shows(&one.ask(&["12"]), &ledger_words::conflicts(0));
}

#[test]
fn a_line_that_was_corrected_while_the_node_runs_does_not_come_back() {
    let wrong = "Cy, tall, 4/4/23, missing, call me";
    let (network, mut node) = alone("corrected", &database(&[NUR, wrong]));
    let right = "Cy, \"tall, call me\", 4/4/23, missing,";
    fs::write(network.database(1), database(&[NUR, right])).expect("corrected");
    node.ask(&["3", "Bo", "", "", ""]);
    file_gets(&network, 1, "\nBo, ");
    assert!(file(&network, 1).contains(right));
    assert!(!file(&network, 1).contains(wrong), "{}", file(&network, 1));
}

#[test]
fn a_file_that_was_emptied_while_the_node_runs_loses_nothing() {
    let wrong = "Cy, tall, 4/4/23, missing, call me";
    let (network, mut node) = alone("emptied", &database(&[NUR, wrong, ANA]));
    fs::write(network.database(1), "").expect("emptied");
    node.ask(&["3", "Bo", "", "", ""]);
    file_gets(&network, 1, "\nBo, ");
    for line in [NUR, ANA, wrong] {
        assert!(file(&network, 1).contains(line), "{line} is gone");
    }
}

#[test]
fn the_number_of_a_line_that_is_not_understood_is_that_in_the_file_as_it_is() {
    let wrong = "Cy, tall, 4/4/23, missing, call me";
    let (network, mut node) = alone("line", &database(&[wrong, NUR, ANA]));
    node.ask(&["3", "Bo", "", "", ""]);
    file_gets(&network, 1, "\nBo, ");
    let number = file(&network, 1).lines().position(|line| line == wrong).expect("kept") + 1;
    until("its number is that in the file", || {
        has(&node.ask(&["1"]), &format!("line {number}: Cy"))
    });
}

#[test]
fn view_says_when_more_lines_are_not_understood_than_it_shows() {
    let wrong = "Cy, tall, 4/4/23, missing, call me\n".repeat(31);
    let (_network, mut node) = alone("many", &(HEAD.to_owned() + &wrong));
    assert_shows(&node.ask(&["1"]), "1 more");
}

// --- tier 2 ---

const COPY_HEAD: &str = "People:\nName, Appearance, Last Seen, Status\n\n";

#[test]
fn a_tier_2_node_refreshes_views_and_searches_a_copy_without_ids() {
    let network = Network::new("tier2", 2);
    let typed_id = "Bo, \"scar, 482915736620194857\", , missing, 482915736620194999";
    network.put(1, &all_sections().replace(ANA, &format!("{ANA}\n{typed_id}")));
    let (_one, mut reader) = (network.tier1(1), network.tier2(1));
    reader.wait_for_any("Your copy has 0 people.");
    // Node 2 is not running: sooner or later node 1 is asked.
    let shown = reader.ask(&["3"]);
    assert_shows(&shown, &words::refreshed(4, 0));
    assert_eq!(
        reader.ask(&["1"])[..6],
        [
            "People: 4",
            "  Name       Appearance               Last Seen          Status",
            "  Ana        tall                                        missing",
            "  Bo         scar, (number withheld)                     missing",
            "  Nur Begum  thin, scar               Balukhali 12/8/24  missing",
            "  မောင်မောင်   အသက် ၃၀                   ရန်ကုန်               missing",
        ]
    );
    assert_shows(&reader.ask(&["2", "TALL"]), "Ana");
    assert_shows(&reader.ask(&["2", "မောင်"]), "1 match.");
    assert_shows(&reader.ask(&["2", "482915736620194857"]), "Nothing matches.");
    let rows = "Ana, tall, , missing\nBo, \"scar, (number withheld)\", , missing\n\
                Nur Begum, \"thin, scar\", Balukhali 12/8/24, missing\nမောင်မောင်, အသက် ၃၀, ရန်ကုန်, missing\n";
    let file = fs::read_to_string(network.copy(1)).expect("there");
    assert!(file.starts_with(&format!("{COPY_HEAD}{rows}\nCamps:\nCamp, Date, Source")), "{file}");
    assert!(file.contains("\n\nSigned:\nNode, Network, Rows, "), "{file}");
    assert!(reader.quit().success());
    network.tier2(1).wait_for_any("Your copy has 4 people.");
}

#[test]
fn a_refresh_that_nobody_answers_keeps_the_old_copy_after_three_tries_for_each_node() {
    let network = Network::new("nobody", 2);
    let old = format!("{COPY_HEAD}Ana, tall, , missing\n");
    let path = network.copy(1);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, &old).expect("written");
    let mut reader = network.tier2(1);
    let shown = reader.ask(&["3"]);
    let asked: Vec<_> = shown.iter().filter(|line| line.starts_with("Asking node")).collect();
    assert_eq!(asked.len(), 6);
    for (at, line) in asked.iter().enumerate() {
        assert!(line.contains(&format!("try {} of 6", at + 1)), "{line}");
    }
    assert!(shown.join("\n").contains(words::NOT_REFRESHED));
    assert_shows(&reader.ask(&["1"]), "Ana   tall");
    assert_eq!(fs::read_to_string(&path).expect("there"), old);
}

#[test]
fn a_refugee_reads_no_words_of_the_operating_system() {
    let network = Network::new("plain", 1);
    let shown = network.tier2(1).ask(&["3"]).join("\n");
    assert!(!shown.contains("os error") && !shown.contains("ask for a refresh"), "{shown}");
}

#[test]
fn a_tier_2_node_cannot_change_anything() {
    let network = Network::new("read-only", 1);
    network.put(1, &database(&[NUR]));
    let (mut one, mut reader) = (network.tier1(1), network.tier2(1));
    reader.ask(&["3"]);
    let copy = fs::read_to_string(network.copy(1)).expect("there");
    for item in ["4", "5", "6", "7", "8", "9", "10", "11", "add"] {
        assert_eq!(reader.ask(&[item]), [words::NO_SUCH_ITEM], "{item}");
    }
    assert_eq!(reader.ask(&[""]), [words::MENU_TIER2]);
    assert_eq!(reader.ask(&[&"x".repeat(MAX_TYPED + 1)]), [words::TOO_LONG]);
    assert_eq!(fs::read_to_string(network.copy(1)).expect("there"), copy);
    // Also a row written into the copy goes nowhere, and is gone with the next refresh.
    reader.quit();
    let more = copy.replace("\n\nSigned", "\nInvented, , , found\n\nSigned");
    fs::write(network.copy(1), more).expect("written");
    let mut reader = network.tier2(1);
    reader.wait_for_any("Your copy has 2 people.");
    assert_shows(&reader.ask(&["3"]), &words::refreshed(1, 2));
    assert_eq!(fs::read_to_string(network.copy(1)).expect("there"), copy);
    assert!(!has(&one.ask(&["1"]), "Invented"));
    assert_eq!(network.people(1), [NUR]);
}

#[test]
fn a_tier_2_search_that_is_too_long_is_refused_in_words() {
    let network = Network::new("tier2-long", 1);
    let mut reader = network.tier2(1);
    assert_shows(&reader.ask(&["2", &"x".repeat(MAX_TYPED + 1)]), words::TOO_LONG);
}

// --- the command line ---

/// Runs the program, which is to fail with exit status 1; returns what it complains of.
fn refused(arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {err}");
    assert!(err.starts_with("reunite: ") && err.contains("\n  -> "), "{err}");
    err
}

#[test]
fn a_new_token_is_twelve_digits_and_different_each_time() {
    let mut tokens: Vec<_> = (0..20).map(|_| run(&["token"]).1).collect();
    for token in &tokens {
        let digits = token.strip_suffix('\n').expect("one line");
        assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 20);
}

#[test]
fn a_token_file_becomes_a_peers_file_for_each_tier() {
    let folder = Folder::new("import");
    let at = |name: &str| folder.path().join(name);
    let (token_file, tier1, tier2) = (at("token.txt"), at("tier1.json"), at("tier2.json"));
    let text = "127.0.0.1, 33001 , 149418626990 , Yangon General\n\n10.0.0.3, 33003 , 747323719280 , A, B\n";
    fs::write(&token_file, text).expect("written");
    let (code, printed, _) = run(&["peers", "import", path(&token_file), "--network", "camps"]);
    assert!(code == Some(0));
    let files = ["--out", path(&tier1), "--tier2-out", path(&tier2)];
    let arguments = [&["peers", "import", path(&token_file), "--network", "camps"][..], &files];
    assert!(run(&arguments.concat()).0 == Some(0));
    assert_eq!(fs::read_to_string(&tier1).expect("there"), printed);
    let mode = fs::metadata(&tier1).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds tokens");
    let book = PeerBook::read_tier1(&tier1).expect("right");
    let peers: Vec<_> = book
        .all()
        .iter()
        .map(|peer| format!("{} {} {}", peer.number, peer.organisation, peer.address))
        .collect();
    assert_eq!(peers, ["1 Yangon General 127.0.0.1:33001", "3 A, B 10.0.0.3:33003"]);
    assert_eq!(book.network(), "camps");
    let public = fs::read_to_string(&tier2).expect("there");
    assert!(!public.contains("token") && !public.contains("149418626990"));
    assert_eq!(PeerBook::read_tier2(&tier2).expect("right").all().len(), 2);
}

#[test]
fn the_originals_token_file_is_imported() {
    let Some(tokens) = original_file("token.txt") else { return };
    let (code, printed, _) = run(&["peers", "import", path(&tokens)]);
    assert!(code == Some(0));
    for (at, organisation) in ORGANISATIONS.iter().enumerate() {
        assert!(
            printed.contains(organisation)
                && printed.contains(&format!("127.0.0.1:3300{}", at + 1))
        );
    }
}

#[test]
fn a_wrong_token_file_is_refused_with_its_line_and_without_its_tokens() {
    let folder = Folder::new("import-wrong");
    let token_file = folder.path().join("token.txt");
    fs::write(
        &token_file,
        "127.0.0.1, 33001 , 149418626990 , A\n127.0.0.1, 33002 , 74732371928 , B\n",
    )
    .expect("written");
    let error = refused(&["peers", "import", path(&token_file)]);
    assert!(error.contains("token.txt, line 2: token: it is not twelve digits"), "{error}");
    assert!(!error.contains("149418626990") && !error.contains("74732371928"), "{error}");
}

#[test]
fn help_and_version_say_what_there_is() {
    let (code, help, _) = run(&["--help"]);
    assert!(code == Some(0));
    assert!(help.contains("missing people"), "{help}");
    for command in [
        "setup",
        "peers",
        "fingerprint",
        "tier1",
        "tier2",
        "verify",
        "history",
        "ledger",
        "view",
        "wipe",
        "token",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in:\n{help}");
    }
    let (code, help, _) = run(&["tier1", "--help"]);
    assert!(code == Some(0) && help.contains("--peers <FILE>") && help.contains("--number <N>"));
    let (code, version, _) = run(&["--version"]);
    assert!(code == Some(0));
    assert_eq!(version, format!("reunite {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_are_refused_with_what_is_right() {
    for wrong in [
        &[][..],
        &["tier3"],
        &["tier1"],
        &["tier1", "--peers", "p.json", "--number", "one", "--data", "d"],
        &["tier2", "--peers", "p.json", "--data", "d", "--number", "1"],
        &["peers"],
        &["token", "--digits", "13"],
    ] {
        let (code, out, err) = run(wrong);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(err.contains("--help"), "{err}");
    }
}

#[test]
fn a_node_that_cannot_start_says_why_and_what_to_do() {
    let network = Network::classic("start", 2);
    let node = network.tier1(1);
    let (peers, data, other) = (network.peers(), network.data(1), network.data(9));
    let start = |peers: &Path, number: &str, data: &Path| {
        refused(&["tier1", "--peers", path(peers), "--number", number, "--data", path(data)])
    };
    for (error, why) in [
        (start(&peers, "2", &data), "another node is running on it"),
        (start(&peers, "1", &other), "Address already in use"),
        (start(&peers, "7", &other), "there is no peer 7"),
        (start(&peers, "0", &other), "0 is not one"),
        (start(&network.peers_tier2(), "1", &other), "peer 1, token: it is missing"),
        (start(&network.database(1), "1", &other), "this is not JSON"),
        (refused(&["tier1", "--data", path(&other)]), "no node was set up here"),
    ] {
        assert!(error.contains(why), "{error}");
        assert!(network.tokens.iter().all(|token| !error.contains(token)), "{error}");
    }
    assert!(node.quit().success());
}

#[test]
fn a_peers_file_that_is_not_there_is_told_with_what_to_do() {
    let folder = Folder::new("no-file");
    let error = refused(&["tier2", "--peers", "/no/such/file", "--data", path(folder.path())]);
    assert!(error.contains("/no/such/file"), "{error}");
}
