//! Bugs of our own. Each lives in the simulated disk or in the simulation's driver.

use crate::disk::Lies;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// None: every promise is to be kept.
    None,
    /// A sync says yes and does nothing.
    SkipsSync,
    /// A sync of a directory says yes and does nothing.
    SkipsDirectorySync,
    /// A start does not see the newest segments, so their sequences are given again.
    ReusesSequences,
    /// Two processes are let into one directory.
    SharesDirectory,
    /// The door answers "recorded" when the event is queued.
    AnswersEarly,
    /// The reactor's ticking stops, so nobody's patience ends.
    StopsTicking,
    /// The reactor does not look at what the writer told it.
    SettlesNothing,
    /// A process that ends does not count what it could not record.
    EndsUncounted,
}

impl Plant {
    pub(crate) const ALL: [Self; 8] = [
        Self::SkipsSync,
        Self::SkipsDirectorySync,
        Self::ReusesSequences,
        Self::SharesDirectory,
        Self::AnswersEarly,
        Self::StopsTicking,
        Self::SettlesNothing,
        Self::EndsUncounted,
    ];

    pub(crate) fn lies(self) -> Lies {
        Lies {
            skips_sync: self == Self::SkipsSync,
            skips_directory_sync: self == Self::SkipsDirectorySync,
            hides_newest: self == Self::ReusesSequences,
            shares_locks: self == Self::SharesDirectory,
        }
    }
}
