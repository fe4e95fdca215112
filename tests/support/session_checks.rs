//! What must hold whatever bytes come in a sealed session. A check takes any input and panics where something
//! does not hold. `tests/session_values.rs` runs them over changed messages, the targets of `tests/fuzz` over
//! what a fuzzer finds.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

use reunite::model::fields;
use reunite::model::frame::{Frames, append};
use reunite::model::ledger::block::Received;
use reunite::model::ledger::stored::Stored;
use reunite::model::limits::{
    MAX_ENTRIES, MAX_FRAME, MAX_ROWS_PIECE, MAX_SHOWN, MAX_SPOKEN, ROWS_PIECE,
};
use reunite::model::meeting::{Meeting, unbundle};
use reunite::model::message::{Fetching, Giving, Listening, Opened, Opening, Taking, Talking};
use reunite::model::parcel::{pieces, unpack};
use reunite::model::post::exchange::Exchange;
use reunite::model::reconcile::{Giver, Index, Renewal};
use reunite::model::row::Row;
use reunite::model::section::Section;
use reunite::model::squeeze::{Effort, Squeezer, unsqueeze};
use std::sync::LazyLock;

/// The first byte says in what pieces the others come.
pub fn frames(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let (mut frames, mut bodies, mut again) = (Frames::new(), 0, Vec::new());
    'all: for mut piece in bytes.chunks(usize::from(*size).max(1)) {
        loop {
            match frames.take(&mut piece) {
                Ok(Some(body)) => {
                    assert!((1..=MAX_FRAME).contains(&body.len()));
                    bodies += body.len();
                    append(&body, &mut again);
                }
                Ok(None) => break,
                Err(_) => break 'all,
            }
        }
        assert!(piece.is_empty());
    }
    assert!(bodies <= bytes.len() && bytes.starts_with(&again));
}

/// Rows of a node that is asked, and that is offered something.
const ROWS: usize = 600;
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let rows: Vec<_> = (0..ROWS).map(|at| format!("Ana, , , , {at}")).collect();
    Index::new(rows.iter().map(|line| (Section::People, line.as_str())))
});

/// The input is the body of a frame. Each set of messages refuses it, or says exactly the same again.
pub fn messages(input: &[u8]) {
    let same = |again: Vec<u8>| assert_eq!(again, input);
    let places = [
        Opening::decode(input).map(|message| same(message.encode())).is_ok(),
        Opened::decode(input).map(|message| same(message.encode())).is_ok(),
        Talking::decode(input).map(|message| same(message.encode())).is_ok(),
        Listening::decode(input).map(|message| same(message.encode())).is_ok(),
        Fetching::decode(input).map(|message| same(message.encode())).is_ok(),
        Giving::decode(input).map(|message| same(message.encode())).is_ok(),
        Taking::decode(input).map(|message| same(message.encode())).is_ok(),
        Meeting::decode(input).map(|message| same(message.encode())).is_ok(),
        Exchange::decode(input).map(|message| same(message.encode())).is_ok(),
    ];
    let refused = matches!(Taking::decode(input), Ok(Taking::Refused(_)));
    assert!(places.iter().filter(|place| **place).count() <= 1 + 2 * usize::from(refused));
    blocks(input);
    let spoken = match Talking::decode(input) {
        Ok(Talking::Say(spoken)) => Some(spoken),
        Ok(Talking::Alarm(raised)) => Some(raised.text().clone()),
        _ => None,
    };
    assert!(spoken.is_none_or(|spoken| (1..=MAX_SPOKEN).contains(&spoken.as_str().len())));
    let index = &*INDEX;
    match Taking::decode(input) {
        Ok(Taking::Want(want)) => {
            if let Ok(Some(answer)) = Giver::new(index, &index.offer()).take(&want) {
                assert!(answer.places.len() <= ROWS && answer.gone.0.len() <= MAX_SHOWN);
            }
        }
        Ok(Taking::Split(split)) => {
            if let Ok(parts) = Giver::new(index, &index.offer()).split(&split) {
                assert_eq!(parts.0.len(), split.0.len());
            }
        }
        _ => {
            if let Ok(Giving::Offer(offer)) = Giving::decode(input) {
                assert!(Renewal::new(index, &offer).want().count() >= 1);
            }
            let mut other = index.offer();
            other.digests.iter_mut().for_each(|digest| *digest = [1; 8]);
            let mut renewal = Renewal::new(index, &other);
            match Giving::decode(input) {
                Ok(Giving::Parts(parts)) => _ = renewal.compare(&parts),
                Ok(Giving::Gone(gone)) => _ = renewal.drop_gone(&gone),
                _ => {}
            }
            assert!(renewal.want().count() >= 1 && renewal.stays(true).len() <= ROWS);
        }
    }
}

/// The input is a piece of blocks: each of them is refused, or says exactly the same again.
fn blocks(input: &[u8]) {
    for bytes in unbundle(input).unwrap_or_default() {
        block(bytes);
    }
    block(input);
}

/// The input is a block, or an entry of the ledger's file.
pub fn block(input: &[u8]) {
    if let Ok(block) = Received::read(input) {
        let header = block.signed().header();
        assert!(input.starts_with(block.signed().bytes()));
        assert!((1..=MAX_ENTRIES).contains(&usize::from(header.count)));
    }
    if let Ok(Stored::Block(block)) = Stored::read(input) {
        assert_eq!(Stored::block_of(input).map(<[u8]>::len), Some(input.len() - 1));
        assert!(block.signed().header().count > 0);
    }
}

/// The input is a piece of rows, squeezed and as it is.
pub fn rows(input: &[u8]) {
    if let Ok(piece) = unsqueeze(input, MAX_ROWS_PIECE) {
        assert!((1..=MAX_ROWS_PIECE).contains(&piece.len()));
        unpacked(&piece);
    }
    unpacked(input);
    for effort in [Effort::Stored, Effort::Squeezed] {
        if (1..=MAX_ROWS_PIECE).contains(&input.len()) {
            let squeezed = Squeezer::new().squeeze(input, effort);
            assert!(squeezed.len() <= input.len() + 5);
            assert_eq!(unsqueeze(&squeezed, MAX_ROWS_PIECE).expect("our own"), input);
        }
    }
}

/// What is taken out of a piece is canonical, and comes out the same when it is sent on.
fn unpacked(piece: &[u8]) {
    let mut taken: Vec<(Section, Row)> = Vec::new();
    let whole = unpack(piece, &mut |section, row| taken.push((section, row)));
    if let Ok(unpacked) = whole {
        assert_eq!(unpacked.taken as usize, taken.len());
        assert!(unpacked.bytes <= piece.len() as u64);
    }
    for (_, row) in &taken {
        let fields: Vec<_> = fields::split(row.line()).collect();
        assert_eq!(fields::join(&fields), row.line());
    }
    let lines = taken.iter().map(|(section, row)| (*section, row.line()));
    let mut again = Vec::new();
    for piece in pieces(lines, ROWS_PIECE) {
        let strange = unpack(&piece, &mut |section, row| again.push((section, row)));
        assert_eq!(strange.expect("our own").strange, 0);
    }
    assert_eq!(again, taken);
}
