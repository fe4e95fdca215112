//! The messages by which two bags are brought into step, at the end of a meeting.
//!
//! ```text
//! caller: Summary
//!                      answerer: Given, if it holds the same; else Lists
//! caller: Lists  Receipt ...  Letter ...  Given
//!                      answerer: Receipt ...  Letter ...  Given
//! caller: Receipt ...  Letter ...  Given                          what follows from that
//!
//! Summary = digest 32                        Lists = count u16 *( letter 16 )  count u16 *( receipt 16 )
//! Letter  = age u16 (h)  letter              Receipt = age u16 (h)  receipt
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::message::out_of_place;
use crate::model::post::bag::Lists;
use crate::model::post::letter::Letter;
use crate::model::post::limits::{MAX_LETTERS, MAX_RECEIPTS};
use crate::model::post::receipt::Receipt;
use std::collections::BTreeSet;

const SUMMARY: u8 = 64;
const LISTS: u8 = 65;
const LETTER: u8 = 66;
const RECEIPT: u8 = 67;
const GIVEN: u8 = 68;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The digest of what the sender holds.
    Summary([u8; 32]),
    /// What it holds.
    Lists(Lists),
    /// A letter, and how old it is, in hours.
    Letter(u16, Box<Letter>),
    /// A receipt, and how old it is, in hours.
    Receipt(u16, Box<Receipt>),
    /// That was all.
    Given,
}

impl Exchange {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Summary(digest) => _ = out.u8(SUMMARY).bytes(digest),
            Self::Lists(lists) => {
                out.u8(LISTS).u16(short(lists.letters.len()));
                lists.letters.iter().for_each(|id| _ = out.bytes(id.as_bytes()));
                out.u16(short(lists.receipts.len()));
                lists.receipts.iter().for_each(|name| _ = out.bytes(name));
            }
            Self::Letter(age, letter) => letter.encode(out.u8(LETTER).u16(*age)),
            Self::Receipt(age, receipt) => receipt.encode(out.u8(RECEIPT).u16(*age)),
            Self::Given => _ = out.u8(GIVEN),
        }
        out.done()
    }

    /// Reads the body of a frame. The signatures of letters and receipts are checked.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        let message = match from.u8()? {
            SUMMARY => Self::Summary(from.array()?),
            LISTS => Self::Lists(Lists {
                letters: list(&mut from, MAX_LETTERS)?.into_iter().map(Into::into).collect(),
                receipts: list(&mut from, MAX_RECEIPTS)?,
            }),
            LETTER => Self::Letter(from.u16()?, Box::new(Letter::read(&mut from)?)),
            RECEIPT => Self::Receipt(from.u16()?, Box::new(Receipt::read(&mut from)?)),
            GIVEN => Self::Given,
            other => return Err(out_of_place(other)),
        };
        from.finish().map(|()| message)
    }
}

/// Bags hold no more than that.
fn short(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// Names in ascending order.
fn list(from: &mut Decoder<'_>, most: usize) -> Result<BTreeSet<[u8; 16]>> {
    let count = usize::from(from.u16()?);
    if count > most {
        return Err(Error::peer("named more letters or receipts than a bag holds"));
    }
    let (mut names, mut last) = (BTreeSet::new(), None);
    for _ in 0..count {
        let name = from.array()?;
        if last.is_some_and(|last| last >= name) {
            return Err(Error::peer("named letters or receipts out of order"));
        }
        last = Some(name);
        names.insert(name);
    }
    Ok(names)
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

    fn messages() -> Vec<Vec<u8>> {
        let identity = Identity::new(SecretKey::from([1; 32]));
        let (hand, text) = (Hand::new(&identity), Spoken::try_from("come").expect("short"));
        let letter = hand.write(&identity.public(), &text, 7, &mut rand::rng()).expect("sealed");
        let receipt = hand.receipt(letter.id(), Fate::Unreadable, 5);
        let lists = Lists {
            letters: [[1; 16].into(), letter.id()].into(),
            receipts: [[3; 16], receipt.name()].into(),
        };
        let messages = [
            Exchange::Summary(lists.digest()),
            Exchange::Lists(lists),
            Exchange::Letter(3, Box::new(letter)),
            Exchange::Receipt(3, Box::new(receipt)),
            Exchange::Given,
        ];
        messages.iter().map(Exchange::encode).collect()
    }

    fn again(body: &[u8]) -> Option<Vec<u8>> {
        Exchange::decode(body).map(|message| message.encode()).ok()
    }

    #[test]
    fn every_message_is_read_as_itself_and_refused_cut_or_with_more_behind_it() {
        for body in messages() {
            assert_eq!(again(&body), Some(body.clone()));
            assert_eq!(again(&[&body[..], &[0]].concat()), None, "{body:?}");
            assert_eq!(again(&body[..body.len() - 1]), None, "{body:?}");
        }
    }

    #[test]
    fn lists_that_are_out_of_order_or_too_long_are_refused() {
        let long = (MAX_LETTERS as u16 + 1).to_be_bytes();
        let names = (0..=MAX_LETTERS as u128).flat_map(u128::to_be_bytes).collect::<Vec<_>>();
        assert_eq!(again(&[&[LISTS], &long[..], &names, &[0, 0]].concat()), None);
        let twice = [&[LISTS, 0, 2][..], &[5; 32], &[0, 0]].concat();
        assert_eq!(again(&twice), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            kind in 60_u8..70, rest in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let body = [&[kind], rest.as_slice()].concat();
            prop_assert!(again(&body).is_none_or(|same| same == body));
        }
    }
}
