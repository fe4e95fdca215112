//! Looks for secrets in what was sent: each one written in every way that somebody who listens may try.
//!
//! A search looks at each part of a capture in four ways: as it is; without line ends; as the differences of
//! neighbouring bytes, which stay the same when all bytes are mixed with one and the same (XOR, inverted); and
//! unpacked, wherever packed data may begin.

use super::pcap::Part;
use aho_corasick::AhoCorasick;
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Shorter patterns turn up by chance: six bytes in a megabyte of random ones once in 2^28 captures, and,
/// in any case of up to six letters, once in 2^22.
pub const LEAST_BYTES: usize = 6;
/// The same for unpacked data: a try at each of a million places makes some fifty bytes of nonsense each.
const LEAST_UNPACKED: usize = 8;
/// So much of what looks like packed data is unpacked; after the first piece, so much again and again.
const PIECE: usize = 4096;
const MOST_UNPACKED: usize = 1 << 20;

/// What a needle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Token,
    /// A key of the network or of a node, secret or public; and a node's secret.
    Key,
    Organisation,
    Id,
    Name,
    Message,
    Alarm,
    /// Part of a vaccination record or a census.
    Health,
}

/// A secret. Keys are bytes, all others text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needle {
    pub kind: Kind,
    pub bytes: Vec<u8>,
}

impl Needle {
    pub fn new(kind: Kind, text: &str) -> Self {
        Self { kind, bytes: text.into() }
    }

    /// None for a key.
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|_| self.kind != Kind::Key)
    }
}

/// A way to write a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Plain,
    Utf16Le,
    Utf16Be,
    Utf32Le,
    Utf32Be,
    Hex,
    Base32,
    Base64,
    Base64Url,
    /// `%20`, for what is neither letter nor digit, or for everything.
    Percent,
    PercentAll,
    /// `+` for a blank.
    PercentPlus,
    /// `\u0041`, for what is not ASCII, or for everything.
    Json,
    JsonAll,
    /// `=20`, as in mail.
    Quoted,
    Rot13,
    ReversedBytes,
    ReversedText,
    /// Digits as one binary number of 8 bytes. Numbers of 16 hold it.
    NumberLe,
    NumberBe,
    /// Two digits a byte.
    Bcd,
    BcdSwapped,
}

impl Form {
    pub const ALL: [Self; 22] = [
        Self::Plain,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::Utf32Le,
        Self::Utf32Be,
        Self::Hex,
        Self::Base32,
        Self::Base64,
        Self::Base64Url,
        Self::Percent,
        Self::PercentAll,
        Self::PercentPlus,
        Self::Json,
        Self::JsonAll,
        Self::Quoted,
        Self::Rot13,
        Self::ReversedBytes,
        Self::ReversedText,
        Self::NumberLe,
        Self::NumberBe,
        Self::Bcd,
        Self::BcdSwapped,
    ];

    /// Bits of each character, and the characters, where several bytes share one.
    fn radix(self) -> Option<(usize, Vec<u8>)> {
        let upper: Vec<u8> = (b'A'..=b'Z').collect();
        let lower: Vec<u8> = (b'a'..=b'z').chain(b'0'..=b'9').collect();
        match self {
            Self::Base32 => Some((5, [&upper[..], b"234567"].concat())),
            Self::Base64 => Some((6, [&upper[..], &lower, b"+/"].concat())),
            Self::Base64Url => Some((6, [&upper[..], &lower, b"-_"].concat())),
            _ => None,
        }
    }

    /// Whether large and small letters are different things in it.
    fn minds_case(self) -> bool {
        self.radix().is_some()
            || matches!(self, Self::NumberLe | Self::NumberBe | Self::Bcd | Self::BcdSwapped)
    }

    /// The needle written so, if it can be.
    pub fn write(self, needle: &Needle) -> Option<Vec<u8>> {
        let bytes = &needle.bytes;
        match self {
            Self::Plain => Some(bytes.clone()),
            Self::Hex => Some(bytes.iter().flat_map(|byte| hex(*byte)).collect()),
            Self::ReversedBytes => Some(bytes.iter().rev().copied().collect()),
            Self::Base32 | Self::Base64 | Self::Base64Url => Some(self.digits(bytes, 0)),
            _ => self.write_text(needle.text()?),
        }
    }

    fn write_text(self, text: &str) -> Option<Vec<u8>> {
        let units = || text.encode_utf16();
        let chars = || text.chars().map(u32::from);
        match self {
            Self::Utf16Le => Some(units().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16Be => Some(units().flat_map(u16::to_be_bytes).collect()),
            Self::Utf32Le => Some(chars().flat_map(u32::to_le_bytes).collect()),
            Self::Utf32Be => Some(chars().flat_map(u32::to_be_bytes).collect()),
            Self::Percent => Some(escaped(text, b'%', |byte| byte.is_ascii_alphanumeric())),
            Self::PercentAll => Some(escaped(text, b'%', |_| false)),
            Self::PercentPlus => {
                let percent = escaped(text, b'%', |byte| byte.is_ascii_alphanumeric());
                Some(String::from_utf8(percent).ok()?.replace("%20", "+").into())
            }
            Self::Quoted => {
                Some(escaped(text, b'=', |byte| matches!(byte, b' '..=b'~') && byte != b'='))
            }
            Self::Json => Some(json(text, |unit| matches!(unit, 0x20..=0x7e))),
            Self::JsonAll => Some(json(text, |_| false)),
            Self::Rot13 => Some(text.bytes().map(rot13).collect()),
            Self::ReversedText => Some(text.chars().rev().collect::<String>().into()),
            _ => self.write_number(text),
        }
    }

    fn write_number(self, text: &str) -> Option<Vec<u8>> {
        let number: u64 = text.parse().ok().filter(|_| text.len() >= 2 * LEAST_BYTES)?;
        let digit = |byte: u8| byte - b'0';
        // Of an odd number of digits the last stands half in a byte of which nobody knows the rest.
        let pairs = text.as_bytes().chunks_exact(2);
        match self {
            Self::NumberLe => Some(number.to_le_bytes().into()),
            Self::NumberBe => Some(number.to_be_bytes().into()),
            Self::Bcd => Some(pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()),
            _ => Some(pairs.map(|pair| digit(pair[1]) << 4 | digit(pair[0])).collect()),
        }
    }

    /// The characters that are the same whatever stands around the bytes, with `lead` other bytes before them.
    fn digits(self, bytes: &[u8], lead: usize) -> Vec<u8> {
        let Some((bits, alphabet)) = self.radix() else { return Vec::new() };
        let all = [&vec![0; lead][..], bytes].concat();
        let bit = |at: usize| all[at / 8] >> (7 - at % 8) & 1;
        let whole = (lead * 8).div_ceil(bits)..all.len() * 8 / bits;
        let value = |at: usize| {
            (0..bits).fold(0, |value, place| value << 1 | usize::from(bit(at * bits + place)))
        };
        whole.map(|at| alphabet[value(at)]).collect()
    }

    /// All patterns of a needle in this form. What is in letters may have been in others before it was written
    /// so.
    fn patterns(self, needle: &Needle) -> Vec<Vec<u8>> {
        cases(needle).iter().flat_map(|one| self.patterns_of(one)).collect()
    }

    fn patterns_of(self, needle: &Needle) -> Vec<Vec<u8>> {
        if self.radix().is_some() {
            return (0..5).map(|lead| self.digits(&needle.bytes, lead)).collect();
        }
        let mut patterns: Vec<_> = self.write(needle).into_iter().collect();
        if matches!(self, Self::Bcd | Self::BcdSwapped) && needle.bytes.len() % 2 == 1 {
            // The digits may as well begin half-way in a byte.
            let rest = Needle { kind: needle.kind, bytes: needle.bytes[1..].to_vec() };
            patterns.extend(rest.text().and_then(|text| self.write_number(text)));
        }
        patterns
    }
}

fn hex(byte: u8) -> Vec<u8> {
    format!("{byte:02x}").into()
}

fn escaped(text: &str, mark: u8, is_plain: impl Fn(u8) -> bool) -> Vec<u8> {
    let write = |byte: u8| match is_plain(byte) {
        true => vec![byte],
        false => [&[mark][..], &hex(byte)].concat(),
    };
    text.bytes().flat_map(write).collect()
}

fn json(text: &str, is_plain: impl Fn(u16) -> bool) -> Vec<u8> {
    let write = |unit: u16| match u8::try_from(unit) {
        Ok(byte @ (b'"' | b'\\')) if is_plain(unit) => vec![b'\\', byte],
        Ok(byte) if is_plain(unit) => vec![byte],
        _ => format!("\\u{unit:04x}").into(),
    };
    text.encode_utf16().flat_map(write).collect()
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        other => other,
    }
}

/// The needle as it is, in small and in large letters.
fn cases(needle: &Needle) -> BTreeSet<Needle> {
    let Some(text) = needle.text() else { return BTreeSet::from([needle.clone()]) };
    let cases = [text.to_owned(), text.to_lowercase(), text.to_uppercase()];
    cases.iter().map(|text| Needle::new(needle.kind, text)).collect()
}

/// The differences of neighbouring bytes.
fn differences(bytes: &[u8]) -> Vec<u8> {
    bytes.windows(2).map(|pair| pair[0] ^ pair[1]).collect()
}

/// Without line ends, and without the `=` that stands before one in mail. None if there are none.
fn unfolded(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'\n') {
        return None;
    }
    let mut whole = Vec::with_capacity(bytes.len());
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        whole.extend(line.strip_suffix(b"=").unwrap_or(line));
    }
    Some(whole)
}

/// How a needle was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    AsIs,
    Unfolded,
    Mixed,
    Unpacked,
}

/// A needle that was found: which one of those that are looked for, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub needle: usize,
    pub form: Form,
    pub view: View,
}

/// Patterns, each with the needles and forms that it stands for.
type Wanted = BTreeMap<Vec<u8>, Vec<(usize, Form)>>;

/// Patterns to look for, each with the needles and forms that it stands for.
struct Patterns {
    automaton: AhoCorasick,
    owners: Vec<Vec<(usize, Form)>>,
    lengths: Vec<usize>,
}

impl Patterns {
    fn new(any_case: bool, wanted: Wanted) -> Self {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(any_case)
            .build(wanted.keys())
            .expect("few enough patterns");
        let lengths = wanted.keys().map(Vec::len).collect();
        Self { automaton, owners: wanted.into_values().collect(), lengths }
    }

    fn find(&self, bytes: &[u8], least: usize, view: View, hits: &mut BTreeSet<Hit>) {
        for found in self.automaton.find_overlapping_iter(bytes) {
            let at = found.pattern().as_usize();
            if self.lengths[at] >= least {
                let owners = self.owners[at].iter();
                hits.extend(owners.map(|&(needle, form)| Hit { needle, form, view }));
            }
        }
    }
}

/// A search for many needles at once.
pub struct Search {
    any_case: Patterns,
    exact: Patterns,
    mixed: Patterns,
}

impl Search {
    /// What is shorter than [`LEAST_BYTES`] in some form is not looked for in that form.
    pub fn new(needles: &[Needle]) -> Self {
        let mut wanted: [Wanted; 3] = Default::default();
        let mut want = |to: usize, pattern: Vec<u8>, owner| {
            if pattern.len() >= LEAST_BYTES {
                let owners = wanted[to].entry(pattern).or_default();
                if !owners.contains(&owner) {
                    owners.push(owner);
                }
            }
        };
        for (at, needle) in needles.iter().enumerate() {
            for form in Form::ALL {
                for pattern in form.patterns(needle) {
                    match form.minds_case() {
                        true => want(1, pattern, (at, form)),
                        // The automaton folds case; so must what tells patterns apart.
                        false => want(0, pattern.to_ascii_lowercase(), (at, form)),
                    }
                }
                if !matches!(form, Form::Percent | Form::PercentAll | Form::JsonAll) {
                    let written = cases(needle).into_iter().filter_map(|one| form.write(&one));
                    written.for_each(|bytes| want(2, differences(&bytes), (at, form)));
                }
            }
        }
        let [any_case, exact, mixed] = wanted;
        Self {
            any_case: Patterns::new(true, any_case),
            exact: Patterns::new(false, exact),
            mixed: Patterns::new(false, mixed),
        }
    }

    /// What of the needles is in these parts, and in which of them it was found first.
    pub fn hits(&self, parts: &[Part]) -> BTreeMap<Hit, String> {
        let mut all = BTreeMap::new();
        for part in parts {
            let mut hits = BTreeSet::new();
            self.look(&part.bytes, LEAST_BYTES, View::AsIs, &mut hits);
            if let Some(unfolded) = unfolded(&part.bytes) {
                self.look(&unfolded, LEAST_BYTES, View::Unfolded, &mut hits);
            }
            self.mixed.find(&differences(&part.bytes), LEAST_BYTES, View::Mixed, &mut hits);
            let mut unpacker = Unpacker::default();
            for at in 0..part.bytes.len() {
                let unpacked = unpacker.unpack(&part.bytes[at..]);
                self.look(unpacked, LEAST_UNPACKED, View::Unpacked, &mut hits);
            }
            for hit in hits {
                all.entry(hit).or_insert_with(|| part.name.clone());
            }
        }
        all
    }

    fn look(&self, bytes: &[u8], least: usize, view: View, hits: &mut BTreeSet<Hit>) {
        self.any_case.find(bytes, least, view, hits);
        self.exact.find(bytes, least, view, hits);
    }
}

/// Unpacks DEFLATE (RFC 1951). The forms of zlib and gzip are the same behind their heads.
struct Unpacker {
    state: Decompress,
    unpacked: Vec<u8>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self { state: Decompress::new(false), unpacked: Vec::new() }
    }
}

impl Unpacker {
    /// What these bytes are when unpacked, as far as they are packed.
    fn unpack(&mut self, packed: &[u8]) -> &[u8] {
        self.unpacked.clear();
        if !may_begin(packed) {
            return &[];
        }
        self.state.reset(false);
        while self.unpacked.len() < MOST_UNPACKED {
            let (before, taken) = (self.unpacked.len(), self.state.total_in());
            self.unpacked.resize(before + PIECE, 0);
            let rest = packed.get(usize::try_from(taken).unwrap_or(usize::MAX)..);
            let (rest, room) = (rest.unwrap_or_default(), &mut self.unpacked[before..]);
            let status = self.state.decompress(rest, room, FlushDecompress::None);
            let made = usize::try_from(self.state.total_out()).unwrap_or(before);
            self.unpacked.truncate(made);
            // Less than there was room for: packed data ends here, or never was any.
            if !matches!(status, Ok(Status::Ok)) || made < before + PIECE {
                break;
            }
        }
        &self.unpacked
    }
}

/// Whether a block may begin so: there is no kind 3, a stored one says its length twice, and one with codes of
/// its own has at most 286 of them.
fn may_begin(packed: &[u8]) -> bool {
    match packed {
        [first, rest @ ..] => match (first >> 1 & 3, rest) {
            (0, [a, b, c, d, ..]) => *a == !*c && *b == !*d,
            (1, _) => true,
            (2, _) => first >> 3 <= 29,
            _ => false,
        },
        [] => false,
    }
}
