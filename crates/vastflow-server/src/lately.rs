//! What was found out a moment ago, for all who ask meanwhile.

use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Something that is worth finding out once in a while only, however many ask.
#[derive(Debug)]
pub(crate) struct Lately<T> {
    lasts: Duration,
    found: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Lately<T> {
    pub(crate) fn new(lasts: Duration) -> Self {
        Lately { lasts, found: Mutex::new(None) }
    }

    /// What was found out lately, or else is now: by one, while the others wait for it.
    pub(crate) async fn get(&self, find_out: impl Future<Output = T>) -> T {
        let mut found = self.found.lock().await;
        if let Some((_, known)) = found.as_ref().filter(|(at, _)| at.elapsed() < self.lasts) {
            return known.clone();
        }
        let new = find_out.await;
        *found = Some((Instant::now(), new.clone()));
        new
    }

    /// What was found out is of no worth any more.
    pub(crate) async fn forget(&self) {
        *self.found.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_found_out_once_in_a_while() {
        let lately = Lately::new(Duration::from_secs(600));
        let both = tokio::join!(lately.get(std::future::ready(1)), lately.get(std::future::ready(2)));
        assert_eq!(both, (1, 1));
        let short = Lately::new(Duration::from_millis(1));
        assert_eq!(short.get(std::future::ready(2)).await, 2);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(short.get(std::future::ready(3)).await, 3);
        lately.forget().await;
        assert_eq!(lately.get(std::future::ready(4)).await, 4);
    }
}
