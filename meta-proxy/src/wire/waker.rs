//! Wakes a connection's task from another task of the same worker.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// The waker of one task, and whether that task is at work right now.
#[derive(Default)]
pub struct WakeSlot {
    waker: RefCell<Option<Waker>>,
    at_work: Cell<bool>,
    woken: Cell<bool>,
}

impl WakeSlot {
    /// Begins the task's turn: until [`WakeSlot::rest`] it needs no waking.
    #[inline]
    pub fn work(&self) {
        self.at_work.set(true);
    }

    /// Ends the turn and keeps `waker` for the next [`WakeSlot::wake`].
    #[inline]
    pub fn rest(&self, waker: &Waker) {
        self.at_work.set(false);
        self.woken.set(false);
        let mut slot = self.waker.borrow_mut();
        match slot.as_mut() {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// Wakes the task unless it is at work or has been woken since its last turn.
    #[inline]
    pub fn wake(&self) {
        if self.at_work.get() || self.woken.replace(true) {
            return;
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}
