//! The numbers by which the file is laid out: where its parts stand, and what the kinds of entry are
//! called. Journals on disk depend on them.

/// The size of a slot of the header.
pub(super) const SLOT: usize = 4096;
/// The size of the header; the entries begin behind it.
pub(super) const HEADER_BYTES: usize = 2 * SLOT;
/// Entries begin at multiples of this.
pub(super) const ALIGN: usize = 64;
/// The kind of an entry that is a narrowing change.
pub(super) const PENDING: u16 = 0;
/// The kind of an entry that says what else may have been narrowed.
pub(super) const DOUBT: u16 = 1;
