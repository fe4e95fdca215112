//! Many names as one hash: the root of the tree of RFC 6962, section 2.1.

use ring::digest;

/// Bytes of a hash in the tree.
pub const HASH_BYTES: usize = 32;

/// A hash in the tree.
pub type Hash = [u8; HASH_BYTES];

/// The root over these leaves. Leaves and inner nodes are hashed apart, so that one is never taken for the other.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => sha256(&[&[0], leaf]),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            sha256(&[&[1], &root(left), &root(right)])
        }
    }
}

/// The largest power of two that is less than `count`, which is at least two.
fn split(count: usize) -> usize {
    count.div_ceil(2).next_power_of_two()
}

/// SHA-256 of these parts, one after the other. Nearly all that is hashed is short, and hashed in one go: that
/// takes half as long as part by part.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let digest = match parts {
        [whole] => digest::digest(&digest::SHA256, whole),
        _ => joined(parts),
    };
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The most bytes that are put together on the stack.
const SHORT: usize = 128;

fn joined(parts: &[&[u8]]) -> digest::Digest {
    let (mut short, mut length) = ([0; SHORT], 0);
    for part in parts {
        let Some(place) = short.get_mut(length..length + part.len()) else {
            let mut context = digest::Context::new(&digest::SHA256);
            parts.iter().for_each(|part| context.update(part));
            return context.finish();
        };
        place.copy_from_slice(part);
        length += part.len();
    }
    digest::digest(&digest::SHA256, short.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hex;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|byte| [byte; HASH_BYTES]).collect()
    }

    #[test]
    fn the_empty_tree_and_its_halves_are_those_of_the_rfc() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::digits(&root(&[])), empty);
        for (count, left) in [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8)] {
            assert_eq!(split(count), left, "{count}");
        }
        let three = leaves(3);
        let by_hand = sha256(&[&[1], &root(&three[..2]), &root(&three[2..])]);
        assert_eq!(root(&three), by_hand);
    }

    #[test]
    fn parts_are_hashed_as_if_they_were_one() {
        for length in [0, 1, 64, SHORT - 1, SHORT, SHORT + 1, 5 * SHORT] {
            let bytes = vec![7; length];
            let (one, other) = bytes.split_at(length / 3);
            assert_eq!(sha256(&[one, other]), sha256(&[&bytes]), "{length}");
        }
    }

    #[test]
    fn an_inner_node_is_no_leaf() {
        let four = leaves(4);
        assert_ne!(root(&[root(&four[..2]), root(&four[2..])]), root(&four));
        assert_ne!(root(&leaves(2)), root(&[[0; 32], [1; 32], [1; 32]]));
    }
}
