//! Menu item 16: shows who belongs to the network, and begins to keep that in the ledger; shuts a member out, agrees with
//! what others ask, gives this node another name or address.

use crate::base::error::Result;
use crate::model::address::Address;
use crate::model::ids::{Organisation, PeerNumber, Reason};
use crate::model::ledger::membership::{Membership, Rule};
use crate::model::ledger::replica::Replica;
use crate::model::membership::roster::{Member, Open, Roster};
use crate::net::ballot::{self, Said};
use crate::net::members::Standing;
use crate::net::roll;
use crate::shell::desk::{Chosen, Desk, Done};
use crate::shell::identity::no_peer;
use crate::shell::{ledger_words, members_words as say, words};
use crate::store::files;
use crate::store::peer_book::PeerBook;
use std::path::Path;
use std::sync::Arc;

impl Desk<'_> {
    /// Menu 16: shows who belongs to the network, and asks what to do.
    pub fn members(&mut self) -> Done {
        let now = self.context.members.now();
        let Some(roster) = &now.roster else { return self.without_members(&now) };
        let key = self.context.database.with(Replica::author);
        self.screen.say(say::list(roster, Some(&key)));
        for (at, open) in roster.open().iter().enumerate() {
            self.screen.say(say::open(roster, at + 1, open));
        }
        self.screen.say(say::CHOICES);
        match self.input.line(say::CHOICE)?.as_str() {
            "1" => self.shut_out(roster),
            "2" => self.agree(roster),
            "3" => self.rename(),
            "4" => self.relocate(),
            _ => {
                self.screen.say(say::NOTHING);
                Ok(())
            }
        }
    }

    /// Of a network whose members are not in the ledger here.
    fn without_members(&mut self, now: &Arc<Standing>) -> Done {
        if self.context.members.files().is_none() {
            self.screen.say(say::CLASSIC);
            return Ok(());
        }
        if now.pin.is_some() {
            self.screen.say(say::AWAITED);
            return Ok(());
        }
        let (register, verdicts) = self.context.database.with(Replica::voices);
        let begun = roll::candidates(&self.context.members, &register, &verdicts);
        if begun.len() > 1 {
            self.screen.say(say::SEVERAL);
            for (at, pin) in begun.iter().enumerate() {
                let founder = now.book.signer(&pin.founder);
                let name = founder.map(|peer| words::peer_name(&now.book, peer.number));
                self.screen.say(say::beginning(at + 1, &name.unwrap_or_default()));
            }
            let Some(at) = self.choose(ledger_words::WHICH_ONE, begun.len())? else {
                return Ok(());
            };
            let chosen = begun.get(at).map(|pin| ballot::choose(self.context, *pin));
            if let Some(Err(error)) = chosen {
                self.screen.say(words::failure(&error));
            }
            return Ok(());
        }
        self.screen.say(say::BEGIN);
        if self.input.line(say::BEGIN_QUESTION)? != words::YES {
            self.screen.say(say::NOTHING);
            return Ok(());
        }
        match ballot::begin(self.context, Rule::default()) {
            Ok(ticket) => {
                self.say_saved(say::BEGUN, ticket);
                self.tell_all();
            }
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// Speaks against a member. Its number is asked for twice: there is no way back.
    fn shut_out(&mut self, roster: &Roster) -> Done {
        let Some(answer) = self.unless_empty(say::WHOM)? else { return Ok(()) };
        let member = answer.parse::<PeerNumber>().ok().and_then(|number| roster.by_number(number));
        let Some(member) = member else {
            self.screen.say(say::NOBODY);
            return Ok(());
        };
        if member.keys.identity == self.context.database.with(Replica::author) {
            self.screen.say(say::ONESELF);
            return Ok(());
        }
        self.speak_against(roster, member)
    }

    fn speak_against(&mut self, roster: &Roster, member: &Member) -> Done {
        let (needed, spoke) = ballot::voices_against(roster, &member.keys.identity);
        self.screen.say(say::shutting_out(member, needed, spoke));
        let reason = match self.input.line(say::REASON)?.parse::<Reason>() {
            Ok(reason) => reason,
            Err(error) => {
                self.screen.say(words::failure(&error));
                return Ok(());
            }
        };
        let again = self.input.line(say::AGAIN)?;
        if again.parse::<PeerNumber>().ok() != Some(member.number) {
            self.screen.say(say::NOTHING);
            return Ok(());
        }
        let key = member.keys.identity;
        self.said(ballot::revoke(self.context, key, reason), |roster| {
            let (needed, spoke) = ballot::voices_against(roster, &key);
            say::spoken(roster.is_revoked(&key), needed, spoke)
        });
        Ok(())
    }

    /// Agrees with something that waits for more voices.
    fn agree(&mut self, roster: &Roster) -> Done {
        if roster.open().is_empty() {
            self.screen.say(say::NONE_OPEN);
            return Ok(());
        }
        let Some(at) = self.choose(ledger_words::WHICH_ONE, roster.open().len())? else {
            return Ok(());
        };
        let Some(open) = roster.open().get(at) else { return Ok(()) };
        match &open.said {
            Membership::Revoked(revoked) => match roster.member(&revoked.member()) {
                Some(member) => self.speak_against(roster, member),
                None => {
                    self.agreed(open);
                    Ok(())
                }
            },
            Membership::Admitted(admitted) => {
                self.screen.say(say::admitting(admitted.profile()));
                match self.input.line(words::COMPARED)? == words::YES {
                    true => self.agreed(open),
                    false => self.screen.say(say::NOTHING),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn agreed(&self, open: &Open) {
        self.said(ballot::agree(self.context, open), |_| say::AGREED.into());
    }

    /// Calls the organisation of this node otherwise.
    fn rename(&mut self) -> Done {
        let Some(answer) = self.unless_empty(say::NEW_NAME)? else { return Ok(()) };
        match answer.parse::<Organisation>() {
            Ok(name) => self.said(ballot::rename(self.context, name), |_| say::RENAMED.into()),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// Puts another address of this node into its peers file. It listens there from its next start on, and then tells all.
    fn relocate(&mut self) -> Done {
        let Some(answer) = self.unless_empty(say::NEW_ADDRESS)? else { return Ok(()) };
        let Some(files) = self.context.members.files() else { return Ok(()) };
        let me = self.context.members.me_typed();
        let done = answer.parse().and_then(|address| moved(&files.peers, me, address));
        match done {
            Ok(()) => self.screen.say(say::RELOCATED),
            Err(error) => self.screen.say(words::failure(&error)),
        }
        Ok(())
    }

    /// A line that somebody types; after an empty one nothing is done.
    fn unless_empty(&mut self, question: &str) -> Chosen<String> {
        let answer = self.input.line(question)?;
        if answer.is_empty() {
            self.screen.say(say::NOTHING);
        }
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }

    /// Says what came of it, and brings it to all.
    fn said(&self, done: Result<Said>, what: impl FnOnce(&Roster) -> String) {
        let now = self.context.members.now();
        match (done, &now.roster) {
            (Ok(said), Some(roster)) => {
                self.say_saved(&what(roster), said.ticket);
                self.tell_all();
            }
            (Ok(_), None) => {}
            (Err(error), _) => self.screen.say(words::failure(&error)),
        }
    }
}

/// Writes another address of node `me` into a peers file.
pub fn moved(file: &Path, me: PeerNumber, address: Address) -> Result<()> {
    let book = PeerBook::read_tier1(file)?;
    let beacons = book.beacons();
    let (name, keys, mut peers) = book.into_parts();
    let own = peers.iter_mut().find(|peer| peer.number == me);
    let (own, keys) = own.zip(keys).ok_or_else(|| no_peer(file, me))?;
    own.address = address.socket();
    let text = PeerBook::sealed(file, name, keys, peers)?.with_beacons(beacons).to_json(true);
    files::replace(file, |out| out.write_all(text.as_bytes())).map(|_| ())
}
