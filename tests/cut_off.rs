//! `DATABASEx.txt` cut off at every byte: nobody is deleted, and nobody is made up; the text is whole again.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::base::threads::Stop;
use reunite::model::dialect::Dialect;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::names::Namer;
use reunite::model::section::Section;
use reunite::store::database::Database;
use reunite::store::opening::{Loaded, Owner};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use support::{Folder, Network, database, until};

fn open(text: &Path) -> (Database, Loaded) {
    let owner = Owner {
        identity: Identity::new(SecretKey::from([1; 32])),
        namer: Namer::new(&SecretKey::from([7; 32])),
        dialect: Dialect::Sealed,
    };
    Database::open(text, owner).expect("it opens")
}

fn rows(database: &Database) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for section in [Section::People, Section::Vaccinations, Section::Camps] {
        let all = database.rows(section);
        rows.extend(all.iter().map(|row| format!("{}: {}", section.title(), row.line())));
    }
    rows
}

/// Everything as it is after a node has run and ended.
fn save(database: &Database) {
    let stop = Stop::default();
    stop.set();
    database.keep_saved(&stop, |_| ()).expect("saved");
}

const TEXT: &str = "\
People:
Name, Appearance, Last Seen, Status, Id

Ana, tall, Camp 4, missing, 14729384756392834
\"Nur \"\"Nuru\"\"\", \"thin, scar\", Balukhali 12/8/24, found, 482915736620194857
\u{1019}\u{1031}\u{102c}\u{1004}\u{103a}, \"one line
another line\", , deceased, 482915736620194864
Without Id, old, Camp 9, missing, 

Vaccinations:
Person Id, Vaccine, Brand, Lot, Date, Dose, Country, Centre

14729384756392834, Cholera, Euvichol, EV1, 1/2/24, 1, Bangladesh, Camp 4

Camps:
Camp, Date, Source, Households, Individuals, F 0-4, F 5-11, F 12-17, F 18-59, F 60+, M 0-4, M 5-11, M 12-17, M 18-59, M 60+

Camp 4, 1/2/24, majhi, 12, 55, 5, 5, 5, 5, 5, 5, 5, 5, 5, 10
";

/// Opens the text of `whole` cut off at every byte, and says whatever is different then.
fn cut_everywhere(whole: &Path, change: impl Fn(&Path)) -> Vec<String> {
    let text = fs::read(whole).expect("there");
    let (database, _) = open(whole);
    let expected = rows(&database);
    drop(database);
    let folder = Folder::new("cut");
    let mut wrong = Vec::new();
    for end in 0..text.len() {
        for entry in fs::read_dir(whole.parent().expect("a folder")).expect("there") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
        }
        let cut = folder.path().join("DATABASE1.txt");
        fs::write(&cut, &text[..end]).expect("written");
        change(&cut);
        let (database, _) = open(&cut);
        let found = rows(&database);
        if found != expected {
            let lost: Vec<_> = expected.difference(&found).collect();
            let new: Vec<_> = found.difference(&expected).collect();
            wrong.push(format!("cut at {end}: lost {lost:?}, made up {new:?}"));
        }
        if end % 8 == 0 {
            save(&database);
            let (again, _) = open(&cut);
            if rows(&again) != found {
                wrong.push(format!("cut at {end}: the second time it is different"));
            }
        }
    }
    wrong
}

fn written() -> Folder {
    let folder = Folder::new("whole");
    let text = folder.path().join("DATABASE1.txt");
    fs::write(&text, TEXT).expect("written");
    let (database, loaded) = open(&text);
    assert_eq!((loaded.rows, loaded.kept.len()), ([4, 1, 1], 0), "{:?}", loaded.kept);
    save(&database);
    folder
}

#[test]
fn a_text_that_is_cut_off_at_any_byte_deletes_nobody_and_makes_nobody_up() {
    let folder = written();
    let wrong = cut_everywhere(&folder.path().join("DATABASE1.txt"), |_| ());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nor_when_it_is_not_known_any_more_what_the_text_showed() {
    let folder = written();
    let without_base = |cut: &Path| {
        let _ = fs::remove_file(cut.with_extension("base"));
    };
    let wrong = cut_everywhere(&folder.path().join("DATABASE1.txt"), without_base);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_node_whose_text_was_cut_off_starts_with_everybody_and_writes_it_whole_again() {
    let network = Network::new("cut-node", 1);
    let people =
        ["Ana, tall, Camp 4, missing, 14729384756392834", "Bo, , , found, 482915736620194857"];
    network.put(1, &database(&people));
    let mut node = network.tier1(1);
    node.ask(&["3", "Nur", "thin, scar", "", "missing"]);
    assert!(node.quit().success());
    let text = fs::read(network.database(1)).expect("there");
    for end in (0..text.len()).step_by(17) {
        fs::write(network.database(1), &text[..end]).expect("written");
        let mut node = network.tier1(1);
        until(&format!("cut at {end}: it is whole again"), || {
            fs::read(network.database(1)).expect("there") == text
        });
        let shown = node.ask(&["2", "Ana"]).join("\n");
        assert!(shown.contains("1 match."), "{shown}");
        assert!(node.quit().success());
    }
    // The same while the node runs.
    let node = network.tier1(1);
    for end in [0, text.len() / 3, text.len() - 1] {
        fs::write(network.database(1), &text[..end]).expect("written");
        until(&format!("cut at {end} while it runs: it is whole again"), || {
            fs::read(network.database(1)).expect("there") == text
        });
    }
    assert!(node.quit().success());
}

#[test]
fn a_ledger_that_is_gone_emptied_or_cut_off_takes_nobody_with_it() {
    let network = Network::new("no-ledger", 1);
    let people =
        ["Ana, tall, Camp 4, missing, 14729384756392834", "Bo, , , found, 482915736620194857"];
    network.put(1, &database(&people));
    let mut node = network.tier1(1);
    network.wait_written(1);
    for name in ["Nur", "Cy", "Di"] {
        node.ask(&["3", name, "thin, scar", "", "missing"]);
    }
    assert!(node.quit().success());
    let ledger = network.database(1).with_extension("ledger");
    let (text, whole) = (network.people(1), fs::read(&ledger).expect("there"));
    assert_eq!(text.len(), 5);
    let changes: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&ledger).expect("removed"),
        &|| fs::write(&ledger, "").expect("emptied"),
        &|| fs::write(&ledger, vec![0; whole.len()]).expect("zeroed"),
        &|| fs::write(&ledger, &whole[..whole.len() / 2]).expect("cut off"),
    ];
    let files: Vec<_> = fs::read_dir(network.data(1)).expect("there").flatten().collect();
    let read = |file: &fs::DirEntry| (file.path(), fs::read(file.path()).expect("there"));
    let before: Vec<_> = files.iter().map(read).collect();
    for change in changes {
        fs::remove_dir_all(network.data(1)).expect("removed");
        fs::create_dir(network.data(1)).expect("made");
        before.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("put back"));
        change();
        let node = network.tier1(1);
        node.wait_for_any("the ledger was missing, or had lost its end");
        node.wait_for_any("5 people");
        assert!(node.quit().success());
        assert_eq!(network.people(1), text);
    }
}

#[test]
fn an_old_copy_of_the_text_undoes_nothing_and_a_removed_text_comes_back() {
    let network = Network::new("old-copy", 1);
    network.put(1, &database(&["Ana, tall, Camp 4, missing, 14729384756392834"]));
    let mut node = network.tier1(1);
    network.wait_written(1);
    let old = fs::read(network.database(1)).expect("there");
    node.ask(&["4", "14729384756392834", "", "", "", "found"]);
    let found = ["Ana, tall, Camp 4, found, 14729384756392834"];
    network.people_become(1, &found);
    fs::write(network.database(1), &old).expect("written");
    node.wait_for_any("only what was known before");
    network.people_become(1, &found);
    fs::remove_file(network.database(1)).expect("removed");
    node.wait_for_any("The database file was removed. It is written again.");
    network.people_become(1, &found);
    assert!(node.quit().success());
}
