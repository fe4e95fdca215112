//! Which writes of a record still hold: those that no later operation on the same field has replaced.
//!
//! An operation replaces what it is over, and what that is over in turn, in the fields that it writes. So the
//! fields replaced in an operation are those that its children write or have replaced in them: one walk from the
//! newest to the oldest finds them all.

/// One operation on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// A bit for each field that it writes.
    pub writes: u16,
    /// Which of the others it is over, by their places in the list.
    pub over: Vec<usize>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// A bit for each field that it writes and nothing has replaced.
    pub holds: u16,
    /// Whether nothing is over it.
    pub is_head: bool,
}

/// What became of each of these operations. Its cost grows with their number and that of their links.
pub fn standings(nodes: &[Node]) -> Vec<Standing> {
    let mut children = vec![0_usize; nodes.len()];
    for parent in nodes.iter().flat_map(|node| &node.over) {
        if let Some(count) = children.get_mut(*parent) {
            *count += 1;
        }
    }
    let head = |count: &usize| Standing { holds: u16::MAX, is_head: *count == 0 };
    let mut standings: Vec<_> = children.iter().map(head).collect();
    let mut ready: Vec<_> = (0..nodes.len()).filter(|at| children.get(*at) == Some(&0)).collect();
    while let Some(at) = ready.pop() {
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
    standings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as DESIGN states it, by closure.
    fn by_closure(nodes: &[Node]) -> Vec<Standing> {
        let is_over = |from: usize, to: usize| {
            let (mut todo, mut seen) = (nodes[from].over.clone(), vec![false; nodes.len()]);
            while let Some(at) = todo.pop() {
                if !std::mem::replace(&mut seen[at], true) {
                    todo.extend(&nodes[at].over);
                }
            }
            seen[to]
        };
        let standing = |at: usize| {
            let later = (0..nodes.len()).filter(|other| is_over(*other, at));
            let replaced = later.clone().fold(0, |mask, other| mask | nodes[other].writes);
            Standing { holds: nodes[at].writes & !replaced, is_head: later.count() == 0 }
        };
        (0..nodes.len()).map(standing).collect()
    }

    proptest! {
        #[test]
        fn one_walk_finds_what_the_closure_finds(
            made in prop::collection::vec((any::<u16>(), prop::collection::btree_set(0usize..12, 0..4)), 0..12),
        ) {
            let node = |(at, (writes, over)): (usize, &(u16, std::collections::BTreeSet<usize>))| {
                Node { writes: *writes, over: over.iter().copied().filter(|over| *over < at).collect() }
            };
            let nodes: Vec<_> = made.iter().enumerate().map(node).collect();
            prop_assert_eq!(standings(&nodes), by_closure(&nodes));
        }
    }
}
