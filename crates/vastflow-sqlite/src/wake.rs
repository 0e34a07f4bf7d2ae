//! Waking the log thread: nothing to pay when it is awake.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

/// A flag that says there is something to do, and whether the thread sleeps.
#[derive(Default)]
pub(crate) struct Wake {
    thread: OnceLock<Thread>,
    is_due: AtomicBool,
    is_asleep: AtomicBool,
}

impl Wake {
    /// Says that there is something to do.
    pub(crate) fn wake(&self) {
        self.is_due.store(true, Ordering::SeqCst);
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps until there is something to do. Looking a few times before lying down was measured not to help.
    pub(crate) fn wait(&self) {
        self.thread.get_or_init(std::thread::current);
        loop {
            self.is_asleep.store(true, Ordering::SeqCst);
            if self.is_due.swap(false, Ordering::SeqCst) {
                self.is_asleep.store(false, Ordering::SeqCst);
                return;
            }
            std::thread::park();
        }
    }
}
