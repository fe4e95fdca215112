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

/// Shows `rows` under `columns`; `mark` gives what stands before a row. Returns false if the person has
/// seen enough.
pub fn show(
    screen: &Screen,
    input: &mut Input,
    columns: &[&str],
    rows: &[Row],
    mark: impl Fn(&Row) -> String,
) -> bool {
    if !screen.is_interactive() {
        let table = Table::new(columns, rows, None);
        screen.say(table.header(columns));
        for chunk in rows.chunks(CHUNK) {
            screen.say(lines(&table, chunk, &mark));
        }
        return true;
    }
    let (width, height) = terminal::size();
    let pages: Vec<_> = rows.chunks(height.saturating_sub(MARGIN).max(5)).collect();
    let mut at = 0;
    while let Some(page) = pages.get(at) {
        let table = Table::new(columns, page, Some(width));
        screen.say(table.header(columns));
        screen.say(lines(&table, page, &mark));
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

fn lines(table: &Table, rows: &[Row], mark: &impl Fn(&Row) -> String) -> String {
    let lines: Vec<_> = rows.iter().map(|row| table.row(&mark(row), row)).collect();
    lines.join("\n")
}
