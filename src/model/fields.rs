//! One row as a line of text: fields between commas, quoted as in RFC 4180 where they must be.
//!
//! Reading is lenient: spaces around a field do not count, and a quote that is not well-formed is an
//! ordinary character, so that no typing mistake swallows its neighbours.

use crate::model::limits::MAX_FIELD_BREAKS;
use std::borrow::Cow;

/// What the quotes of a line, or of several lines taken together, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// Every quoted field that was begun is closed, and line breaks stand only inside of them.
    Closed,
    /// The last field is quoted and its closing quote has not come yet.
    Open,
    /// A line break stands outside of quotes: these lines are not one row.
    Broken,
}

/// Splits `line` into its fields, without the quotes and the spaces around them.
pub fn split(line: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?.trim_start_matches(is_space);
        if let Some((field, after)) = quoted(text) {
            rest = after;
            return Some(field);
        }
        let (field, after) = match text.split_once(',') {
            Some((field, after)) => (field, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(Cow::Borrowed(field.trim()))
    })
}

/// Whether `line` is complete, or ends inside a quoted field that a following line might close.
pub fn quotes(line: &str) -> Quotes {
    if !line.contains('"') {
        return Quotes::Closed;
    }
    let mut rest = Some(line);
    while let Some(text) = rest {
        let text = text.trim_start_matches(is_space);
        match scan_quoted(text) {
            Scan::Closed { after, .. } => rest = after,
            Scan::Open => return Quotes::Open,
            Scan::None => {
                let (field, after) = text
                    .split_once(',')
                    .map_or((text, None), |(field, after)| (field, Some(after)));
                if field.contains('\n') {
                    return Quotes::Broken;
                }
                rest = after;
            }
        }
    }
    Quotes::Closed
}

/// Joins fields into the one canonical line for them.
pub fn join<S: AsRef<str>>(fields: &[S]) -> String {
    let mut line = String::with_capacity(96);
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            line.push_str(", ");
        }
        push(&mut line, field.as_ref());
    }
    line.truncate(line.trim_end().len());
    line
}

/// How many fields `line` has if it is what `join` writes for them; without taking it apart.
pub fn canonical(line: &str) -> Option<usize> {
    let mut rest = line;
    for count in 1.. {
        let behind = canonical_field(rest)?;
        let Some(after) = behind.strip_prefix(',') else {
            return behind.is_empty().then_some(count);
        };
        if after.is_empty() {
            return Some(count + 1);
        }
        // A space at the end of the line would have been cut off.
        rest = after.strip_prefix(' ').filter(|rest| !rest.is_empty())?;
    }
    None
}

/// What stands behind the canonical field with which `text` begins.
fn canonical_field(text: &str) -> Option<&str> {
    if !text.starts_with('"') {
        let end = text.find(',').unwrap_or(text.len());
        let (field, behind) = text.split_at_checked(end)?;
        let plain = !field.bytes().any(|byte| matches!(byte, b'"' | b'\n' | b'\r'))
            && field.trim().len() == field.len();
        return plain.then_some(behind);
    }
    let Scan::Closed { inner, escaped, .. } = scan_quoted(text) else { return None };
    let behind = text.get(inner.len() + 2..)?;
    let needed = escaped || inner.bytes().any(|byte| matches!(byte, b',' | b'\n'));
    let closed = behind.is_empty() || behind.starts_with(',');
    (needed && closed && inner.trim().len() == inner.len() && breaks_rightly(inner))
        .then_some(behind)
}

/// Whether the line breaks in a quoted field are few, and no line is empty.
fn breaks_rightly(inner: &str) -> bool {
    let mut lines = inner.split('\n');
    let few = lines.clone().nth(MAX_FIELD_BREAKS + 1).is_none();
    few && !inner.contains('\r')
        && (!inner.contains('\n') || lines.all(|line| !line.trim().is_empty()))
}

fn push(line: &mut String, field: &str) {
    let field = field.trim();
    if !field.contains(['"', ',', '\n', '\r']) {
        return line.push_str(field);
    }
    line.push('"');
    let (mut after_break, mut breaks) = (false, 0);
    for letter in field.chars() {
        match letter {
            // An empty line ends a quoted field, so none is written into one.
            '\n' | '\r' if after_break => continue,
            '\n' | '\r' if breaks >= MAX_FIELD_BREAKS => line.push(' '),
            '\n' | '\r' => {
                breaks += 1;
                line.push('\n');
            }
            '"' => line.push_str("\"\""),
            other => line.push(other),
        }
        after_break = matches!(letter, '\n' | '\r') || (after_break && letter.is_whitespace());
    }
    line.push('"');
}

enum Scan<'a> {
    None,
    Open,
    Closed { inner: &'a str, escaped: bool, after: Option<&'a str> },
}

/// Looks for a well-formed quoted field at the start of `text`.
fn scan_quoted(text: &str) -> Scan<'_> {
    let Some(body) = text.strip_prefix('"') else { return Scan::None };
    let (mut from, mut escaped) = (0, false);
    loop {
        let Some(found) = body.get(from..).and_then(|rest| rest.find('"')) else {
            return Scan::Open;
        };
        let (inner, behind) = body.split_at(from + found);
        let behind = behind.strip_prefix('"').unwrap_or_default();
        if behind.starts_with('"') {
            (from, escaped) = (from + found + 2, true);
            continue;
        }
        let behind = behind.trim_start_matches(is_space);
        return match behind.strip_prefix(',') {
            Some(after) => Scan::Closed { inner, escaped, after: Some(after) },
            None if behind.is_empty() => Scan::Closed { inner, escaped, after: None },
            None => Scan::None,
        };
    }
}

fn quoted(text: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    match scan_quoted(text) {
        Scan::Closed { inner, escaped: false, after } => Some((Cow::Borrowed(inner.trim()), after)),
        Scan::Closed { inner, escaped: true, after } => {
            Some((Cow::Owned(inner.replace("\"\"", "\"").trim().to_owned()), after))
        }
        Scan::None | Scan::Open => None,
    }
}

fn is_space(letter: char) -> bool {
    letter.is_whitespace() && letter != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(line: &str) -> Vec<String> {
        split(line).map(Cow::into_owned).collect()
    }

    #[test]
    fn spaces_around_fields_do_not_count() {
        assert_eq!(
            fields("jay , brown hair tall ,\t01/01/22 , , 5"),
            ["jay", "brown hair tall", "01/01/22", "", "5"]
        );
    }

    #[test]
    fn quoted_fields_hold_commas_quotes_and_line_breaks() {
        assert_eq!(
            fields(r#""thin, tall", "she said ""no""" ,x"#),
            ["thin, tall", r#"she said "no""#, "x"]
        );
        assert_eq!(fields("\"a\nb\", c"), ["a\nb", "c"]);
    }

    #[test]
    fn a_quote_out_of_place_is_an_ordinary_character() {
        assert_eq!(fields(r#"5" tall, "Jo" Smith, x"#), [r#"5" tall"#, r#""Jo" Smith"#, "x"]);
        assert_eq!(fields(r#""never closed, x"#), [r#""never closed"#, "x"]);
        assert_eq!(quotes(r#"5" tall, "Jo" Smith, x"#), Quotes::Closed);
        assert_eq!(quotes(r#"a, "never closed, x"#), Quotes::Open);
    }

    #[test]
    fn joining_writes_the_canonical_line() {
        assert_eq!(join(&["a ", " b, c", "", "", ""]), "a, \"b, c\", , ,");
        assert_eq!(join(&["say \"x\"", "1"]), "\"say \"\"x\"\"\", 1");
        assert_eq!(join(&["a\r\n\n\nb"]), "\"a\nb\"");
    }

    #[test]
    fn a_canonical_line_is_known_without_taking_it_apart() {
        for (line, count) in [
            ("", 1),
            (",", 2),
            ("a, , , ,", 5),
            (", , x", 3),
            ("\"a, b\", \"say \"\"x\"\"\"", 2),
            ("\"a\nb\nc\nd\"", 1),
        ] {
            assert_eq!(canonical(line), Some(count), "{line:?}");
        }
        for line in [
            " a",
            "a ",
            "a,b",
            "a , b",
            "a,  b",
            "a, ",
            "\"a\"",
            "\"a, b\" , c",
            "\" a,\"",
            "\"a, b",
            "a \"b\"",
            "a\nb",
            "a\rb",
            "\"a\rb\"",
            "\"a\n\nb\"",
            "\"a\n \u{3000}\nb\"",
            "\"a\nb\nc\nd\ne\"",
            "\"a,\"b",
        ] {
            assert_eq!(canonical(line), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_canonical_if_joining_its_fields_gives_it(
            line in "([ab,\" \n\r\u{3000}\u{b}]|, |, \"|\", |\"\"){0,14}",
        ) {
            let found = fields(&line);
            let wanted = (join(&found) == line).then_some(found.len());
            prop_assert_eq!(canonical(&line), wanted);
            let line = join(&found);
            prop_assert_eq!(canonical(&line), Some(fields(&line).len()));
        }

        #[test]
        fn what_is_joined_splits_into_the_same_fields(
            fields_in in prop::collection::vec("[a-c \",\n\u{1000}]{0,8}", 1..6)
        ) {
            let line = join(&fields_in);
            let again: Vec<_> = fields(&line);
            prop_assert_eq!(again.len(), fields_in.len());
            prop_assert_eq!(join(&again), line.clone());
            prop_assert_eq!(quotes(&line), Quotes::Closed);
        }

        #[test]
        fn any_line_splits_and_its_canonical_form_is_stable(line in "\\PC{0,80}") {
            let canonical = join(&fields(&line));
            prop_assert_eq!(join(&fields(&canonical)), canonical);
        }
    }
}
