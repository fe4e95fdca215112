//! The signed view of tier 2: who signed a copy, who confirmed it, and how every lie about it shows.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reunite::model::identity::Identity;
use reunite::model::keys::SecretKey;
use reunite::model::ledger::block::{Received, Verified};
use reunite::model::ledger::chains::Rigour;
use reunite::model::ledger::entry::Entry;
use reunite::model::ledger::import::enter;
use reunite::model::ledger::names::{LogName, Namer};
use reunite::model::ledger::replica::Replica;
use reunite::model::message::{Fetching, Giving, Taking};
use reunite::model::parcel::pieces;
use reunite::model::public_view::PublicView;
use reunite::model::reconcile::{Giver, Index};
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::model::squeeze::{Effort, Squeezer};
use reunite::model::statement::{Signed, Signer};
use reunite::model::view_reader::{Seal, write_copy};
use reunite::net::tls::{Credentials, Other};
use reunite::shell::words;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::attacker::{Played, Raw};
use support::{Folder, Network, Node, database, reunite, until};

const ANA: &str = "Ana, tall, , missing, 14729384756392834";
const NUR: &str = "Nur Begum, scar, Balukhali, found, 14729384756392835";
const CENSUS: &str = "Camp 4, 2024-06-30, UNHCR, 12, 60, 5, 5, 5, 5, 5, 5, 5, 5, 10, 10";

fn put(path: &Path, text: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn identity(network: &Network, number: usize) -> &Identity {
    &network.secrets.as_ref().expect("sealed").identities[number - 1]
}

/// A database with two people and a census.
fn all() -> String {
    let camps = "\nCamps:\nCamp, Date, Source, Households, Individuals, F 0-4, F 5-11, F 12-17, F 18-59, \
                 F 60+, M 0-4, M 5-11, M 12-17, M 18-59, M 60+\n\n";
    format!("{}{camps}{CENSUS}\n", database(&[ANA, NUR]))
}

/// What a node of a network with `all` gives.
fn view() -> PublicView {
    let row = |line: &str| Row::new(&line.split(", ").collect::<Vec<_>>());
    PublicView::project([row(ANA), row(NUR)], [row(CENSUS)])
}

/// A copy of this view, signed by this identity in the name of a node.
fn copy(view: &PublicView, signer: &Signer, number: usize, network: &str) -> Vec<u8> {
    let signed = signer.sign([7; 32], view.len() as u32, view.hash(), 1_764_075_999);
    let number = (number as u64).try_into().expect("1 to 999");
    let seal = Seal { number, network: network.into(), signed };
    let mut text = Vec::new();
    write_copy(view, Some(&seal), &mut text).expect("memory takes all");
    text
}

/// What `reunite view --check` says, and whether it ends well.
fn check(network: &Network, file: &Path) -> (bool, String) {
    let mut command = reunite();
    command.args(["view", "--check"]).arg(file).arg("--peers").arg(network.peers_tier2());
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(matches!(output.status.code(), Some(0 | 1)));
    (output.status.success(), String::from_utf8(said).expect("text"))
}

// --- one view for all ---

/// What happens to the ledger, in the property below: who does what to which record.
type Step = (usize, u8, u8);

/// A writer, and all blocks that it has.
struct Writer {
    replica: Replica,
    blocks: BTreeMap<LogName, Vec<Vec<u8>>>,
}

impl Writer {
    fn new(byte: u8) -> Self {
        let namer = Namer::new(&SecretKey::from([99; 32]));
        let replica = Replica::new(Identity::new(SecretKey::from([byte; 32])), namer);
        Self { replica, blocks: BTreeMap::new() }
    }

    fn keep(&mut self, blocks: &[Verified]) {
        for block in blocks {
            let log = self.blocks.entry(block.header().name).or_default();
            log.push(block.bytes().to_vec());
        }
    }

    fn does(&mut self, what: u8, which: u8, rng: &mut StdRng) {
        let row = match which % 4 {
            0 => Row::new(
                &CENSUS
                    .replace("60,", "62,")
                    .replace("10, 10", "10, 12")
                    .split(", ")
                    .collect::<Vec<_>>(),
            ),
            _ => Row::new(&[
                format!("P {which}").as_str(),
                "tall",
                "",
                "missing",
                format!("1000{which}").as_str(),
            ]),
        };
        let section = if which % 4 == 0 { Section::Camps } else { Section::People };
        let (state, namer) = (self.replica.state(), self.replica.namer());
        let spots = state.order(section);
        let about = spots.get(usize::from(which) % spots.len().max(1));
        let seen = about.and_then(|spot| state.view(state.about(*spot)?));
        let made = match (what, seen) {
            (0 | 1, _) | (_, None) => enter(state, namer, section, &row, rng),
            (2, Some(seen)) => seen.retract("", rng),
            (_, Some(seen)) => seen.edit(BTreeMap::from([(0, format!("changed {what}"))]), rng),
        };
        let entries: Vec<_> = made.unwrap_or_default().into_iter().map(Entry::Change).collect();
        if !entries.is_empty() {
            let mut signed = Vec::new();
            self.replica.write(entries, 7, rng, &mut signed).expect("room");
            self.keep(&signed);
        }
    }

    /// Takes all that another one has.
    fn meet(&mut self, other: &Self) {
        for blocks in other.blocks.values() {
            let run = blocks.iter().map(|bytes| Received::read(bytes).expect("right")).collect();
            let (new, _) = self.replica.take(run, Rigour::Last).expect("right");
            self.keep(&new);
        }
    }
}

fn projected(replica: &Replica) -> Vec<u8> {
    let state = replica.state();
    let view = PublicView::project(state.rows(Section::People), state.rows(Section::Camps));
    let mut text = Vec::new();
    view.write(&mut text).expect("memory takes all");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nodes_that_took_the_same_blocks_in_any_order_show_the_same_bytes(
        steps in prop::collection::vec((0usize..3, 0u8..6, 0u8..12), 1..40),
        orders in prop::array::uniform2(prop::collection::vec(any::<prop::sample::Index>(), 200)),
    ) {
        let mut rng = StdRng::seed_from_u64(7);
        let mut writers = [1, 2, 3].map(Writer::new);
        for (who, what, which) in steps as Vec<Step> {
            if what == 5 {
                let other = Writer { replica: Replica::new(
                    Identity::new(SecretKey::from([77; 32])), Namer::new(&SecretKey::from([99; 32])),
                ), blocks: writers[usize::from(which) % 3].blocks.clone() };
                writers[who].meet(&other);
            } else {
                writers[who].does(what, which, &mut rng);
            }
        }
        let mut all: BTreeMap<LogName, Vec<Vec<u8>>> = BTreeMap::new();
        for writer in &writers {
            for (name, blocks) in &writer.blocks {
                let longest = all.entry(*name).or_default();
                if blocks.len() > longest.len() {
                    longest.clone_from(blocks);
                }
            }
        }
        let taken = orders.map(|order| {
            let mut node = Writer::new(9);
            let mut left = all.clone();
            let mut order = order.iter();
            loop {
                left.retain(|_, blocks| !blocks.is_empty());
                let names: Vec<_> = left.keys().copied().collect();
                let Some(next) = order.next().filter(|_| !names.is_empty()) else { break };
                let block = left.get_mut(next.get(&names)).expect("there").remove(0);
                let run = vec![Received::read(&block).expect("right")];
                node.replica.take(run, Rigour::Last).expect("in order");
            }
            for blocks in left.into_values() {
                let run = blocks.iter().map(|bytes| Received::read(bytes).expect("right"));
                node.replica.take(run.collect(), Rigour::Last).expect("in order");
            }
            (node.replica.digest(), projected(&node.replica))
        });
        prop_assert_eq!(&taken[0].0, &taken[1].0);
        prop_assert_eq!(
            String::from_utf8_lossy(&taken[0].1), String::from_utf8_lossy(&taken[1].1)
        );
    }
}

// --- a refresh ---

#[test]
fn a_refresh_is_signed_and_a_second_node_confirms_it() {
    let network = Network::new("confirmed", 2);
    network.put(1, &all());
    let (mut one, mut two) = (network.tier1(1), network.tier1(2));
    one.ask(&["9"]);
    two.ask(&["9"]);
    until("both have all people", || network.people(2).len() == 2);
    let mut reader = network.tier2(1);
    reader.wait_for_any("Your copy has 0 people.");
    assert!(!reader.shown().contains("WARNING"), "{}", reader.shown());
    let mut refreshes = 0;
    until("both are in step", || {
        let shown = reader.ask(&["3"]).join("\n");
        refreshes += 1;
        assert!(shown.contains("Signed by node ") && !shown.contains("LIES"), "{shown}");
        shown.contains("Node 1 and node 2 agree.") || shown.contains("Node 2 and node 1 agree.")
    });
    let shown = reader.ask(&["1"]).join("\n");
    assert!(shown.contains("Camps: 1") && shown.contains("Camp 4") && shown.contains("<5: 1 to"));
    assert!(reader.ask(&["2", "unhcr"]).join("\n").contains("1 match."));
    // Nothing has changed: nothing but the signature travels.
    reader.ask(&["3"]);
    // Each refresh logs a line, which may be read later than what is shown.
    let mut last = String::new();
    until("this refresh is logged, too", || {
        let logged = reader.logged();
        let mut lines = logged.lines().filter(|line| line.contains("of the new copy"));
        last = lines.nth(refreshes).unwrap_or_default().to_owned();
        !last.is_empty()
    });
    let bytes = last.split_once("already; ").expect("bytes").1.split(' ').next().expect("a number");
    assert!(last.contains(" 0 rows came") && bytes.parse::<u64>().expect("it") < 2500, "{last}");
    assert!(reader.quit().success());
    // Carried by USB, it is as good.
    let (whole, said) = check(&network, &network.copy(1));
    assert!(whole && said.contains("2 people, 1 camp census,") && said.contains("Signed by node"));
    put(&network.copy(2), &fs::read(network.copy(1)).expect("there"));
    let other = network.tier2(2);
    other.wait_for_any("Your copy has 2 people.");
    other.wait_for_any("Signed by node");
}

#[test]
fn an_old_copy_without_a_signature_is_loaded_and_a_refresh_signs_it() {
    let network = Network::new("unsigned", 1);
    network.put(1, &all());
    let mut old = Vec::new();
    PublicView::of([(Section::People, Row::new(&["Old", "", "", "missing"]))])
        .write(&mut old)
        .expect("memory");
    put(&network.copy(1), &old);
    let (_one, mut reader) = (network.tier1(1), network.tier2(1));
    reader.wait_for_any("Your copy has 1 person.");
    reader.wait_for_any("WARNING, your copy: it has no signature");
    let shown = reader.ask(&["3"]);
    assert!(shown.contains(&words::refreshed(2, 1)), "{shown:?}");
    assert!(shown.join("\n").contains("No other node is known that could confirm it."));
    assert!(!reader.ask(&["1"]).join("\n").contains("WARNING"));
    let (whole, said) = check(&network, &network.copy(1));
    assert!(whole, "{said}");
}

#[test]
fn a_copy_that_was_altered_says_so_at_start_in_view_and_when_checked_and_a_refresh_mends_it() {
    let network = Network::new("altered", 1);
    network.put(1, &all());
    let _one = network.tier1(1);
    let (right, other) =
        (Signer::new(identity(&network, 1), "test"), Identity::random(&mut rand::rng()));
    let whole = String::from_utf8(copy(&view(), &right, 1, "test")).expect("text");
    let signed_as = |signer: &Signer, number, name| {
        String::from_utf8(copy(&view(), signer, number, name)).expect("text")
    };
    let file = network.folder.path().join("carried.txt");
    put(&file, whole.as_bytes());
    assert!(check(&network, &file).0);
    let forger = Signer::new(&other, "test");
    for (name, text, wrong) in [
        (
            "a row left out",
            whole.replace("Ana, tall, , missing\n", ""),
            "altered after node 1 (Yangon",
        ),
        ("a letter changed", whole.replace("Ana, tall", "Ana, tell"), "altered after node 1"),
        ("a count changed", whole.replace(", 60, 5,", ", 61, 6,"), "altered after node 1"),
        ("a row behind it", format!("{whole}Invented, , , found\n"), "cannot be read any more"),
        ("a digit changed", whole.replace(", 0707", ", 0708"), "not that of node 1 (Yangon"),
        ("forged", signed_as(&forger, 1, "test"), "signed by nobody in the peers file"),
        ("no such node", signed_as(&forger, 9, "test"), "which has no node 9"),
        (
            "another network",
            signed_as(&Signer::new(identity(&network, 1), "oth\u{1b}er"), 1, "oth\u{1b}er"),
            "of another network: \"oth␛er\"",
        ),
    ] {
        assert_ne!(text, whole, "{name}");
        put(&file, text.as_bytes());
        let (is_whole, said) = check(&network, &file);
        assert!(
            !is_whole && said.contains(wrong) && said.contains("-> do not rely"),
            "{name}: {said}"
        );
        put(&network.copy(1), text.as_bytes());
        let mut reader = network.tier2(1);
        reader.wait_for_any("WARNING, your copy: it ");
        assert!(reader.shown().contains(wrong), "{name}: {}", reader.shown());
        let shown = reader.ask(&["1"]).join("\n");
        assert!(shown.contains("WARNING, your copy: it "), "{name}: {shown}");
        assert!(reader.ask(&["3"]).join("\n").contains("Signed by node 1 (Yangon"), "{name}");
        reader.quit();
        let (is_whole, said) = check(&network, &network.copy(1));
        assert!(is_whole, "{name}: {said}");
    }
}

#[test]
fn a_check_says_what_it_cannot_check() {
    let (network, folder) = (Network::new("check", 1), Folder::new("check-file"));
    let file = folder.path().join("none.txt");
    let (good, said) = check(&network, &file);
    assert!(!good && said.contains("none.txt"), "{said}");
    fs::write(&file, "").expect("written");
    let (good, said) = check(&network, &file);
    assert!(!good && said.contains("no signature"), "{said}");
    let classic = Network::classic("check-classic", 1);
    let (good, said) = check(&classic, &file);
    assert!(!good && said.contains("classic network"), "{said}");
}

// --- nodes that lie ---

/// Plays a node for one session: it signs what `sign` says, and gives this view whatever it signed.
fn serve(played: &mut Played, identity: &Identity, view: &PublicView, sign: impl Fn() -> Signed) {
    let credentials = Credentials::of(identity).expect("a key");
    let mut raw = played.let_in(credentials.server(Other::Reader).expect("right"));
    let asked = Fetching::decode(&raw.expect()).expect("a reader");
    raw.frame(&Giving::Signed(Box::new(sign())).encode()).expect("sent");
    if matches!(asked, Fetching::Fetch(_)) {
        let _ = give(&mut raw, view);
    }
    raw.until_ended();
}

fn give(raw: &mut Raw, view: &PublicView) -> std::io::Result<()> {
    let rows = view.clone().into_rows();
    let mut index = Index::new(rows.iter().map(|(section, row)| (*section, row.line())));
    let (rows, offer) = (index.arrange(rows), index.offer());
    raw.frame(&Giving::Offer(offer.clone()).encode())?;
    let mut giver = Giver::new(&index, &offer);
    let answer = loop {
        let Some(said) = raw.hear() else { return Ok(()) };
        match Taking::decode(&said).expect("a reader") {
            Taking::Split(split) => {
                let parts = giver.split(&split).expect("offered");
                raw.frame(&Giving::Parts(parts).encode())?;
            }
            Taking::Want(want) => {
                if let Some(answer) = giver.take(&want).expect("offered") {
                    break answer;
                }
            }
            Taking::Refused(why) => panic!("{why:?}"),
        }
    };
    let rows = answer.places.iter().map(|place| &rows[*place as usize]);
    for piece in pieces(rows.map(|(section, row)| (*section, row.line())), 1000) {
        let squeezed = Squeezer::new().squeeze(&piece, Effort::Stored);
        raw.frame(&Giving::Rows(squeezed.into()).encode())?;
    }
    raw.frame(&Giving::Gone(answer.gone).encode())?;
    raw.frame(&Giving::End.encode())
}

/// The view with one person less.
fn less() -> PublicView {
    PublicView::of(view().into_rows().into_iter().skip(1))
}

fn signed(signer: &Signer, view: &PublicView) -> Signed {
    signer.sign([7; 32], view.len() as u32, view.hash(), 1_764_075_999)
}

#[test]
fn a_node_whose_rows_are_not_those_that_it_signed_gives_a_reader_nothing() {
    let network = Network::new("false-view", 1);
    let own = identity(&network, 1);
    let (right, stranger) =
        (Signer::new(own, "test"), Signer::new(&Identity::random(&mut rand::rng()), "test"));
    let elsewhere = Signer::new(own, "other");
    let old = copy(&less(), &right, 1, "test");
    put(&network.copy(1), &old);
    let mut played = Played::new(&network, 1);
    let mut reader = network.tier2(1);
    let changed = PublicView::of(
        less().into_rows().into_iter().chain([(Section::People, Row::new(&["Nur", "", "", ""]))]),
    );
    // A row left out, one changed, a forged signature, that of another network; a signature of nothing.
    let lies: [(&PublicView, Signed); 6] = [
        (&less(), signed(&right, &view())),
        (&changed, signed(&right, &view())),
        (&view(), signed(&stranger, &view())),
        (&view(), signed(&elsewhere, &view())),
        (&view(), Signed { rows: 2, ..signed(&right, &view()) }),
        (&view(), right.sign([7; 32], 9, view().hash(), 0)),
    ];
    for three in lies.chunks(3) {
        let shown = std::thread::scope(|scope| {
            scope.spawn(|| {
                for (gives, says) in three {
                    serve(&mut played, own, gives, || *says);
                }
            });
            reader.ask(&["3"]).join("\n")
        });
        assert!(shown.contains("Your old copy is still there, unchanged."), "{shown}");
    }
    let shown = reader.shown();
    assert_eq!(reader.count("its rows are not those that it signed"), 3, "{shown}");
    assert_eq!(reader.count("its signature is not its own"), 3, "{shown}");
    assert_eq!(fs::read(network.copy(1)).expect("there"), old);
    assert!(reader.quit().success());
}

/// A reader of two nodes that are played, each for one session. Returns what it shows.
fn second_opinion(network: &Network, says: [Signed; 2], gives: [&PublicView; 2]) -> String {
    let mut reader = network.tier2(1);
    let played = [1, 2].map(|number| Played::new(network, number));
    std::thread::scope(|scope| {
        for (number, ((mut played, says), gives)) in
            (1..).zip(played.into_iter().zip(says).zip(gives))
        {
            scope.spawn(move || serve(&mut played, identity(network, number), gives, || says));
        }
        reader.ask(&["3"]).join("\n")
    })
}

#[test]
fn two_nodes_with_the_same_ledger_and_a_lie_between_them_raise_a_warning_that_names_both() {
    let network = Network::new("two-views", 2);
    let signer = |number| Signer::new(identity(&network, number), "test");
    let (whole, less) = (view(), less());
    let says = [signed(&signer(1), &whole), signed(&signer(2), &less)];
    let shown = second_opinion(&network, says, [&whole, &less]);
    assert!(shown.contains("ONE OF THE TWO LIES"), "{shown}");
    assert!(shown.contains("node 1 (Yangon") && shown.contains("node 2 (Mandalay"), "{shown}");
    assert!(shown.contains("-> Do not rely on this copy."), "{shown}");
    let proof = network.copy(1).with_file_name("T2DATABASE.proof.txt");
    let proof = fs::read_to_string(proof).expect("kept");
    assert!(proof.contains("\n1, test, 3, ") && proof.contains("\n2, test, 2, "), "{proof}");
}

#[test]
fn a_node_with_other_news_raises_no_alarm_and_one_that_is_down_is_said_to_be() {
    let network = Network::new("two-heads", 2);
    let signer = |number| Signer::new(identity(&network, number), "test");
    let (whole, less) = (view(), less());
    let later = signer(2).sign([8; 32], less.len() as u32, less.hash(), 0);
    let shown = second_opinion(&network, [signed(&signer(1), &whole), later], [&whole, &less]);
    assert!(shown.contains("Nobody could confirm it now: other news has reached node"), "{shown}");
    assert!(!shown.contains("WARNING"), "{shown}");

    let network = Network::new("one-down", 2);
    network.put(1, &all());
    let (_one, mut reader): (Node, Node) = (network.tier1(1), network.tier2(1));
    let shown = reader.ask(&["3"]).join("\n");
    assert!(shown.contains("Asking node 2 (Mandalay General Hospital), too"), "{shown}");
    assert!(shown.contains("No other node answered to confirm it."), "{shown}");
}
