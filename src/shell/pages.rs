//! Shows many rows: page by page on a terminal, whole where there is none.

use crate::model::row::Row;
use crate::shell::input::Input;
use crate::shell::screen::Screen;
use crate::shell::table::Table;
use crate::shell::terminal;
use crate::shell::words;

/// Lines of the screen that a page leaves free: header, prompt, and the line above.
const MARGIN: usize = 4;
/// Rows given to the screen at once where there are no pages.
const CHUNK: usize = 256;

/// Shows `rows` under `columns`; `mark` gives what stands before the row at a place. Returns false if the person has
/// seen enough.
pub fn show(
    screen: &Screen,
    input: &mut Input,
    columns: &[&str],
    rows: &[Row],
    mark: impl Fn(usize) -> &'static str,
) -> bool {
    if !screen.is_interactive() {
        let table = Table::new(columns, rows, None);
        screen.say(table.header(columns));
        for (at, chunk) in rows.chunks(CHUNK).enumerate() {
            screen.say(lines(&table, chunk, |row| mark(at * CHUNK + row)));
        }
        return true;
    }
    let (width, height) = terminal::size();
    let size = height.saturating_sub(MARGIN).max(5);
    let pages: Vec<_> = rows.chunks(size).collect();
    let mut at = 0;
    while let Some(page) = pages.get(at) {
        let table = Table::new(columns, page, Some(width));
        screen.say(table.header(columns));
        screen.say(lines(&table, page, |row| mark(at * size + row)));
        if pages.len() == 1 {
            break;
        }
        match input.line(&words::page_prompt(at + 1, pages.len())).as_deref() {
            Ok("" | "n") => at += 1,
            Ok("p" | "b") => at = at.saturating_sub(1),
            Ok(answer) => match answer.parse::<usize>() {
                Ok(number) if (1..=pages.len()).contains(&number) => at = number - 1,
                _ => return false,
            },
            Err(_) => return false,
        }
    }
    true
}

fn lines(table: &Table, rows: &[Row], mark: impl Fn(usize) -> &'static str) -> String {
    let lines = rows.iter().enumerate().map(|(at, row)| table.row(mark(at), row));
    let lines: Vec<_> = lines.collect();
    lines.join("\n")
}
