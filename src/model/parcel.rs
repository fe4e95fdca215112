//! Rows as they travel: packed into pieces, and taken out again only if they are as we would write them.
//!
//! ```text
//! piece = *( section u8  length u16  line )
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::Decoder;
use crate::model::fields;
use crate::model::limits::{MAX_ROW, MAX_ROWS_PIECE};
use crate::model::offer::{tag, tagged};
use crate::model::row::Row;
use crate::model::section::{PUBLIC, Section, is_unknown_title, unpadded};
use crate::model::withheld::{self, is_public};
use std::collections::VecDeque;

/// Rows that are looked at together.
const NEAR: usize = 64;
/// Bytes before a line.
const HEAD_BYTES: usize = 3;

/// Packs rows, in their order, into pieces of about `size` bytes, and no more than `MAX_ROWS_PIECE`. Rows of
/// a section that never leaves its node are left out.
pub fn pieces<'a>(
    rows: impl Iterator<Item = (Section, &'a str)>,
    size: usize,
) -> impl Iterator<Item = Vec<u8>> {
    let size = size.min(MAX_ROWS_PIECE - HEAD_BYTES - MAX_ROW);
    let mut rows = brought_near(rows);
    std::iter::from_fn(move || {
        let mut piece = Vec::new();
        while piece.len() < size {
            let Some((section, line)) = rows.next() else { break };
            let length = u16::try_from(line.len()).ok().filter(|_| line.len() <= MAX_ROW);
            let (Some(tag), Some(length)) = (tag(section), length) else { continue };
            if piece.is_empty() {
                piece.reserve_exact(size + HEAD_BYTES + MAX_ROW);
            }
            let [high, low] = length.to_be_bytes();
            piece.extend_from_slice(&[tag, high, low]);
            piece.extend_from_slice(line.as_bytes());
        }
        (!piece.is_empty()).then_some(piece)
    })
}

/// The same rows, some looked at before they are needed: lines lie all over the memory, and the processor fetches
/// many at a time only if it is told of many at a time. It makes packing half a million rows twice as fast.
fn brought_near<'a>(
    rows: impl Iterator<Item = (Section, &'a str)>,
) -> impl Iterator<Item = (Section, &'a str)> {
    let (mut rows, mut near) = (rows, VecDeque::with_capacity(NEAR));
    std::iter::from_fn(move || {
        if near.is_empty() {
            near.extend(rows.by_ref().take(NEAR));
            let ends = |(_, line): &(Section, &str)| {
                line.as_bytes().first().copied().zip(line.as_bytes().last().copied())
            };
            let sum = near.iter().filter_map(ends).fold(0_u8, |sum, (a, b)| sum ^ a ^ b);
            std::hint::black_box(sum);
        }
        near.pop_front()
    })
}

/// What was in a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Rows that were handed on.
    pub taken: u32,
    /// Rows that were not: they would not be the same again after being written and read.
    pub strange: u32,
    /// Bytes of all their lines, each with a line break.
    pub bytes: u64,
}

/// Takes the rows out of a piece. Handed on is only what, written to our file, is read as the same row. A
/// piece that is no sequence of rows is an error; what was handed on before stands.
pub fn unpack(piece: &[u8], taken: &mut impl FnMut(Section, Row)) -> Result<Unpacked> {
    let mut from = Decoder::new(piece);
    let mut unpacked = Unpacked::default();
    while from.left() > 0 {
        let section = tagged(from.u8()?).ok_or_else(|| Error::peer("sent a row of no section"))?;
        let length = usize::from(from.u16()?);
        if length > MAX_ROW {
            return Err(Error::peer(format!("sent a row of {length} bytes")));
        }
        let line = from.bytes(length)?;
        unpacked.bytes += line.len() as u64 + 1;
        match std::str::from_utf8(line).ok().filter(|line| travels(section, line)) {
            Some(line) => {
                unpacked.taken += 1;
                taken(section, Row::canonical(line));
            }
            None => unpacked.strange += 1,
        }
    }
    Ok(unpacked)
}

/// Whether `reader` would read this line, as the same row and as nothing else, where `writer` wrote it. A giver
/// offers no other rows: they would be strange to every taker, each time again.
pub fn travels(section: Section, line: &str) -> bool {
    let columns = match section {
        Section::People => PUBLIC.len(),
        _ => section.columns().len(),
    };
    if line.len() > MAX_ROW || line.contains('\0') || fields::canonical(line) != Some(columns) {
        return false;
    }
    let is_open = match section {
        Section::People => is_public(line),
        Section::Camps => withheld::is_census(&fields::split(line).collect::<Vec<_>>()),
        Section::Vaccinations | Section::Replaced => false,
    };
    is_open && !is_form(section, line)
}

/// Whether a line of this section says where rows begin, or nothing, and so is read as no row.
fn is_form(section: Section, line: &str) -> bool {
    unpadded(line).is_empty()
        || Section::titled(line).is_some()
        || is_unknown_title(line)
        || section.header(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::public::public;
    use crate::model::public_view::PublicView;
    use crate::model::reader::{Item, Origin, Reader};
    use crate::model::writer::write_public;
    use proptest::prelude::*;

    /// Rows that travelled, and how many were strange.
    fn travelled(rows: &[(Section, &str)]) -> (Vec<(Section, Row)>, u32) {
        let (mut out, mut strange) = (Vec::new(), 0);
        for piece in pieces(rows.iter().copied(), 64) {
            let mut take = |section, row| out.push((section, row));
            strange += unpack(&piece, &mut take).expect("rows").strange;
        }
        (out, strange)
    }

    fn items(bytes: &[u8]) -> Vec<Item> {
        let (mut reader, mut items) = (Reader::new(Origin::Own), Vec::new());
        reader.feed(bytes, &mut |item| items.push(item));
        reader.finish(true, &mut |item| items.push(item));
        items
    }

    fn person() -> Row {
        Row::new(&["Bo", "", "", "found"])
    }

    fn census() -> Row {
        let counted = ["C", "d", "s", "1", "9", "9", "0", "0", "0", "0", "0", "0", "0", "0", "0"];
        withheld::census(&Row::new(&counted)).expect("a census")
    }

    fn survives(line: &str) -> bool {
        let row = Row::new(&fields::split(line).collect::<Vec<_>>());
        let rows = [person(), row.clone(), person()];
        let mut file = Vec::new();
        write_public(&rows, &mut file).expect("memory");
        let again: Vec<_> = items(&file)
            .into_iter()
            .filter_map(|item| match item {
                Item::Row(Section::People, row) => Some(public(&row)),
                _ => None,
            })
            .collect();
        row.line() == line && again == rows
    }

    #[test]
    fn people_and_censuses_travel_in_their_order() {
        let both = [(Section::People, person()), (Section::Camps, census())];
        let rows: Vec<_> = both.iter().cycle().take(40).cloned().collect();
        let lines: Vec<_> = rows.iter().map(|(section, row)| (*section, row.line())).collect();
        assert!(pieces(lines.iter().copied(), 64).count() > 10);
        assert_eq!(travelled(&lines), (rows, 0));
    }

    #[test]
    fn what_is_replaced_never_leaves_the_node() {
        assert_eq!(pieces([(Section::Replaced, "a, , , x")].into_iter(), 64).count(), 0);
        assert_eq!(travelled(&[(Section::Replaced, "a, , , x")]).0, []);
    }

    #[test]
    fn a_row_that_would_be_read_as_something_else_is_strange() {
        for line in [
            "Ana",
            "Ana , , , x",
            "Ana, , , x ",
            "Ana, , , x\n",
            "A\0na, , , x",
            "Camps:, , ,",
            "Name, Status, ,",
            ", , ,",
            "\"Ana\", , , x",
            "\"An\n\na\", , , x",
        ] {
            assert!(!travels(Section::People, line), "{line:?}");
            assert!(!survives(line), "{line:?}");
        }
        let rows = [(Section::People, "Ana"), (Section::People, "Ana, , , x")];
        assert_eq!(travelled(&rows).1, 1);
    }

    #[test]
    fn a_public_row_has_no_id_and_no_long_number_and_no_vaccination_and_no_small_count_travels() {
        assert!(travels(Section::People, "Nur, scar, 12/8/24, missing"));
        for line in ["Nur, , , missing, 7", "Nur, scar 482915736620, , missing"] {
            assert!(!travels(Section::People, line), "{line}");
            assert!(!survives(line), "{line}");
        }
        assert!(!travels(Section::Vaccinations, "9, a, b, c, d, e, f, g"));
        assert!(travels(Section::Camps, census().line()));
        assert!(!travels(Section::Camps, "C, d, s, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0"));
    }

    #[test]
    fn a_piece_that_is_no_sequence_of_rows_is_an_error() {
        let mut taken = |_, _| {};
        for wrong in [&[1][..], &[1, 0], &[1, 0, 9, b'x'], &[0, 0, 0], &[4, 0, 0], &[1, 0x10, 1]] {
            assert!(unpack(wrong, &mut taken).is_err(), "{wrong:?}");
        }
        let strange = Unpacked { strange: 2, bytes: 3, ..Unpacked::default() };
        assert_eq!(unpack(&[1, 0, 0, 1, 0, 1, 0xff], &mut taken).ok(), Some(strange));
    }

    #[test]
    fn a_piece_is_never_larger_than_it_may_be() {
        let long = format!("{}, , , x", "x".repeat(MAX_ROW - 10));
        let rows = std::iter::repeat_n((Section::People, long.as_str()), 200);
        let sizes: Vec<_> = pieces(rows, usize::MAX).map(|piece| piece.len()).collect();
        assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= MAX_ROWS_PIECE), "{sizes:?}");
    }

    /// Lines of parts at which reading and writing could disagree.
    const LINES: &str = "([ab1:,\" \n\r\0\u{3000}]|, |, \"|\", |, , , ,|Name|Status|Vaccine|Camps:|Ana\
                         |12/3|missing|482915736620194857|, 7|\n\"|\"\"){0,9}";

    proptest! {
        #[test]
        fn exactly_those_public_rows_are_taken_that_are_the_same_after_writing_and_reading(
            line in LINES,
        ) {
            let mut wide: Vec<_> = fields::split(&line).map(|field| field.into_owned()).collect();
            wide.resize(PUBLIC.len(), String::new());
            for line in [line.clone(), Row::new(&wide).line().to_owned()] {
                prop_assert_eq!(
                    travels(Section::People, &line), survives(&line), "{:?}", line
                );
            }
        }

        #[test]
        fn exactly_those_public_censuses_are_taken_that_are_the_same_after_writing_and_reading(
            line in LINES, few in any::<bool>(),
        ) {
            let counts = if few { ", <5, 12" } else { ", 9, 0" };
            let groups = if few { ", .." } else { ", 0" }.repeat(10);
            for front in [line.clone(), Row::new(&[line.as_str(), "", "x"]).line().to_owned()] {
                let line = front + counts + &groups;
                let row = Row::new(&fields::split(&line).collect::<Vec<_>>());
                let (mut file, mut again) = (Vec::new(), Vec::new());
                let view = PublicView::of([(Section::Camps, row.clone())]);
                view.write(&mut file).expect("memory");
                let mut reader = Reader::new(Origin::View);
                reader.feed(&file, &mut |item| again.push(item));
                reader.finish(true, &mut |item| again.push(item));
                let survives = row.line() == line && again == [Item::Row(Section::Camps, row)];
                prop_assert_eq!(
                    travels(Section::Camps, &line), survives, "{:?}", line
                );
            }
        }

        #[test]
        fn any_bytes_are_unpacked_without_a_panic(
            bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..60),
        ) {
            let mut rows = 0;
            if let Ok(unpacked) = unpack(&bytes, &mut |_, _| rows += 1) {
                prop_assert_eq!(unpacked.taken, rows);
                prop_assert!(unpacked.bytes <= bytes.len() as u64);
            }
        }
    }
}
