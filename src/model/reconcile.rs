//! Brings the copy of a reader up to that of a node, so that only what differs travels.
//!
//! ```text
//! giver                                          taker
//! Index::new, offer  --- Offer: digests of buckets ---------->  Renewal::new
//! Giver::split       <-- Split: buckets that differ ----------
//!                    --- Parts: digests of their parts ------>  Renewal::compare
//! Giver::take        <-- Want: parts, rows it has there ------  Renewal::want
//!                    --- Rows: what it lacks, hashes ascending; Gone: what it must drop; End --->
//! ```
//!
//! Rows fall into buckets, and in them into parts, by the first bits of their hashes; of those with equal digests
//! nothing travels. A transfer that broke off leaves nothing behind but the rows that came, and goes on from them.

use crate::base::error::{Error, Result};
use crate::model::limits::{
    BUCKET_ROWS, MAX_BUCKET_BITS, MAX_OFFERED_ROWS, MAX_PART_SHOWN, MAX_SHOWN, MAX_SPLIT,
};
use crate::model::offer::{
    DIGEST_BYTES, Gone, Offer, PARTS, PartDigest, Parts, RowHash, Split, Want, Wanted,
};
use crate::model::section::Section;
use std::collections::BTreeSet;
use std::ops::Range;

/// The hash of a row, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: RowHash,
    place: u32,
}

/// The hashes of rows in ascending order: 20 bytes a row.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
    bytes: u64,
}

impl Index {
    /// The index of these rows; each is known by its place among them, counted from 0. Rows that no copy can hold count
    /// as places and have no hash.
    pub fn new<'a>(rows: impl IntoIterator<Item = (Section, &'a str)>) -> Self {
        let rows = rows.into_iter().take(MAX_OFFERED_ROWS);
        let mut entries = Vec::with_capacity(rows.size_hint().0);
        let mut bytes = 0;
        for (place, (section, line)) in (0..).zip(rows) {
            if let Some(hash) = RowHash::of(section, line) {
                entries.push(Entry { hash, place });
                bytes += line.len() as u64 + 1;
            }
        }
        entries.sort_unstable_by_key(|entry| entry.hash);
        entries.dedup_by_key(|entry| entry.hash);
        Self { entries, bytes }
    }

    /// Puts the rows of this index, given in the order in which it was made of them, into the order of their
    /// hashes, in which they are sent: so they need not be gathered from all over the memory. Doubles are left out.
    pub fn arrange<T>(&mut self, rows: Vec<T>) -> Vec<T> {
        let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
        let mut arranged = Vec::with_capacity(self.entries.len());
        for entry in &mut self.entries {
            let row = rows.get_mut(entry.place as usize).and_then(Option::take);
            entry.place = u32::try_from(arranged.len()).unwrap_or(u32::MAX);
            arranged.extend(row);
        }
        arranged
    }

    /// What its node has, for another to compare.
    pub fn offer(&self) -> Offer {
        let buckets = self.entries.len().div_ceil(BUCKET_ROWS).max(1).next_power_of_two();
        let bits = u8::try_from(buckets.ilog2()).unwrap_or(u8::MAX).min(MAX_BUCKET_BITS);
        Offer {
            bits,
            rows: u32::try_from(self.entries.len()).unwrap_or(u32::MAX),
            bytes: self.bytes,
            digests: self.buckets(bits).map(digest).collect(),
        }
    }

    /// The entries of each of 2^`bits` buckets.
    fn buckets(&self, bits: u8) -> impl Iterator<Item = &[Entry]> {
        let mut rest = self.entries.as_slice();
        (0..1_u32 << bits.min(MAX_BUCKET_BITS)).map(move |bucket| {
            let end = rest.partition_point(|entry| u32::from(entry.hash.bucket(bits)) <= bucket);
            let (these, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after;
            these
        })
    }

    /// Where the entries of these parts stand; the parts are counted over all buckets.
    fn range(&self, bits: u8, (first, last): (u32, u32)) -> Range<usize> {
        let start = self.entries.partition_point(|entry| entry.hash.cell(bits) < first);
        let end = self.entries.partition_point(|entry| entry.hash.cell(bits) <= last);
        start..end
    }

    fn cells(&self, bits: u8, cells: (u32, u32)) -> &[Entry] {
        self.entries.get(self.range(bits, cells)).unwrap_or_default()
    }

    /// The digests of the parts of a bucket.
    fn parts(&self, bits: u8, bucket: u16) -> [PartDigest; PARTS as usize] {
        let mut rest = self.cells(bits, Wanted::whole(bucket).cells());
        let mut part = 0;
        [(); PARTS as usize].map(|()| {
            let end = rest.partition_point(|entry| entry.hash.part(bits) <= part);
            let (these, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            (rest, part) = (after, part.saturating_add(1));
            RowHash::digest(these.iter().map(|entry| &entry.hash))
        })
    }
}

fn digest(entries: &[Entry]) -> [u8; DIGEST_BYTES] {
    RowHash::digest(entries.iter().map(|entry| &entry.hash))
}

/// A giver that has made its offer and is being told what is wanted of it.
#[derive(Debug)]
pub struct Giver<'a> {
    index: &'a Index,
    bits: u8,
    /// The lowest part that may be asked for now, counted over all buckets.
    next: u32,
    /// Whether it has shown parts, which it does once.
    has_split: bool,
    /// How many rows were shown.
    shown: u32,
    answer: Answer,
}

/// What a giver has to send.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The places of the rows to send, in the order in which they are to be sent.
    pub places: Vec<u32>,
    /// What was shown and is not here.
    pub gone: Gone,
}

impl<'a> Giver<'a> {
    /// The giver of this index, which made this offer of it.
    pub fn new(index: &'a Index, offer: &Offer) -> Self {
        let answer = Answer::default();
        Self { index, bits: offer.bits, next: 0, has_split: false, shown: 0, answer }
    }

    /// The parts of these buckets. They are asked for once, and before anything is wanted.
    pub fn split(&mut self, split: &Split) -> Result<Parts> {
        let offered = |bucket: &u16| u32::from(*bucket) < 1 << self.bits;
        if std::mem::replace(&mut self.has_split, true) || !split.0.iter().all(offered) {
            return Err(Error::peer("splits twice, or what was not offered"));
        }
        Ok(Parts(split.0.iter().map(|bucket| self.index.parts(self.bits, *bucket)).collect()))
    }

    /// Takes a part of what is wanted. After the last one: what to send. Nothing should be sent before, or both
    /// sides could wait for the other to read.
    pub fn take(&mut self, want: &Want) -> Result<Option<Answer>> {
        self.has_split = true;
        if want.buckets.is_empty() && !want.last {
            return Err(Error::peer("wants nothing, and goes on"));
        }
        for wanted in &want.buckets {
            let (first, last) = wanted.cells();
            if first < self.next || u32::from(wanted.bucket) >= 1 << self.bits {
                return Err(Error::peer("wants a bucket twice, or one that was not offered"));
            }
            self.next = last + 1;
            self.answer(wanted)?;
        }
        Ok(want.last.then(|| std::mem::take(&mut self.answer)))
    }

    fn answer(&mut self, wanted: &Wanted) -> Result<()> {
        let entries = self.index.cells(self.bits, wanted.cells());
        let is_shown = |entry: &&Entry| wanted.shown.binary_search(&entry.hash.short()).is_ok();
        let missing = entries.iter().filter(|entry| !is_shown(entry));
        self.answer.places.extend(missing.map(|entry| entry.place));
        let here: BTreeSet<_> = match wanted.shown.is_empty() {
            true => BTreeSet::new(),
            false => entries.iter().map(|entry| entry.hash.short()).collect(),
        };
        for short in &wanted.shown {
            if !here.contains(short) {
                self.answer.gone.0.push(self.shown);
            }
            self.shown += 1;
        }
        match self.shown as usize > MAX_SHOWN {
            true => Err(Error::peer("shows too many rows")),
            false => Ok(()),
        }
    }
}

/// How much may still come of an offer. A giver that sends more than it offered is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    rows: u64,
    bytes: u64,
}

impl Ceiling {
    /// All of this offer.
    pub fn new(offer: &Offer) -> Self {
        Self { rows: offer.rows.into(), bytes: offer.bytes }
    }

    /// So many rows came, with so many bytes, a line break for each counted in.
    pub fn take(&mut self, rows: u64, bytes: u64) -> Result<()> {
        match (self.rows.checked_sub(rows), self.bytes.checked_sub(bytes)) {
            (Some(rows), Some(bytes)) => {
                *self = Self { rows, bytes };
                Ok(())
            }
            _ => Err(Error::peer("sent more rows than it offered")),
        }
    }
}

/// A taker that becomes exactly what is offered: what the giver does not have any more is gone. This is how a
/// tier-2 copy is kept.
#[derive(Debug)]
pub struct Renewal<'a> {
    own: &'a Index,
    bits: u8,
    /// For each bucket a bit for each part of it that is asked for.
    asked: Vec<u16>,
    /// The same for those of which the own rows are shown, and stay if the giver has them too.
    shows: Vec<u16>,
    /// Buckets of which the parts were compared.
    split: Split,
    /// Which of the own entries were shown, in this order.
    shown: Vec<usize>,
    /// Which of the own entries the giver does not have.
    gone: BTreeSet<usize>,
    last: Option<RowHash>,
}

/// All parts of a bucket.
const ALL_PARTS: u16 = u16::MAX;

impl<'a> Renewal<'a> {
    /// The renewal of what is here by this offer.
    pub fn new(own: &'a Index, offer: &Offer) -> Self {
        let (mut asked, mut split) = (Vec::with_capacity(offer.digests.len()), Split::default());
        let both = own.buckets(offer.bits).zip(&offer.digests);
        for (bucket, (entries, theirs)) in (0..).zip(both) {
            let differs = digest(entries) != *theirs;
            asked.push(if differs { ALL_PARTS } else { 0 });
            if differs && !entries.is_empty() && split.0.len() < MAX_SPLIT {
                split.0.push(bucket);
            }
        }
        let shows = vec![0; asked.len()];
        let (shown, gone) = (Vec::new(), BTreeSet::new());
        Self { own, bits: offer.bits, asked, shows, split, shown, gone, last: None }
    }

    /// The buckets to be looked at more closely, if any.
    pub fn split(&self) -> Option<&Split> {
        Some(&self.split).filter(|split| !split.0.is_empty())
    }

    /// Takes the digests of the parts of these buckets.
    pub fn compare(&mut self, theirs: &Parts) -> Result<()> {
        if theirs.0.len() != self.split.0.len() {
            return Err(Error::peer("sent parts of other buckets"));
        }
        for (bucket, theirs) in self.split.0.iter().zip(&theirs.0) {
            let own = self.own.parts(self.bits, *bucket);
            let both = (0..PARTS).zip(own.iter().zip(theirs));
            let differ = both.filter(|(_, (own, theirs))| own != theirs);
            let differ = differ.fold(0, |bits, (part, _)| bits | 1 << part);
            if let Some(asked) = self.asked.get_mut(usize::from(*bucket)) {
                *asked = differ;
            }
        }
        Ok(())
    }

    /// What is to be asked for, in these parts.
    pub fn want(&mut self) -> impl Iterator<Item = Want> + use<> {
        let mut all = Vec::new();
        for (bucket, asked) in (0..).zip(self.asked.clone()) {
            if self.split.0.binary_search(&bucket).is_err() {
                all.extend((asked != 0).then(|| Wanted::whole(bucket)));
                continue;
            }
            let parts = (0..PARTS).filter(|part| asked >> part & 1 == 1);
            all.extend(parts.map(|part| self.wanted(bucket, part)));
        }
        Want::parts(all.into_iter())
    }

    /// A part of a bucket; its rows are shown if they are few and differ in what is shown of them.
    fn wanted(&mut self, bucket: u16, part: u8) -> Wanted {
        let mut wanted = Wanted { bucket, part, shown: Vec::new() };
        let range = self.own.range(self.bits, wanted.cells());
        let entries = self.own.entries.get(range.clone()).unwrap_or_default();
        let shorts: BTreeSet<_> =
            entries.iter().zip(range).map(|(entry, at)| (entry.hash.short(), at)).collect();
        wanted.shown = shorts.iter().map(|(short, _)| *short).collect();
        wanted.shown.dedup();
        let fits = (1..=MAX_PART_SHOWN).contains(&entries.len())
            && wanted.shown.len() == entries.len()
            && self.shown.len() + entries.len() <= MAX_SHOWN;
        if !fits {
            return Wanted { shown: Vec::new(), ..wanted };
        }
        self.shown.extend(shorts.iter().map(|(_, at)| *at));
        if let Some(shows) = self.shows.get_mut(usize::from(bucket)) {
            *shows |= 1 << part;
        }
        wanted
    }

    /// Takes a row that came. It must be of what was asked for, and rows come with ascending hashes.
    pub fn take(&mut self, section: Section, line: &str) -> Result<()> {
        let hash = RowHash::of(section, line)
            .filter(|hash| self.is_in(&self.asked, hash))
            .ok_or_else(|| Error::peer("sent a row that was not asked for"))?;
        if self.last.is_some_and(|last| last >= hash) {
            return Err(Error::peer("sent rows out of order"));
        }
        self.last = Some(hash);
        Ok(())
    }

    /// Takes what the giver does not have of what was shown.
    pub fn drop_gone(&mut self, gone: &Gone) -> Result<()> {
        for position in &gone.0 {
            let at = self.shown.get(*position as usize);
            let at = at.ok_or_else(|| Error::peer("misses rows that were not shown"))?;
            self.gone.insert(*at);
        }
        Ok(())
    }

    /// The places of the rows that stay beside those that came, ascending. `whole` says that the giver came to its
    /// end; if not, only what lies before the last row that came is replaced.
    pub fn stays(&self, whole: bool) -> Vec<u32> {
        let passed = |hash| whole || self.last.is_some_and(|last| hash <= last);
        let stays = |(at, entry): &(usize, &Entry)| {
            !self.is_in(&self.asked, &entry.hash)
                || match self.is_in(&self.shows, &entry.hash) {
                    true => !(whole && self.gone.contains(at)),
                    false => !passed(entry.hash),
                }
        };
        let entries = self.own.entries.iter().enumerate().filter(stays);
        let mut places: Vec<_> = entries.map(|(_, entry)| entry.place).collect();
        places.sort_unstable();
        places
    }

    fn is_in(&self, parts: &[u16], hash: &RowHash) -> bool {
        let bits = parts.get(usize::from(hash.bucket(self.bits)));
        bits.is_some_and(|bits| bits >> hash.part(self.bits) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codec::{Decoder, Encoder};
    use crate::model::limits::MAX_FRAME;
    use crate::model::parcel::{pieces, unpack};
    use proptest::prelude::*;

    type Set = BTreeSet<String>;

    fn line(number: u32) -> String {
        format!("Ana {number}, tall, 1/1/24, missing in camp 4 {number}")
    }

    fn set(numbers: impl IntoIterator<Item = u32>) -> Set {
        numbers.into_iter().map(line).collect()
    }

    fn index(set: &Set) -> Index {
        Index::new(set.iter().map(|line| (Section::People, line.as_str())))
    }

    /// As it comes out at the other end.
    fn sent<T>(
        write: impl Fn(&mut Encoder),
        read: fn(Decoder<'_>) -> Result<T>,
        bytes: &mut usize,
    ) -> T {
        let mut out = Encoder::default();
        write(&mut out);
        let out = out.done();
        assert!(out.len() < MAX_FRAME);
        *bytes += out.len();
        read(Decoder::new(&out)).expect("right")
    }

    fn lines_of(piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut take = |_, row: crate::model::row::Row| lines.push(row.line().to_owned());
        assert_eq!(unpack(piece, &mut take).expect("rows").strange, 0);
        lines
    }

    /// One renewal, which breaks off after so many pieces of rows. Returns how many rows came, and the bytes of all
    /// messages.
    fn renew(give: &Set, take: &mut Set, cut: usize, size: usize) -> (usize, usize) {
        let (giver, taker) = (index(give), index(take));
        let (offer, mut bytes) = (giver.offer(), 0);
        let (offer, mut asked) =
            (sent(|out| offer.encode(out), Offer::decode, &mut bytes), Giver::new(&giver, &offer));
        let mut renewal = Renewal::new(&taker, &offer);
        if let Some(split) = renewal.split() {
            let split = sent(|out| split.encode(out), Split::decode, &mut bytes);
            let parts = asked.split(&split).expect("right");
            let parts = sent(|out| parts.encode(out), Parts::decode, &mut bytes);
            renewal.compare(&parts).expect("right");
        }
        let mut answer = None;
        for want in renewal.want() {
            assert!(answer.is_none());
            let want = sent(|out| want.encode(out), Want::decode, &mut bytes);
            answer = asked.take(&want).expect("a right want");
        }
        let answer = answer.expect("the last want was marked");
        let lines: Vec<_> = give.iter().collect();
        let rows =
            answer.places.iter().map(|place| (Section::People, lines[*place as usize].as_str()));
        let pieces: Vec<_> = pieces(rows, size).collect();
        let (mut ceiling, mut came) = (Ceiling::new(&offer), Vec::new());
        for piece in pieces.iter().take(cut) {
            bytes += piece.len();
            for line in lines_of(piece) {
                ceiling.take(1, line.len() as u64 + 1).expect("no more than offered");
                renewal.take(Section::People, &line).expect("asked for, in order");
                came.push(line);
            }
        }
        if cut >= pieces.len() {
            let gone = sent(|out| answer.gone.encode(out), Gone::decode, &mut bytes);
            renewal.drop_gone(&gone).expect("of what was shown");
        }
        let own: Vec<_> = take.iter().cloned().collect();
        let count = came.len();
        let stays = renewal.stays(cut >= pieces.len()).into_iter();
        *take = stays.map(|place| own[place as usize].clone()).chain(came).collect();
        (count, bytes)
    }

    #[test]
    fn equal_sets_exchange_digests_alone() {
        let give = set(0..5000);
        let (came, bytes) = renew(&give, &mut give.clone(), usize::MAX, 1000);
        assert_eq!(came, 0);
        let digests = 5000_usize.div_ceil(BUCKET_ROWS).next_power_of_two() * DIGEST_BYTES;
        assert!(bytes < digests + 30, "{bytes}");
    }

    #[test]
    fn what_travels_grows_with_what_differs() {
        let give = set(0..100_000);
        let changed = |number: u32| if number % 1000 == 0 { number + 100_000 } else { number };
        let mut take = set((0..100_000).map(changed));
        let (came, bytes) = renew(&give, &mut take, usize::MAX, 128 * 1024);
        assert_eq!((came, take == give), (100, true));
        println!("100 changes in 100,000 rows of 53 bytes: {bytes} bytes in messages");
        // 512 digests; at most 200 buckets of 16 parts; 200 parts of 12 rows shown; 100 rows.
        let most = 512 * DIGEST_BYTES + 200 * (2 + 64) + 200 * (4 + 14 * 4) + 100 * (60 + 4);
        assert!(bytes < most, "{bytes} of {most}");
    }

    #[test]
    fn rows_are_bucketed_finely_enough_at_every_size_and_an_offer_fits_a_frame() {
        for (count, bits) in [(0, 0), (1, 0), (256, 0), (257, 1), (10_000, 6), (100_000, 9)] {
            let offer = index(&set(0..count)).offer();
            assert_eq!((offer.bits, offer.digests.len()), (bits, 1 << bits), "{count}");
        }
        const { assert!((DIGEST_BYTES << MAX_BUCKET_BITS) + 14 < MAX_FRAME) };
        const { assert!(MAX_SPLIT * 64 + 1 < MAX_FRAME && MAX_SHOWN * 4 + 1 < MAX_FRAME) };
    }

    #[test]
    fn a_taker_with_far_more_rows_shows_only_few() {
        let (give, mut take) = (set(0..10), set(5..200_000));
        let (came, bytes) = renew(&give, &mut take, usize::MAX, 1000);
        assert_eq!((came, &take), (10, &give));
        assert!(bytes < 2000, "{bytes}");
    }

    #[test]
    fn a_hostile_taker_is_refused() {
        let give = set(0..1000);
        let giver = index(&give);
        let offer = giver.offer();
        let want = |buckets: &[Wanted]| Want { last: false, buckets: buckets.to_vec() };
        let whole = |bucket| want(&[Wanted::whole(bucket)]);
        let refuses = |want: &Want| Giver::new(&giver, &offer).take(want).is_err();
        assert!(!refuses(&whole(3)));
        assert!(refuses(&whole(4)) && refuses(&whole(u16::MAX)), "not offered");
        assert!(refuses(&want(&[Wanted::whole(1), Wanted::whole(1)])), "twice");
        assert!(refuses(&want(&[])), "nothing, and so on for ever");
        let mut asked = Giver::new(&giver, &offer);
        assert!(asked.take(&whole(1)).expect("right").is_none());
        assert!(asked.take(&whole(1)).is_err(), "twice, in two parts");
        assert!(asked.take(&whole(0)).is_err(), "descending, in two parts");
        assert!(asked.split(&Split(vec![2])).is_err(), "too late");
        let mut asked = Giver::new(&giver, &offer);
        assert!(asked.split(&Split(vec![4])).is_err(), "not offered");
        assert!(asked.split(&Split(vec![0])).is_err(), "twice");
        // More rows than are shown by anybody true.
        let shown: Vec<_> = (0..64).map(|byte| [byte, 0, 0, 0]).collect();
        let giver = index(&set(0..300_000));
        let offer = giver.offer();
        let mut asked = Giver::new(&giver, &offer);
        let parts = (0..1200_u16).map(|cell| Wanted {
            bucket: cell / 16,
            part: (cell % 16) as u8,
            shown: shown.clone(),
        });
        assert!(asked.take(&Want { last: false, buckets: parts.collect() }).is_err());
    }

    #[test]
    fn a_hostile_giver_is_refused() {
        let give = set(0..1000);
        let offer = index(&give).offer();
        let mut ceiling = Ceiling::new(&offer);
        assert!(ceiling.take(999, 20).is_ok() && ceiling.take(2, 20).is_err());
        assert!(ceiling.take(1, offer.bytes).is_err() && ceiling.take(1, offer.bytes - 20).is_ok());

        let own = index(&set(0..1));
        let mut renewal = Renewal::new(&own, &index(&set(0..2)).offer());
        let mut lines = [line(0), line(1)];
        lines.sort_by_key(|line| RowHash::of(Section::People, line));
        assert!(renewal.take(Section::Replaced, &lines[0]).is_err(), "it has no hash");
        assert!(renewal.take(Section::People, &lines[1]).is_ok());
        assert!(renewal.take(Section::People, &lines[1]).is_err(), "twice");
        assert!(renewal.take(Section::People, &lines[0]).is_err(), "descending");
        assert!(renewal.compare(&Parts::default()).is_err(), "other parts than asked for");
        assert!(renewal.drop_gone(&Gone(vec![0])).is_err(), "nothing was shown");
        let mut renewal = Renewal::new(&own, &own.offer());
        assert!(renewal.take(Section::People, &line(0)).is_err(), "nothing was asked for");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_often_a_renewal_breaks_off_the_taker_ends_as_the_giver(
            size in 0u32..3000, from in 0u32..3000, step in 1u32..40,
            cuts in prop::collection::vec(0usize..8, 0..4),
        ) {
            let give = set(0..size);
            let had = set((from..3000).filter(|number| number % step == 0));
            let mut take = had.clone();
            for cut in cuts {
                renew(&give, &mut take, cut, 2000);
                // What is on both sides was never gone in between, and nothing came from nowhere.
                prop_assert!(give.intersection(&had).all(|line| take.contains(line)));
                prop_assert!(take.iter().all(|line| give.contains(line) || had.contains(line)));
            }
            renew(&give, &mut take, usize::MAX, 2000);
            prop_assert_eq!(&take, &give);
            prop_assert_eq!(renew(&give, &mut take, usize::MAX, 2000).0, 0);
        }
    }
}
