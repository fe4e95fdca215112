//! What README.md and SECURITY.md point at is there: each file of the project, and each test that is said to show
//! something.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 2] = ["README.md", "SECURITY.md"];
/// Folders of the project whose files are named.
const FOLDERS: [&str; 5] = ["src/", "tests/", "scripts/", "peers/", "data/"];

/// What stands between backquotes in a text, each with what stands before it in its line.
fn quoted(text: &str) -> Vec<(&str, &str)> {
    let mut quoted = Vec::new();
    for line in text.lines() {
        let mut at = 0;
        for (place, part) in line.split('`').enumerate() {
            if place % 2 == 1 {
                quoted.push((line.get(..at).unwrap_or_default(), part));
            }
            at += part.len() + 1;
        }
    }
    quoted
}

/// The file that a list of tests is said to be of: `file: ` stands before the first of them.
fn file_of(before: &str) -> Option<&str> {
    let cell = before.rsplit("; ").next()?.rsplit("| ").next()?;
    let (file, _) = cell.split_once(": ")?;
    let is_name = file.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    is_name.then_some(file)
}

/// All source files of this name, of the program and of its tests.
fn sources(name: &str, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(name, &path, found);
        } else if path.file_name().is_some_and(|one| *one == *format!("{name}.rs")) {
            found.push(path);
        }
    }
}

/// Whether a file of this name has this test.
fn has(file: &str, test: &str) -> bool {
    let mut files = Vec::new();
    sources(file, Path::new("src"), &mut files);
    files.push(format!("tests/{file}.rs").into());
    let begin = format!("fn {test}(");
    files.iter().any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&begin)))
}

/// What a document points at and is not there, and how many files and tests it points at.
fn missing(document: &str) -> (Vec<String>, [usize; 2]) {
    let (mut missing, mut count) = (Vec::new(), [0; 2]);
    for (before, part) in quoted(document) {
        let is_test = part.len() > 15 && part.contains('_') && !part.contains([' ', '/', '.']);
        if FOLDERS.iter().any(|folder| part.starts_with(folder)) {
            count[0] += 1;
            let path = part.split(' ').next().unwrap_or_default();
            missing.extend((!Path::new(path).exists()).then(|| format!("the file {path}")));
        } else if let Some(file) = file_of(before).filter(|_| is_test) {
            count[1] += 1;
            missing.extend((!has(file, part)).then(|| format!("the test {part} in {file}")));
        }
    }
    (missing, count)
}

#[test]
fn every_file_and_test_that_the_documents_name_is_there() {
    let mut all = [0; 2];
    for document in DOCUMENTS {
        let (missing, count) = missing(&fs::read_to_string(document).expect("there"));
        assert!(missing.is_empty(), "{document} names {missing:#?}");
        all = [all[0] + count[0], all[1] + count[1]];
    }
    assert!(all[0] > 30 && all[1] > 40, "{all:?} files and tests were seen");
}

#[test]
fn what_is_not_there_is_seen() {
    let text = "| `src/none.rs`, `src/lib.rs` | documents: `what_is_not_there_is_seen`, `nobody_wrote_this_test`; kills: `nor_this_one_of_them` |";
    let (missing, count) = missing(text);
    let expected = [
        "the file src/none.rs",
        "the test nobody_wrote_this_test in documents",
        "the test nor_this_one_of_them in kills",
    ];
    assert_eq!((missing, count), (expected.map(String::from).into(), [2, 3]));
}
