//! What was compared already. Forms never change, so a long list is compared once with another, however
//! often the states are compared that have them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::flag::{Definition, Segment};

/// Pairs of forms, and whether they have the same meaning.
#[derive(Debug, Default)]
pub struct Compared {
    definitions: Pairs<Definition>,
    segments: Pairs<Segment>,
}

impl Compared {
    pub(super) fn are_same_definitions(
        &self,
        one: &Arc<Definition>,
        other: &Arc<Definition>,
    ) -> bool {
        self.definitions.are_same(one, other)
    }

    pub(super) fn are_same_segments(&self, one: &Arc<Segment>, other: &Arc<Segment>) -> bool {
        self.segments.are_same(one, other)
    }
}

/// The forms are kept, so that no other takes the address of one that was compared.
type AlreadyCompared<T> = BTreeMap<(usize, usize), (Arc<T>, Arc<T>, bool)>;

#[derive(Debug)]
struct Pairs<T>(RefCell<AlreadyCompared<T>>);

impl<T> Default for Pairs<T> {
    fn default() -> Pairs<T> {
        Pairs(RefCell::default())
    }
}

impl<T: PartialEq> Pairs<T> {
    fn are_same(&self, one: &Arc<T>, other: &Arc<T>) -> bool {
        if Arc::ptr_eq(one, other) {
            return true;
        }
        let addresses = (Arc::as_ptr(one).addr(), Arc::as_ptr(other).addr());
        if let Some((_, _, is_same)) = self.0.borrow().get(&addresses) {
            return *is_same;
        }
        let is_same = one == other;
        self.0.borrow_mut().insert(addresses, (one.clone(), other.clone(), is_same));
        is_same
    }
}
