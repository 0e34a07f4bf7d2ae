//! A switch that is turned off once: looking at it costs one load, and one can wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Switch {
    is_off: AtomicBool,
    token: CancellationToken,
}

impl Switch {
    pub(crate) fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Acquire)
    }

    pub(crate) fn turn_off(&self) {
        self.is_off.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// The same for those who do not hold on to what it switches.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Waits until it is off.
    pub(crate) async fn off(&self) {
        self.token.cancelled().await;
    }
}
