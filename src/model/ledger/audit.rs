//! Checks a whole ledger, entry by entry in the order of its file, every signature of it, and names what is wrong.
//! It takes what a node takes at its start, so that both say the same. The memory that it needs is that of the
//! hashes of the blocks.
//!
//! A node that lost blocks gets them again from its peers, and they stand further on. What was found is mended then.

use crate::model::codec::Decoder;
use crate::model::keys::IdentityKey;
use crate::model::ledger::block::{Received, SignedHeader};
use crate::model::ledger::chains::{Chains, Rigour};
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fault::{Fault, Wrong};
use crate::model::ledger::finding::{Finding, Tampering, Touched};
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::names::{BlockHash, LogName};
use crate::model::ledger::stored::{Birth, Stored};
use crate::model::limits::{MAX_COPY_TRIALS, MAX_FINDINGS};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What an author has written, as far as it is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In how many logs.
    pub logs: usize,
    /// How many blocks.
    pub blocks: u64,
    /// How many changes.
    pub changes: u64,
}

/// An audit that goes on.
#[derive(Debug)]
pub struct Audit<P> {
    chains: Chains,
    tallies: BTreeMap<LogName, Tally>,
    birth: Option<Birth>,
    entries: u64,
    findings: Vec<Finding<P>>,
    /// Blocks with wrong signatures. Who signed them is asked at the end.
    unsigned: Vec<(P, SignedHeader, Touched)>,
    early: BTreeMap<LogName, Vec<Early<P>>>,
    /// Blocks that damaged bytes say they were, and whether their authors' signatures say so too.
    claims: Vec<(usize, LogName, u32, bool)>,
    more: usize,
}

/// Blocks that stand where something before them is missing; each continues the one before it.
#[derive(Debug)]
struct Early<P> {
    at: P,
    first: u32,
    last: u32,
    /// The block before the first, as that says.
    before: BlockHash,
    hash: BlockHash,
    touched: Touched,
}

/// What an audit found.
#[derive(Debug)]
pub struct Report<P> {
    /// All that is verified, as a node takes it.
    pub chains: Chains,
    /// What each author wrote, by key.
    pub authors: BTreeMap<[u8; 32], Tally>,
    /// What the ledger begins with.
    pub birth: Option<Birth>,
    /// How many entries were looked at.
    pub entries: u64,
    /// What cannot be verified, in the order of the file where it stands there.
    pub findings: Vec<Finding<P>>,
    /// How many further findings there was no room for.
    pub more: usize,
}

impl<P: Clone> Default for Audit<P> {
    fn default() -> Self {
        Self {
            chains: Chains::default(),
            tallies: BTreeMap::new(),
            birth: None,
            entries: 0,
            findings: Vec::new(),
            unsigned: Vec::new(),
            early: BTreeMap::new(),
            claims: Vec::new(),
            more: 0,
        }
    }
}

impl<P: Clone> Audit<P> {
    /// Looks at an entry of the file. Returns what is wrong with it, if anything is.
    pub fn entry(&mut self, at: P, entry: &[u8]) -> Option<Wrong> {
        self.entries += 1;
        match Stored::read(entry) {
            Ok(Stored::Block(block)) => self.block(at, *block),
            Ok(Stored::Proof(proof)) => self.proof(at, *proof),
            Ok(Stored::Birth(birth)) => self.birth(at, birth),
            Err(fault) => self.unread(at, entry, fault),
        }
    }

    /// Looks at bytes that are no whole frame: what stands behind the place where a frame's body would begin.
    pub fn damage(&mut self, kind: Tampering, at: P, bodies: &[&[u8]]) {
        let mut finding = Finding::new(kind, Some(at));
        let place = self.findings.len();
        for body in bodies {
            let Some((header, touched)) = body.split_first().and_then(|(_, block)| salvage(block))
            else {
                continue;
            };
            let (name, sequence) = (header.header().name, header.header().sequence);
            let is_signed = header.check_signature().is_ok();
            let is_known = self.chains.length(&name) > 0;
            if is_signed || is_known {
                self.claims.push((place, name, sequence, is_signed));
                if finding.log.is_none() {
                    finding = finding.of(name, sequence, sequence);
                }
            }
            finding.touched.extend(touched);
        }
        self.found(finding);
    }

    fn found(&mut self, finding: Finding<P>) {
        match self.findings.len() < MAX_FINDINGS {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }

    fn birth(&mut self, at: P, birth: Birth) -> Option<Wrong> {
        let is_right = self.entries == 1 || self.birth == Some(birth);
        self.birth = self.birth.or(Some(birth));
        if is_right {
            return None;
        }
        self.found(Finding::new(Tampering::Birth, Some(at)));
        Some(Wrong::Form)
    }

    fn proof(&mut self, at: P, proof: ForkProof) -> Option<Wrong> {
        let (name, sequence) = (proof.name(), proof.sequence());
        if self.chains.convict(proof) && !self.is_told(Tampering::Fork, &name, sequence) {
            self.found(Finding::new(Tampering::Fork, Some(at)).of(name, sequence, sequence));
        }
        None
    }

    fn is_told(&self, kind: Tampering, log: &LogName, sequence: u32) -> bool {
        self.findings.iter().any(|one| one.kind == kind && one.holds(log, sequence))
    }

    /// An entry that is not what a node writes.
    fn unread(&mut self, at: P, entry: &[u8], fault: Fault) -> Option<Wrong> {
        let salvaged = Stored::block_of(entry).and_then(salvage);
        let kind = match fault.wrong {
            Wrong::Content => Tampering::Content,
            Wrong::Signature => Tampering::Signature,
            _ => Tampering::Form,
        };
        let mut finding = Finding::new(kind, Some(at));
        if let Some((name, sequence)) = fault.block {
            finding = finding.of(name, sequence, sequence);
        }
        if let Some((header, touched)) = salvaged {
            let is_signed = header.check_signature().is_ok();
            let place = (self.findings.len(), header.header().name, header.header().sequence);
            self.claims.push((place.0, place.1, place.2, is_signed));
            finding.touched = touched;
        }
        self.found(finding);
        Some(fault.wrong)
    }

    fn block(&mut self, at: P, block: Received) -> Option<Wrong> {
        let signed = block.signed();
        let (name, sequence) = (signed.header().name, signed.header().sequence);
        let one = std::slice::from_ref(&block);
        let wrong = match self.chains.examine(one, Rigour::Every) {
            Ok(_) => {
                self.take(block);
                return None;
            }
            // A block that is out of place is told before its signature is looked at.
            Err(_) if signed.check_signature().is_err() => Wrong::Signature,
            Err(_) if self.chains.hash(&name, sequence).is_some() => Wrong::Fork,
            Err(refused) => refused.fault.wrong,
        };
        let touched = Touched::by(&block);
        let finding = |kind| Finding::new(kind, Some(at.clone())).of(name, sequence, sequence);
        match wrong {
            Wrong::Signature if self.unsigned.len() >= MAX_FINDINGS => self.more += 1,
            Wrong::Signature => self.unsigned.push((at, signed.clone(), touched)),
            Wrong::Gap => self.early(at, signed, touched),
            // Known already by the proof, or by the block before.
            Wrong::Fork if self.is_told(Tampering::Fork, &name, sequence) => {}
            Wrong::Fork => self.found(finding(Tampering::Fork).touching(touched)),
            Wrong::Full => self.found(finding(Tampering::Full).touching(touched)),
            _ => self.found(finding(Tampering::Replaced).touching(touched)),
        }
        Some(wrong)
    }

    fn take(&mut self, block: Received) {
        let changes = block.entries().iter().filter(|one| matches!(one, Entry::Change(_))).count();
        let name = block.signed().header().name;
        // It was examined: none of these can fail. One that is here already is no news.
        for block in self.chains.check(vec![block], Rigour::Last).unwrap_or_default() {
            if self.chains.extend(&block).is_ok() {
                let tally = self.tallies.entry(name).or_default();
                tally.blocks += 1;
                tally.changes += changes as u64;
            }
        }
    }

    fn early(&mut self, at: P, signed: &SignedHeader, touched: Touched) {
        let header = signed.header();
        let runs = self.early.entry(header.name).or_default();
        let is_full = runs.len() >= MAX_FINDINGS;
        match runs.last_mut() {
            Some(run) if run.last + 1 == header.sequence && run.hash == header.before => {
                (run.last, run.hash) = (header.sequence, signed.hash());
                run.touched.extend(touched);
            }
            _ if is_full => self.more += 1,
            _ => runs.push(Early {
                at,
                first: header.sequence,
                last: header.sequence,
                before: header.before,
                hash: signed.hash(),
                touched,
            }),
        }
    }

    // --- the end ---

    /// All of the file was looked at.
    pub fn finish(mut self) -> Report<P> {
        if self.birth.is_none() && self.entries > 0 {
            self.found(Finding::new(Tampering::Birth, None));
        }
        self.ask_who_signed();
        self.settle_claims();
        for (name, runs) in std::mem::take(&mut self.early) {
            self.settle_early(name, runs);
        }
        self.ask_witnesses();
        let mut authors: BTreeMap<[u8; 32], Tally> = BTreeMap::new();
        for (name, tally) in &self.tallies {
            let author = authors.entry(*name.author.as_bytes()).or_default();
            author.logs += 1;
            author.blocks += tally.blocks;
            author.changes += tally.changes;
        }
        let Self { chains, birth, entries, mut findings, more, .. } = self;
        for finding in findings.iter_mut().filter(|one| one.kind == Tampering::Fork) {
            // People have looked into it, and said so.
            let fork = finding.log.and_then(|name| chains.fork(&name));
            finding.is_mended = fork.is_some_and(|fork| chains.is_released(fork));
        }
        Report { chains, authors, birth, entries, findings, more }
    }

    /// Names those who signed what stands under other names, and tells one forged block from a forged tail.
    fn ask_who_signed(&mut self) {
        let authors: BTreeSet<_> =
            self.tallies.keys().map(|name| *name.author.as_bytes()).collect();
        let mut trials = MAX_COPY_TRIALS;
        let mut last: Option<(usize, BlockHash)> = None;
        for (at, signed, touched) in std::mem::take(&mut self.unsigned) {
            let header = *signed.header();
            let (name, sequence) = (header.name, header.sequence);
            let mut from = None;
            for author in authors.iter().map(|author| IdentityKey::from(*author)) {
                if trials > 0 && from.is_none() {
                    trials -= 1;
                    from = signed.is_copied_from(&author).then_some(author);
                }
            }
            let open = last.take().filter(|(_, hash)| *hash == header.before);
            let open = open.filter(|_| from.is_none()).map(|(place, _)| place);
            let before = open.and_then(|place| self.findings.get_mut(place));
            let is_next = |one: &Finding<P>| {
                let follows = one.blocks.is_some_and(|(_, last)| last + 1 == sequence);
                one.log == Some(name) && follows
            };
            if let Some(before) = before.filter(|one| is_next(one)) {
                before.kind = Tampering::Tail;
                before.blocks = before.blocks.map(|(first, _)| (first, sequence));
                before.touched.extend(touched);
                last = open.map(|place| (place, signed.hash()));
                continue;
            }
            let kind = if from.is_some() { Tampering::Copied } else { Tampering::Signature };
            let finding = Finding::new(kind, Some(at)).of(name, sequence, sequence);
            last = from.is_none().then_some((self.findings.len(), signed.hash()));
            self.found(Finding { other: from, ..finding.touching(touched) });
        }
    }

    /// What damaged bytes were has come again, if all blocks that stood there are here now.
    fn settle_claims(&mut self) {
        let mut mended: BTreeMap<usize, bool> = BTreeMap::new();
        for (place, name, sequence, is_signed) in &self.claims {
            let is_here = *is_signed && self.chains.length(name) > *sequence;
            *mended.entry(*place).or_insert(true) &= is_here;
        }
        for (place, is_mended) in mended {
            if let Some(finding) = self.findings.get_mut(place) {
                finding.is_mended = is_mended;
            }
        }
    }

    /// Says why blocks of a log stand where something before them is missing.
    fn settle_early(&mut self, name: LogName, mut runs: Vec<Early<P>>) {
        runs.sort_by_key(|run| run.first);
        let length = self.chains.length(&name);
        // Behind which block the log goes on, and with what hash.
        let mut next = length;
        let mut hash = length.checked_sub(1).and_then(|last| self.chains.hash(&name, last));
        for run in runs {
            if run.last < next {
                // It came again further on, and so did what was missing before it.
                continue;
            }
            if run.first > next {
                self.missing(name, next..run.first, &run);
            } else {
                let is_right = run.first < next || hash == Some(run.before);
                let kind = if is_right { Tampering::Reordered } else { Tampering::Replaced };
                let finding = Finding::new(kind, Some(run.at)).of(name, run.first, run.last);
                self.found(finding.touching(run.touched));
            }
            (next, hash) = (run.last + 1, Some(run.hash));
        }
    }

    /// Blocks of a log that are not here, before others that are.
    fn missing(&mut self, name: LogName, range: Range<u32>, run: &Early<P>) {
        let behind = run.last - run.first + 1;
        let place_of = |(place, log, sequence, _): &(usize, LogName, u32, bool)| {
            (*log == name && range.contains(sequence)).then_some((*place, *sequence))
        };
        let claimed = self.claims.iter().filter_map(place_of);
        let bad = self.findings.iter().enumerate().filter_map(|(place, one)| {
            let (first, _) = one.blocks.filter(|_| one.log == Some(name))?;
            range.contains(&first).then_some((place, first))
        });
        let told: BTreeMap<u32, usize> = claimed.chain(bad).map(|(at, one)| (one, at)).collect();
        let are_all = told.len() as u64 >= u64::from(range.end - range.start);
        let first = told.values().next().filter(|_| are_all);
        if let Some(finding) = first.and_then(|at| self.findings.get_mut(*at)) {
            finding.behind += behind;
            return;
        }
        let finding = Finding::new(Tampering::Removed, Some(run.at.clone()));
        self.found(Finding { behind, ..finding.of(name, range.start, range.end - 1) });
    }

    /// Blocks that peers saw otherwise.
    fn ask_witnesses(&mut self) {
        let said: Vec<_> = self.chains.contradictions().copied().collect();
        for one in said {
            let (name, sequence) = (one.seen.name, one.seen.length.saturating_sub(1));
            let finding = Finding::new(Tampering::Rewritten, None).of(name, sequence, sequence);
            self.found(Finding { other: Some(one.witness.author), ..finding });
        }
    }
}

/// What can still be read of a damaged block: its header, and the records of the entries before the damage.
fn salvage(block: &[u8]) -> Option<(SignedHeader, Touched)> {
    let mut from = Decoder::new(block);
    let signed = SignedHeader::decode(&mut from).ok()?;
    let entries = (0..signed.header().count).map_while(|_| Entry::decode(&mut from).ok());
    let touched = Touched::of(&entries.collect::<Vec<_>>());
    Some((signed, touched))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dialect::Dialect;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::names::Namer;
    use crate::model::ledger::operation::tests::set;
    use crate::model::ledger::pen::Pen;

    fn pen(author: u8) -> Pen {
        Pen::begin(&Identity::new(SecretKey::from([author; 32])), 1.into())
    }

    /// The entries of a ledger: its beginning, and so many blocks of one author.
    fn ledger(count: u8) -> Vec<Vec<u8>> {
        let birth = Birth::new(Dialect::Sealed, &Namer::new(&SecretKey::from([7; 32])));
        let mut pen = pen(1);
        let blocks = (0..count).map(|n| {
            let said = vec![Entry::Change(set(n, n, &[(0, &format!("Ana {n}"))], &[]))];
            Stored::block(pen.sign(said, u64::from(n) + 1, 0).expect("room").bytes())
        });
        std::iter::once(Stored::birth(&birth)).chain(blocks).collect()
    }

    fn report<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Report<usize> {
        let mut audit = Audit::default();
        for (at, entry) in entries.into_iter().enumerate() {
            audit.entry(at, entry);
        }
        audit.finish()
    }

    type Told = (Tampering, Option<usize>, Option<(u32, u32)>, u32);

    /// The kinds and places of what was found.
    fn told(report: &Report<usize>) -> Vec<Told> {
        let told = |one: &Finding<usize>| (one.kind, one.at, one.blocks, one.behind);
        report.findings.iter().map(told).collect()
    }

    fn picked(entries: &[Vec<u8>], places: &[usize]) -> Vec<Vec<u8>> {
        places.iter().map(|at| entries[*at].clone()).collect()
    }

    #[test]
    fn a_right_ledger_has_no_findings_and_its_authors_are_counted() {
        let report = report(&ledger(3));
        assert!(report.findings.is_empty() && report.birth.is_some());
        let tally = Tally { logs: 1, blocks: 3, changes: 3 };
        assert_eq!(report.authors.into_values().collect::<Vec<_>>(), [tally]);
    }

    #[test]
    fn what_is_missing_and_what_stands_elsewhere_is_told_once() {
        let all = ledger(6);
        let found = |places: &[usize]| told(&report(&picked(&all, places)));
        let removed = |at, first, last, behind| {
            vec![(Tampering::Removed, Some(at), Some((first, last)), behind)]
        };
        assert_eq!(found(&[0, 1, 3, 4]), removed(2, 1, 1, 2));
        assert_eq!(found(&[0, 4, 5]), removed(1, 0, 2, 2));
        let reordered = vec![(Tampering::Reordered, Some(2), Some((2, 4)), 0)];
        assert_eq!(found(&[0, 1, 3, 2, 4, 5]).len(), 1);
        assert_eq!(found(&[0, 1, 3, 4, 5, 2]), reordered);
        // Twice is no fault, and what came again heals what was missing.
        assert!(found(&[0, 1, 2, 2, 1]).is_empty());
        assert!(found(&[0, 1, 3, 4, 2, 3, 4]).is_empty());
        assert_eq!(found(&[1, 2]), [(Tampering::Birth, None, None, 0)]);
        assert_eq!(found(&[1, 0, 2]), [(Tampering::Birth, Some(1), None, 0)]);
    }

    #[test]
    fn what_damaged_bytes_were_is_told_and_mended_when_it_comes_again() {
        let all = ledger(4);
        let damaged = |places: &[usize], changed: usize| {
            let mut audit = Audit::default();
            let entries = picked(&all, places);
            entries.iter().enumerate().for_each(|(at, entry)| {
                audit.entry(at, entry);
            });
            let mut body = all[2].clone();
            body[changed] ^= 1;
            audit.damage(Tampering::Bytes, 99, &[&body, b"nothing"]);
            audit.finish()
        };
        let last = all[2].len() - 1;
        let report = damaged(&[0, 1, 3, 4], last);
        assert_eq!(told(&report), [(Tampering::Bytes, Some(99), Some((1, 1)), 2)]);
        assert!(!report.findings[0].is_mended && report.findings[0].touched.records.len() == 1);
        assert!(damaged(&[0, 1, 3, 4, 2, 3, 4], last).findings[0].is_mended);
        // Where its header was hit nobody can say which block it was.
        for changed in 1..60 {
            assert!(!damaged(&[0, 1, 2, 3, 4], changed).findings[0].is_mended, "{changed}");
        }
    }

    #[test]
    fn what_nobody_signed_is_no_block_of_anybody() {
        let mut all = ledger(3);
        let last = all[3].len() - 1;
        all[3][last] ^= 1;
        assert_eq!(told(&report(&all))[0].0, Tampering::Content);
        let mut all = ledger(3);
        all[3][1 + 150] ^= 1;
        assert_eq!(told(&report(&all)), [(Tampering::Signature, Some(3), Some((2, 2)), 0)]);
        all.push(vec![9; 300]);
        assert_eq!(told(&report(&all))[0].0, Tampering::Form);
    }
}
