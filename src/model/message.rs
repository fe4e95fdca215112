//! The messages of a sealed session: closed sets, one for each side and purpose.
//!
//! ```text
//! every session    client: Bind                     server: Welcome
//! talk             client: Say / Alarm ... Bye      server: Heard / TooMuch, one for each
//! sync             see `meeting`
//! refresh          client: Fetch                    server: Signed, and Offer unless the client has it
//!                  client: Split, if it likes               Parts
//!                  client: Want ... (the last marked)       Rows ... Gone End
//!                  or client: Confirm               server: Signed
//! ```
//!
//! Either side of a refresh may say `Refused` instead, and that ends it. A body is a kind and its fields. No two
//! messages share a kind, so that one with no place in its session is refused.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::ledger::alarm::Raised;
use crate::model::offer::{Gone, Offer, Parts, Split, Want};
use crate::model::spoken::Spoken;
use crate::model::statement::Signed;
use std::borrow::Cow;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes of the number of a session.
pub const SESSION_BYTES: usize = 16;
/// Bytes of the hash of a handshake.
pub const HANDSHAKE_BYTES: usize = 32;

const BIND: u8 = 1;
const WELCOME: u8 = 2;
const SAY: u8 = 16;
const ALARM: u8 = 17;
const BYE: u8 = 18;
const HEARD: u8 = 19;
const TOO_MUCH: u8 = 20;
const FETCH: u8 = 32;
const OFFER: u8 = 33;
const WANT: u8 = 34;
const ROWS: u8 = 35;
const END: u8 = 36;
const REFUSED: u8 = 38;
const CONFIRM: u8 = 39;
const SIGNED: u8 = 40;
const SPLIT: u8 = 41;
const PARTS: u8 = 42;
const GONE: u8 = 43;

/// Ties a session to the knock that it follows. Secret: compared in constant time, wiped when dropped.
pub struct Bind {
    session: [u8; SESSION_BYTES],
    handshake: [u8; HANDSHAKE_BYTES],
}

impl Bind {
    /// The session that the answer to the knock named, and the hash of both their bytes.
    pub fn new(session: [u8; SESSION_BYTES], handshake: [u8; HANDSHAKE_BYTES]) -> Self {
        Self { session, handshake }
    }

    /// Whether both follow the same knock, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        (self.session.ct_eq(&other.session) & self.handshake.ct_eq(&other.handshake)).into()
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        self.session.zeroize();
        self.handshake.zeroize();
    }
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bind(…)")
    }
}

/// The first message of a client.
#[derive(Debug)]
pub enum Opening {
    /// Which knock it follows.
    Bind(Bind),
}

impl Opening {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let Self::Bind(bind) = self;
        let mut out = Encoder::of_kind(BIND);
        out.bytes(&bind.session).bytes(&bind.handshake);
        out.done()
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        match from.u8()? {
            BIND => {
                let bind = Bind { session: from.array()?, handshake: from.array()? };
                from.finish()?;
                Ok(Self::Bind(bind))
            }
            other => Err(out_of_place(other)),
        }
    }
}

/// The first message of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The client is in.
    Welcome,
}

impl Opened {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let Self::Welcome = self;
        vec![WELCOME]
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        bare(body, |kind| (kind == WELCOME).then_some(Self::Welcome))
    }
}

/// What the client of a talk sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Talking {
    /// A message.
    Say(Spoken),
    /// An alarm, as it stands in the ledger of who raised it.
    Alarm(Raised),
    /// Nothing more will come.
    Bye,
}

impl Talking {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Say(spoken) => out.u8(SAY).bytes(spoken.as_str().as_bytes()),
            Self::Alarm(raised) => {
                out.u8(ALARM).bytes(raised.salt()).bytes(raised.text().as_str().as_bytes())
            }
            Self::Bye => out.u8(BYE),
        };
        out.done()
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        match from.u8()? {
            SAY => Spoken::try_from(from.rest()).map(Self::Say),
            ALARM => {
                let salt = from.array()?;
                Spoken::try_from(from.rest()).map(|text| Self::Alarm(Raised::of(salt, text)))
            }
            BYE => from.finish().map(|()| Self::Bye),
            other => Err(out_of_place(other)),
        }
    }
}

/// What the server of a talk answers to each `Say` and `Alarm`, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// It was given to the screen.
    Heard,
    /// It was dropped: there were too many.
    TooMuch,
}

impl Listening {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        vec![match self {
            Self::Heard => HEARD,
            Self::TooMuch => TOO_MUCH,
        }]
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        bare(body, |kind| match kind {
            HEARD => Some(Self::Heard),
            TOO_MUCH => Some(Self::TooMuch),
            _ => None,
        })
    }
}

/// The first message of the client of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    /// It wants what tier 2 may see, and has the view with this hash.
    Fetch([u8; 32]),
    /// It wants to know what this node signed at these heads, or else what it signs now.
    Confirm([u8; 32]),
}

impl Fetching {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, hash) = match self {
            Self::Fetch(hash) => (FETCH, hash),
            Self::Confirm(heads) => (CONFIRM, heads),
        };
        let mut out = Encoder::of_kind(kind);
        out.bytes(hash);
        out.done()
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        let make = match from.u8()? {
            FETCH => Self::Fetch,
            CONFIRM => Self::Confirm,
            other => return Err(out_of_place(other)),
        };
        let hash = from.array()?;
        from.finish().map(|()| make(hash))
    }
}

/// What the side of a refresh sends that has the rows: the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giving<'a> {
    /// What it signs of what it has.
    Signed(Box<Signed>),
    /// What it has.
    Offer(Offer),
    /// Digests of the parts of the buckets that were split.
    Parts(Parts),
    /// Rows that are wanted, in the order of their buckets: a piece for `squeeze`, in it one for `parcel`.
    Rows(Cow<'a, [u8]>),
    /// What was shown and it does not have.
    Gone(Gone),
    /// That was all that is wanted.
    End,
    /// It does not go on.
    Refused(Declined),
}

impl<'a> Giving<'a> {
    /// What stands before a piece of rows in the body of its frame: so large a piece is sent from where it is.
    pub const BEFORE_ROWS: [u8; 1] = [ROWS];

    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Signed(signed) => made(SIGNED, |out| signed.encode(out)),
            Self::Offer(offer) => made(OFFER, |out| offer.encode(out)),
            Self::Parts(parts) => made(PARTS, |out| parts.encode(out)),
            Self::Gone(gone) => made(GONE, |out| gone.encode(out)),
            Self::Rows(piece) => [&[ROWS][..], piece].concat(),
            Self::End => vec![END],
            Self::Refused(why) => vec![REFUSED, why.code()],
        }
    }

    /// Reads the body of a frame.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        match from.u8()? {
            SIGNED => Signed::decode(from).map(|signed| Self::Signed(Box::new(signed))),
            OFFER => Offer::decode(from).map(Self::Offer),
            PARTS => Parts::decode(from).map(Self::Parts),
            GONE => Gone::decode(from).map(Self::Gone),
            ROWS if from.left() == 0 => Err(Error::peer("sent a piece without rows")),
            ROWS => Ok(Self::Rows(Cow::Borrowed(from.rest()))),
            END => from.finish().map(|()| Self::End),
            REFUSED => Declined::decode(from).map(Self::Refused),
            other => Err(out_of_place(other)),
        }
    }
}

/// What the side of a refresh sends that gets the rows: the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Of these buckets it wants to know more.
    Split(Split),
    /// What it wants of the offer, or a part of that.
    Want(Want),
    /// It does not go on.
    Refused(Declined),
}

impl Taking {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Split(split) => made(SPLIT, |out| split.encode(out)),
            Self::Want(want) => made(WANT, |out| want.encode(out)),
            Self::Refused(why) => vec![REFUSED, why.code()],
        }
    }

    /// Reads the body of a frame.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(body);
        match from.u8()? {
            SPLIT => Split::decode(from).map(Self::Split),
            WANT => Want::decode(from).map(Self::Want),
            REFUSED => Declined::decode(from).map(Self::Refused),
            other => Err(out_of_place(other)),
        }
    }
}

/// Why a transfer does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// There are too many at the same time.
    Busy,
    /// There is no room for what is offered.
    Full,
    /// The disk failed.
    Disk,
    /// The node is stopping.
    Stopping,
    /// What was given is not right.
    Wrong,
}

impl Declined {
    /// The number that stands for it.
    pub fn code(self) -> u8 {
        match self {
            Self::Busy => 1,
            Self::Full => 2,
            Self::Disk => 3,
            Self::Stopping => 4,
            Self::Wrong => 5,
        }
    }

    /// Reads the number: the whole rest of a message.
    pub fn decode(mut from: Decoder) -> Result<Self> {
        let code = from.u8()?;
        from.finish()?;
        [Self::Busy, Self::Full, Self::Disk, Self::Stopping, Self::Wrong]
            .into_iter()
            .find(|why| why.code() == code)
            .ok_or_else(|| Error::peer(format!("refused for the unknown reason {code}")))
    }
}

/// A message of this kind with what is written behind it.
fn made(kind: u8, write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut out = Encoder::of_kind(kind);
    write(&mut out);
    out.done()
}

/// A message that is its kind and nothing else.
fn bare<M>(body: &[u8], message: impl FnOnce(u8) -> Option<M>) -> Result<M> {
    let mut from = Decoder::new(body);
    let kind = from.u8()?;
    let message = message(kind).ok_or_else(|| out_of_place(kind))?;
    from.finish().map(|()| message)
}

/// That a message of this kind was not expected.
pub fn out_of_place(kind: u8) -> Error {
    Error::peer(format!("sent a message of kind {kind}, which has no place here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::MAX_SPOKEN;
    use crate::model::offer::Wanted;
    use proptest::prelude::*;

    type Again = fn(&[u8]) -> Option<Vec<u8>>;

    /// A decoder of each set, which says what the bytes are encoded to again.
    const DECODERS: [Again; 7] = [
        |body| Opening::decode(body).map(|message| message.encode()).ok(),
        |body| Opened::decode(body).map(|message| message.encode()).ok(),
        |body| Talking::decode(body).map(|message| message.encode()).ok(),
        |body| Listening::decode(body).map(|message| message.encode()).ok(),
        |body| Fetching::decode(body).map(|message| message.encode()).ok(),
        |body| Giving::decode(body).map(|message| message.encode()).ok(),
        |body| Taking::decode(body).map(|message| message.encode()).ok(),
    ];

    fn spoken(text: &str) -> Spoken {
        Spoken::try_from(text).expect("short")
    }

    /// Every message, and which of the decoders takes it.
    fn messages() -> Vec<(usize, Vec<u8>)> {
        let wanted = Wanted { bucket: 3, part: 5, shown: vec![[7; 4]] };
        let offer = Offer { bits: 1, rows: 2, bytes: 30, digests: vec![[5; 8]; 2] };
        let signed = Signed { heads: [1; 32], rows: 2, hash: [3; 32], time: 4, signature: [5; 64] };
        vec![
            (0, Opening::Bind(Bind::new([1; 16], [2; 32])).encode()),
            (1, Opened::Welcome.encode()),
            (2, Talking::Say(spoken("နှင်း")).encode()),
            (2, Talking::Alarm(Raised::of([7; 16], spoken("fire"))).encode()),
            (2, Talking::Bye.encode()),
            (3, Listening::Heard.encode()),
            (3, Listening::TooMuch.encode()),
            (4, Fetching::Fetch([6; 32]).encode()),
            (4, Fetching::Confirm([6; 32]).encode()),
            (5, Giving::Signed(Box::new(signed)).encode()),
            (5, Giving::Parts(Parts(vec![[[1; 4]; 16]])).encode()),
            (5, Giving::Gone(Gone(vec![1, 7])).encode()),
            (6, Taking::Split(Split(vec![1, 7])).encode()),
            (5, Giving::Offer(offer).encode()),
            (5, Giving::Rows(vec![1, 2, 3].into()).encode()),
            (5, Giving::End.encode()),
            (5, Giving::Refused(Declined::Busy).encode()),
            (6, Taking::Want(Want { last: true, buckets: vec![wanted] }).encode()),
            (6, Taking::Refused(Declined::Stopping).encode()),
        ]
    }

    #[test]
    fn every_message_is_read_as_itself_and_only_where_it_has_a_place() {
        for (place, body) in messages() {
            for (at, decode) in DECODERS.iter().enumerate() {
                let refused = body.first() == Some(&REFUSED) && at >= 5;
                let wanted = (at == place || refused).then(|| body.clone());
                assert_eq!(decode(&body), wanted, "{body:?} in {at}");
            }
        }
    }

    #[test]
    fn a_message_that_is_cut_or_too_long_is_refused() {
        for (place, body) in messages() {
            // Text and rows go to the end of their frame, however long that is.
            let open = [SAY, ALARM, ROWS].contains(&body[0]);
            let least = if open { 1 } else { body.len() - 1 };
            assert_eq!(DECODERS[place](&body[..least]), None, "{body:?}");
            let longer = [body.as_slice(), &[0]].concat();
            assert!(open || DECODERS[place](&longer).is_none(), "{body:?}");
        }
        assert!(DECODERS.iter().all(|decode| decode(&[]).is_none()));
    }

    #[test]
    fn what_is_said_is_short_text() {
        assert!(Spoken::try_from("").is_err());
        assert!(Spoken::try_from("x".repeat(MAX_SPOKEN + 1).as_str()).is_err());
        let said = |text: &[u8]| Talking::decode(&[&[SAY], text].concat());
        assert!(said(&[b'x'; MAX_SPOKEN]).is_ok());
        assert!(said(&[b'x'; MAX_SPOKEN + 1]).is_err());
        assert!(said(b"").is_err() && said(b"\xff").is_err());
    }

    #[test]
    fn a_bind_matches_itself_alone_and_is_never_shown() {
        let bind = Bind::new([171; 16], [172; 32]);
        assert!(bind.matches(&Bind::new([171; 16], [172; 32])));
        assert!(!bind.matches(&Bind::new([170; 16], [172; 32])));
        assert!(!bind.matches(&Bind::new([171; 16], [0; 32])));
        let shown = format!("{bind:?} {:#?}", Opening::Bind(Bind::new([171; 16], [172; 32])));
        assert!(!shown.contains("17") && !shown.contains("ab"), "{shown}");
    }

    proptest! {
        #[test]
        fn right_messages_with_bytes_changed_are_refused_or_read_as_what_they_say(
            at in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let messages = messages();
            let mut body = at.get(&messages).1.clone();
            for (place, byte) in changes {
                let place = place.index(body.len());
                body[place] = byte;
            }
            for body in [body.as_slice(), &body[..cut.index(body.len())]] {
                for decode in DECODERS {
                    if let Some(again) = decode(body) {
                        prop_assert_eq!(again, body);
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            kind in 0u8..40, rest in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let body = [&[kind], rest.as_slice()].concat();
            for decode in DECODERS {
                if let Some(again) = decode(&body) {
                    prop_assert_eq!(again, body.clone());
                }
            }
        }
    }
}
