//! Admission windows: how many runs may be in flight at once. The others wait in line, recorded.

use crate::error::Error;
use crate::shared::{Shared, lock};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vastflow_core::Name;
use vastflow_store::{WindowOf, WindowState};

/// How many runs may be in flight at once, of a flow or of all.
///
/// ```
/// use vastflow_worker::Window;
///
/// let fixed = Window::fixed(100);
/// let elastic = Window::elastic(10, 200); // between these, by how busy the machine is
/// # let _ = (fixed, elastic);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    min: usize,
    max: usize,
}

impl Window {
    /// Always so many.
    #[must_use]
    pub const fn fixed(runs: usize) -> Self {
        Window { min: runs, max: runs }
    }

    /// At least `min` and at most `max`: two more each time that it was full for 10 s while the processors were less than
    /// 70 % busy, two fewer each time that it was empty for 120 s. Where the machine does not say how busy it is, an
    /// engine refuses it.
    #[must_use]
    pub const fn elastic(min: usize, max: usize) -> Self {
        Window { min, max }
    }

    const fn is_elastic(self) -> bool {
        self.min != self.max
    }
}

/// How often an elastic window is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How busy the processors may be for it to grow, in per cent.
const BUSY: u32 = 70;
/// Looks in a row that make it grow, and shrink.
const GROW: u32 = 10;
const SHRINK: u32 = 120;
/// How much it changes at once.
const STEP: usize = 2;

/// The windows of an engine.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<BTreeMap<WindowOf, Elastic>>);

/// A window and how large it is now.
#[derive(Clone, Copy, Debug)]
struct Elastic {
    window: Window,
    size: usize,
    /// Looks in a row at which it was full and the machine was not.
    full: u32,
    /// Looks in a row at which it was empty.
    empty: u32,
    /// How many runs were in flight at the last claim, and whether others stayed in line.
    in_flight: usize,
    waits: bool,
}

impl Elastic {
    const fn new(window: Window) -> Self {
        Elastic { window, size: window.min, full: 0, empty: 0, in_flight: 0, waits: false }
    }

    /// One look at the window: whether it is full, whether it is empty, and how busy the processors are.
    fn look(&mut self, is_full: bool, is_empty: bool, busy: u32) {
        self.full = if is_full && busy < BUSY { self.full + 1 } else { 0 };
        self.empty = if is_empty { self.empty + 1 } else { 0 };
        if self.full == GROW {
            (self.full, self.size) = (0, self.window.max.min(self.size + STEP));
        }
        if self.empty == SHRINK {
            (self.empty, self.size) = (0, self.window.min.max(self.size.saturating_sub(STEP)));
        }
    }
}

impl Windows {
    pub(crate) fn new(windows: BTreeMap<WindowOf, Window>) -> Result<Self, Error> {
        for (of, window) in &windows {
            let of = in_words(of);
            if window.min == 0 || window.min > window.max {
                return Err(Error::Setting(format!(
                    "the window of {of} is {} to {}; it must let in at least 1, and its minimum must not be above its maximum",
                    window.min, window.max
                )));
            }
            if window.is_elastic() && Busy::read().is_none() {
                return Err(Error::Setting(format!(
                    "the window of {of} is elastic, and this machine does not say how busy it is (/proc/stat); use Window::fixed"
                )));
            }
        }
        let elastic = windows.into_iter().map(|(of, window)| (of, Elastic::new(window))).collect();
        Ok(Windows(Mutex::new(elastic)))
    }

    /// Whether a run of a flow, with a key or without, waits in line before it begins its work.
    pub(crate) fn concern(&self, flow: &Name, key: Option<&Name>) -> bool {
        lock(&self.0).keys().any(|window| window.concerns(flow, key))
    }

    /// Notes how it stands with them.
    pub(crate) fn note(&self, states: Vec<WindowState>) {
        let mut windows = lock(&self.0);
        for state in states {
            if let Some(elastic) = windows.get_mut(&state.of) {
                (elastic.in_flight, elastic.waits) = (state.in_flight, state.waits);
            }
        }
    }

    /// How large they are now.
    pub(crate) fn sizes(&self) -> Vec<(WindowOf, usize)> {
        lock(&self.0).iter().map(|(of, elastic)| (of.clone(), elastic.size)).collect()
    }

    fn has_elastic(&self) -> bool {
        lock(&self.0).values().any(|elastic| elastic.window.is_elastic())
    }
}

fn in_words(of: &WindowOf) -> String {
    match of {
        WindowOf::All => "all flows".into(),
        WindowOf::Flow(flow) => format!("flow {flow:?}"),
        WindowOf::KeyOf(flow) => format!("the keys of flow {flow:?}"),
    }
}

/// Lets elastic windows breathe, until the engine drains.
pub(crate) async fn breathe(shared: Arc<Shared>) {
    if !shared.windows.has_elastic() {
        return;
    }
    let mut ticks = tokio::time::interval(LOOK);
    let mut before = Busy::read();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.draining.off() => return,
        }
        let now = Busy::read();
        let (Some(was), Some(is)) = (before, now) else { continue };
        before = now;
        let mut has_waiting = false;
        for elastic in lock(&shared.windows.0).values_mut().filter(|elastic| elastic.window.is_elastic()) {
            elastic.look(elastic.waits, elastic.in_flight == 0, is.since(was));
            has_waiting |= elastic.waits;
        }
        if has_waiting {
            shared.slots.poke();
        }
    }
}

/// What the processors have done since the machine began, in ticks.
#[derive(Clone, Copy, Debug)]
struct Busy {
    busy: u64,
    all: u64,
}

impl Busy {
    /// As Linux tells it: `cpu user nice system idle iowait irq softirq …`, see proc(5).
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let ticks: Vec<u64> =
            stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().flat_map(str::parse).collect();
        let all = ticks.iter().sum();
        let idle: u64 = ticks.get(3..5)?.iter().sum();
        Some(Busy { busy: all - idle, all })
    }

    /// How busy they were since then, in per cent.
    fn since(self, before: Self) -> u32 {
        let (busy, all) = (self.busy.saturating_sub(before.busy), self.all.saturating_sub(before.all));
        u32::try_from(busy * 100 / all.max(1)).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_22_it_grows_by_two_after_ten_looks_and_shrinks_after_two_minutes() {
        let mut elastic = Elastic::new(Window::elastic(2, 5));
        let mut sizes = |looks: u32, full: bool, empty: bool, busy: u32| {
            (0..looks).for_each(|_| elastic.look(full, empty, busy));
            elastic.size
        };
        assert_eq!(sizes(9, true, false, 10), 2);
        assert_eq!(sizes(1, true, false, 10), 4);
        assert_eq!(sizes(10, true, false, 10), 5, "never above the maximum");
        assert_eq!(sizes(50, true, false, 90), 5);
        assert_eq!(sizes(119, false, true, 0), 5);
        assert_eq!(sizes(1, false, true, 0), 3);
        assert_eq!(sizes(500, false, true, 0), 2, "never below the minimum");
        assert_eq!(sizes(9, true, false, 10), 2);
        assert_eq!(sizes(1, true, false, 90), 2, "a busy look begins the count anew");
        assert_eq!(sizes(9, true, false, 10), 2);
    }

    #[test]
    fn how_busy_the_machine_is() {
        let at = |text: &str| Busy::parse(text).unwrap();
        let (before, now) = (at("cpu  10 0 10 80 0 0\ncpu0 1"), at("cpu  40 0 20 130 10 0\n"));
        assert_eq!(now.since(before), 40);
        assert!(Busy::parse("intr 5").is_none());
    }
}
