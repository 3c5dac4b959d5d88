//! What the statements of a list have in common: its scope, a range of keys, and the keys of a page.

use crate::domain::search::{MatchRank, OrderFilter, SortBy, SortDir, SortKey};

/// The limit of a count, and of the rows that an index lookup sorts.
pub const COUNT_LIMIT: i64 = 10_000;

/// A whole list: its filter and sort order, without the position of a page.
#[derive(Clone, Copy)]
pub struct ListScope<'a> {
    /// The conditions that every order of the list meets.
    pub filter: &'a OrderFilter,
    /// The only rank of the search text, for a part of a list by relevance.
    pub rank: Option<MatchRank>,
    /// The sort order.
    pub sort_by: SortBy,
    /// The direction of the sort order.
    pub sort_dir: SortDir,
}

/// The keys to read.
#[derive(Clone, Copy)]
pub struct KeyRange {
    /// Only keys behind this one.
    pub after: Option<SortKey>,
    /// The number of keys to skip.
    pub offset: i64,
    /// The number of keys to read.
    pub limit: i64,
    /// Whether to count the whole list.
    pub counting: bool,
}

/// The keys of a page.
#[derive(Default)]
pub struct KeyPage {
    /// The total count of the list, up to [`COUNT_LIMIT`] and one more.
    pub count: i64,
    /// Whether the list may have more orders than were counted.
    pub count_capped: bool,
    /// The keys in the order of the scan; one more than the page size if the list goes on.
    pub keys: Vec<SortKey>,
    /// The key at which a bounded index scan stopped, with fewer keys than the limit.
    pub stopped_at: Option<SortKey>,
}
