//! The bag as it stands on the disk, whole: it is replaced, never written in place.
//!
//! ```text
//! file    = "reunite post 1\n"  author 32  hours u32  letters  receipts  shown  alarms  SHA-256 of all before 32
//! letters = count u32 *( since u32  age u16  letter )     receipts = count u32 *( since u32  age u16  receipt )
//! shown   = count u32 *( author 32  count u32 *( letter 16 ) )
//! alarms  = count u32 *( author 32  count u32 *( alarm 32 ) )
//! ```
//!
//! Of what was shown, the author of whom nothing new was shown for longest comes first. They are read in any order.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::keys::IdentityKey;
use crate::model::ledger::merkle::sha256;
use crate::model::post::bag::{Bag, Held};
use crate::model::post::letter::Letter;
use crate::model::post::memory::Memory;
use crate::model::post::receipt::Receipt;

const BEGIN: &[u8; 15] = b"reunite post 1\n";

/// The bytes of a bag.
pub fn encode(bag: &Bag) -> Vec<u8> {
    let mut out = Encoder::default();
    out.bytes(BEGIN).bytes(bag.me().as_bytes()).u32(bag.hours);
    out.u32(long(bag.letters.len()));
    for held in bag.letters.values() {
        held.what.encode(out.u32(held.since).u16(held.age));
    }
    out.u32(long(bag.receipts.len()));
    for held in bag.receipts.values() {
        held.what.encode(out.u32(held.since).u16(held.age));
    }
    memory(&bag.shown, |id| id.as_bytes(), &mut out);
    memory(&bag.alarms, |id| id.as_bytes(), &mut out);
    let mut bytes = out.done();
    bytes.extend(sha256(&[&bytes]));
    bytes
}

fn memory<T: PartialEq, const N: usize>(
    memory: &Memory<T>,
    bytes: impl Fn(&T) -> &[u8; N],
    out: &mut Encoder,
) {
    out.u32(long(memory.iter().count()));
    for (author, names) in memory.iter() {
        out.bytes(author.as_bytes()).u32(long(names.len()));
        names.iter().for_each(|name| _ = out.bytes(bytes(name)));
    }
}

fn long(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The bag of the node `me` that these bytes are. Any that were not written whole by it are refused.
pub fn decode(bytes: &[u8], me: IdentityKey) -> Result<Bag> {
    let damaged = || Error::peer("holds a bag that is damaged");
    let (whole, sum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    let mut from = Decoder::new(whole);
    if from.array()? != *BEGIN || sha256(&[whole]) != *sum {
        return Err(damaged());
    }
    if from.array::<32>()? != *me.as_bytes() {
        return Err(Error::peer("holds the bag of another node"));
    }
    let mut bag = Bag::new(me);
    bag.hours = from.u32()?;
    for _ in 0..from.u32()? {
        let (since, age) = (from.u32()?, from.u16()?);
        let what = Letter::decode(&mut from)?;
        bag.letters.insert(what.id(), Held { what, since, age });
    }
    for _ in 0..from.u32()? {
        let (since, age) = (from.u32()?, from.u16()?);
        let what = Receipt::decode(&mut from)?;
        bag.receipts.insert(what.name(), Held { what, since, age });
    }
    remembered(&mut from, &mut bag.shown)?;
    remembered(&mut from, &mut bag.alarms)?;
    from.finish().map(|()| bag)
}

fn remembered<T: PartialEq + From<[u8; N]>, const N: usize>(
    from: &mut Decoder<'_>,
    memory: &mut Memory<T>,
) -> Result<()> {
    for _ in 0..from.u32()? {
        let author = from.array::<32>()?.into();
        for _ in 0..from.u32()? {
            memory.put(author, from.array::<N>()?.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::post::hand::Hand;
    use crate::model::post::receipt::Fate;
    use crate::model::spoken::Spoken;
    use proptest::prelude::*;

    fn filled() -> Bag {
        let identities = [1, 2].map(|byte| Identity::new(SecretKey::from([byte; 32])));
        let keys = identities.each_ref().map(Identity::public);
        let hands = identities.each_ref().map(Hand::new);
        let mut bag = Bag::new(keys[0].identity);
        bag.hour();
        for text in ["one", "two"] {
            let text = Spoken::try_from(text).expect("short");
            let letter = hands[0].write(&keys[1], &text, 3, &mut rand::rng()).expect("sealed");
            bag.take(letter, 4);
        }
        bag.take_receipt(hands[1].receipt([3; 16].into(), Fate::Shown, 1), 0);
        let text = Spoken::try_from("to me").expect("short");
        bag.show(&hands[1].write(&keys[0], &text, 3, &mut rand::rng()).expect("sealed"));
        // In another order than that of their keys.
        for author in [7, 3, 5] {
            bag.show_alarm([author; 32].into(), [8; 32].into());
        }
        bag
    }

    #[test]
    fn a_bag_is_read_as_it_was_written_and_refused_with_any_byte_changed_or_cut_off() {
        let bag = filled();
        let bytes = encode(&bag);
        assert_eq!(decode(&bytes, bag.me()).expect("whole"), bag);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(decode(&other, bag.me()).is_err(), "byte {at}");
            assert!(decode(&bytes[..at], bag.me()).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_bag_of_another_node_is_not_taken() {
        assert!(decode(&encode(&filled()), [9; 32].into()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_with_a_right_sum_are_read_or_refused(
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = [&BEGIN[..], &[7; 32], &rest].concat();
            bytes.extend(sha256(&[&bytes]));
            if let Ok(bag) = decode(&bytes, [7; 32].into()) {
                prop_assert!(encode(&bag).len() <= bytes.len());
            }
        }
    }
}
