//! Determines from a fresh row which results of an unacknowledged commit were committed.

use super::Saga;

/// Which unacknowledged results were committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// None of them committed: apply them to the row and commit again.
    Pending,
    /// The first so many committed: drop them.
    Committed(usize),
    /// The row has fewer transitions than were acknowledged, because a failover lost asynchronous
    /// commits: drop the results and put the saga in doubt.
    Lost,
}

impl Acknowledgement {
    /// Compares the row with the saga as it was last read or committed.
    pub fn of(persisted: &Saga, row: &Saga) -> Self {
        match usize::try_from(row.turns - persisted.turns) {
            Ok(0) => Self::Pending,
            Ok(committed) => Self::Committed(committed),
            Err(_) => Self::Lost,
        }
    }
}
