//! The clock of this process, for logs and tokens. Decisions about orders use the clock of the database.

use time::OffsetDateTime;

/// The current time, in UTC.
#[expect(clippy::disallowed_methods, reason = "the only caller")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
