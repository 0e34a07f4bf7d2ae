//! Calls under suspicion: workers died while they had them in hand. Such a call runs alone, so that if it kills its
//! worker again there is no doubt which one it was, and nothing else is lost; and after so many deaths it is not made
//! any more.

use crate::call::start_task;
use crate::cell::Cell;
use crate::claim::{Held, begin_later};
use crate::shared::{Shared, lock};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use vastflow_core::retry::mixed;
use vastflow_core::run::Input;
use vastflow_store::Claimed;

/// How often timers and deliveries are looked for while nothing else is claimed.
const LOOK: Duration = Duration::from_millis(20);

/// How an engine claims.
#[derive(Debug)]
pub(crate) struct Aside {
    mode: Mode,
    /// Slots that nothing is called in.
    held: usize,
    /// When it last looked into the queue.
    looked: Option<Instant>,
    /// How often in a row something took too long here to run a call alone: each time it is waited twice as long, so
    /// that calls that last longer than a lease do not put off others for ever.
    in_vain: u32,
    /// Make each wait another, and those of each worker.
    turns: u64,
    seed: u64,
}

/// After so many tries it is not waited longer still.
const TRIES: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Usual,
    /// Somebody has to run a call alone. One that has nothing in hand does it at once; this one waits until then, so that
    /// not all workers stop for it.
    Watching {
        until: Instant,
    },
    /// Nothing new begins until nothing is in hand, or it took too long.
    Emptying {
        until: Instant,
    },
    /// One call is under way, alone.
    Alone,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appetite {
    /// As many calls as there are slots.
    Usual,
    /// One call, alone.
    Alone,
    /// Timers and deliveries.
    NoCalls,
    /// Nothing: it looked just now.
    Nothing,
}

impl Aside {
    pub(crate) const fn new(seed: u64) -> Self {
        Aside { mode: Mode::Usual, held: 0, looked: None, in_vain: 0, turns: 0, seed }
    }

    /// What to ask for now.
    pub(crate) fn appetite(&mut self, shared: &Shared) -> Appetite {
        let now = Instant::now();
        if let Mode::Emptying { .. } | Mode::Alone = self.mode {
            self.held += shared.slots.take_up_to(shared.slots.all() - self.held);
        }
        let has_all = self.held == shared.slots.all();
        match self.mode {
            Mode::Emptying { .. } if has_all => return Appetite::Alone,
            Mode::Emptying { until } if until <= now => {
                // Something takes its time here; another worker may be luckier.
                let wait = self.jittered(self.patience(shared) * 2) + shared.lease;
                self.in_vain = (self.in_vain + 1).min(TRIES);
                self.back_to(Mode::Watching { until: now + wait }, shared);
            }
            Mode::Alone if has_all => self.back_to(Mode::Usual, shared),
            _ => {}
        }
        match (self.mode, self.looked) {
            (Mode::Usual | Mode::Watching { .. }, _) => Appetite::Usual,
            (_, Some(looked)) if now < looked + LOOK => Appetite::Nothing,
            _ => {
                self.looked = Some(now);
                Appetite::NoCalls
            }
        }
    }

    /// Whether a call is there that has to run alone, and, if it was asked for, whether it was given.
    pub(crate) fn learn(&mut self, shared: &Shared, waits: bool, is_given: Option<bool>) {
        let now = Instant::now();
        match (self.mode, is_given) {
            (_, Some(true)) => {
                self.mode = Mode::Alone;
                self.held -= 1;
                self.in_vain = 0;
            }
            // Another worker was quicker; should it still be there, it is not tried again and again.
            (_, Some(false)) => {
                let wait = self.jittered(shared.lease / 4) + LOOK;
                self.back_to(Mode::Watching { until: now + wait }, shared);
            }
            (Mode::Usual, None) if waits && shared.slots.are_free() => self.begin(now, shared),
            (Mode::Usual, None) if waits => self.mode = Mode::Watching { until: now + self.jittered(shared.lease) },
            (Mode::Watching { .. }, None) if !waits => (self.mode, self.in_vain) = (Mode::Usual, 0),
            (Mode::Emptying { .. }, None) if !waits => {
                self.in_vain = 0;
                self.back_to(Mode::Usual, shared);
            }
            (Mode::Watching { until }, None) if until <= now => self.begin(now, shared),
            _ => {}
        }
    }

    /// Whether it is to look again at once.
    pub(crate) const fn is_emptying(&self) -> bool {
        matches!(self.mode, Mode::Emptying { .. })
    }

    /// When it has to look again, while it does not claim as usual.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let is_aside = matches!(self.mode, Mode::Emptying { .. } | Mode::Alone);
        self.looked.filter(|_| is_aside).map(|looked| looked + LOOK)
    }

    fn begin(&mut self, now: Instant, shared: &Shared) {
        self.mode = Mode::Emptying { until: now + self.patience(shared) };
        if self.in_vain == 0 {
            tracing::warn!(
                "a call that was under way whenever its process ended is to run alone: nothing new begins here until what is under \
                 way has ended"
            );
        }
        shared.is_aside.store(true, Ordering::Release);
    }

    /// How long to wait until nothing is in hand.
    fn patience(&self, shared: &Shared) -> Duration {
        shared.lease * (1 << self.in_vain)
    }

    fn back_to(&mut self, mode: Mode, shared: &Shared) {
        self.mode = mode;
        *lock(&shared.suspect) = None;
        shared.is_aside.store(false, Ordering::Release);
        shared.slots.give_back(std::mem::take(&mut self.held));
    }

    /// Some part of `most`.
    fn jittered(&mut self, most: Duration) -> Duration {
        self.turns += 1;
        let part = mixed(self.seed ^ self.turns) % 1_000;
        most / 1_000 * u32::try_from(part).unwrap_or(0)
    }
}

/// Notes and tells which call runs alone.
pub(crate) fn suspect(shared: &Shared, claimed: &Claimed) {
    let Claimed { scope, task, crashes, .. } = claimed;
    tracing::warn!(
        %scope, crashes,
        "{task:?} was under way whenever its process ended, and runs alone now: nothing else is called meanwhile, and if it ends \
         this process too it is to blame"
    );
    *lock(&shared.suspect) = Some((scope.clone(), *task));
}

/// A call that ended too many workers is not made: the run is told so.
pub(crate) fn quarantine(shared: &Arc<Shared>, cell: &Arc<Cell>, held: Held) {
    let (is_gone, is_wanted) = {
        let inner = cell.lock();
        let may_start = inner.state.may_start(cell.bound.plan(), held.task);
        (inner.is_gone, inner.state.expects(held.task) && may_start)
    };
    if is_gone {
        return begin_later(shared, held);
    }
    if !is_wanted {
        // It is not called for another reason.
        return start_task(shared, cell, held.task, held.token, held.lane);
    }
    shared.stats.quarantined.fetch_add(1, Ordering::Relaxed);
    let deaths = u32::from(held.crashes);
    tracing::error!(scope = %held.scope, deaths, "{:?} is not called any more: it ended too many workers; `runs resolve` says how it goes on", held.task);
    cell.answer(shared, Input::Quarantine { task: held.task, deaths }, (held.task, held.token), 1);
}
