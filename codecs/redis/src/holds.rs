//! What a client has a connection of its own for, and what a server keeps for a connection.

use crate::policy::Hold;

/// A set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Holds(u8);

impl Holds {
    /// Keys are watched.
    pub(crate) const WATCH: Self = Self(1);
    /// A transaction is open.
    pub(crate) const TRANSACTION: Self = Self(2);
    /// There is a subscription.
    pub(crate) const SUBSCRIPTION: Self = Self(4);
    /// `MONITOR`.
    pub(crate) const MONITOR: Self = Self(8);

    /// What such a command holds.
    pub(crate) fn of(hold: Hold) -> Self {
        match hold {
            Hold::Monitor => Self::MONITOR,
            Hold::Tracking => Self(16),
            Hold::NoEvict => Self(32),
            Hold::NoTouch => Self(64),
        }
    }

    /// As a number, and back.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// From its number.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether both have a reason in common.
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of both.
    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that the other has not.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
