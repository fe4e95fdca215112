//! Which of its two languages a network speaks on the wire.

use std::fmt;

/// The dialect of a network, as its peers file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Noise and TLS: who listens learns nothing. What a file means that names no dialect.
    Sealed,
    /// The original's, in clear: for demonstrations, and to move a fleet over.
    Classic,
}

impl Dialect {
    /// The dialect of this name, if there is one.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Sealed, Self::Classic].into_iter().find(|dialect| dialect.to_string() == name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::Classic => "classic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_has_one_name_and_others_are_none() {
        for dialect in [Dialect::Sealed, Dialect::Classic] {
            assert_eq!(Dialect::of_name(&dialect.to_string()), Some(dialect));
        }
        for wrong in ["", "loud", "Sealed", "classic "] {
            assert_eq!(Dialect::of_name(wrong), None);
        }
    }
}
