//! Real files: the original's own, and the sample data of `data/`. Nothing in them is lost, nothing invented.
//!
//! The original's files lie outside of this project, in `../shared/corpus/original`; where they are not, the
//! tests on them say so and pass. What is expected of them was read from the files by hand.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reunite::model::reader::{Item, Kept};
use reunite::model::records::{Records, id_of};
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::model::writer::{Snapshot, write_all, write_public};
use reunite::shell::ledger_words;
use reunite::store::peer_book::PeerBook;
use reunite::store::token_file;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use support::{Network, ORGANISATIONS, contents, original_file, until};

/// The original's databases.
const FILES: [&str; 6] = [
    "DATABASE1.txt",
    "DATABASE2.txt",
    "DATABASE3.txt",
    "received-by-2.txt",
    "T2DATABASE.txt",
    "older-three-columns.txt",
];

/// The people of the original's three databases, in the order of the first.
const ORIGINAL: [&str; 22] = [
    "William, dark hair, 15/5/23, missing, 14729384756392834",
    "Liam, red hair, 9/5/23, missing, 89263584756234872",
    "Aaron, fair hair, 13/5/23, missing, 12739485632845763",
    "jk, jk, jk, jk, 1115332092737429758",
    "Jack, black hair, 10/5/23, found, 98572638547629563",
    "Adam, Red hair Red nose, 16/5/23, missing, 15729384756392834",
    "Michael, brown hair, 4/5/23, missing, 38746928376452012",
    "Colm, dark hair, 4/4/23, missing, 63635195000989714",
    "Katie, brown hair, 5/5/23, missing, 49283847920573927",
    "Cian, blonde hair, 3/3/23, missing, 29384756192846578",
    "jay, brown hair tall, 01/01/22, missing, 23352366487613471",
    "Ronan, black hair, 6/5/23, missing, 58392048573948573",
    "Rory, blonde hair, 7/5/23, found, 69027485392048093",
    "Daniel, brown hair, 11/5/23, missing, 10739485629384576",
    "Tom, fair hair, 27/1/23, missing, 1069146220324556353",
    "Sam, blonde hair, 12/5/23, missing, 11726384956372849",
    "John, bald, 2/2/23, missing, 19028374658739034",
    "David, gray hair, 8/5/23, missing, 78263485720394857",
    "Matthew, dark hair, 4/4/23, missing, 1600909831762",
    "Ethan, brown hair, 14/5/23, found, 13784569384756398",
    "Saran, red hair, 1/1/23, found, 28374659837645092",
    "gg, gg, gg, gg, 1351050217364184924",
];

/// The rows of `older-three-columns.txt`: three columns by its header, some rows with a fourth, no Ids.
const OLDER: [&str; 29] = [
    "111111111111111111111111111, blonde eeee greeeeeeeeeeeeen eyes, 9/2, ,",
    "Tom, fair hair green eyes, 24/1, ,",
    "e, d, b, ,",
    "Jake, fair hair blue eyes, 17/2, ,",
    "e, e, e, e,",
    "e, e, aaaaaa, gggggg,",
    "Cian, red hair wears glasses brown eyes, 22/2, ,",
    "Kane, red hair wears glasses blue eyes, 15/2, ,",
    "Adam, fair hair dark eyes, 1/3, ,",
    "mic, \"short, blonde, blue eyes, horns\", 04/04/2022, ,",
    "ee, aa, ss, yy,",
    "e, h, v, c,",
    "Kieran, dark hair brown eyes, 18/1, ,",
    "Ronan, dark hair wears glasses brown eyes, 1/3, ,",
    "colm, curly hair, 00000, ,",
    "joe, tall, 03/03/23, ,",
    "i, i, i, i,",
    "e, h, a, c,",
    "Adamssssssssssssssssssssssssssssss, fair aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa dark eyes, 1/3, ,",
    "Colm, dark hair blue eyes, 27/2, ,",
    "bbb, bbb, bbb, ,",
    "e, o, p, a,",
    "w, o, w, w,",
    "Rory, dark hair green eyes, 11/2, ,",
    "Sean, dark hair gray eyes, 21/2, ,",
    "h, e, l, p,",
    "e, q, f, t,",
    "Saran, blonde hair green eyes, 9/2, ,",
    "h, h, h, h,",
];

/// A file of the original, if the corpus is there.
fn original(name: &str) -> Option<String> {
    let path = original_file(name)?;
    Some(fs::read_to_string(path).expect("text"))
}

/// A file of the sample data.
fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    fs::read_to_string(path).expect("text")
}

fn samples() -> [Snapshot; 3] {
    [1, 2, 3].map(|number| contents(sample(&format!("DATABASE{number}.txt")).as_bytes()))
}

/// The rows of a section, as they are written.
fn lines(found: &Snapshot, section: Section) -> Vec<&str> {
    let at = Section::ALL.iter().position(|one| *one == section).expect("one of all");
    found.rows[at].iter().map(Row::line).collect()
}

fn people(found: &Snapshot) -> Vec<&str> {
    lines(found, Section::People)
}

fn written(found: &Snapshot) -> String {
    let mut text = Vec::new();
    write_all(found, &mut text).expect("memory takes all");
    String::from_utf8(text).expect("text")
}

fn written_public(found: &Snapshot) -> String {
    let rows: Vec<_> = found.rows[0].iter().map(reunite::model::public::public).collect();
    let mut text = Vec::new();
    write_public(&rows, &mut text).expect("memory takes all");
    String::from_utf8(text).expect("text")
}

/// All rows of people of several files, merged as a node merges them.
fn merged<'a>(files: impl IntoIterator<Item = &'a Snapshot>) -> Vec<Row> {
    let mut records = Records::default();
    for row in files.into_iter().flat_map(|file| &file.rows[0]) {
        records.load(Item::Row(Section::People, row.clone()));
    }
    records.people()
}

fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    items.into_iter().collect()
}

/// What the lines of a file say, read without any of reunite's code: the words between commas.
fn words(text: &str) -> Vec<Vec<&str>> {
    let is_content = |line: &&str| {
        !line.trim().is_empty() && *line != "People:" && !line.starts_with("Name, App")
    };
    let words_of = |line| str::split(line, ',').map(str::trim).filter(|word| !word.is_empty());
    text.lines().filter(is_content).map(|line| words_of(line).collect()).collect()
}

// --- the original's files ---

/// The Ids that more than one of `people` has: persons with several versions.
fn contested(people: &[Row]) -> HashSet<&str> {
    let mut seen: HashMap<&str, bool> = HashMap::with_capacity(people.len());
    for id in people.iter().filter_map(id_of) {
        seen.entry(id).and_modify(|twice| *twice = true).or_insert(false);
    }
    seen.into_iter().filter_map(|(id, twice)| twice.then_some(id)).collect()
}

#[test]
fn every_file_of_the_original_loads_with_no_row_lost_and_none_invented() {
    let second: Vec<_> = [ORIGINAL[10]].into_iter().chain(ORIGINAL).collect();
    let public: Vec<_> =
        ORIGINAL.iter().map(|row| format!("{},", row.rsplit_once(',').expect("an Id").0)).collect();
    let expected: [Vec<&str>; 6] = [
        ORIGINAL.into(),
        // A row stands where the header should be, and once more further down.
        second,
        ORIGINAL.into(),
        ORIGINAL.into(),
        public.iter().map(String::as_str).collect(),
        OLDER.into(),
    ];
    for (name, mut rows) in FILES.into_iter().zip(expected) {
        let Some(text) = original(name) else { return };
        let found = contents(text.as_bytes());
        let mut loaded = people(&found);
        assert_eq!(loaded.len(), words(&text).len(), "{name}");
        loaded.sort_unstable();
        rows.sort_unstable();
        assert_eq!(loaded, rows, "{name}");
        assert_eq!(found.kept, [], "{name}");
    }
}

#[test]
fn no_word_of_the_originals_files_changes_its_place() {
    for name in FILES {
        let Some(text) = original(name) else { return };
        // Quotes are what reunite adds; the rest stays, in its order.
        let canonical = written(&contents(text.as_bytes())).replace('"', "");
        assert_eq!(words(&canonical), words(&text), "{name}");
    }
}

#[test]
fn loading_and_writing_the_originals_files_changes_their_form_and_only_once() {
    for name in FILES {
        let Some(text) = original(name) else { return };
        let once = contents(text.as_bytes());
        let again = contents(written(&once).as_bytes());
        assert_eq!(people(&again), people(&once), "{name}");
        assert_eq!(written(&again), written(&once), "{name}");
    }
}

#[test]
fn the_originals_three_databases_merge_into_its_22_people() {
    let files: Option<Vec<_>> = FILES[..3].iter().map(|name| original(name)).collect();
    let Some(files) = files else { return };
    let files: Vec<_> = files.iter().map(|text| contents(text.as_bytes())).collect();
    let merged = merged(&files);
    assert_eq!(set(merged.iter().map(Row::line)), set(ORIGINAL));
    assert!(contested(&merged).is_empty());
}

#[test]
fn the_public_copy_of_the_originals_database_is_its_t2database() {
    let (Some(whole), Some(copy)) = (original("DATABASE1.txt"), original("T2DATABASE.txt")) else {
        return;
    };
    let public = written_public(&contents(whole.as_bytes()));
    assert_eq!(words(&public), words(&copy));
}

#[test]
fn the_originals_token_files_become_peers_files() {
    let local = [33001, 33002, 33003, 33004, 33005, 33006, 33007, 33008]
        .map(|port| format!("127.0.0.1:{port}"));
    let mut raspberry = local.clone();
    for (address, ip) in raspberry.iter_mut().zip(["1", "21", "41", "42"]) {
        *address = address.replace("127.0.0.1", &format!("10.35.70.{ip}"));
    }
    for (name, addresses) in [("token.txt", local), ("token-raspberry.txt", raspberry)] {
        let Some(path) = original_file(name) else { return };
        let book = token_file::import(&path, "imported").expect(name);
        let found: Vec<_> = book.all().iter().map(|peer| peer.address.to_string()).collect();
        assert_eq!(found, addresses, "{name}");
        let names: Vec<_> = book.all().iter().map(|peer| peer.organisation.to_string()).collect();
        assert_eq!(names, ORGANISATIONS, "{name}");
        let tokens: Vec<_> = words(&fs::read_to_string(&path).expect("text"))
            .iter()
            .map(|line| line[2].to_owned())
            .collect();
        assert!(tokens.iter().all(|token| book.to_json(true).contains(token)), "{name}");
        assert!(!tokens.iter().any(|token| book.to_json(false).contains(token)), "{name}");
    }
}

#[test]
fn the_originals_list_of_tier_1_nodes_is_no_token_file() {
    let Some(path) = original_file("t1nodes.txt") else { return };
    let error = token_file::import(&path, "imported").expect_err("it has no tokens").to_string();
    assert!(error.contains("t1nodes.txt, line 1: token"), "{error}");
}

#[test]
fn nodes_on_the_originals_databases_come_to_hold_the_same_22_people() {
    let network = Network::classic("original", 3);
    for number in 1..=3 {
        let Some(text) = original(&format!("DATABASE{number}.txt")) else { return };
        network.put(number, &text);
    }
    let mut nodes: Vec<_> = (1..=3).map(|number| network.tier1(number)).collect();
    for node in &nodes {
        node.wait_for_any(": 22 people, 0 vaccinations");
    }
    assert_eq!(nodes[1].count("1 row was there twice"), 1);
    // What they have is equal, so it is the new person that makes them write.
    nodes[1].ask(&["3", "Nur", "", "", "missing"]);
    for number in 1..=3 {
        until("23 people in each file", || network.people(number).len() == 23);
        let found = network.people(number);
        assert!(ORIGINAL.iter().all(|row| found.iter().any(|line| line == row)), "{found:#?}");
    }
}

// --- headers and other forms ---

#[test]
fn a_header_may_be_of_any_age_and_a_row_may_stand_in_its_place() {
    let ana = "Ana , tall , 4/4/23 , missing , 1600909831762";
    let cases = [
        (format!("People:\nName, Appearance, Last Seen, Status, Id\n\n{ana}\n"), 1),
        (format!("People:\nName, Apperance, Last Seen, Status, Id\n{ana}\n"), 1),
        (format!("People:\n{ana}\n\n{ana}\n"), 2),
        (format!("People:\n\n\n{ana}"), 1),
        (ana.to_owned(), 1),
        (format!("PEOPLE :\nname, appearance, last seen, status, id\n{ana}\n"), 1),
        (format!("\u{feff}People:\r\nName, Appearance, Last Seen, Status, Id\r\n\r\n{ana}\r\n"), 1),
        (format!("People:\nName,Appearance,Last Seen,Status,Id\n{}\n", ana.replace(' ', "\t")), 1),
        (format!("People:\nName, Appearance, Last Seen, Status\n{ana}\n"), 1),
        (format!("People:\nName, Apperance, Last Seen\n{ana}\n"), 1),
    ];
    for (text, count) in cases {
        let found = contents(text.as_bytes());
        let row = "Ana, tall, 4/4/23, missing, 1600909831762";
        assert_eq!(people(&found), vec![row; count], "{text:?}");
        assert_eq!(found.kept, [], "{text:?}");
    }
}

#[test]
fn fewer_columns_leave_the_others_empty() {
    for (columns, line, row) in [
        (
            "Name, Apperance, Last Seen, Status",
            "Ana, tall, 4/4/23, found",
            "Ana, tall, 4/4/23, found,",
        ),
        ("Name, Apperance, Last Seen", "Ana, tall, 4/4/23", "Ana, tall, 4/4/23, ,"),
        ("Name, Apperance, Last Seen", "Ana, tall, thin, 4/4/23", "Ana, \"tall, thin\", 4/4/23, ,"),
        ("Name, Apperance", "Ana, tall", "Ana, tall, , ,"),
    ] {
        let found = contents(format!("People:\n{columns}\n{line}\n").as_bytes());
        assert_eq!(people(&found), [row], "{columns}");
    }
}

#[test]
fn columns_in_an_unknown_order_are_kept_and_not_guessed_at() {
    let text = "People:\nId, Name, Status\n1600909831762, Ana, missing\n";
    let found = contents(text.as_bytes());
    assert!(people(&found).is_empty());
    let kept: Vec<_> = found.kept.iter().map(|Kept { line, .. }| *line).collect();
    assert_eq!(kept, [2, 3]);
    assert!(written(&found).ends_with("Id, Name, Status\n1600909831762, Ana, missing\n"));
}

// --- the sample data ---

#[test]
fn the_sample_data_is_canonical_byte_for_byte() {
    for name in &FILES[..3] {
        let text = sample(name);
        let found = contents(text.as_bytes());
        assert_eq!(found.kept, [], "{name}");
        assert!(written(&found) == text, "{name} is not as reunite writes it");
    }
    let text = sample("T2DATABASE.txt");
    assert!(written_public(&contents(text.as_bytes())) == text, "T2DATABASE.txt");
}

#[test]
fn the_sample_data_holds_what_its_readme_says() {
    let counts = samples().map(|found| {
        [Section::People, Section::Vaccinations, Section::Camps]
            .map(|section| lines(&found, section).len())
    });
    assert_eq!(counts, [[256, 39, 8], [236, 39, 9], [275, 58, 11]]);
    let first = &samples()[0];
    for start in [
        "Kyaw Hla Phyu, 41 mechanic grease on hands gold tooth, Ann township Dec 2024, missing, ",
        "Minara, \"7, yellow dress, no shoes\", Naf river 5 Aug 2024, missing, ",
        "unknown man no. 3, \"about 35 tattoo \"\"Mother\"\" in Burmese on chest\", ",
        "নুর কায়েস, বয়স ৭ ডান চোখের নিচে দাগ, ",
    ] {
        assert!(people(first).iter().any(|line| line.starts_with(start)), "{start}");
    }
}

#[test]
fn the_sample_data_of_three_nodes_merges_as_its_readme_says() {
    let files = samples();
    let merged = merged(&files);
    // A person is known by the Id, or by the whole row where there is none.
    let person = |row: &Row| id_of(row).unwrap_or(row.line()).to_owned();
    let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        for person in set(file.rows[0].iter().map(person)) {
            *nodes.entry(person).or_default() += 1;
        }
    }
    let on = |count: usize| nodes.values().filter(|nodes| **nodes == count).count();
    assert_eq!((nodes.len(), on(3), on(2), on(1)), (336, 188, 55, 93));
    assert_eq!(merged.len(), 345, "nine people have a second version");
    assert_eq!(merged.iter().filter(|row| id_of(row).is_none()).count(), 9);
    let versions = contested(&merged);
    let several: BTreeSet<_> = merged
        .iter()
        .filter(|row| id_of(row).is_some_and(|id| versions.contains(id)))
        .map(|row| row.field(0).into_owned())
        .collect();
    assert_eq!(versions.len(), 9);
    let names = [
        "Kefayet Ullah",
        "Foyezul Islam",
        "Nur Boshor",
        "Amanullah",
        "Azida",
        "Noor Hossain",
        "Md. Rafique",
        "Mohammed Rofik",
        "Zubair",
        "Maung Soe Naing",
    ];
    assert!(names.iter().all(|name| several.contains(*name)), "{several:?}");
    for (section, count) in [(Section::Vaccinations, 63), (Section::Camps, 15)] {
        assert_eq!(set(files.iter().flat_map(|file| lines(file, section))).len(), count);
    }
}

#[test]
fn the_sample_public_copy_is_an_older_one_of_node_1_without_ids() {
    let text = sample("T2DATABASE.txt");
    let (copy, first) = (contents(text.as_bytes()), &samples()[0]);
    assert_eq!(copy.rows[0].len(), 150);
    for id in first.rows[0].iter().filter_map(id_of) {
        assert!(!text.contains(id), "{id} is in the public copy");
    }
    let fields = |row: &Row, count| row.fields().take(count).map(|f| f.into_owned()).collect();
    let now = |count| set(first.rows[0].iter().map(|row| -> Vec<_> { fields(row, count) }));
    let missing = |count| {
        let now = now(count);
        copy.rows[0].iter().filter(|row| !now.contains(&fields(row, count))).count()
    };
    assert_eq!(missing(3), 0, "all are people of node 1");
    assert_eq!(missing(4), 9, "nine have an older status");
}

#[test]
fn nodes_on_the_sample_data_come_to_hold_all_345_rows_as_versions_of_the_same_records() {
    let network = Network::classic("sample", 3);
    for number in 1..=3 {
        network.put(number, &sample(&format!("DATABASE{number}.txt")));
    }
    let mut nodes: Vec<_> = (1..=3).map(|number| network.tier1(number)).collect();
    for node in &mut nodes {
        node.ask(&["9"]);
    }
    // Several rows of one Id are versions of one record, of which one is shown; the others are listed.
    let all = merged(&samples());
    let mut rows_of = BTreeMap::<_, BTreeSet<_>>::new();
    for row in &all {
        let id = id_of(row).map_or(row.line().to_owned(), str::to_owned);
        rows_of.entry(id).or_default().insert(row.line().to_owned());
    }
    let several = rows_of.values().filter(|rows| rows.len() > 1).count();
    let is_right = |number| {
        let people = network.people(number);
        people.len() == rows_of.len()
            && people.iter().all(|line| all.iter().any(|row| row.line() == line))
    };
    for (number, node) in (1..=3).zip(&mut nodes) {
        until("of all records a row is in each file", || is_right(number));
        until("of several versions all are known", || {
            let listed = node.ask(&["12", ""]);
            listed.contains(&ledger_words::conflicts(several))
        });
    }
    // Vaccinations and censuses stay where they were entered.
    for (number, own) in (1..=3).zip(samples()) {
        let now = contents(&fs::read(network.database(number)).expect("there"));
        for section in [Section::Vaccinations, Section::Camps] {
            assert_eq!(lines(&now, section), lines(&own, section), "node {number}");
        }
    }
}

#[test]
fn the_sample_peers_files_are_right() {
    let path = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let (tier1, tier2) = ("local.json", "local-tier2.json");
    let book = PeerBook::read_tier1(&path(tier1)).expect(tier1);
    let copy = fs::read_to_string(path(tier2)).expect(tier2);
    assert!(!copy.contains("token"), "{tier2}");
    let public = PeerBook::read_tier2(&path(tier2)).expect(tier2);
    assert_eq!(public.to_json(false), book.to_json(false), "{tier2} is {tier1} without tokens");
}
