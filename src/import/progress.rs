//! The progress and the result of an import.

/// The file that an import reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStage {
    /// The orders, which come first.
    Orders,
    /// The items of the orders.
    Items,
}

/// The progress of an import, reported at the start of each file and after each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// The file that the import reads now.
    pub stage: ImportStage,
    /// How many bytes of that file have been read.
    pub bytes_read: u64,
    /// The length of that file in bytes; 0 where it is unknown, as for a pipe.
    pub bytes_total: u64,
    /// How many rows of that file have been processed.
    pub rows: u64,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Orders that the import inserted.
    pub orders_new: u64,
    /// Orders that existed already and stay unchanged.
    pub orders_known: u64,
    /// Items that the import inserted.
    pub items_new: u64,
    /// Items that existed already and stay unchanged.
    pub items_known: u64,
}
