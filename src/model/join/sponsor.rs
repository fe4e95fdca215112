//! What a member has to know and to do to let somebody in: the one place where joining meets the running node.

use crate::base::error::Result;
use crate::model::ids::PeerNumber;
use crate::model::join::message::Refusal;
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::PublicKeys;
use crate::model::ledger::membership::Profile;
use crate::model::limits::MAX_PEERS;
use crate::model::x25519::Own;

/// A member that can let somebody in.
pub trait Sponsor: Send + Sync {
    /// All members now.
    fn members(&self) -> Vec<Profile>;
    /// Whether one of these keys is shut out.
    fn is_shut_out(&self, keys: &PublicKeys) -> bool;
    /// Admits who asked, under a number that is free: when this returns it is on the disk. A person has said yes, and
    /// `judge` has found nothing against it.
    fn admit(&self, request: &Request) -> Result<Welcome>;
    /// The member's knock pair, which seals the answer.
    fn own(&self) -> Own;
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

/// A name as people hear it: capitals, spaces and signs make no other one.
fn same(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Error;
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

        fn admit(&self, _: &Request) -> Result<Welcome> {
            Err(Error::Stopped)
        }

        fn own(&self) -> Own {
            SecretKey::from([1; 32]).into()
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
    fn a_full_network_takes_nobody() {
        let mut full = members();
        let one = full.0[0].clone();
        full.0.resize(MAX_PEERS, one);
        assert_eq!(why(&full, &request(&identity(9), "New", 9)), Some((Refusal::Full, None)));
    }
}
