//! The machine's clock, read in one place.

use time::OffsetDateTime;

/// The current time in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "every other module of the stand-ins calls this function"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
