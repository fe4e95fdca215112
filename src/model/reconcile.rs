//! Brings the rows of one node up to those of another, so that only what differs travels.
//!
//! ```text
//! giver                                          taker
//! Index::new, offer  --- Offer: digests --->  Index::new, want
//! Giver::take        <-- Want: buckets, hashes it has there ---
//!                    --- Rows: what it lacks, hashes ascending; End --->
//! ```
//!
//! Rows fall into buckets by the first bits of their hashes; of buckets with equal digests nothing travels.
//! A transfer that broke off leaves nothing behind but the rows that came, and goes on from them.

use crate::base::error::{Error, Result};
use crate::model::limits::{BUCKET_ROWS, MAX_BUCKET_BITS, MAX_SHOWN, MAX_TRAVELLING_ROWS};
use crate::model::offer::{HASH_BYTES, Offer, RowHash, Want, Wanted};
use crate::model::section::Section;

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
    /// The index of these rows; each is known by its place among them, counted from 0. Rows of `Replaced`
    /// count as places and have no hash. A taker that names them as `People` is not sent them again.
    pub fn new<'a>(rows: impl IntoIterator<Item = (Section, &'a str)>) -> Self {
        let rows = rows.into_iter().take(MAX_TRAVELLING_ROWS);
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

    /// What a node with these rows lacks of an offer, to be sent in these parts: the buckets that differ, and
    /// the rows that are here already.
    pub fn want<'a>(&'a self, offer: &'a Offer) -> impl Iterator<Item = Want> + 'a {
        Want::parts(self.differing(offer).map(|(bucket, entries)| {
            let few = Some(entries).filter(|entries| entries.len() <= MAX_SHOWN);
            let shown = few.unwrap_or_default().iter().map(|entry| entry.hash).collect();
            Wanted { bucket, shown }
        }))
    }

    fn differing<'a>(&'a self, offer: &'a Offer) -> impl Iterator<Item = (u16, &'a [Entry])> {
        let both = (0..).zip(self.buckets(offer.bits).zip(&offer.digests));
        both.filter(|(_, (entries, theirs))| digest(entries) != **theirs)
            .map(|(bucket, (entries, _))| (bucket, entries))
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

    fn bucket(&self, bits: u8, bucket: u16) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.hash.bucket(bits) < bucket);
        let end = self.entries.partition_point(|entry| entry.hash.bucket(bits) <= bucket);
        self.entries.get(start..end).unwrap_or_default()
    }
}

fn digest(entries: &[Entry]) -> [u8; HASH_BYTES] {
    RowHash::digest(entries.iter().map(|entry| &entry.hash))
}

/// A giver that has made its offer and is being told what is wanted of it.
#[derive(Debug)]
pub struct Giver<'a> {
    index: &'a Index,
    bits: u8,
    /// The lowest bucket that may be asked for now.
    next: u32,
    places: Vec<u32>,
}

impl<'a> Giver<'a> {
    /// The giver of this index, which made this offer of it.
    pub fn new(index: &'a Index, offer: &Offer) -> Self {
        Self { index, bits: offer.bits, next: 0, places: Vec::new() }
    }

    /// Takes a part of what is wanted. After the last one: the places of the rows to send, in the order in
    /// which they are to be sent. Nothing should be sent before, or both sides could wait for the other to read.
    pub fn take(&mut self, want: &Want) -> Result<Option<Vec<u32>>> {
        if want.buckets.is_empty() && !want.last {
            return Err(Error::peer("wants nothing, and goes on"));
        }
        for Wanted { bucket, shown } in &want.buckets {
            let bucket = *bucket;
            if u32::from(bucket) < self.next || u32::from(bucket) >= 1 << self.bits {
                return Err(Error::peer("wants a bucket twice, or one that was not offered"));
            }
            self.next = u32::from(bucket) + 1;
            if shown.iter().any(|hash| hash.bucket(self.bits) != bucket) {
                return Err(Error::peer("shows hashes of another bucket"));
            }
            // Both ascend, so one walk finds what is missing.
            let mut shown = shown.iter().peekable();
            let missing = self.index.bucket(self.bits, bucket).iter().filter(|entry| {
                while shown.next_if(|hash| **hash < entry.hash).is_some() {}
                shown.next_if(|hash| **hash == entry.hash).is_none()
            });
            self.places.extend(missing.map(|entry| entry.place));
        }
        Ok(want.last.then(|| std::mem::take(&mut self.places)))
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

/// A taker that becomes exactly what is offered: buckets that differ are replaced whole, and what the giver
/// does not have any more is gone. This is how a tier-2 copy is kept.
#[derive(Debug)]
pub struct Renewal<'a> {
    own: &'a Index,
    bits: u8,
    /// Whether a bucket is replaced, for each.
    wanted: Vec<bool>,
    last: Option<RowHash>,
}

impl<'a> Renewal<'a> {
    /// The renewal of what is here by this offer.
    pub fn new(own: &'a Index, offer: &Offer) -> Self {
        let mut wanted = vec![false; offer.digests.len()];
        for (bucket, _) in own.differing(offer) {
            if let Some(wanted) = wanted.get_mut(usize::from(bucket)) {
                *wanted = true;
            }
        }
        Self { own, bits: offer.bits, wanted, last: None }
    }

    /// What is to be asked for, in these parts. No hashes are shown: such a bucket is replaced
    /// whole.
    pub fn want(&self) -> impl Iterator<Item = Want> {
        let wanted = (0..).zip(&self.wanted).filter(|(_, wanted)| **wanted);
        Want::parts(wanted.map(|(bucket, _)| Wanted { bucket, shown: Vec::new() }))
    }

    /// Takes a row that came. It must be of a bucket that was asked for, and rows come with ascending hashes.
    pub fn take(&mut self, section: Section, line: &str) -> Result<()> {
        let hash = RowHash::of(section, line)
            .filter(|hash| self.is_wanted(hash))
            .ok_or_else(|| Error::peer("sent a row that was not asked for"))?;
        if self.last.is_some_and(|last| last >= hash) {
            return Err(Error::peer("sent rows out of order"));
        }
        self.last = Some(hash);
        Ok(())
    }

    /// The places of the rows that stay beside those that came, ascending. `whole` says that the giver came
    /// to its end; if not, only what lies before the last row that came is replaced.
    pub fn stays(&self, whole: bool) -> Vec<u32> {
        let passed = |hash| whole || self.last.is_some_and(|last| hash <= last);
        let stays = |entry: &&Entry| !(self.is_wanted(&entry.hash) && passed(entry.hash));
        let mut places: Vec<_> = self.own.entries.iter().filter(stays).map(|e| e.place).collect();
        places.sort_unstable();
        places
    }

    fn is_wanted(&self, hash: &RowHash) -> bool {
        let bucket = usize::from(hash.bucket(self.bits));
        self.wanted.get(bucket).is_some_and(|wanted| *wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codec::{Decoder, Encoder};
    use crate::model::parcel::{View, pieces, unpack};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Set = BTreeSet<String>;

    fn line(number: u32) -> String {
        format!("Ana {number}, tall, 1/1/24, missing, 48291573662{number}")
    }

    fn set(numbers: impl IntoIterator<Item = u32>) -> Set {
        numbers.into_iter().map(line).collect()
    }

    fn rows(set: &Set) -> impl Iterator<Item = (Section, &str)> {
        set.iter().map(|line| (Section::People, line.as_str()))
    }

    fn index(set: &Set) -> Index {
        Index::new(rows(set))
    }

    /// As it comes out at the other end.
    fn sent_offer(offer: &Offer, bytes: &mut usize) -> Offer {
        let mut out = Encoder::default();
        offer.encode(&mut out);
        let out = out.done();
        *bytes += out.len();
        Offer::decode(Decoder::new(&out)).expect("a right offer")
    }

    fn sent_want(want: &Want, bytes: &mut usize) -> Want {
        let mut out = Encoder::default();
        want.encode(&mut out);
        let out = out.done();
        *bytes += out.len();
        Want::decode(Decoder::new(&out)).expect("a right want")
    }

    /// The lines that a giver sends for these wants, in pieces.
    fn answers(give: &Set, index: &Index, wants: &[Want], size: usize) -> Vec<Vec<u8>> {
        let mut asked = Giver::new(index, &index.offer());
        let lines: Vec<_> = give.iter().collect();
        let mut places = None;
        for want in wants {
            assert!(places.is_none());
            places = asked.take(want).expect("a right want");
        }
        let places = places.expect("the last want was marked");
        let rows = places.iter().map(|place| (Section::People, lines[*place as usize].as_str()));
        pieces(rows, size).collect()
    }

    fn lines_of(piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut take = |_, row: crate::model::row::Row| lines.push(row.line().to_owned());
        assert_eq!(unpack(piece, View::Full, &mut take).expect("rows").strange, 0);
        lines
    }

    /// One sync, which breaks off after so many pieces of rows. Returns the lines that came, in their order,
    /// and the bytes of all messages.
    fn sync(give: &Set, take: &mut Set, cut: usize, size: usize) -> (Vec<String>, usize) {
        let (giver, taker) = (index(give), index(take));
        let mut bytes = 0;
        let offer = sent_offer(&giver.offer(), &mut bytes);
        let wants: Vec<_> = taker.want(&offer).map(|want| sent_want(&want, &mut bytes)).collect();
        let (mut ceiling, mut came) = (Ceiling::new(&offer), Vec::new());
        for piece in answers(give, &giver, &wants, size).iter().take(cut) {
            bytes += piece.len();
            for line in lines_of(piece) {
                ceiling.take(1, line.len() as u64 + 1).expect("no more than offered");
                take.insert(line.clone());
                came.push(line);
            }
        }
        (came, bytes)
    }

    /// One renewal, which breaks off after so many pieces.
    fn renew(give: &Set, take: &mut Set, cut: usize, size: usize) -> usize {
        let (giver, taker) = (index(give), index(take));
        let offer = giver.offer();
        let mut renewal = Renewal::new(&taker, &offer);
        let wants: Vec<_> = renewal.want().collect();
        assert!(wants.iter().flat_map(|want| &want.buckets).all(|one| one.shown.is_empty()));
        let pieces = answers(give, &giver, &wants, size);
        let mut came = Vec::new();
        for line in pieces.iter().take(cut).flat_map(|piece| lines_of(piece)) {
            renewal.take(Section::People, &line).expect("asked for, in order");
            came.push(line);
        }
        let own: Vec<_> = take.iter().cloned().collect();
        let count = came.len();
        let stays = renewal.stays(cut >= pieces.len()).into_iter();
        *take = stays.map(|place| own[place as usize].clone()).chain(came).collect();
        count
    }

    #[test]
    fn equal_sets_exchange_digests_alone() {
        let give = set(0..5000);
        let (came, bytes) = sync(&give, &mut give.clone(), usize::MAX, 1000);
        assert!(came.is_empty());
        let digests = 5000_usize.div_ceil(BUCKET_ROWS).next_power_of_two() * HASH_BYTES;
        assert!(bytes < digests + 30, "{bytes}");
    }

    #[test]
    fn what_travels_grows_with_what_differs() {
        let give = set(0..100_000);
        let mut take = set((0..100_000).filter(|number| number % 1000 != 0));
        let (came, bytes) = sync(&give, &mut take, usize::MAX, 128 * 1024);
        assert_eq!((came.len(), take == give), (100, true));
        // 512 digests, and for each of at most 100 buckets the hashes of about 200 rows; all rows are 5 MB.
        assert!(bytes < 512 * HASH_BYTES + 100 * 300 * HASH_BYTES + 100 * 80, "{bytes}");
    }

    #[test]
    fn rows_are_bucketed_finely_enough_at_every_size_and_an_offer_fits_a_frame() {
        for (count, bits) in [(0, 0), (1, 0), (256, 0), (257, 1), (10_000, 6), (100_000, 9)] {
            let offer = index(&set(0..count)).offer();
            assert_eq!((offer.bits, offer.digests.len()), (bits, 1 << bits), "{count}");
        }
        let frame = crate::model::limits::MAX_FRAME;
        assert!((HASH_BYTES << MAX_BUCKET_BITS) + 14 < frame);
        assert!(crate::model::limits::WANT_PIECE + MAX_SHOWN * HASH_BYTES + 8 < frame);
    }

    #[test]
    fn a_taker_with_far_more_rows_asks_for_the_whole_bucket_and_shows_none() {
        let (give, mut take) = (set(0..10), set(5..20_000));
        let (came, bytes) = sync(&give, &mut take, usize::MAX, 1000);
        assert_eq!((came.len(), take.len()), (10, 20_000));
        assert!(bytes < 1000, "{bytes}");
    }

    #[test]
    fn a_row_that_was_replaced_here_is_not_sent_again_if_its_hash_is_shown() {
        let give = set(0..300);
        let (kept, replaced) = (set(1..300), set(0..1));
        let replaced_rows = rows(&replaced).map(|(_, line)| (Section::Replaced, line));
        assert_eq!(Index::new(rows(&kept).chain(replaced_rows)).offer().rows, 299);
        let taker = Index::new(rows(&kept).chain(rows(&replaced)));
        let (giver, offer) = (index(&give), index(&give).offer());
        let wants: Vec<_> = taker.want(&offer).collect();
        assert!(answers(&give, &giver, &wants, 1000).is_empty());
    }

    #[test]
    fn a_hostile_taker_is_refused() {
        let give = set(0..1000);
        let (giver, nothing) = (index(&give), Index::default());
        let offer = giver.offer();
        let wants: Vec<_> = nothing.want(&offer).collect();
        let want = |buckets: &[u16], shown: &[RowHash]| {
            let buckets =
                buckets.iter().map(|bucket| Wanted { bucket: *bucket, shown: shown.to_vec() });
            Want { last: false, buckets: buckets.collect() }
        };
        let refuses = |want: &Want| Giver::new(&giver, &offer).take(want).is_err();
        assert!(!refuses(&wants[0]));
        assert!(refuses(&want(&[4], &[])), "not offered");
        assert!(refuses(&want(&[u16::MAX], &[])), "not offered");
        assert!(refuses(&want(&[1, 1], &[])), "twice");
        assert!(refuses(&want(&[], &[])), "nothing, and so on for ever");
        assert!(refuses(&want(&[0], &[giver.bucket(2, 1)[0].hash])), "of another bucket");
        let mut asked = Giver::new(&giver, &offer);
        assert!(asked.take(&want(&[1], &[])).expect("right").is_none());
        assert!(asked.take(&want(&[1], &[])).is_err(), "twice, in two parts");
        assert!(asked.take(&want(&[0], &[])).is_err(), "descending, in two parts");
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
        let mut renewal = Renewal::new(&own, &own.offer());
        assert!(renewal.take(Section::People, &line(0)).is_err(), "nothing was asked for");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_both_have_the_taker_ends_with_all_and_nothing_travels_twice(
            size in 1u32..3000, from in 0u32..3000, cuts in prop::collection::vec(0usize..8, 0..4),
        ) {
            let (give, had) = (set(0..size), set(from..3000));
            let mut take = had.clone();
            let mut came = Vec::new();
            for cut in cuts.into_iter().chain([usize::MAX]) {
                came.extend(sync(&give, &mut take, cut, 2000).0);
            }
            let missing: Set = give.difference(&had).cloned().collect();
            prop_assert_eq!(&take, &give.union(&had).cloned().collect::<Set>());
            prop_assert_eq!(came.len(), missing.len());
            prop_assert_eq!(came.into_iter().collect::<Set>(), missing);
        }

        #[test]
        fn however_often_a_renewal_breaks_off_the_taker_ends_as_the_giver(
            size in 0u32..3000, from in 0u32..3000, cuts in prop::collection::vec(0usize..8, 0..4),
        ) {
            let (give, had) = (set(0..size), set(from..3000));
            let mut take = had.clone();
            for cut in cuts {
                renew(&give, &mut take, cut, 2000);
                // What is on both sides was never gone in between, and nothing came from nowhere.
                prop_assert!(give.intersection(&had).all(|line| take.contains(line)));
                prop_assert!(take.iter().all(|line| give.contains(line) || had.contains(line)));
            }
            renew(&give, &mut take, usize::MAX, 2000);
            prop_assert_eq!(&take, &give);
            prop_assert_eq!(renew(&give, &mut take, usize::MAX, 2000), 0);
        }
    }
}
