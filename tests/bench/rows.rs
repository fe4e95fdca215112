//! Parse, merge and write of many rows through the library, against the least that can be done with the
//! same bytes: reading the lines, sorting them without doubles, and writing them. What is measured is
//! processor time, but for the comparison with another process.

use crate::people;
use crate::support::Folder;
use crate::table::{Line, Runs, timed, worked};
use reunite::model::reader::{Item, Origin, Reader};
use reunite::model::records::{Loaded, Records};
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::model::writer::write_all;
use reunite::store::files::read_pieces;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub fn measure() -> Vec<Line> {
    let mut lines = measure_rows(100_000, 9, Some(75.0));
    lines.extend(measure_rows(1_000_000, 3, None));
    lines
}

/// How long each of three steps took: parse, merge, write.
type Steps = [Duration; 3];

fn measure_rows(count: usize, runs: usize, goal: Option<f64>) -> Vec<Line> {
    let folder = Folder::new("bench-rows");
    let [from, to] = ["from.txt", "to.txt"].map(|name| folder.path().join(name));
    fs::write(&from, people::file(count)).expect("written");
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let (mut lasted, mut sorted) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (time, steps) = timed(|| through_the_library(&from, &to, count));
        lasted.push(time);
        ours.push(steps);
        plain.push(plainly(&from, &to, count));
        sorted.push(sort_process(&from, &to));
    }
    let of = |steps: &[Steps], chosen: &[usize]| {
        let sum = |steps: &Steps| chosen.iter().map(|step| steps[*step]).sum();
        Runs::processor(&steps.iter().map(sum).collect::<Vec<Duration>>())
    };
    let line = |what: &str, against: &str, chosen: &[usize]| {
        Line::new(format!("{what} {count} rows"), of(&ours, chosen))
            .against(against, &of(&plain, chosen))
    };
    let parse_and_merge = line("parse + merge", "read + sort-unique", &[0, 1]);
    let all = [0, 1, 2];
    vec![
        line("parse", "reading the lines", &[0]),
        line("merge", "sort-unique of the lines", &[1]),
        line("write", "writing the lines", &[2]),
        goal.into_iter().fold(parse_and_merge, Line::goal),
        line("parse + merge + write", "read + sort-unique + write", &all),
        Line::new(format!("all of it, by the clock, {count} rows"), Runs::times(&lasted))
            .against("`sort -u` of the file", &Runs::times(&sorted)),
    ]
}

fn through_the_library(from: &Path, to: &Path, count: usize) -> Steps {
    let (parse, rows) = worked(|| {
        let (mut reader, mut rows) = (Reader::new(Origin::Own), Vec::<Row>::new());
        let mut take = |item| match item {
            Item::Row(Section::People, row) => rows.push(row),
            other => unreachable!("{other:?} is no person"),
        };
        read_pieces(from, u64::MAX, |piece| reader.feed(piece, &mut take)).expect("read");
        reader.finish(true, &mut take);
        rows
    });
    let (merge, records) = worked(|| {
        let mut records = Records::default();
        let new = rows
            .into_iter()
            .map(|row| records.load(Item::Row(Section::People, row)))
            .filter(|loaded| *loaded == Loaded::New)
            .count();
        assert_eq!(new, count);
        records
    });
    let (write, ()) = worked(|| {
        let snapshot = records.snapshot();
        let mut out = BufWriter::new(File::create(to).expect("made"));
        write_all(&snapshot, &mut out).and_then(|_| out.flush()).expect("written");
    });
    assert_eq!(fs::metadata(to).expect("there").len(), fs::metadata(from).expect("there").len());
    [parse, merge, write]
}

fn plainly(from: &Path, to: &Path, count: usize) -> Steps {
    let (read, text) = worked(|| fs::read_to_string(from).expect("read"));
    let (split, mut lines) = worked(|| text.lines().skip(3).collect::<Vec<_>>());
    let (sort, ()) = worked(|| {
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), count);
    });
    let (write, ()) = worked(|| {
        let mut out = BufWriter::new(File::create(to).expect("made"));
        let line = |line: &&str| writeln!(out, "{line}");
        lines.iter().try_for_each(line).and_then(|()| out.flush()).expect("written");
    });
    [read + split, sort, write]
}

fn sort_process(from: &Path, to: &Path) -> Duration {
    let mut sort = Command::new("sort");
    sort.arg("-u").arg(from).arg("-o").arg(to).env("LC_ALL", "C");
    timed(|| assert!(sort.status().expect("sort is there").success())).0
}
