//! What a member has to know and to do to let somebody in: the one place where joining meets the running node.

use crate::base::error::{Error, Result};
use crate::model::ids::PeerNumber;
use crate::model::join::answer;
use crate::model::join::message::Refusal;
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::PublicKeys;
use crate::model::ledger::membership::Profile;
use crate::model::limits::MAX_PEERS;
use crate::model::x25519::Own;
use rand::CryptoRng;

/// A member that can let somebody in.
pub trait Sponsor: Send + Sync {
    /// All members now.
    fn members(&self) -> Vec<Profile>;
    /// Whether one of these keys is shut out.
    fn is_shut_out(&self, keys: &PublicKeys) -> bool;
    /// Admits who asked, under a number that is free. A person has said yes, and `judge` has found nothing against it.
    fn admit(&self, request: &Request) -> Result<Admission>;
    /// The welcome of a member that has exactly the keys of this request.
    fn again(&self, request: &Request) -> Result<Welcome>;
    /// The member's knock pair, which seals the answer.
    fn own(&self) -> Result<Own>;
}

/// What became of an admission.
#[derive(Debug)]
pub enum Admission {
    /// The newcomer is a member, and that is on the disk.
    Member(Box<Welcome>),
    /// That is signed, and may still be lost: the disk has not taken it yet.
    Unsaved(Box<Welcome>),
    /// It will be one under this number, when so many members in all have agreed.
    Waits(PeerNumber, usize),
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether to admit who asks, once the fingerprint has been compared.
    Admit(Remarks),
    /// Whether to make the answer to this member again.
    Again(PeerNumber),
}

/// What became of a request in a file.
#[derive(Debug)]
pub enum Answered {
    /// The answer to this member, for a file.
    With(PeerNumber, Vec<u8>),
    /// Others have to agree first, so many in all.
    Waits(PeerNumber, usize),
    /// It cannot be admitted.
    Refused(Judged),
    /// The person said no.
    Declined,
}

/// What a person is told before it says yes, besides who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// A member that calls itself the same.
    pub same_name: Option<PeerNumber>,
}

/// Why somebody cannot be let in, and who is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it is told.
    pub why: Refusal,
    /// The member that it would be confused with. Only the person here is told.
    pub with: Option<PeerNumber>,
}

/// Whether somebody can be let in, as far as that is no matter of opinion.
pub fn judge(sponsor: &dyn Sponsor, request: &Request) -> std::result::Result<Remarks, Judged> {
    let members = sponsor.members();
    let keys = request.keys();
    let refused =
        |why, with: Option<&Profile>| Err(Judged { why, with: with.map(|member| member.number) });
    if sponsor.is_shut_out(keys) {
        return refused(Refusal::ShutOut, None);
    }
    let has_key = |member: &&Profile| {
        member.keys.identity == keys.identity || member.keys.knock == keys.knock
    };
    if let Some(member) = members.iter().find(has_key) {
        return refused(Refusal::KeyTaken, Some(member));
    }
    let is_there = |member: &&Profile| member.address == request.address();
    if let Some(member) = members.iter().find(is_there) {
        return refused(Refusal::AddressTaken, Some(member));
    }
    if members.len() >= MAX_PEERS {
        return refused(Refusal::Full, None);
    }
    let name = same(&request.organisation().to_string());
    let mut namesakes =
        members.iter().filter(|member| same(&member.organisation.to_string()) == name);
    Ok(Remarks { same_name: namesakes.next().map(|member| member.number) })
}

/// Answers a request of a file. Who has been admitted already, and has both keys of the request, is given its answer again:
/// the first may have been lost, and only the same node can open it.
pub fn answer(
    sponsor: &dyn Sponsor,
    request: &Request,
    mut confirm: impl FnMut(Question) -> bool,
    rng: &mut impl CryptoRng,
) -> Result<Answered> {
    let is_again = |judged: &Judged| {
        let members = sponsor.members();
        let member = members.iter().find(|member| Some(member.number) == judged.with);
        member.is_some_and(|member| member.keys == *request.keys())
    };
    let welcome = match judge(sponsor, request) {
        Ok(_) if !request.is_for_file() => {
            let advice = "it is of a joining by code: make one with `reunite join request`";
            return Err(Error::input("request", "it is none that is carried in a file", advice));
        }
        Ok(remarks) => {
            if !confirm(Question::Admit(remarks)) {
                return Ok(Answered::Declined);
            }
            match sponsor.admit(request)? {
                // Whoever takes the answer to the newcomer is told whether it is on the disk.
                Admission::Member(welcome) | Admission::Unsaved(welcome) => *welcome,
                Admission::Waits(number, needed) => return Ok(Answered::Waits(number, needed)),
            }
        }
        Err(judged @ Judged { why: Refusal::KeyTaken, with: Some(number) })
            if is_again(&judged) =>
        {
            if !confirm(Question::Again(number)) {
                return Ok(Answered::Declined);
            }
            sponsor.again(request)?
        }
        Err(judged) => return Ok(Answered::Refused(judged)),
    };
    let sealed = answer::seal(&welcome, request, &sponsor.own()?, rng)?;
    Ok(Answered::With(welcome.number, sealed))
}

/// A name as people hear it: capitals, spaces and signs make no other one.
fn same(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;
    use crate::model::identity::Identity;
    use crate::model::join::welcome::tests::{identity, welcome};
    use crate::model::keys::SecretKey;
    use std::net::SocketAddr;

    struct Members(Vec<Profile>, Option<PublicKeys>);

    impl Sponsor for Members {
        fn members(&self) -> Vec<Profile> {
            self.0.clone()
        }

        fn is_shut_out(&self, keys: &PublicKeys) -> bool {
            self.1 == Some(*keys)
        }

        fn admit(&self, request: &Request) -> Result<Admission> {
            self.again(request).map(|welcome| Admission::Member(welcome.into()))
        }

        /// As if 3 asked, whoever asks.
        fn again(&self, _: &Request) -> Result<Welcome> {
            Ok(welcome().0)
        }

        fn own(&self) -> Result<Own> {
            Ok(SecretKey::from([1; 32]).into())
        }
    }

    fn members() -> Members {
        Members(welcome().0.members.into_iter().map(|(profile, _)| profile).collect(), None)
    }

    fn request(by: &Identity, name: &str, port: u16) -> Request {
        let address = Address::try_from(SocketAddr::from(([10, 0, 0, 1], port))).expect("one");
        Request::for_file(by, name.parse().expect("a name"), address, &mut rand::rng())
    }

    fn why(members: &Members, request: &Request) -> Option<(Refusal, Option<u16>)> {
        let judged = judge(members, request).err()?;
        Some((judged.why, judged.with.map(PeerNumber::value)))
    }

    #[test]
    fn a_newcomer_that_is_nobody_else_can_be_let_in() {
        let request = request(&identity(9), "Clinic 9", 9);
        assert_eq!(judge(&members(), &request), Ok(Remarks::default()));
    }

    #[test]
    fn a_key_of_a_member_is_refused_also_when_the_other_key_is_new() {
        assert_eq!(
            why(&members(), &request(&identity(2), "New", 9)),
            Some((Refusal::KeyTaken, Some(2)))
        );
        let mut mixed = members();
        mixed.0[0].keys.knock = identity(9).public().knock;
        assert_eq!(
            why(&mixed, &request(&identity(9), "New", 9)),
            Some((Refusal::KeyTaken, Some(1)))
        );
    }

    #[test]
    fn who_is_shut_out_and_who_is_where_another_is_are_refused() {
        let mut members = members();
        let at_first = request(&identity(9), "New", 33_001);
        assert_eq!(why(&members, &at_first), Some((Refusal::AddressTaken, Some(1))));
        members.1 = Some(identity(9).public());
        assert_eq!(why(&members, &at_first), Some((Refusal::ShutOut, None)));
    }

    #[test]
    fn a_name_that_sounds_like_a_members_is_remarked() {
        for name in ["clinic 2", "CLINIC  2", "Clinic-2"] {
            let remarks =
                judge(&members(), &request(&identity(9), name, 9)).expect("a remark only");
            assert_eq!(remarks.same_name.map(PeerNumber::value), Some(2), "{name}");
        }
    }

    #[test]
    fn a_file_is_answered_once_a_person_says_yes_and_again_to_the_same_node_alone() {
        let rng = &mut rand::rng();
        let mut members = members();
        let (_, asked) = welcome();
        let third = members.0.pop().expect("three");
        let no = answer(&members, &asked, |_| false, rng).expect("right");
        assert!(matches!(no, Answered::Declined));
        let mut question = None;
        let yes = |asked| {
            question = Some(asked);
            true
        };
        let answered = answer(&members, &asked, yes, rng).expect("right");
        assert!(matches!(answered, Answered::With(number, _) if number.value() == 3));
        assert_eq!(question, Some(Question::Admit(Remarks::default())));
        members.0.push(third);
        let mut question = None;
        let yes = |asked| {
            question = Some(asked);
            true
        };
        assert!(matches!(answer(&members, &asked, yes, rng), Ok(Answered::With(..))));
        assert_eq!(question.map(|asked| matches!(asked, Question::Again(_))), Some(true));
        // One key of a member is not both.
        members.0[2].keys.knock = identity(9).public().knock;
        let refused = answer(&members, &asked, |_| true, rng).expect("right");
        assert!(matches!(refused, Answered::Refused(_)));
    }

    #[test]
    fn a_request_that_was_heard_on_a_line_is_none_for_a_file() {
        let (name, address) =
            ("New".parse().expect("a name"), request(&identity(9), "N", 9).address());
        let asked = Request::for_line(&identity(9), name, address, &[7; 32], &mut rand::rng());
        assert!(answer(&members(), &asked, |_| true, &mut rand::rng()).is_err());
    }

    #[test]
    fn a_full_network_takes_nobody() {
        let mut full = members();
        let one = full.0[0].clone();
        full.0.resize(MAX_PEERS, one);
        assert_eq!(why(&full, &request(&identity(9), "New", 9)), Some((Refusal::Full, None)));
    }
}
