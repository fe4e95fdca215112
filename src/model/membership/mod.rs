//! Membership: who belongs to the network, as it follows from what its members have signed.
//!
//! ```text
//! blocks --> ledger::register --> voices: sorted --> tally: counted --> roster --> peers, screens
//! ```
//!
//! The rules, of which none asks for an order, a clock or a count of copies:
//!
//! 1. *Trust begins with the founder.* A network is the key of its founder and what that key said when it began it
//!    (`NetworkId`, pinned when a node joins). No other founding counts, also none by the same key.
//! 2. *An admission counts* when as many members as the rule asks for have signed exactly it. Who is admitted does not
//!    count for it; its own signature is its consent, and of several admissions of one key that one holds to which
//!    it consented. So nobody is admitted under a key that is another's for longer than that other is silent. Where
//!    the rule asks for more than one, the founder alone admits the first ones, until there are as many as it asks for.
//! 3. *A revocation counts* when as many members as the rule asks for have named the target, the target aside: their
//!    reasons may differ. Where there are not so many others, all of them; in a network of two, one. Whom a voter
//!    admitted after its own voice against the target is not among these others, or a lone voice would be silenced
//!    by the next newcomer.
//! 4. *What a revoked member wrote beyond its last good block does not count*: no admission, no voice, no address. An
//!    entry is beyond if as many voices as were needed put it there, so that one voter alone voids nothing. What it
//!    wrote before stays, and whom it admitted there stays. A voice by which its own author would never have been
//!    admitted counts, and doubts nothing.
//! 5. *So a revocation stands as long as enough of its voices do.* It cannot stand on nothing: if it did, whoever seizes
//!    one node could go on to admit others of its own with it and shut out everybody. Nothing else undoes one.
//! 6. *Two who revoke each other*, each putting the other's voice beyond the last good block: that revocation
//!    holds which older members signed (fewer admissions away from the founder, compared one by one); then that with
//!    more; then that against the lower key. A node signs by itself, once, that it has seen somebody shut out, and
//!    that weighs as a voice here and nowhere else (`Roster::unheeded`): so who was shut out cannot turn the tables by
//!    speaking later against those who did it, however it dates that. If one of them had seen and not doubted the other's voice, there
//!    is nothing to decide: the other's holds. Two who work together under a rule of two shut out whoever is not
//!    answered for: the rule says so. When others answer, the founder's voice or the greater number among equals wins.
//!    Where one admits, one can bring a second voice of its own, and the founder's device is trusted with all: who
//!    takes it can go on to shut out others even when it is shut out itself, since its own word alone tells whom it
//!    admitted when. Who fears that lets two admit; the founder weighs as any other then.
//! 7. *A number, a knock key, a token belong to one.* If two admissions give one number, both stay members: the one
//!    nearer to the founder keeps it, then that with the lower Lamport number. Only then it is the lower leaf, since
//!    somebody can make up leaves until one is low enough. The other is known by a number made of its leaf, from 600 up,
//!    that stays the same whatever else comes. To wait for people instead would cut an innocent newcomer off. Of two
//!    who have one knock key or token, that does not happen by chance, the one further from the founder is no member:
//!    people see that somebody meddles. Who was revoked keeps what they had, for ever.
//! 8. *Addresses are where to look, not whom to believe*: keys say who answers. A member's own word comes first; one
//!    that was typed at this node is tried besides all others until the member was met elsewhere (`net::addresses`).

pub mod founding;
pub mod roster;
pub mod seats;
pub mod tally;
pub mod voices;
