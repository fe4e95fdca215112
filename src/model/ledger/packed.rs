//! Operations as bytes, in a block.
//!
//! ```text
//! operation = section u8  kind u8  record 16  count u8 *( over 32 )  form u8  count u8  values
//! values    = secret 16  *( field u8  length u16  text )                                 form 0: all open
//!           | *( field u8  ( 0 hash 32 | 1 salt 16  length u16  text ) )                 form 1: some closed
//! ```
//!
//! Fields and what it is over ascend; everything else is refused, so that one operation in one form has one
//! sequence of bytes.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::ledger::names::OpId;
use crate::model::ledger::operation::{About, Field, Kind, Operation, Value, Values};
use crate::model::limits::MAX_ROW;
use crate::model::offer::{tag, tagged};
use std::collections::BTreeSet;

const OPEN: u8 = 0;
const PARTLY: u8 = 1;

/// Writes an operation.
pub fn encode(operation: &Operation, out: &mut Encoder) {
    let About { section, record } = operation.about();
    out.u8(tag(section).unwrap_or_default()).u8(operation.kind().tag()).bytes(record.as_bytes());
    out.u8(u8::try_from(operation.over().len()).unwrap_or(u8::MAX));
    operation.over().iter().for_each(|id| {
        out.bytes(id.as_bytes());
    });
    out.u8(if operation.secret().is_some() { OPEN } else { PARTLY });
    out.u8(u8::try_from(operation.values().len()).unwrap_or(u8::MAX));
    if let Some(secret) = operation.secret() {
        out.bytes(secret.expose());
    }
    for (field, value) in operation.values().iter() {
        out.u8(field);
        match value {
            Value::Closed(hash) => {
                out.u8(0).bytes(&hash);
            }
            Value::Open { salt, text } => {
                if operation.secret().is_none() {
                    out.u8(1).bytes(&salt);
                }
                out.u16(u16::try_from(text.len()).unwrap_or(u16::MAX)).bytes(text.as_bytes());
            }
        }
    }
}

/// Reads an operation.
pub fn decode(from: &mut Decoder<'_>) -> Result<Operation> {
    let section = tagged(from.u8()?)
        .ok_or_else(|| Error::peer("sent an operation on a section that is not known"))?;
    let kind = Kind::tagged(from.u8()?)
        .ok_or_else(|| Error::peer("sent an operation of a kind that is not known"))?;
    let about = About { section, record: from.array::<16>()?.into() };
    let over = over(from)?;
    let (form, count) = (from.u8()?, from.u8()?);
    match form {
        OPEN => {
            let secret = from.array()?.into();
            let (mut texts, mut last) = (Vec::with_capacity(usize::from(count.min(16))), None);
            for _ in 0..count {
                let field = next_field(from, &mut last)?;
                texts.push((field, text(from)?));
            }
            Operation::open_of(about, kind, secret, texts.into_iter(), over)
        }
        PARTLY => {
            let (mut values, mut last) = (Values::default(), None);
            for _ in 0..count {
                let field = next_field(from, &mut last)?;
                values.push(field, value(from)?);
            }
            Operation::partly(about, kind, values, over)
        }
        _ => Err(Error::peer("sent an operation in a form that is not known")),
    }
}

fn over(from: &mut Decoder<'_>) -> Result<BTreeSet<OpId>> {
    let mut over = BTreeSet::new();
    for _ in 0..from.u8()? {
        let id = OpId::from(from.array::<32>()?);
        if over.last().is_some_and(|last| *last >= id) {
            return Err(Error::peer("sent an operation that is over others out of order"));
        }
        over.insert(id);
    }
    Ok(over)
}

fn next_field(from: &mut Decoder<'_>, last: &mut Option<Field>) -> Result<Field> {
    let field = from.u8()?;
    if last.replace(field).is_some_and(|last| last >= field) {
        return Err(Error::peer("sent an operation with fields out of order"));
    }
    Ok(field)
}

fn value<'a>(from: &mut Decoder<'a>) -> Result<Value<'a>> {
    match from.u8()? {
        0 => Ok(Value::Closed(from.array()?)),
        1 => Ok(Value::Open { salt: from.array()?, text: text(from)? }),
        _ => Err(Error::peer("sent a value that is neither open nor closed")),
    }
}

fn text<'a>(from: &mut Decoder<'a>) -> Result<&'a str> {
    let length = usize::from(from.u16()?);
    if length > MAX_ROW {
        return Err(Error::peer("sent a value that is longer than a row"));
    }
    let text = std::str::from_utf8(from.bytes(length)?);
    text.map_err(|_| Error::peer("sent a value that is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::operation::tests::set;
    use proptest::prelude::*;

    fn bytes(operation: &Operation) -> Vec<u8> {
        let mut out = Encoder::default();
        encode(operation, &mut out);
        out.done()
    }

    fn read(bytes: &[u8]) -> Result<Operation> {
        let mut from = Decoder::new(bytes);
        let operation = decode(&mut from)?;
        from.finish()?;
        Ok(operation)
    }

    #[test]
    fn a_change_of_one_field_is_short() {
        let edit = set(1, 1, &[(3, "found")], &[[1; 32].into()]);
        assert_eq!(bytes(&edit).len(), 2 + 16 + 1 + 32 + 2 + 16 + 3 + 5);
    }

    #[test]
    fn out_of_order_means_refused() {
        let two = set(1, 1, &[(0, ""), (1, "")], &[[1; 32].into(), [2; 32].into()]);
        let right = bytes(&two);
        let mut swapped = right.clone();
        swapped[19..51].fill(3);
        assert!(read(&swapped).is_err(), "over");
        let mut swapped = right.clone();
        let at = right.len() - 6;
        swapped[at] = 1;
        assert!(read(&swapped).is_err(), "fields");
        assert!(read(&right).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_has_one_form(
            names in "[a-c,\"]{0,5}", shut in any::<u8>(), over in prop::collection::btree_set(any::<[u8; 32]>(), 0..4),
        ) {
            let over: Vec<_> = over.into_iter().map(OpId::from).collect();
            let open = set(1, 2, &[(0, names.trim()), (2, "x"), (4, "17")], &over);
            for operation in [open.clone().closed(|field| shut >> field & 1 == 1), open] {
                let bytes = bytes(&operation);
                let again = read(&bytes).expect("right");
                prop_assert_eq!(&again, &operation);
                prop_assert_eq!(super::tests::bytes(&again), bytes);
            }
        }

        #[test]
        fn mutated_bytes_are_refused_or_another_operation(at in 0usize..200, to in any::<u8>()) {
            let operation = set(1, 2, &[(0, "Ana"), (4, "17")], &[[9; 32].into()]);
            let mut bytes = bytes(&operation);
            let at = at % bytes.len();
            let same = bytes[at] == to;
            bytes[at] = to;
            if let Ok(other) = read(&bytes) {
                prop_assert_eq!(other.id() == operation.id(), same);
                prop_assert_eq!(super::tests::bytes(&other), bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
