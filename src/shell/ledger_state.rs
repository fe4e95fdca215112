//! Menu item 15: how the ledger stands. How far each organisation's logs go, forks, and when peers were last in step.

use crate::model::keys::IdentityKey;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::heads::Head;
use crate::model::ledger::listing::Counts;
use crate::model::ledger::names::LogName;
use crate::shell::desk::{Desk, Done};
use crate::shell::ledger_words::{self, Standing};
use crate::shell::{members_words, words};
use std::collections::BTreeMap;
use std::time::Instant;

/// What is shown of the ledger.
struct Shown {
    standing: Standing,
    heads: Vec<Head>,
    forks: Vec<(ForkProof, bool)>,
    contradictions: Vec<String>,
}

impl Desk<'_> {
    /// Menu 15: shows how the ledger stands, and lets people decide on forks.
    pub fn ledger_state(&mut self) -> Done {
        let shown = self.look();
        self.screen.say(ledger_words::standing(&shown.standing));
        self.say_logs(&shown);
        self.say_peers();
        for line in &shown.contradictions {
            self.screen.say(ledger_words::contradiction(line));
        }
        for (fork, is_released) in &shown.forks {
            let who = self.author(&fork.name().author);
            self.screen.say(ledger_words::fork(&who, &fork.name(), fork.sequence(), *is_released));
            if !is_released {
                self.decide(fork)?;
            } else if self.context.database.has_waiting(&fork.name().author).unwrap_or_default() {
                // What stands in its forked log does not count for that.
                let answer = {
                    self.screen.say(ledger_words::REST_CHOICES);
                    self.input.line(ledger_words::FORK_QUESTION)?
                };
                self.decided(fork, if answer == "2" { "2" } else { "" });
            }
        }
        Ok(())
    }

    /// Says how far the logs of each organisation go: by number, and at last those of whom nobody knows.
    fn say_logs(&self, shown: &Shown) {
        let own = self.context.database.with(|replica| replica.author());
        let number = |key: &IdentityKey| match self.context.book().signer(key) {
            Some(peer) => Some(peer.number),
            None => (*key == own).then_some(self.context.me()),
        };
        let mut authors: BTreeMap<_, Vec<Head>> = BTreeMap::new();
        for head in &shown.heads {
            let author = head.name.author;
            let number = number(&author);
            authors.entry((number.is_none(), number, *author.as_bytes())).or_default().push(*head);
        }
        if !authors.is_empty() {
            self.screen.say(ledger_words::WHO_WROTE);
        }
        let has_forked = |name: &LogName| shown.forks.iter().any(|(fork, _)| fork.name() == *name);
        for ((_, _, author), heads) in authors {
            let who = self.author(&IdentityKey::from(author));
            self.screen.say(ledger_words::logs_of(&who, &heads, &has_forked));
        }
    }

    /// Says when each peer was last in step.
    fn say_peers(&self) {
        let book = self.context.book();
        let others: Vec<_> = book.others(self.context.me()).collect();
        if !others.is_empty() {
            self.screen.say(ledger_words::WHEN_IN_STEP);
        }
        for peer in others {
            let name = words::peer_name(&self.context.book(), peer.number);
            let last = self.context.monitor.last_in_step(peer.number);
            let ago = last.map(|last| Instant::now().duration_since(last));
            self.screen.say(ledger_words::in_step(&name, ago));
        }
    }

    fn look(&self) -> Shown {
        let Counts { shown, hidden, contested } = self.context.database.counts();
        let awaited = self.context.database.with(|replica| replica.state().awaited());
        self.context.database.with(|replica| {
            let (records, digest) = (shown.iter().sum(), replica.digest());
            let standing = Standing { records, contested, hidden, awaited, digest };
            let chains = replica.chains();
            Shown {
                standing,
                heads: chains.heads().iter().collect(),
                forks: chains
                    .forks()
                    .map(|fork| (fork.clone(), chains.is_released(fork)))
                    .collect(),
                contradictions: chains
                    .contradictions()
                    .map(|one| one.fault().to_string())
                    .collect(),
            }
        })
    }

    /// Asks what is to become of a fork.
    fn decide(&mut self, fork: &ForkProof) -> Done {
        self.screen.say(ledger_words::FORK_CHOICES);
        let answer = self.input.line(ledger_words::FORK_QUESTION)?;
        self.decided(fork, &answer);
        Ok(())
    }

    fn decided(&self, fork: &ForkProof, answer: &str) {
        match answer {
            "1" | "2" if self.is_own(fork) && !self.is_released(fork) => {
                self.screen.say(ledger_words::NOT_OWN_FORK);
            }
            // The word of who forked never counts, and what it signs only when others have looked into it.
            "1" if self.context.database.has_forked() => self.screen.say(ledger_words::NO_WORD),
            "2" if self.context.database.is_convicted() => self.screen.say(ledger_words::NO_WORD),
            "1" => {
                let (name, sequence) = (fork.name(), fork.sequence());
                let noted = self.context.database.note(|_| vec![Entry::Release { name, sequence }]);
                match noted {
                    Ok(ticket) => self.say_saved(ledger_words::RELEASED, ticket),
                    Err(error) => self.screen.say(words::failure(&error)),
                }
                self.tell_all();
            }
            "2" => {
                match self.context.database.take_over(&fork.name().author, &self.context.stop) {
                    Ok((count, ticket)) => self.say_saved(&ledger_words::taken_over(count), ticket),
                    Err(error) => self.screen.say(words::failure(&error)),
                }
                self.tell_all();
            }
            _ => self.screen.say(ledger_words::UNCHANGED),
        }
    }

    fn is_own(&self, fork: &ForkProof) -> bool {
        self.context.database.with(|replica| replica.author()) == fork.name().author
    }

    fn is_released(&self, fork: &ForkProof) -> bool {
        self.context.database.with(|replica| replica.chains().is_released(fork))
    }

    /// Who signs with this key.
    pub fn author(&self, key: &IdentityKey) -> String {
        let me = self.context.me();
        match self.context.book().signer(key) {
            _ if self.context.database.with(|replica| replica.author()) == *key => {
                ledger_words::this_node(me)
            }
            Some(peer) => words::peer_name(&self.context.book(), peer.number),
            None => {
                let now = self.context.members.now();
                let shut_out =
                    now.roster.as_ref().and_then(|all| members_words::shut_out(all, key));
                shut_out.unwrap_or_else(|| words::STRANGER.to_owned())
            }
        }
    }
}
