//! The alarms that the blocks tell of: who raised them, who has seen them, which are called off. It is the same
//! whatever the order in which the logs came, and however often.
//!
//! One author cannot fill the memory, nor push aside what others say: of each only the newest are kept, and the rest
//! is counted.

use crate::model::keys::IdentityKey;
use crate::model::ledger::alarm::Alarm;
use crate::model::ledger::block::Verified;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::names::{AlarmId, LogName};
use crate::model::ledger::register::Spot;
use crate::model::limits::{MAX_ALARMS_OF, MAX_CALLS_OFF_OF, MAX_NEWS_OF, MAX_SEEN_OF};
use crate::model::spoken::Spoken;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An alarm, as the ledger tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub id: AlarmId,
    /// Who raised it.
    pub author: IdentityKey,
    /// What it says.
    pub text: Spoken,
    /// When, by the author's clock, in seconds since 1970.
    pub wall: u64,
    /// The Lamport number of its block: more than that of what its author had seen.
    pub lamport: u64,
}

/// An alarm with what others say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The alarm.
    pub told: Told,
    /// Who has read it, besides its author.
    pub seen: BTreeSet<IdentityKey>,
    /// Whether its author has called it off.
    pub is_off: bool,
}

/// When something was said: first by the Lamport number, then by where it stands.
type When = (u64, Spot);

/// The newest of many.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Newest<T>(BTreeMap<When, T>);

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Newest<T> {
    fn put(&mut self, when: When, what: T, most: usize) {
        self.0.insert(when, what);
        if self.0.len() > most {
            self.0.pop_first();
        }
    }
}

/// What one author says of alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Words {
    raised: Newest<Told>,
    off: Newest<AlarmId>,
    seen: Newest<AlarmId>,
    /// How many alarms stand in each log, up to which block.
    counts: BTreeMap<LogName, (u32, u32)>,
}

impl Words {
    fn calls_off(&self, id: &AlarmId) -> bool {
        self.off.0.values().any(|off| off == id)
    }
}

/// All that the blocks tell of alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms(BTreeMap<IdentityKey, Words>);

impl Alarms {
    /// Takes note of what a block says; blocks of one log come in their order. What is new goes into `news`. Returns
    /// whether anything is.
    pub fn take(&mut self, block: &Verified, news: &mut News) -> bool {
        let header = block.header();
        let is_alarm = |entry: &Entry| matches!(entry, Entry::Alarm(_));
        if !block.entries().iter().any(is_alarm) {
            return false;
        }
        let (author, sequence) = (header.name.author, header.sequence);
        let words = self.0.entry(author).or_default();
        let (next, count) = words.counts.entry(header.name).or_default();
        if sequence < *next {
            return false;
        }
        *next = sequence.saturating_add(1);
        for (entry, index) in block.entries().iter().zip(0..) {
            let Entry::Alarm(said) = entry else { continue };
            let when = (header.lamport, Spot { log: header.name, sequence, index });
            match said {
                Alarm::Raised(raised) => {
                    *count = count.saturating_add(1);
                    let (id, text) = (raised.id(&author), raised.text().clone());
                    let (wall, lamport) = (header.wall, header.lamport);
                    let told = Told { id, author, text, wall, lamport };
                    news.raised(told.clone());
                    words.raised.put(when, told, MAX_ALARMS_OF);
                }
                Alarm::CalledOff(id) => {
                    news.called_off(author, *id);
                    words.off.put(when, *id, MAX_CALLS_OFF_OF);
                }
                Alarm::Seen(id) => words.seen.put(when, *id, MAX_SEEN_OF),
            }
        }
        true
    }

    /// Whether this author has called this alarm of its own off.
    pub fn is_off(&self, author: &IdentityKey, id: &AlarmId) -> bool {
        self.0.get(author).is_some_and(|words| words.calls_off(id))
    }

    /// Whether this author has said that it has seen this alarm.
    pub fn has_seen(&self, author: &IdentityKey, id: &AlarmId) -> bool {
        self.0.get(author).is_some_and(|words| words.seen.0.values().any(|seen| seen == id))
    }

    /// The alarms that are kept, called off or not: those of one author one behind the other, the oldest first.
    pub fn all(&self) -> Vec<Standing> {
        let mut seen: HashMap<AlarmId, BTreeSet<IdentityKey>> = HashMap::new();
        for (author, words) in &self.0 {
            for id in words.seen.0.values() {
                seen.entry(*id).or_default().insert(*author);
            }
        }
        let (mut all, mut known) = (Vec::new(), BTreeSet::new());
        for words in self.0.values() {
            let first = words.raised.0.values().filter(|told| known.insert(told.id));
            all.extend(first.map(|told| {
                let mut seen = seen.get(&told.id).cloned().unwrap_or_default();
                seen.remove(&told.author);
                Standing { told: told.clone(), seen, is_off: words.calls_off(&told.id) }
            }));
        }
        all
    }

    /// The kept alarms that stand, and who raised them.
    pub fn standing(&self) -> impl Iterator<Item = &Told> {
        self.0
            .values()
            .flat_map(|words| words.raised.0.values().filter(|told| !words.calls_off(&told.id)))
    }

    /// How many alarms of this author are not kept, because it raised so many.
    pub fn more_of(&self, author: &IdentityKey) -> usize {
        let Some(words) = self.0.get(author) else { return 0 };
        let all: u64 = words.counts.values().map(|(_, count)| u64::from(*count)).sum();
        usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(words.raised.0.len())
    }
}

/// What has come since somebody last asked: of each author the first, so that nothing that comes later hides them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News(BTreeMap<IdentityKey, NewsOf>);

/// The news of one author.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewsOf {
    /// The first alarms.
    pub raised: Vec<Told>,
    /// How many more there are.
    pub more: usize,
    /// Alarms that it called off: the first.
    pub called_off: Vec<AlarmId>,
}

impl News {
    fn raised(&mut self, told: Told) {
        let news = self.0.entry(told.author).or_default();
        if news.raised.len() < MAX_NEWS_OF {
            news.raised.push(told);
        } else {
            news.more = news.more.saturating_add(1);
        }
    }

    fn called_off(&mut self, author: IdentityKey, id: AlarmId) {
        let news = self.0.entry(author).or_default();
        if news.called_off.len() < MAX_NEWS_OF {
            news.called_off.push(id);
        }
    }

    /// By author.
    pub fn of_all(self) -> impl Iterator<Item = (IdentityKey, NewsOf)> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::alarm::{Raised, SALT_BYTES};
    use crate::model::ledger::pen::Pen;
    use proptest::prelude::*;

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    fn key(byte: u8) -> IdentityKey {
        identity(byte).public().identity
    }

    fn raised(salt: usize) -> Raised {
        let mut bytes = [0; SALT_BYTES];
        bytes[..8].copy_from_slice(&(salt as u64).to_be_bytes());
        Raised::of(bytes, Spoken::try_from("fire").expect("short"))
    }

    /// Blocks of some logs, each in its order.
    #[derive(Default)]
    struct Logs(BTreeMap<(u8, u64), (Option<Pen>, Vec<Verified>)>, u64);

    impl Logs {
        fn say(&mut self, author: u8, log: u64, said: Vec<Alarm>) {
            self.1 += 1;
            let (pen, blocks) = self.0.entry((author, log)).or_default();
            let pen = pen.get_or_insert_with(|| Pen::begin(&identity(author), log.into()));
            let entries = said.into_iter().map(Entry::Alarm).collect();
            blocks.push(pen.sign(entries, self.1, 7).expect("room"));
        }

        fn index(&self) -> (Alarms, News) {
            let (mut alarms, mut news) = Default::default();
            for block in self.0.values().flat_map(|(_, blocks)| blocks) {
                Alarms::take(&mut alarms, block, &mut news);
            }
            (alarms, news)
        }
    }

    #[test]
    fn only_who_raised_an_alarm_calls_it_off() {
        let (mut logs, id) = (Logs::default(), raised(1).id(&key(1)));
        logs.say(1, 1, vec![Alarm::Raised(raised(1))]);
        logs.say(2, 1, vec![Alarm::CalledOff(id), Alarm::Seen(id)]);
        let (alarms, _) = logs.index();
        assert!(!alarms.all()[0].is_off && alarms.standing().count() == 1);
        assert_eq!(alarms.all()[0].seen, BTreeSet::from([key(2)]));
        logs.say(1, 2, vec![Alarm::CalledOff(id)]);
        let (alarms, _) = logs.index();
        assert!(alarms.all()[0].is_off && alarms.standing().count() == 0);
    }

    #[test]
    fn a_flood_of_one_author_hides_neither_its_first_news_nor_anything_of_another() {
        let mut logs = Logs::default();
        logs.say(2, 1, vec![Alarm::Raised(raised(0))]);
        for at in 0..1000 {
            logs.say(1, 1, vec![Alarm::Raised(raised(at))]);
        }
        logs.say(2, 1, vec![Alarm::Raised(raised(1))]);
        let (alarms, news) = logs.index();
        let of = |author| alarms.all().iter().filter(|one| one.told.author == author).count();
        assert_eq!((of(key(1)), of(key(2))), (MAX_ALARMS_OF, 2));
        assert_eq!(alarms.more_of(&key(1)), 1000 - MAX_ALARMS_OF);
        assert_eq!(alarms.more_of(&key(2)), 0);
        let news: BTreeMap<_, _> = news.of_all().collect();
        assert_eq!(news[&key(1)].raised[0].id, raised(0).id(&key(1)));
        assert_eq!(news[&key(1)].more, 1000 - MAX_NEWS_OF);
        assert_eq!(news[&key(2)].raised.len(), 2);
    }

    #[test]
    fn a_call_off_holds_as_long_as_its_alarm_is_kept() {
        let mut logs = Logs::default();
        let id = |at| raised(at).id(&key(1));
        for at in 0..3 * MAX_ALARMS_OF {
            logs.say(1, 1, vec![Alarm::Raised(raised(at)), Alarm::CalledOff(id(at))]);
        }
        let (alarms, _) = logs.index();
        assert_eq!(alarms.all().len(), MAX_ALARMS_OF);
        assert_eq!(alarms.standing().count(), 0);
    }

    fn said() -> impl Strategy<Value = (u8, u64, Alarm)> {
        let one = (1_u8..4, 0_usize..60).prop_map(|(author, at)| raised(at).id(&key(author)));
        let said = prop_oneof![
            (0_usize..60).prop_map(|at| Alarm::Raised(raised(at))),
            one.clone().prop_map(Alarm::Seen),
            one.prop_map(Alarm::CalledOff),
        ];
        (1_u8..4, 0_u64..2, said)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_order_of_the_logs_and_repetitions_change_nothing(
            said in prop::collection::vec(said(), 0..150), order in prop::collection::vec(any::<u16>(), 300),
        ) {
            let mut logs = Logs::default();
            said.into_iter().for_each(|(author, log, said)| logs.say(author, log, vec![said]));
            let (right, _) = logs.index();
            let (mut other, mut news) = (Alarms::default(), News::default());
            let mut left: Vec<_> =
                logs.0.values().map(|(_, blocks)| blocks.iter().peekable()).collect();
            for choice in order.iter().cycle() {
                left.retain_mut(|log| log.peek().is_some());
                let Some(at) = usize::from(*choice).checked_rem(left.len()) else { break };
                let block = left[at].next().expect("peeked");
                other.take(block, &mut news);
                prop_assert!(!other.take(block, &mut news), "a repetition is nothing new");
            }
            prop_assert_eq!(other, right);
        }
    }
}
