//! How a network begins: with one node, or with all those that its old peers file lists.

use crate::base::error::{Error, Result};
use crate::model::ids::NetworkName;
use crate::model::keys::IdentityKey;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::membership::{Admitted, Founded, Membership, Profile, Rule};
use crate::model::ledger::names::NetworkId;
use crate::model::secret::SharedToken;
use rand::CryptoRng;

/// The entries by which the node with the key `founder` begins a network of these nodes, itself among them. It signs
/// them in one block, or in blocks one behind the other. The keys of the others were compared when they came into the
/// peers file: that is their admission. Under a rule by which more than one admits, others have to sign theirs too.
pub fn found(
    name: NetworkName,
    rule: Rule,
    founder: &IdentityKey,
    mut nodes: Vec<(Profile, SharedToken)>,
    rng: &mut impl CryptoRng,
) -> Result<(NetworkId, Vec<Entry>)> {
    let is_founder = |profile: &Profile| profile.keys.identity == *founder;
    if !nodes.iter().any(|(profile, _)| is_founder(profile)) {
        return Err(Error::input(
            "network",
            "who begins it is not among its nodes",
            "begin it on a node that its peers file lists",
        ));
    }
    if nodes.len() < rule.admit() {
        // The first ones count by the founder's word alone, and it gives that only here.
        return Err(Error::input(
            "network",
            format!("{} admit somebody in it, and it has {} nodes", rule.admit(), nodes.len()),
            "let fewer admit, or take more nodes into the peers file first",
        ));
    }
    let founded = Founded::new(name, rule, rng);
    let network = founded.network(founder);
    nodes.sort_by_key(|(profile, _)| (!is_founder(profile), profile.number));
    let mut entries = vec![Membership::Founded(founded).into()];
    for (profile, token) in nodes {
        entries.push(Membership::Admitted(Admitted::new(network, profile, token, rng)).into());
    }
    Ok((network, entries))
}
