//! Many whole runs, each drawn from a seed: see [`whole`](crate::whole) for what is played and how it is judged.
//!
//! `cargo test` plays three hundred; `cargo xtask sim --plans N --seed S --minutes M` as many as it is told, on all processors,
//! with a line a second on stderr. A seed that fails is told with the smallest case that fails in the same way, and is
//! written into `seeds.txt`, which every run plays first: commit it with what mends it.

mod planted;
mod shrink;

use crate::dsl::Bug;
use crate::property::Choices;
use crate::whole::{Played, one, random_case};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

/// Seeds that failed once.
const KEPT: &str = include_str!("seeds.txt");
const KEPT_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/sim/seeds.txt");
/// How many plans a test run plays.
const PLANS: u64 = 300;
/// So many failing seeds are enough.
const ENOUGH: usize = 5;

thread_local! {
    /// Whether a panic of this thread is of no interest to anybody but the one who catches it.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

pub(crate) fn is_quiet() -> bool {
    QUIET.get()
}

/// What is asked for, by `cargo xtask sim`, in the environment.
struct Options {
    plans: u64,
    seed: u64,
    limit: Option<Duration>,
    /// Whether somebody looks on, and failing seeds are to be kept.
    by_command: bool,
}

impl Options {
    fn asked() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
        let plans = number("VASTFLOW_SIM_PLANS");
        Options {
            plans: plans.unwrap_or(PLANS),
            seed: number("VASTFLOW_SIM_SEED").unwrap_or(0),
            limit: number("VASTFLOW_SIM_MINUTES").map(|minutes| Duration::from_secs(60 * minutes)),
            by_command: plans.is_some(),
        }
    }
}

/// What is played with a seed: one in three is wild.
fn play(choices: &mut Choices<'_>, bug: Option<Bug>) -> Played {
    let wild = choices.once_in(3);
    one(choices, wild, bug)
}

/// Plays a case; the text of the panic when it fails.
fn attempt(choices: &mut Choices<'_>, bug: Option<Bug>) -> Result<Played, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match is_quiet() {
            true => SAID.set(info.to_string()),
            false => before(info),
        }));
    });
    QUIET.set(true);
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(choices, bug)));
    QUIET.set(false);
    played.map_err(|_| SAID.take())
}

/// The plan that a list of choices draws, in words.
fn drawn(list: &[u16]) -> String {
    let mut choices = Choices::of(list);
    let wild = choices.once_in(3);
    let case = random_case(&mut choices, wild);
    format!(
        "wild: {wild}\nplan {}\nfates {:?}",
        case.plan.to_json(),
        case.fates.iter().filter(|(_, fate)| fate.is_odd()).collect::<Vec<_>>()
    )
}

fn kept() -> Vec<u64> {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_seed_gives_what_a_plain_evaluation_gives() {
    let options = Options::asked();
    let sim = Sim::new(&options);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(|| sim.work())).collect();
        let mut told = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if options.by_command && told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                sim.tell();
            }
        }
    });
    sim.report();
}

/// Seeds being played.
struct Sim<'a> {
    options: &'a Options,
    seeds: Mutex<Vec<u64>>,
    began: Instant,
    played: AtomicU64,
    counts: Mutex<Counts>,
    failed: Mutex<Vec<(u64, String)>>,
}

/// What happened in all of them.
#[derive(Debug, Default)]
struct Counts {
    went_well: u64,
    failed: u64,
    scopes: u64,
    steps: u64,
    crashes: u64,
    answered_twice: u64,
    delivered_twice: u64,
}

impl<'a> Sim<'a> {
    fn new(options: &'a Options) -> Self {
        Sim {
            options,
            seeds: Mutex::new(kept()),
            began: Instant::now(),
            played: AtomicU64::new(0),
            counts: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// The next seed: those that failed once come first.
    fn next(&self) -> Option<u64> {
        if let Some(kept) = self.seeds.lock().unwrap().pop() {
            return Some(kept);
        }
        let is_late = self.options.limit.is_some_and(|limit| self.began.elapsed() > limit);
        let number = self.played.fetch_add(1, Relaxed);
        let is_over = number >= self.options.plans || is_late || self.failed.lock().unwrap().len() >= ENOUGH;
        if is_over {
            self.played.fetch_sub(1, Relaxed);
        }
        (!is_over).then(|| self.options.seed.wrapping_add(number))
    }

    fn work(&self) {
        while let Some(seed) = self.next() {
            match attempt(&mut Choices::endless(seed), None) {
                Ok(played) => self.count(&played),
                Err(_) => {
                    let told = shrink::smallest(seed);
                    self.failed.lock().unwrap().push((seed, told));
                }
            }
        }
    }

    fn count(&self, played: &Played) {
        let counts = &mut *self.counts.lock().unwrap();
        counts.went_well += u64::from(played.went_well);
        counts.failed += u64::from(!played.went_well);
        counts.scopes += played.scopes;
        counts.steps += played.tally.steps;
        counts.crashes += played.tally.crashes;
        counts.answered_twice += played.tally.answered_twice;
        counts.delivered_twice += played.tally.delivered_twice;
    }

    /// Says how far it is.
    fn tell(&self) {
        let (played, failed) = (self.played.load(Relaxed), self.failed.lock().unwrap().len());
        let steps = self.counts.lock().unwrap().steps;
        let rate = played as f64 / self.began.elapsed().as_secs_f64();
        let of = if self.options.limit.is_some() { String::new() } else { format!(" of {}", self.options.plans) };
        eprintln!("sim: {played}{of} plans, {steps} steps, {rate:.0} plans/s, {failed} failed");
    }

    fn report(&self) {
        let failed = self.failed.lock().unwrap();
        let counts = self.counts.lock().unwrap();
        if self.options.by_command {
            keep(failed.iter().map(|(seed, _)| *seed).collect());
            eprintln!("sim: {counts:?} in {:.1} s", self.began.elapsed().as_secs_f64());
        }
        let told: Vec<_> = failed.iter().map(|(seed, told)| format!("seed {seed}: {told}")).collect();
        assert!(failed.is_empty(), "{} seeds failed\n\n{}", told.len(), told.join("\n\n"));
        let all = counts.went_well + counts.failed;
        assert!(all >= self.options.plans.min(PLANS) || self.options.limit.is_some(), "only {all} were played");
        if all >= PLANS {
            let happened =
                [counts.went_well, counts.failed, counts.crashes, counts.answered_twice, counts.delivered_twice];
            assert!(happened.iter().all(|count| *count > all / 20), "the cases are lopsided: {counts:?}");
        }
    }
}

/// Writes failing seeds into the file that every run plays first.
fn keep(failed: BTreeSet<u64>) {
    let known: BTreeSet<u64> = kept().into_iter().collect();
    let mut file = fs::OpenOptions::new().append(true).open(KEPT_PATH).unwrap();
    for seed in failed.difference(&known) {
        writeln!(file, "{seed}").unwrap();
        eprintln!("sim: seed {seed} stands in {KEPT_PATH} now; commit it with what mends it");
    }
}
