//! The seeds of the fuzz targets, for tests that run the same checks over them with some of their bytes changed.

#![allow(dead_code, reason = "each test uses its part of this")]

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the seeds of this fuzz target are.
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target)
}

/// The seeds of this fuzz target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder(target)).expect("a folder of seeds");
    let mut paths: Vec<_> = files.map(|file| file.expect("a seed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// A seed with some bytes changed, put in or cut off, or a part of another one behind it.
pub fn changed(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds(target);
    let other = prop::sample::select(seeds.clone());
    let change = (any::<prop::sample::Index>(), prop_oneof![Just(0), any::<u8>()], 0..7_u8);
    (prop::sample::select(seeds), prop::collection::vec(change, 0..6), other).prop_map(
        |(mut bytes, changes, other)| {
            for (place, byte, how) in changes {
                let place = place.index(bytes.len() + 1);
                match (how, bytes.get_mut(place)) {
                    (0, _) => bytes.truncate(place),
                    (1, _) => bytes.insert(place, byte),
                    (2, _) => bytes.extend(other.get(place..).unwrap_or_default()),
                    (_, Some(old)) => *old = byte,
                    (_, None) => bytes.push(byte),
                }
            }
            bytes
        },
    )
}
