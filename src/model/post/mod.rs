//! Post: messages for peers that are away. They are kept, carried by whoever meets, and readable by nobody but the one
//! they are for.
//!
//! ```text
//! words --> hand: sealed and signed --> letter --> bag --> exchange --> the bags of others --> its recipient
//!                                                 bag <-- exchange <-- receipt <-- hand: opened, shown
//! ```
//!
//! The lowest first: [`letter`] and [`receipt`] their bytes; [`hand`] writes and opens them; [`memory`] what was shown
//! once; [`bag`] what a node holds, and for how long; [`exchange`] the messages by which two bags are brought into
//! step; [`stored`] the bag on the disk. Letters do not stand in the ledger: from there nothing can be taken away.

pub mod bag;
pub mod exchange;
pub mod hand;
pub mod letter;
pub mod limits;
pub mod memory;
pub mod receipt;
pub mod stored;
