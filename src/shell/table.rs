//! Rows as aligned columns.

use crate::model::row::Row;
use crate::model::shown::shown;
use crate::shell::display::width;
use std::borrow::Cow;

/// A table with its columns' widths fixed.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
    cuts: bool,
}

/// Columns of the margin and between two fields.
const GAP: usize = 2;
/// Where nothing is cut, a column is padded no further than this.
const MOST_PADDING: usize = 200;
/// A column is not made narrower than this, unless it is by nature.
const NARROWEST: usize = 10;

impl Table {
    /// A table for `rows` under `columns`. If it would be wider than `room`, its widest columns are cut.
    pub fn new(columns: &[&str], rows: &[Row], room: Option<usize>) -> Self {
        let mut widths: Vec<_> = columns.iter().map(|column| width(column)).collect();
        for row in rows {
            for (widest, field) in widths.iter_mut().zip(row.fields()) {
                *widest = (*widest).max(width(&shown(&field)));
            }
        }
        if room.is_none() {
            // Nothing is cut, but one runaway field does not pad all other rows.
            widths.iter_mut().for_each(|width| *width = (*width).min(MOST_PADDING));
            return Self { widths, cuts: false };
        }
        let room = room.unwrap_or(usize::MAX).saturating_sub(GAP * widths.len());
        while widths.iter().sum::<usize>() > room {
            // The widest gives way, but never the Id: it must be copied whole.
            let may_shrink =
                widths.iter_mut().zip(columns).filter(|(_, name)| !name.ends_with("Id"));
            match may_shrink.map(|(width, _)| width).rev().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        Self { widths, cuts: true }
    }

    /// The line of column names.
    pub fn header(&self, columns: &[&str]) -> String {
        self.line("", columns.iter().copied())
    }

    /// The line of a row. `mark` stands before it, in the margin.
    pub fn row(&self, mark: &str, row: &Row) -> String {
        let fields: Vec<_> = row.fields().map(|field| shown(&field).into_owned()).collect();
        self.line(mark, fields.iter().map(String::as_str))
    }

    fn line<'a>(&self, mark: &str, fields: impl Iterator<Item = &'a str>) -> String {
        let mut line = format!("{mark:GAP$}");
        for (at, (field, room)) in fields.zip(&self.widths).enumerate() {
            if at > 0 {
                line.extend(std::iter::repeat_n(' ', GAP));
            }
            let field = if self.cuts { cut(field, *room) } else { Cow::Borrowed(field) };
            line.push_str(&field);
            line.extend(std::iter::repeat_n(' ', room.saturating_sub(width(&field))));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn cut(field: &str, room: usize) -> Cow<'_, str> {
    if width(field) <= room {
        return Cow::Borrowed(field);
    }
    let (mut cut, mut used) = (String::new(), 0);
    for letter in field.chars() {
        used += width(letter.encode_utf8(&mut [0; 4]));
        if used + 1 > room {
            break;
        }
        cut.push(letter);
    }
    cut.push('…');
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_in_every_script() {
        let rows = [Row::new(&["Ana", "1"]), Row::new(&["日本", "22"]), Row::new(&["নূর", "3"])];
        let table = Table::new(&["Name", "N"], &rows, None);
        let lines: Vec<_> = rows.iter().map(|row| table.row("", row)).collect();
        assert_eq!(table.header(&["Name", "N"]), "  Name  N");
        assert_eq!(lines[..2], ["  Ana   1", "  日本  22"]);
        assert_eq!(width(&lines[2]), width(&lines[0]));
    }

    #[test]
    fn the_widest_columns_are_cut_to_the_room_and_controls_are_shown() {
        let row = Row::new(&["abcdefghijklmnopqrstuvwxyz", "\u{1b}x", "1234567890123456789"]);
        let table = Table::new(&["A", "B", "C"], std::slice::from_ref(&row), Some(46));
        let line = table.row("*", &row);
        assert_eq!(line, "* abcdefghijklmnopqr…  ␛x  1234567890123456789");
        let table = Table::new(&["A", "B", "C"], std::slice::from_ref(&row), Some(5));
        assert_eq!(table.row("*", &row), "* abcdefghi…  ␛x  123456789…");
    }
}
