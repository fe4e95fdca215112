//! Which writes of a record still hold: those that no later operation on the same field has replaced.
//!
//! An operation replaces what it is over, and what that is over in turn, in the fields that it writes. So the
//! fields replaced in an operation are those that its children write or have replaced in them: one walk from the
//! newest to the oldest finds them all.
//!
//! An operation is complete if all that it is over has come, and all that that is over. Who sees one that is not has
//! not seen what is missing, and must not replace it unawares.

/// One operation on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// A bit for each field that it writes.
    pub writes: u16,
    /// Which of the others it is over, by their places in the list.
    pub over: Vec<usize>,
    /// Whether it is over something that has not come.
    pub lacks: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// A bit for each field that it writes and nothing has replaced.
    pub holds: u16,
    /// Whether nothing is over it.
    pub is_head: bool,
    /// Whether all that it is over, however far back, has come.
    pub is_complete: bool,
    /// Whether it is complete, and nothing that is complete is over it.
    pub is_complete_head: bool,
}

/// What became of each of these operations. Its cost grows with their number and that of their links.
pub fn standings(nodes: &[Node]) -> Vec<Standing> {
    let mut children = vec![0_usize; nodes.len()];
    for parent in nodes.iter().flat_map(|node| &node.over) {
        if let Some(count) = children.get_mut(*parent) {
            *count += 1;
        }
    }
    let head =
        |count: &usize| Standing { holds: u16::MAX, is_head: *count == 0, ..Standing::default() };
    let mut standings: Vec<_> = children.iter().map(head).collect();
    let mut ready: Vec<_> = (0..nodes.len()).filter(|at| children.get(*at) == Some(&0)).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop() {
        order.push(at);
        let (Some(node), Some(own)) = (nodes.get(at), standings.get(at).copied()) else { continue };
        for parent in &node.over {
            let (Some(count), Some(standing)) =
                (children.get_mut(*parent), standings.get_mut(*parent))
            else {
                continue;
            };
            standing.holds &= own.holds & !node.writes;
            *count -= 1;
            if *count == 0 {
                ready.push(*parent);
            }
        }
    }
    for (standing, node) in standings.iter_mut().zip(nodes) {
        standing.holds &= node.writes;
    }
    complete(nodes, &order, &mut standings);
    standings
}

/// Finds what is complete; in `order`, every operation stands before those that it is over.
fn complete(nodes: &[Node], order: &[usize], standings: &mut [Standing]) {
    for at in order.iter().rev() {
        let Some(node) = nodes.get(*at).filter(|node| !node.lacks) else { continue };
        let is_complete = |at: &usize| standings.get(*at).is_some_and(|one| one.is_complete);
        if !node.over.iter().all(is_complete) {
            continue;
        }
        for below in &node.over {
            if let Some(standing) = standings.get_mut(*below) {
                standing.is_complete_head = false;
            }
        }
        if let Some(standing) = standings.get_mut(*at) {
            (standing.is_complete, standing.is_complete_head) = (true, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules, by closure.
    fn by_closure(nodes: &[Node]) -> Vec<Standing> {
        let below = |from: usize| {
            let (mut todo, mut seen) = (nodes[from].over.clone(), vec![false; nodes.len()]);
            while let Some(at) = todo.pop() {
                if !std::mem::replace(&mut seen[at], true) {
                    todo.extend(&nodes[at].over);
                }
            }
            seen
        };
        let is_complete = |at: usize| {
            let below = below(at);
            !(0..nodes.len()).any(|other| nodes[other].lacks && (below[other] || other == at))
        };
        let standing = |at: usize| {
            let later: Vec<_> = (0..nodes.len()).filter(|other| below(*other)[at]).collect();
            let replaced = later.iter().fold(0, |mask, other| mask | nodes[*other].writes);
            Standing {
                holds: nodes[at].writes & !replaced,
                is_head: later.is_empty(),
                is_complete: is_complete(at),
                is_complete_head: is_complete(at) && !later.iter().any(|at| is_complete(*at)),
            }
        };
        (0..nodes.len()).map(standing).collect()
    }

    proptest! {
        #[test]
        fn one_walk_finds_what_the_closure_finds(
            made in prop::collection::vec(
                (any::<u16>(), prop::collection::btree_set(0usize..12, 0..4), prop::bool::weighted(0.15)),
                0..12,
            ),
        ) {
            let nodes = made.iter().enumerate().map(|(at, (writes, over, lacks))| Node {
                writes: *writes,
                over: over.iter().copied().filter(|over| *over < at).collect(),
                lacks: *lacks,
            });
            let nodes: Vec<_> = nodes.collect();
            prop_assert_eq!(standings(&nodes), by_closure(&nodes));
        }
    }
}
