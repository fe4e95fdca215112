//! Rows as aligned columns.

use crate::model::row::Row;
use crate::model::shown::shown;
use crate::shell::display::width;

/// A table with its columns' widths fixed.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
    most: Option<usize>,
}

impl Table {
    /// A table for `rows` under `columns`; a column wider than `most` is cut.
    pub fn new(columns: &[&str], rows: &[Row], most: Option<usize>) -> Self {
        let mut widths: Vec<_> = columns.iter().map(|column| width(column)).collect();
        for row in rows {
            for (widest, field) in widths.iter_mut().zip(row.fields()) {
                *widest = (*widest).max(width(&shown(&field)));
            }
        }
        if let Some(most) = most {
            widths.iter_mut().for_each(|width| *width = (*width).min(most));
        }
        Self { widths, most }
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
        let mut line = format!("{mark:2}");
        for (at, (field, width_here)) in fields.zip(&self.widths).enumerate() {
            if at > 0 {
                line.push_str("  ");
            }
            let field = self.cut(field);
            line.push_str(&field);
            line.extend(std::iter::repeat_n(' ', width_here.saturating_sub(width(&field))));
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn cut(&self, field: &str) -> String {
        let Some(most) = self.most.filter(|most| width(field) > *most) else {
            return field.to_owned();
        };
        let (mut cut, mut used) = (String::new(), 0);
        for letter in field.chars() {
            used += width(letter.encode_utf8(&mut [0; 4]));
            if used + 1 > most {
                break;
            }
            cut.push(letter);
        }
        cut.push('…');
        cut
    }
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
    fn a_wide_field_is_cut_and_controls_are_shown() {
        let row = Row::new(&["abcdefghij", "\u{1b}x"]);
        let table = Table::new(&["A", "B"], std::slice::from_ref(&row), Some(5));
        assert_eq!(table.row("* ", &row), "* abcd…  ␛x");
    }
}
