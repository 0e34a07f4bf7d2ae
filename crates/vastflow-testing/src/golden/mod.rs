//! Golden histories: what a run recorded once, in a file, compared with today's flow and code.

mod diff;
mod text;

use crate::engine::TestEngine;
use crate::error::{Error, What};
use crate::history::History;
use crate::runs::TestRun;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use vastflow_core::{Plan, State};
use vastflow_sdk::{Flow, Library};

/// The environment variable that lets golden files be written.
const GOLDEN: &str = "VASTFLOW_GOLDEN";

/// A history in a file: a line of JSON for each node of the plan, and for each event.
///
/// ```
/// use vastflow::{Flow, Node, Result, TimesExt};
/// use vastflow_testing::{Golden, TestEngine};
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let mut engine = TestEngine::new(&flow)?;
/// let run = engine.start(&flow, 21)?;
/// engine.run_to_end(&run).await?;
/// let text = Golden::of(&engine.history(&run)?).to_text();
///
/// // Some day the flow has another option, and another day another node:
/// let golden = Golden::from_text(&text)?;
/// let patient = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n).retry(2.times()))?;
/// let verdict = golden.replay(&patient);
/// assert_eq!(verdict.plan_changes().len(), 1);
/// assert!(verdict.breaks().is_empty(), "runs that are under way go on by their own plan");
///
/// let renamed = Flow::dag("double", |dag, n: Node<u32>| dag.node("twice", double, n))?;
/// assert!(golden.replay(&renamed).breaks()[0].contains("node \"double\""));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    history: History,
    lines: Vec<String>,
}

/// What today's flow and code make of a golden history; see [`Golden`] for an example. Its `Display` says it in lines:
///
/// ```text
/// the plan has changed:
///   node hotel: retry: retries: 1 → 3
///   node taxi: new
/// RUNS THAT ARE UNDER WAY CANNOT GO ON:
///   this program lacks node "car"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    plan: Vec<String>,
    breaks: Vec<String>,
    history: Vec<String>,
}

impl Golden {
    /// A history to be kept.
    #[must_use]
    pub fn of(history: &History) -> Self {
        Golden { history: history.clone(), lines: text::lines(history) }
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let history = text::read(text).map_err(|why| Error::unseeded(What::Golden(why)))?;
        Ok(Golden { history, lines: text.lines().map(str::to_owned).collect() })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let in_file = |why: String| Error::unseeded(What::Golden(format!("{}: {why}", path.display())));
        let text = std::fs::read_to_string(path).map_err(|error| in_file(error.to_string()))?;
        Golden::from_text(&text).map_err(|error| in_file(error.to_string()))
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// What it tells of.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What today's flow means for the run that this is the history of, without running anything: what has changed, and
    /// whether a run that is under way could go on. Rivers that it needs besides must be in the flow.
    #[must_use]
    pub fn replay<In, Out>(&self, flow: &Flow<In, Out>) -> Verdict {
        let mut library = Library::default();
        library.learn_rivers(flow.rivers());
        // It is the only one, so that its name is free.
        let _ = library.add_flow(flow.name().clone(), Arc::clone(flow.code()));
        self.judge(flow.plan(), &library)
    }

    fn judge(&self, today: &Plan, library: &Library) -> Verdict {
        let mut verdict = Verdict::default();
        if self.history.plan.hash() != today.hash() {
            verdict.plan = diff::plans(&text::spec_of(&self.history.plan), &text::spec_of(today));
        }
        if let Err(missing) = library.bind(&self.history.plan) {
            verdict.breaks.push(format!("this program lacks {}", missing.needs.join(", ")));
        }
        verdict.breaks.extend(self.folded().err());
        verdict
    }

    /// Whether what is recorded still makes sense.
    fn folded(&self) -> Result<(), String> {
        for (scope, journal) in &self.history.journals {
            let plan = self.history.plan.of_scope(scope).ok_or_else(|| format!("its plan has no scope {scope}"))?;
            let mut state = State::default();
            for recorded in journal {
                let folded = state.evolve(&plan, &recorded.event, recorded.at, &mut ());
                folded.map_err(|illegal| format!("what is recorded of {scope} cannot be read any more: {illegal}"))?;
            }
        }
        Ok(())
    }

    /// Compares it, as today's run recorded it, with the file; writes the file if that is wanted.
    fn settle(&self, path: &Path, library: &Library, writes: bool) -> Result<(), String> {
        let text = self.to_text();
        let known = match std::fs::read_to_string(path) {
            Ok(known) => Some(known),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        if known.as_ref() == Some(&text) {
            return Ok(());
        }
        if writes {
            let dir = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            return dir
                .and_then(|()| std::fs::write(path, text))
                .map_err(|error| format!("{}: {error}", path.display()));
        }
        let Some(known) = known else {
            return Err(format!("there is no golden file {}; {GOLDEN}=update writes it", path.display()));
        };
        let verdict = match Golden::from_text(&known) {
            Ok(golden) => Verdict {
                history: diff::lines(golden.event_lines(), self.event_lines()),
                ..golden.judge(&self.history.plan, library)
            },
            Err(error) => Verdict { breaks: vec![error.to_string()], ..Verdict::default() },
        };
        let path = path.display();
        Err(format!("today's run is not that of {path}; look at it, then {GOLDEN}=update writes it anew\n{verdict}"))
    }

    fn event_lines(&self) -> &[String] {
        let before = self.lines.iter().take_while(|line| !line.contains(r#""event":"#)).count();
        &self.lines[before..]
    }
}

impl Verdict {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_same(&self) -> bool {
        *self == Verdict::default()
    }

    /// What has changed in the plan: nodes, edges, options. New runs follow the new one; runs that are under way keep
    /// theirs.
    #[must_use]
    pub fn plan_changes(&self) -> &[String] {
        &self.plan
    }

    /// Why runs that are under way could not go on with today's program.
    #[must_use]
    pub fn breaks(&self) -> &[String] {
        &self.breaks
    }

    /// What differs between what is recorded and what a run records today: `- then`, `+ now`.
    #[must_use]
    pub fn history_changes(&self) -> &[String] {
        &self.history
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_same() {
            return f.write_str("nothing has changed");
        }
        for (title, lines) in [("the plan has changed:", &self.plan), ("what is recorded has changed:", &self.history)]
        {
            if !lines.is_empty() {
                writeln!(f, "{title}")?;
                lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
        if self.breaks.is_empty() {
            return f.write_str("runs that are under way keep their own plan, and go on");
        }
        writeln!(f, "RUNS THAT ARE UNDER WAY CANNOT GO ON:")?;
        self.breaks.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// # Golden histories
impl TestEngine {
    /// Compares a run with a golden file, which was written by the same test when `VASTFLOW_GOLDEN=update` was set. The
    /// file belongs into version control.
    ///
    /// ```no_run
    /// # use vastflow::{Flow, Node, Result};
    /// # use vastflow_testing::TestEngine;
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # async fn test() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// let mut engine = TestEngine::builder().flow(&flow).seed(1).build()?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.run_to_end(&run).await?;
    /// engine.golden(&run, "tests/golden/double.jsonl")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What has changed: nodes, edges and options of the plan, events; and whether runs that are under way could go on
    /// with today's program.
    pub fn golden<Out>(&self, run: &TestRun<Out>, path: impl AsRef<Path>) -> Result<(), Error> {
        let writes = std::env::var(GOLDEN).is_ok_and(|word| word == "update");
        self.golden_in_mode(run, path.as_ref(), writes)
    }

    fn golden_in_mode<Out>(&self, run: &TestRun<Out>, path: &Path, writes: bool) -> Result<(), Error> {
        let settled = Golden::of(&self.history(run)?).settle(path, &self.library, writes);
        settled.map_err(|why| self.fail(What::Golden(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_sdk::{DurationExt, Node, Result, TimesExt};

    async fn double(n: u32) -> Result<u32> {
        Ok(n * 2)
    }

    async fn triple(n: u32) -> Result<u32> {
        Ok(n * 3)
    }

    async fn sum(all: Vec<u32>) -> Result<u32> {
        Ok(all.iter().sum())
    }

    /// Doubles each of several numbers after a while, and sums them up.
    fn flow(retries: u32) -> Flow<Vec<u32>, u32> {
        let drawn = Flow::dag("sums", |dag, all: Node<'_, Vec<u32>>| {
            let slept = dag.sleep("wait", 2.days(), all);
            let each = dag.for_each("each", slept, |dag, n| dag.node("double", double, n));
            dag.node("sum", sum, each).retry(retries.times())
        });
        drawn.unwrap()
    }

    async fn ran(flow: &Flow<Vec<u32>, u32>) -> (TestEngine, TestRun<u32>) {
        let mut engine = TestEngine::builder().flow(flow).seed(1).build().unwrap();
        let run = engine.start(flow, vec![1, 2]).unwrap();
        engine.run_to_end(&run).await.unwrap();
        (engine, run)
    }

    #[tokio::test]
    async fn the_text_holds_all_of_a_history() {
        let (engine, run) = ran(&flow(0)).await;
        let history = engine.history(&run).unwrap();
        let text = Golden::of(&history).to_text();
        let read = Golden::from_text(&text).unwrap();
        assert_eq!((read.history(), read.to_text()), (&history, text.clone()));
        let line = r#"{"in":"each[0]","at":1767398400000,"event":{"NodeSucceeded":{"call":{"number":1,"took":0,"writes":[]},"node":"double","output":{"json":2}}}}"#;
        assert!(text.lines().any(|one| one == line), "{text}");
        assert!(read.replay(&flow(0)).is_same());
    }

    #[tokio::test]
    async fn a_file_is_written_only_when_that_is_wanted_and_a_change_is_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("golden/sums.jsonl");
        let (engine, run) = ran(&flow(0)).await;
        let error = engine.golden_in_mode(&run, &path, false).unwrap_err().to_string();
        assert!(error.contains("there is no golden file") && error.contains("VASTFLOW_GOLDEN=update"), "{error}");
        engine.golden_in_mode(&run, &path, true).unwrap();
        engine.golden_in_mode(&run, &path, false).unwrap();

        let (engine, run) = ran(&flow(3)).await;
        let error = engine.golden_in_mode(&run, &path, false).unwrap_err().to_string();
        assert!(error.contains("\n  node sum: retry:"), "{error}");
        assert!(error.contains("keep their own plan, and go on"), "{error}");
        assert!(!error.contains("what is recorded has changed"), "only the plan has: {error}");
        let before = Golden::read(&path).unwrap();
        assert!(!before.replay(&flow(3)).is_same(), "a mismatch changes nothing in the file");
        engine.golden_in_mode(&run, &path, true).unwrap();
        assert!(Golden::read(&path).unwrap().replay(&flow(3)).is_same());
    }

    #[tokio::test]
    async fn another_answer_and_a_missing_node_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sums.jsonl");
        let (engine, run) = ran(&flow(0)).await;
        engine.golden_in_mode(&run, &path, true).unwrap();
        let other = Flow::dag("sums", |dag, all: Node<'_, Vec<u32>>| {
            let slept = dag.sleep("wait", 2.days(), all);
            let each = dag.for_each("each", slept, |dag, n| dag.node("triple", triple, n));
            dag.node("sum", sum, each)
        });
        let (engine, run) = ran(&other.unwrap()).await;
        let error = engine.golden_in_mode(&run, &path, false).unwrap_err().to_string();
        for part in [
            "node each: kind: for_each: body: node double: gone",
            "node each: kind: for_each: body: node triple: new",
            "+ {\"in\":\"each[0]\"",
            "RUNS THAT ARE UNDER WAY CANNOT GO ON:\n  this program lacks node \"double\" inside \"each\"",
            "VASTFLOW_SEED=1 repeats it",
        ] {
            assert!(error.contains(part), "{part}:\n{error}");
        }
    }

    #[tokio::test]
    async fn a_history_that_makes_no_sense_any_more_is_told() {
        let (engine, run) = ran(&flow(0)).await;
        let text = Golden::of(&engine.history(&run).unwrap()).to_text();
        let without = |what: &str| text.lines().filter(|line| !line.contains(what)).collect::<Vec<_>>().join("\n");
        let verdict = Golden::from_text(&without("\"Woke\"")).unwrap().replay(&flow(0));
        assert!(verdict.breaks()[0].contains("cannot be read any more"), "{verdict}");
        let error = Golden::from_text(&text.replace("NodeSucceeded", "NodeMarried")).unwrap_err().to_string();
        assert!(error.contains("line ") && error.contains("NodeMarried"), "{error}");
        assert_eq!(Golden::from_text("").unwrap_err().code(), "golden");
    }
}
