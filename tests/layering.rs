//! The shape of `src/`, read from its text: layers, circles, a pure model, sizes, and nothing that panics.
//!
//! A check takes sources and returns what is wrong with them, one line each. Every check is run on `src/`,
//! and on made-up sources to show that it can fail.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The layers, lowest first. A file may import from its own and from lower ones.
const LAYERS: [&str; 5] = ["base", "model", "store", "net", "shell"];
/// The layer of plain values and decisions.
const PURE: &str = "model";
/// What the pure layer must not name: sockets, threads, locks, clocks, files, randomness of its own.
const IMPURE: [&str; 12] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "Condvar",
    "Instant::now",
    "SystemTime::now",
    "File::",
    "fs::",
    "thread::",
    "rand::rng",
];
/// What panics on purpose, or by neglect.
const PANICS: [&str; 4] = [".unwrap()", "panic!", "todo!", "unimplemented!"];
/// Most lines of a file before its tests, and of a function.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

// --- reading sources ---

/// A source file: its path below `src/`, and its code without comments, literals and tests. What is taken
/// out leaves blanks, so that lines stay where they were.
struct Source {
    path: String,
    code: String,
    /// What stands behind the tests, and so would escape every check.
    behind_tests: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let mut code = blanked(text);
        let tests = code.find("#[cfg(test)]").map(|at| code.split_off(at)).unwrap_or_default();
        let end = tests.find('{').map_or(0, |open| open + block(&tests[open..]));
        Self { path: path.into(), code, behind_tests: tests[end..].trim().into() }
    }

    fn tokens(&self) -> Vec<(usize, &str)> {
        tokens(&self.code)
    }

    /// The lines of the code that begin at these offsets, for messages.
    fn line(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.code[..offset].matches('\n').count() + 1)
    }

    /// The layer's place, counted from the lowest; what stands above all layers puts them together.
    fn layer(&self) -> Option<usize> {
        layer(&self.path)
    }
}

fn layer(path: &str) -> Option<usize> {
    match path.split_once('/') {
        None => Some(LAYERS.len()),
        Some((folder, _)) => LAYERS.iter().position(|layer| *layer == folder),
    }
}

/// All of `src/`, with paths that begin below it.
fn sources() -> Vec<Source> {
    fn walk(folder: &Path, below: &str, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            let name = format!("{below}{}", path.file_name().expect("a name").to_string_lossy());
            if path.is_dir() {
                walk(&path, &format!("{name}/"), found);
            } else if name.ends_with(".rs") {
                found.push(Source::new(&name, &fs::read_to_string(&path).expect("text")));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    assert!(found.len() > 40, "there is more in src/ than {} files", found.len());
    found
}

/// `text` with blanks for comments and for string and character literals.
fn blanked(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        let (length, is_code) = piece(rest);
        let (taken, after) = rest.split_at(length);
        if is_code {
            code.push_str(taken);
        } else {
            code.extend(taken.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// The length of what `rest` begins with, and whether it is code.
fn piece(rest: &str) -> (usize, bool) {
    let until = |from: usize, end: &str| {
        rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return (until(0, "\n"), false);
    }
    if rest.starts_with("/*") {
        return (until(2, "*/"), false);
    }
    let body = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(raw) = body.strip_prefix('r') {
        let fence = &raw[..raw.len() - raw.trim_start_matches('#').len()];
        if raw[fence.len()..].starts_with('"') {
            let open = rest.len() - raw.len() + fence.len() + 1;
            return (until(open, &format!("\"{fence}")), false);
        }
    }
    if body.starts_with('"') {
        return (rest.len() - body.len() + string(body), false);
    }
    if let Some(length) = character(body) {
        return (rest.len() - body.len() + length, false);
    }
    let word = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
    (word.max(rest.chars().next().map_or(0, char::len_utf8)), true)
}

/// The length of the string literal at the start of `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    text.len()
}

/// The length of the character literal at the start of `text`; `None` for a lifetime or anything else.
fn character(text: &str) -> Option<usize> {
    let mut letters = text.strip_prefix('\'')?.chars();
    match (letters.next()?, letters.next()?) {
        ('\\', escape) => text[2 + escape.len_utf8()..].find('\'').map(|at| at + 4),
        (letter, '\'') => Some(letter.len_utf8() + 2),
        _ => None,
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Words, `::`, and every other character that is no space, each with its offset.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = match first {
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            other => other.len_utf8(),
        };
        if !first.is_whitespace() {
            found.push((at, &rest[..length]));
        }
        at += length;
    }
    found
}

/// Where `words`, themselves code, occur in the source.
fn places(source: &Source, words: &str) -> Vec<String> {
    let wanted: Vec<_> = tokens(words).into_iter().map(|(_, token)| token).collect();
    let found = source.tokens();
    let same = |part: &&[(usize, &str)]| part.iter().map(|(_, token)| token).eq(wanted.iter());
    found.windows(wanted.len()).filter(same).map(|part| source.line(part[0].0)).collect()
}

/// The length of the block that begins with the brace at the start of `code`.
fn block(code: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

// --- imports ---

/// Every path of the code that begins with `root`, without it: `a::{b, c::*}` is `a::b` and `a::c`.
fn paths(source: &Source, root: &str) -> Vec<Vec<String>> {
    let tokens: Vec<_> = source.tokens().into_iter().map(|(_, token)| token).collect();
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let begins = tokens[at] == root && tokens.get(at + 1) == Some(&"::");
        if begins && (at == 0 || tokens[at - 1] != "::") {
            tree(&tokens, at + 2, &[], &mut found);
        }
    }
    found
}

/// Reads the tree of paths that begins at token `at`; returns where it ends.
fn tree(tokens: &[&str], at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    match tokens.get(at).copied() {
        Some("{") => {
            let mut at = at + 1;
            while tokens.get(at).is_some_and(|token| *token != "}") {
                at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, before, found) };
            }
            at + 1
        }
        Some(word) if word.starts_with(is_word) => {
            let mut path = before.to_vec();
            path.extend((word != "self").then(|| word.to_owned()));
            let goes_on = tokens.get(at + 2).is_some_and(|next| *next != "<");
            match tokens.get(at + 1).copied() {
                Some("::") if goes_on => tree(tokens, at + 2, &path, found),
                Some("as") => {
                    found.push(path);
                    at + 3
                }
                _ => {
                    found.push(path);
                    at + 1
                }
            }
        }
        _ => {
            found.push(before.to_vec());
            at + 1
        }
    }
}

/// The files that each file imports from.
fn imports(sources: &[Source]) -> BTreeMap<&str, BTreeSet<String>> {
    let files: BTreeSet<_> = sources.iter().map(|source| source.path.as_str()).collect();
    let of = |source: &Source| {
        let folder: Vec<_> = source.path.split('/').map(str::to_owned).collect();
        let (_, folder) = folder.split_last().expect("a name");
        let siblings = paths(source, "super").into_iter().map(|path| [folder, &path].concat());
        ["crate", "reunite"]
            .iter()
            .flat_map(|root| paths(source, root))
            .chain(siblings)
            .map(|path| file_of(&path, &files))
            .filter(|file| *file != source.path)
            .collect()
    };
    sources.iter().map(|source| (source.path.as_str(), of(source))).collect()
}

/// The file in which the item of this path stands.
fn file_of(path: &[String], files: &BTreeSet<&str>) -> String {
    let names = (1..=path.len()).rev().map(|count| path[..count].join("/"));
    let mut candidates = names.flat_map(|name| [format!("{name}.rs"), format!("{name}/mod.rs")]);
    candidates.find(|file| files.contains(file.as_str())).unwrap_or_else(|| "lib.rs".to_owned())
}

// --- the checks ---

/// Imports that go up, and files that stand in no layer.
fn upward(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let imports = imports(sources);
    for source in sources {
        let Some(own) = source.layer() else {
            wrong.push(format!("{} stands in no layer", source.path));
            continue;
        };
        let targets = imports[source.path.as_str()].iter();
        let up = targets.filter(|target| layer(target).is_none_or(|layer| layer > own));
        wrong.extend(up.map(|target| format!("{} imports from {target}", source.path)));
    }
    wrong
}

/// Circles of imports: each is found once, from its first file.
fn circles(sources: &[Source]) -> Vec<String> {
    let imports = imports(sources);
    let mut wrong = Vec::new();
    for start in imports.keys() {
        // From each file reached, the one from which it was reached.
        let (mut from, mut queue) = (BTreeMap::new(), vec![(*start).to_owned()]);
        while let Some(file) = queue.pop() {
            for next in imports.get(file.as_str()).into_iter().flatten() {
                if next.as_str() >= *start && !from.contains_key(next) {
                    from.insert(next.clone(), file.clone());
                    queue.push(next.clone());
                }
            }
        }
        let mut circle = (*start).to_owned();
        let mut at = from.get(*start);
        while let Some(file) = at {
            let _ = write!(circle, " <- {file}");
            at = from.get(file).filter(|_| file != start);
        }
        if from.contains_key(*start) {
            wrong.push(circle);
        }
    }
    wrong
}

/// Places in the pure layer that are not pure.
fn impurities(sources: &[Source]) -> Vec<String> {
    let pure = sources.iter().filter(|source| source.path.starts_with(PURE));
    pure.flat_map(|source| {
        let named = IMPURE.iter().map(move |words| (*words, places(source, words)));
        // `use std::{fs, thread}` names them without `::` behind.
        let whole = paths(source, "std").into_iter().filter(|path| {
            matches!(path.first().map(String::as_str), Some("fs" | "thread" | "process" | "os"))
        });
        named
            .flat_map(|(words, at)| at.into_iter().map(move |at| format!("{at} has {words}")))
            .chain(whole.map(move |path| format!("{} has std::{}", source.path, path.join("::"))))
            .collect::<Vec<_>>()
    })
    .collect()
}

/// Files and functions that are too long.
fn too_long(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let lines = source.code.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{} has {lines} lines before its tests", source.path));
        }
        for (name, at, lines) in functions(source) {
            if lines > FUNCTION_LINES {
                wrong.push(format!("{}: {name} has {lines} lines", source.line(at)));
            }
        }
    }
    wrong
}

/// Every function with a body: its name, where it begins, and how many lines it has.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let found = source.tokens();
    let named = found.windows(2).filter(|pair| pair[0].1 == "fn" && pair[1].1.starts_with(is_word));
    let bodies = named.filter_map(|pair| {
        let (start, name) = (pair[0].0, pair[1].1);
        let open = start + source.code[start..].find(['{', ';'])?;
        let end = open + block(&source.code[open..]);
        let lines = source.code[start..end].matches('\n').count() + 1;
        source.code[open..].starts_with('{').then_some((name, start, lines))
    });
    bodies.collect()
}

/// Places that panic outside of tests.
fn panics(sources: &[Source]) -> Vec<String> {
    let all = sources.iter().flat_map(|source| {
        PANICS.iter().flat_map(move |words| {
            places(source, words).into_iter().map(move |at| format!("{at} has {words}"))
        })
    });
    all.collect()
}

/// Files in which something stands behind the tests, where no check looks.
fn behind_tests(sources: &[Source]) -> Vec<String> {
    let hidden = sources.iter().filter(|source| !source.behind_tests.is_empty());
    hidden.map(|source| format!("{} goes on behind its tests", source.path)).collect()
}

// --- on src/ ---

fn holds(check: fn(&[Source]) -> Vec<String>) {
    let wrong = check(&sources());
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn imports_go_down_the_layers() {
    holds(upward);
}

#[test]
fn the_imports_of_a_real_file_are_seen() {
    let sources = sources();
    let seen = imports(&sources);
    for file in ["base/error.rs", "model/gate.rs", "net/context.rs", "net/door.rs"] {
        assert!(seen["net/knock.rs"].contains(file), "{file} is not in {:?}", seen["net/knock.rs"]);
    }
    assert!(seen["shell/people.rs"].contains("shell/words.rs"));
}

#[test]
fn no_imports_go_in_a_circle() {
    holds(circles);
}

#[test]
fn the_model_has_no_socket_file_thread_lock_or_clock() {
    holds(impurities);
}

#[test]
fn files_and_functions_are_short_enough_to_be_read() {
    holds(too_long);
}

#[test]
fn nothing_panics_outside_of_tests() {
    holds(panics);
}

#[test]
fn tests_stand_last_in_their_file() {
    holds(behind_tests);
}

// --- on made-up sources ---

fn made_up(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::new(path, text)).collect()
}

/// What a check finds in one made-up file, beside others that are there to be imported from.
fn found(check: fn(&[Source]) -> Vec<String>, path: &str, text: &str) -> usize {
    let others = ["lib.rs", "base/error.rs", "model/row.rs", "net/mod.rs", "net/door.rs"];
    let mut files: Vec<_> = others.map(|other| (other, "")).into();
    files.retain(|(other, _)| *other != path);
    files.push((path, text));
    check(&made_up(&files)).len()
}

#[test]
fn the_check_of_layers_can_fail() {
    for up in [
        "use crate::net::classic::door::open;",
        "use crate::{base::error::Error, net::door};",
        "use crate::net::{self, door::{open, close as shut}};",
        "fn f() { crate::net::classic::door::open(); }",
        "use super::net::door;",
        "use reunite::net::*;",
        "use crate::Everything;",
    ] {
        assert!(found(upward, "model/row.rs", up) >= 1, "{up}");
    }
    for down in [
        "use crate::base::error::{Error, Result};",
        "// use crate::net::classic::door;",
        "const HINT: &str = \"crate::net::door\";",
        "#[cfg(test)]\nmod tests {\n use crate::net::classic::door;\n}\n",
        "use other::crate_::net;",
    ] {
        assert_eq!(found(upward, "model/row.rs", down), 0, "{down}");
    }
    assert_eq!(found(upward, "net/door.rs", "use crate::model::row::Row;\nuse super::mod_;"), 0);
    assert_eq!(found(upward, "attic/old.rs", ""), 1, "a folder that is no layer");
}

#[test]
fn the_check_of_circles_can_fail() {
    let a = ("net/a.rs", "use crate::net::b::B;");
    let b = ("net/b.rs", "use super::c;");
    let c = ("net/c.rs", "fn f(a: crate::net::a::A) {}");
    assert_eq!(circles(&made_up(&[a, b, c])), ["net/a.rs <- net/c.rs <- net/b.rs <- net/a.rs"]);
    assert!(circles(&made_up(&[a, b, ("net/c.rs", "")])).is_empty());
    assert!(circles(&made_up(&[("net/a.rs", "use crate::net::a::A;")])).is_empty(), "itself");
}

#[test]
fn the_check_of_purity_can_fail() {
    for impure in [
        "use std::net::TcpStream;",
        "use std::net::{IpAddr, UdpSocket};",
        "fn f(l: std::net::TcpListener) {}",
        "use std::fs;",
        "use std::{fmt, thread};",
        "fn f() { std::fs::read(path); }",
        "use std::sync::{Arc, Mutex};",
        "struct S(RwLock<u8>, u8);",
        "use std::sync::Condvar;",
        "let now = Instant::now();",
        "let now = std::time::SystemTime :: now();",
        "File::open(path)",
        "let id = new(&mut rand::rng());",
    ] {
        assert!(found(impurities, "model/new.rs", impure) >= 1, "{impure}");
        assert_eq!(found(impurities, "net/new.rs", impure), 0, "{impure} is for other layers");
    }
    for pure in [
        "use std::net::{IpAddr, SocketAddr};",
        "use std::time::{Duration, Instant};\nfn f(now: Instant) {}",
        "//! No Mutex, no std::fs.\nfn f() -> &'static str { \"Instant::now\" }",
        "#[cfg(test)]\nmod tests {\n fn now() { Instant::now(); }\n}",
        "fn profile() { let r#type = b'\\''; /* File:: */ }",
    ] {
        assert_eq!(found(impurities, "model/new.rs", pure), 0, "{pure}");
    }
}

#[test]
fn the_check_of_lengths_can_fail() {
    let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    f();\n".repeat(lines - 2));
    let file = |lines: usize| "// a line\n".repeat(lines);
    let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &file(FILE_LINES) + "}\n";
    assert_eq!(found(too_long, "net/new.rs", &function(FUNCTION_LINES)), 0);
    assert_eq!(found(too_long, "net/new.rs", &function(FUNCTION_LINES + 1)), 1);
    assert_eq!(found(too_long, "net/new.rs", &file(FILE_LINES)), 0);
    assert_eq!(found(too_long, "net/new.rs", &file(FILE_LINES + 1)), 1);
    assert_eq!(found(too_long, "net/new.rs", &(file(FILE_LINES) + &tests)), 0);
    let braces = "fn f() {\n let a = '{'; let b = \"{{\"; // {\n}\n".to_owned();
    assert_eq!(found(too_long, "net/new.rs", &(braces + &file(FUNCTION_LINES))), 0);
    let declared = "trait T {\n fn f();\n}\n".to_owned();
    assert_eq!(found(too_long, "net/new.rs", &(declared + &file(FUNCTION_LINES))), 0);
}

#[test]
fn the_check_of_panics_can_fail() {
    for panic in
        ["a.unwrap();", "a\n    .unwrap();", "panic!(\"x\")", "todo!()", "unimplemented!()"]
    {
        assert_eq!(found(panics, "net/new.rs", panic), 1, "{panic}");
    }
    for calm in [
        "a.unwrap_or_default();",
        "// a.unwrap()",
        "\"panic!\"; r#\"todo! \" \"#;",
        "std::panic::catch_unwind(f);",
        "#[cfg(test)]\nmod tests {\n fn f() { a.unwrap() }\n}",
    ] {
        assert_eq!(found(panics, "net/new.rs", calm), 0, "{calm}");
    }
}

#[test]
fn the_check_of_what_stands_behind_the_tests_can_fail() {
    let tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() { \"}\"; }\n}\n";
    assert_eq!(found(behind_tests, "net/new.rs", tests), 0);
    assert_eq!(found(behind_tests, "net/new.rs", &format!("{tests}fn hidden() {{}}\n")), 1);
}
