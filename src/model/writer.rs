//! Writes the canonical form of a database file: what `reader` reads as the same rows again.

use crate::model::reader::Kept;
use crate::model::row::Row;
use crate::model::section::{PUBLIC, Section, is_unknown_title};
use std::io::{self, Write};

/// All that a database file holds, ready to be written without a lock being held.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Rows of each section of `Section::ALL`.
    pub rows: [Vec<Row>; 4],
    /// What was not understood, in the order of the file.
    pub kept: Vec<Kept>,
}

/// Where the content of a database file comes from.
pub trait Source {
    /// Hands on the rows of a section, in their order.
    fn rows(
        &self,
        section: Section,
        take: &mut dyn FnMut(&Row) -> io::Result<()>,
    ) -> io::Result<()>;
    /// What was not understood, in the order of the file.
    fn kept(&self) -> &[Kept];
}

impl Source for Snapshot {
    fn rows(
        &self,
        section: Section,
        take: &mut dyn FnMut(&Row) -> io::Result<()>,
    ) -> io::Result<()> {
        let at = Section::ALL.iter().position(|one| *one == section);
        let rows = at.and_then(|at| self.rows.get(at)).map(Vec::as_slice).unwrap_or_default();
        rows.iter().try_for_each(take)
    }

    fn kept(&self) -> &[Kept] {
        &self.kept
    }
}

/// Writes the whole file. `People` is always there, the other sections when they hold something. Returns
/// the line on which each of the kept ones begins, in the order of the source.
pub fn write_all(source: &impl Source, out: &mut (impl Write + ?Sized)) -> io::Result<Vec<u64>> {
    let mut out = Counting { out, lines: 0 };
    let mut kept_at = vec![0; source.kept().len()];
    let mut first = true;
    for section in Section::ALL {
        let mut begun = false;
        let mut begin = |out: &mut Counting<'_, _>| {
            if std::mem::replace(&mut begun, true) {
                return Ok(());
            }
            if !std::mem::take(&mut first) {
                out.write_all(b"\n")?;
            }
            write_header(section.title(), section.columns(), out)
        };
        if section == Section::People || kept_in(source, Some(section)).next().is_some() {
            begin(&mut out)?;
        }
        source.rows(section, &mut |row| {
            begin(&mut out)?;
            write_row(row, &mut out)
        })?;
        // Those of several lines first: behind columns in an unknown order each line would stand alone.
        let is_long = |(_, kept): &(usize, &Kept)| kept.bytes.contains(&b'\n');
        let long = kept_in(source, Some(section)).filter(is_long);
        let short = kept_in(source, Some(section)).filter(|one| !is_long(one));
        for (at, kept) in long.chain(short) {
            write_kept(kept, at, &mut kept_at, &mut out)?;
        }
    }
    for (at, kept) in kept_in(source, None) {
        // A title of an unknown section is known as one by the empty line before it.
        if std::str::from_utf8(&kept.bytes).is_ok_and(is_unknown_title) {
            out.write_all(b"\n")?;
        }
        write_kept(kept, at, &mut kept_at, &mut out)?;
    }
    Ok(kept_at)
}

fn kept_in(source: &impl Source, section: Option<Section>) -> impl Iterator<Item = (usize, &Kept)> {
    source.kept().iter().enumerate().filter(move |(_, kept)| kept.section == section)
}

/// Counts the lines that pass.
struct Counting<'a, W: Write + ?Sized> {
    out: &'a mut W,
    lines: u64,
}

impl<W: Write + ?Sized> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        let written = bytes.iter().take(count);
        self.lines += written.filter(|byte| **byte == b'\n').count() as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes what travels in the classic dialect: people and nothing else.
pub fn write_people(rows: &[Row], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    write_header(Section::People.title(), Section::People.columns(), out)?;
    write_rows(rows, out)
}

/// Writes a tier-2 copy; `rows` are public rows.
pub fn write_public(rows: &[Row], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    write_header(Section::People.title(), &PUBLIC, out)?;
    write_rows(rows, out)
}

/// Writes what tier 2 may see; both are public rows. Camps are there when they hold something.
pub fn write_view(
    people: &[Row],
    camps: &[Row],
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    write_public(people, out)?;
    if camps.is_empty() {
        return Ok(());
    }
    out.write_all(b"\n")?;
    write_header(Section::Camps.title(), Section::Camps.columns(), out)?;
    write_rows(camps, out)
}

fn write_header(title: &str, columns: &[&str], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    writeln!(out, "{title}:\n{}\n", columns.join(", "))
}

fn write_rows(rows: &[Row], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    rows.iter().try_for_each(|row| write_row(row, out))
}

fn write_row(row: &Row, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    out.write_all(row.line().as_bytes())?;
    out.write_all(b"\n")
}

fn write_kept<W: Write + ?Sized>(
    kept: &Kept,
    at: usize,
    kept_at: &mut [u64],
    out: &mut Counting<'_, W>,
) -> io::Result<()> {
    // No field with an open quote runs over an empty line: it keeps this line from swallowing the next,
    // or from being swallowed.
    if kept.bytes.contains(&b'"') {
        out.write_all(b"\n")?;
    }
    if let Some(line) = kept_at.get_mut(at) {
        *line = out.lines + 1;
    }
    out.write_all(&kept.bytes)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reader::{Item, Origin, Reader};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Snapshot {
        let (mut reader, mut snapshot) = (Reader::new(Origin::Own), Snapshot::default());
        let mut take = |item| match item {
            Item::Row(section, row) => {
                let at = Section::ALL.iter().position(|one| *one == section).expect("one of all");
                snapshot.rows[at].push(row);
            }
            Item::Kept(kept) => snapshot.kept.push(kept),
        };
        reader.feed(bytes, &mut take);
        reader.finish(true, &mut take);
        snapshot
    }

    fn written(snapshot: &Snapshot) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_all(snapshot, &mut bytes).expect("memory takes all");
        bytes
    }

    /// What a snapshot says, whatever line it says it on.
    fn content(snapshot: &Snapshot) -> (Vec<Vec<Row>>, Vec<Vec<u8>>) {
        let mut kept: Vec<_> = snapshot.kept.iter().map(|kept| kept.bytes.clone()).collect();
        kept.sort();
        (snapshot.rows.to_vec(), kept)
    }

    #[test]
    fn an_empty_database_is_a_title_and_a_header() {
        let text = written(&Snapshot::default());
        assert_eq!(text, b"People:\nName, Appearance, Last Seen, Status, Id\n\n");
    }

    #[test]
    fn columns_in_an_unknown_order_break_no_lines_apart_that_are_kept_behind_them() {
        for text in [
            "Name, Status\nPeople:\n\"Name, Status\n\"",
            "Id, Name\nPeople:\na, \"b\nc\", d, x, no Id\n",
        ] {
            let once = read(text.as_bytes());
            assert_eq!(content(&read(&written(&once))), content(&once));
        }
    }

    #[test]
    fn what_is_not_understood_survives_a_rewrite_byte_for_byte() {
        let text = b"People:\nAna, tall, 4/4/23, missing, call me\n\xff\xfe, x\nBo, , , ,\n\nNew:\na, \"b\n";
        let once = read(text);
        assert_eq!(once.kept.len(), 4);
        let again = read(&written(&once));
        assert_eq!(content(&again), content(&once));
        assert_eq!(written(&again), written(&read(&written(&again))));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_a_round_trip(
            text in "([a-b\", \n:0-9\u{1000}]|People:\n|Camps:\n|\n\nX:\n|Name, Status\n|Id, Name\n|, missing, x\n){0,60}"
        ) {
            let once = read(text.as_bytes());
            let again = read(&written(&once));
            prop_assert_eq!(content(&again), content(&once));
        }
    }
}
