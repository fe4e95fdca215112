//! A network that grows by `reunite setup`, `reunite join` and menu 17, as people do it; and what is refused there.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/growing.rs"]
mod growing;
mod support;

use growing::{Growing, open_door, run};
use std::fs;
use std::path::Path;
use support::{Node, until};

fn accept(growing: &Growing, number: usize, answer: &str) -> (Option<i32>, String) {
    let data = growing.data(number);
    let data = data.to_str().expect("text");
    let arguments = ["join", "accept", "--yes", "--data", data, answer];
    run(&arguments.map(str::to_owned), "")
}

fn request(growing: &Growing, number: usize, file: &str) -> (Option<i32>, String) {
    let arguments =
        [&["join".into(), "request".into(), growing.file(file)][..], &growing.about(number)];
    run(&arguments.concat(), "")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("there").flatten();
    let mut names: Vec<_> =
        entries.map(|one| one.file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn a_network_grows_by_code_and_the_newcomer_gets_the_database_without_a_start_of_others() {
    let growing = Growing::new("growing", 3);
    let mut first = growing.begin();
    first.type_lines(&["3", "Ana", "tall", "9/5/23", "missing"]);
    first.wait_for("Saved.");
    for number in 2..=3 {
        growing.let_in(&mut first, number);
        let right = [".lock", "identity.json", "network.json", "peers.json"];
        assert_eq!(names(&growing.data(number)), right);
    }
    let second = growing.start(2);
    let third = growing.start(3);
    for number in 2..=3 {
        let database = growing.data(number).join(format!("DATABASE{number}.txt"));
        until("Ana is at the newcomer", || {
            fs::read_to_string(&database).is_ok_and(|text| text.contains("Ana, tall"))
        });
    }
    // Each has signed that it agrees with its admission, and all know it.
    until("all are members by their own word", || growing.members(1) == 3);
    assert!([first.quit(), second.quit(), third.quit()].iter().all(|status| status.success()));
}

#[test]
fn a_wrong_code_closes_the_door_and_the_person_sees_it() {
    let growing = Growing::new("wrong-code", 2);
    let mut first = growing.begin();
    let (code, address) = open_door(&mut first);
    let (front, last) = code.rsplit_once('-').expect("two words");
    let wrong = format!("{front}-{}\n", if last == "zulu" { "merit" } else { "zulu" });
    let call = [&["join".into(), "code".into(), "--member".into(), address][..], &growing.about(2)];
    let (done, told) = run(&call.concat(), &wrong);
    assert!(
        done == Some(1) && told.contains("the code was wrong, and the door is closed"),
        "{told}"
    );
    first.wait_for("TRIED A WRONG CODE");
    let (done, told) = run(&call.concat(), &format!("{code}\n"));
    assert!(done == Some(1) && told.contains("no door for newcomers is open"), "{told}");
    // A slip that is no word of the list is found before anybody is called.
    let (done, told) = run(&call.concat(), "7-crosover-clockwork\n");
    assert!(done == Some(1) && told.contains("first word"), "{told}");
    assert!(!told.contains(front), "{told}");
    first.type_lines(&[""]);
    assert!(first.quit().success());
}

#[test]
fn a_newcomer_on_the_same_network_needs_no_address_of_anybody() {
    let mut growing = Growing::new("same-network", 2);
    growing.is_lit = true;
    let mut first = growing.begin();
    let (code, address) = open_door(&mut first);
    let call = [&["join".into(), "code".into()][..], &growing.about(2)].concat();
    let (done, told) = std::thread::scope(|scope| {
        // The address is for the case that another test has a door of this number open: then it is asked for.
        let joining = scope.spawn(|| run(&call, &format!("{code}\n{address}\n")));
        first.wait_for("Type YES");
        first.type_lines(&["YES"]);
        joining.join().expect("no panic")
    });
    assert_eq!(done, Some(0), "{told}");
    assert!(told.contains(&format!("answers at {address}")), "{told}");
    first.wait_for("Node 2 has joined");
    assert!(first.quit().success());
}

#[test]
fn a_person_refuses_or_closes_and_nobody_is_in() {
    let growing = Growing::new("refuses", 2);
    let mut first = growing.begin();
    let (_, _) = open_door(&mut first);
    first.type_lines(&[""]);
    first.wait_for("The door is closed. Nobody came in.");
    let (code, address) = open_door(&mut first);
    let call = [&["join".into(), "code".into(), "--member".into(), address][..], &growing.about(2)];
    let (done, told) = std::thread::scope(|scope| {
        let joining = scope.spawn(|| run(&call.concat(), &format!("{code}\n")));
        first.wait_for("First have them read the fingerprint");
        first.wait_for("Type YES to let it in; anything else, also Enter alone, declines.");
        first.type_lines(&["no"]);
        joining.join().expect("no panic")
    });
    assert!(done == Some(1) && told.contains("did not let this node in"), "{told}");
    first.wait_for("It was declined");
    assert!(!growing.data(2).join("identity.json").exists());
    assert!(first.quit().success());
}

#[test]
fn a_node_joins_by_files_once_and_no_other_answer_is_taken() {
    let growing = Growing::new("files", 3);
    let mut first = growing.begin();
    let (done, told) = request(&growing, 2, "request");
    assert!(done == Some(0) && told.contains("Fingerprint: "), "{told}");
    let text = fs::read_to_string(growing.file("request")).expect("written");
    assert!(text.contains("Clinic 2") && text.contains(&growing.addresses[1].to_string()));
    // Somebody else's request, of which the answer is no answer to ours.
    assert_eq!(request(&growing, 3, "other").0, Some(0));

    let answer = |first: &mut Node, request: &str, to: &str| {
        first.type_lines(&["17", "2", &growing.file(request)]);
        first.wait_for("fingerprint");
        first.type_lines(&["YES", &growing.file(to)]);
        first.wait_for("is a member. Bring it the answer");
    };
    answer(&mut first, "request", "answer");
    answer(&mut first, "other", "other-answer");

    let (done, told) = accept(&growing, 2, &growing.file("other-answer"));
    assert!(done == Some(1) && told.contains("another node"), "{told}");
    let sealed = fs::read_to_string(growing.file("answer")).expect("written");
    let at = sealed.rfind("-----END").expect("its end") - 10;
    let digit = if &sealed[at..=at] == "0" { "1" } else { "0" };
    let tampered = format!("{}{digit}{}", &sealed[..at], &sealed[at + 1..]);
    fs::write(growing.file("tampered"), tampered).expect("written");
    let (done, told) = accept(&growing, 2, &growing.file("tampered"));
    assert!(done == Some(1) && told.contains("changed on its way"), "{told}");
    assert!(!growing.data(2).join("peers.json").exists(), "nothing is written before all is right");

    let (done, told) = accept(&growing, 2, &growing.file("answer"));
    assert!(done == Some(0) && told.contains("This is node 2 of the network \"aid\""), "{told}");
    let (done, told) = accept(&growing, 2, &growing.file("answer"));
    assert!(done == Some(1) && told.contains("an answer is used once"), "{told}");

    let second = growing.start(2);
    let database = growing.data(2).join("DATABASE2.txt");
    first.type_lines(&["3", "Ana", "tall", "9/5/23", "missing"]);
    until("Ana is at the newcomer", || {
        fs::read_to_string(&database).is_ok_and(|text| text.contains("Ana, tall"))
    });
    assert!(first.quit().success() && second.quit().success());
}

#[test]
fn an_answer_that_cannot_be_written_is_asked_for_again_and_one_that_is_given_up_is_made_again() {
    let growing = Growing::new("rewritten", 2);
    let mut first = growing.begin();
    first.type_lines(&["17", "2", ""]);
    first.wait_for("Nothing was done.");
    assert_eq!(request(&growing, 2, "request").0, Some(0));
    let (wrong, right) = (growing.file("no-folder/answer"), growing.file("answer"));
    first.type_lines(&["17", "2", &growing.file("request"), "YES", &wrong]);
    first.wait_for("check whether the path is right");
    first.wait_for("Write the answer");
    first.type_lines(&[""]);
    first.wait_for("17 makes the answer again, of the same request");
    first.type_lines(&["17", "2", &growing.file("request"), "YES", &wrong, &right]);
    first.wait_for("Saved. Node 2 is a member. Bring it the answer");
    assert_eq!(accept(&growing, 2, &right).0, Some(0));
    assert!(first.quit().success());
}

#[test]
fn an_answer_to_an_earlier_request_is_refused_and_a_lost_one_is_made_again() {
    let growing = Growing::new("later", 2);
    let mut first = growing.begin();
    assert_eq!(request(&growing, 2, "request").0, Some(0));
    first.type_lines(&["17", "2", &growing.file("request")]);
    first.wait_for("fingerprint");
    first.type_lines(&["YES", &growing.file("answer")]);
    first.wait_for("is a member. Bring it the answer");
    // The newcomer asks again, with the same keys: the first answer is void.
    assert_eq!(request(&growing, 2, "later").0, Some(0));
    let (done, told) = accept(&growing, 2, &growing.file("answer"));
    assert!(done == Some(1) && told.contains("another request"), "{told}");
    first.type_lines(&["17", "2", &growing.file("later"), "YES", &growing.file("again")]);
    first.wait_for("is a member. Bring it the answer");
    assert_eq!(accept(&growing, 2, &growing.file("again")).0, Some(0));
    assert!(first.quit().success());
}

#[test]
fn a_member_that_is_down_answers_too_and_refuses_who_is_somebody_else() {
    let growing = Growing::new("down", 3);
    assert!(growing.begin().quit().success());
    let answer = |request: &str, to: &str| {
        let data = growing.file("node1");
        let member = ["join", "answer", "--yes", "--data", &data];
        let files = [growing.file(request), growing.file(to)];
        run(&[&member.map(str::to_owned)[..], &files].concat(), "")
    };
    assert_eq!(request(&growing, 2, "request").0, Some(0));
    let (done, told) = answer("request", "answer");
    assert!(done == Some(0) && told.contains("Node 2 is a member"), "{told}");
    assert!(told.contains("Clinic 2") && told.contains("fingerprint"), "{told}");
    assert_eq!(accept(&growing, 2, &growing.file("answer")).0, Some(0));
    // At the address of a member.
    let other = growing.file("node3");
    let (address, request) = (growing.addresses[1].to_string(), growing.file("there"));
    let there = [
        "join",
        "request",
        &request,
        "--organisation",
        "C",
        "--address",
        &address,
        "--data",
        &other,
    ];
    assert_eq!(run(&there.map(str::to_owned), "").0, Some(0));
    let (done, told) = answer("there", "no-answer");
    assert!(done == Some(1) && told.contains("a member has its address (node 2)"), "{told}");
    // Changed so that people read another name.
    let text = fs::read_to_string(growing.file("request")).expect("written");
    fs::write(growing.file("changed"), text.replace("Clinic 2", "Clinic 1")).expect("written");
    let (done, told) = answer("changed", "no-answer");
    assert!(done == Some(1) && told.contains("not what was signed"), "{told}");
    assert!(!Path::new(&growing.file("no-answer")).exists());
}

#[test]
fn where_two_admit_one_alone_opens_no_door_and_the_answer_waits_for_the_other() {
    let growing = Growing::new("two-admit", 3);
    // It begins with two, by their cards.
    let shared = growing.file("peers.json");
    for number in 1..=2 {
        let card = ["setup".to_owned(), "--number".to_owned(), number.to_string()];
        assert_eq!(run(&[&card[..], &growing.about(number)].concat(), "").0, Some(0));
    }
    let cards = [growing.file("node1/card-1.json"), growing.file("node2/card-2.json")];
    let add =
        ["peers", "add", "--yes", "--network", "aid", "--peers", &shared, &cards[0], &cards[1]];
    assert_eq!(run(&add.map(str::to_owned), "").0, Some(0));
    for number in 1..=2 {
        fs::copy(&shared, growing.data(number).join("peers.json")).expect("copied");
    }
    let data = growing.file("node1");
    let begin =
        ["network", "begin", "--admit", "2", "--peers", &shared, "--number", "1", "--data", &data];
    let (done, told) = run(&begin.map(str::to_owned), "");
    assert_eq!(done, Some(0), "{told}");
    let mut first = growing.start(1);
    first.type_lines(&["17", "1"]);
    first.wait_for("several members have to admit");
    let answer = |member: &mut Node, request: &str, to: &str| {
        member.type_lines(&["17", "2", &growing.file(request)]);
        member.wait_for("fingerprint");
        member.type_lines(&["YES"]);
        if !to.is_empty() {
            member.wait_for("Write the answer");
            member.type_lines(&[&growing.file(to)]);
            member.wait_for("is a member. Bring it the answer");
        }
    };
    let mut second = growing.start(2);
    second.wait_for_any("The ledger now says who belongs to");
    assert_eq!(request(&growing, 3, "three").0, Some(0));
    answer(&mut first, "three", "");
    first.wait_for("this node's voice is given; the network asks for 2");
    second.wait_for_any("A member asks others to agree");
    answer(&mut second, "three", "answer-three");
    let (done, told) = accept(&growing, 3, &growing.file("answer-three"));
    assert!(done == Some(0) && told.contains("This is node 3"), "{told}");
    assert!(first.quit().success() && second.quit().success());
}

#[test]
fn setup_alone_asks_which_way() {
    let growing = Growing::new("ways", 2);
    let setup = |number| [&["setup".to_owned()][..], &growing.about(number)].concat();
    let (done, told) = run(&setup(1), "1\naid\n");
    assert!(done == Some(0) && told.contains("begins with this node"), "{told}");
    let (done, told) = run(&setup(2), &format!("3\n{}\n", growing.file("request")));
    assert!(done == Some(0) && told.contains("join accept"), "{told}");
    let (done, told) = run(&setup(2), "9\n");
    assert!(done == Some(1) && told.contains("type 1, 2 or 3"), "{told}");
    let (done, told) = run(&setup(1), "1\naid\n");
    assert!(done == Some(1) && told.contains("there is node 1 already"), "{told}");
}
