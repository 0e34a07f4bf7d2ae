//! One screen that shows a fleet at work.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};
use vastflow::Result;
use vastflow::store::{Counts, Fleet, QueueRow, Store, WorkerRow};

/// Over how long the throughput is averaged.
const SPAN: Duration = Duration::from_secs(5);

/// What a look at the store shows.
pub struct Look {
    pub counts: Counts,
    pub fleet: Fleet,
    pub queues: Vec<QueueRow>,
}

impl Look {
    pub async fn at(store: &dyn Store) -> Result<Self> {
        Ok(Look { counts: store.counts().await?, fleet: store.fleet().await?, queues: store.queues().await? })
    }

    /// The workers that live and make calls: those that only start runs and look are left out.
    fn working(&self) -> impl Iterator<Item = &WorkerRow> {
        self.fleet.workers.iter().filter(|worker| worker.about.slots > 0 && worker.until > self.fleet.now)
    }

    /// All in one line, for programs.
    pub fn line(&self) -> String {
        let Counts { succeeded, failed, stopped, .. } = self.counts;
        let open = self.counts.unfinished();
        let Fleet { fenced, taken_over, .. } = self.fleet;
        let runs = open + succeeded + failed + stopped;
        let workers = self.working().count();
        format!(
            "runs={runs} done={succeeded} failed={} open={open} workers={workers} fenced={fenced} taken_over={taken_over}",
            failed + stopped
        )
    }
}

/// A screen that remembers a little, for the throughput.
#[derive(Default)]
pub struct Screen {
    ended: VecDeque<(Instant, u64)>,
}

impl Screen {
    pub fn draw(&mut self, look: &Look) -> String {
        let Counts { succeeded, failed, stopped, .. } = look.counts;
        let ended = succeeded + failed + stopped;
        let all = (ended + look.counts.unfinished()).max(1);
        let share = (ended * 40 / all) as usize;
        let mut text = String::new();
        let bar = format!("{}{}", "█".repeat(share), "░".repeat(40 - share));
        let _ = writeln!(text, "runs     {bar} {ended} of {all}, {:.0} a second", self.rate(ended));
        let Fleet { fenced, taken_over, .. } = look.fleet;
        let _ = writeln!(text, "tasks    {taken_over} taken over from the dead, {fenced} late answers refused");
        for queue in &look.queues {
            let lane = queue.lane.as_ref().map_or("-", |lane| lane);
            let _ = writeln!(
                text,
                "queue    lane {lane}: {} ready, {} later, {} in hand, {} held",
                queue.ready, queue.later, queue.in_hand, queue.held
            );
        }
        let _ = writeln!(text, "\n{:<18} {:<24} {:>6} {:>8}  works on", "worker", "host:process", "slots", "in hand");
        for worker in look.working() {
            let about = &worker.about;
            let name = about.name.as_ref().map_or_else(|| format!("{:016x}", worker.id.0), ToString::to_string);
            let place = format!("{}:{}", about.host, about.pid);
            let busy = "▪".repeat((worker.in_hand * 20).div_ceil(about.slots).min(20));
            let _ = writeln!(text, "{name:<18} {place:<24} {:>6} {:>8}  {busy}", about.slots, worker.in_hand);
        }
        text
    }

    /// How many ended in a second, over the last few.
    fn rate(&mut self, ended: u64) -> f64 {
        let now = Instant::now();
        self.ended.push_back((now, ended));
        while self.ended.len() > 2 && self.ended.front().is_some_and(|(at, _)| now - *at > SPAN) {
            self.ended.pop_front();
        }
        let Some((since, before)) = self.ended.front() else { return 0.0 };
        let seconds = (now - *since).as_secs_f64();
        if seconds > 0.0 { ended.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}
