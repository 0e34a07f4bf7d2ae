//! A thread of the store's own, on which its connection lives: no runtime of the user's has to outlive a call, and
//! encoding a batch does not take the time of those who made it.

use std::future::Future;
use std::sync::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use vastflow_store::StoreError;

/// The thread; it ends when this is dropped.
pub(crate) struct Runtime {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Runtime {
    pub(crate) fn start() -> Result<Self, StoreError> {
        let failed = |why: std::io::Error| StoreError::unavailable_by("starting a thread", why);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            // Either way it is over: told so, or nobody is left who could tell.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("vastflow-redis".into()).spawn(run).map_err(failed)?;
        Ok(Runtime { handle, stop: Mutex::new(Some(stop)) })
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs something on the thread and waits for it. It goes on to its end even when nobody waits any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.handle.spawn(work).await;
        done.map_err(|why| StoreError::Closed { why: format!("its thread has ended: {why}") })?
    }

    pub(crate) fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop();
    }
}
