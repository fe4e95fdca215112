//! The tickets of the ledger under a model checker: whatever the order in which threads meet, everybody who waits
//! is told, what is told is true, and nobody waits for ever.

#![cfg(loom)]
#![allow(dead_code, reason = "the checked files bring more than is used here")]

/// The file that is checked, and those that it uses.
#[path = "../../src/base"]
mod base {
    pub mod clock;
    pub mod error;
}
#[path = "../../src/model"]
mod model {
    pub mod classic {
        pub mod limits;
    }
    pub mod limits;
    pub mod presence;
}
#[path = "../../src/store"]
mod store {
    pub mod commit;
}

#[cfg(test)]
mod tests {
    use crate::store::commit::{Commits, Sink};
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;
    use std::io;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(600);

    /// Gives every entry the number of those before it. `Ordering::SeqCst` stands for the disk.
    #[derive(Debug)]
    struct Counting {
        durable: Arc<AtomicUsize>,
        fails_at: Option<usize>,
    }

    impl Sink for Counting {
        type Receipt = usize;

        fn commit(&mut self, group: &[Vec<u8>]) -> io::Result<Vec<usize>> {
            let before = self.durable.load(Ordering::SeqCst);
            let after = before + group.len();
            if self.fails_at.is_some_and(|at| at < after) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.durable.store(after, Ordering::SeqCst);
            Ok((before..after).collect())
        }

        fn resume(&mut self) -> io::Result<()> {
            self.fails_at = None;
            Ok(())
        }
    }

    fn commits(fails_at: Option<usize>) -> (Arc<Commits<Counting>>, Arc<AtomicUsize>) {
        let durable = Arc::new(AtomicUsize::new(0));
        let sink = Counting { durable: durable.clone(), fails_at };
        (Arc::new(Commits::new("write", sink, None)), durable)
    }

    /// Hands in an entry and waits; what is acknowledged is durable by then.
    fn add(commits: &Commits<Counting>, durable: &AtomicUsize) -> Option<usize> {
        let ticket = commits.append(vec![1]).ok()?;
        let receipt = commits.wait(&ticket, PATIENCE).ok()?;
        assert!(durable.load(Ordering::SeqCst) > receipt, "acknowledged before it was durable");
        Some(receipt)
    }

    /// `writers` threads hand in an entry each and wait.
    fn write_at_once(writers: usize) {
        let (commits, durable) = commits(None);
        let threads: Vec<_> = (1..writers)
            .map(|_| {
                let (commits, durable) = (commits.clone(), durable.clone());
                thread::spawn(move || add(&commits, &durable).expect("the sink is well"))
            })
            .collect();
        let mut all = vec![add(&commits, &durable).expect("the sink is well")];
        all.extend(threads.into_iter().map(|thread| thread.join().expect("no panic")));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..writers));
    }

    #[test]
    fn two_who_wait_get_receipts_of_their_own_once_they_are_durable() {
        loom::model(|| write_at_once(2));
    }

    #[test]
    fn three_who_wait_get_receipts_of_their_own_once_they_are_durable() {
        let mut model = loom::model::Builder::new();
        // All orders of three were not through after six minutes.
        model.preemption_bound = Some(2);
        model.check(|| write_at_once(3));
    }

    #[test]
    fn when_the_sink_fails_everybody_is_told_and_it_goes_on_after_that() {
        loom::model(|| {
            let (commits, durable) = commits(Some(1));
            let other = {
                let (commits, durable) = (commits.clone(), durable.clone());
                thread::spawn(move || add(&commits, &durable))
            };
            let own = add(&commits, &durable);
            let other = other.join().expect("no panic");
            // At most one was written: together both fail.
            assert!(own.is_none() || other.is_none());
            assert_eq!(
                usize::from(own.is_some() || other.is_some()),
                durable.load(Ordering::SeqCst)
            );
            assert!(commits.trouble().is_some());
            commits.resume().expect("it can");
            assert!(add(&commits, &durable).is_some());
        });
    }

    #[test]
    fn closing_waits_for_what_was_taken_and_everybody_is_told() {
        loom::model(|| {
            let (commits, durable) = commits(None);
            let other = {
                let (commits, durable) = (commits.clone(), durable.clone());
                thread::spawn(move || add(&commits, &durable))
            };
            let mut at_end = usize::MAX;
            let count = durable.clone();
            let close = commits.close(|_| {
                at_end = count.load(Ordering::SeqCst);
                Ok(())
            });
            close.expect("the sink is well");
            let other = other.join().expect("no panic");
            assert_eq!(at_end, usize::from(other.is_some()), "nothing is written behind the end");
        });
    }
}
