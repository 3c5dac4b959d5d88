//! The time of day, asked for in one place. What decides about orders goes by the database's clock.

use time::OffsetDateTime;

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
