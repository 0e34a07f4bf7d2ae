//! Runs that a run starts: what its calls ask about them, and what is asked of it and reaches them.

use crate::cell::Cell;
use crate::claim::started_of;
use crate::control::cell_at;
use crate::error::Error;
use crate::mend::until_answered;
use crate::shared::Shared;
use crate::start::tell;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use vastflow_core::run::{Input, NodeStatus, Start};
use vastflow_core::{Name, Payload, Plan, RunId, RunInfo, RunStatus, State, TraceContext};
use vastflow_sdk::{ChildAsk, ChildState, child_run_id};
use vastflow_store::{Control, RunRow};

/// Does what is asked, and tells where the run stands then. While the store does not answer, it is tried again: to be away
/// for a moment is no reason for a run to fail whose child goes on.
pub(crate) async fn child(shared: &Arc<Shared>, id: RunId, ask: ChildAsk) -> Result<ChildState, Error> {
    until_answered(shared, || try_child(shared, &id, &ask)).await
}

async fn try_child(shared: &Arc<Shared>, id: &RunId, ask: &ChildAsk) -> Result<ChildState, Error> {
    match ask {
        ChildAsk::Start { flow, input, parent } => {
            start(shared, id, flow, input.clone(), parent).await?;
            follow(shared, id, parent).await?;
        }
        ChildAsk::Look { parent } => {
            let is_held = row(shared, id).await?.summary.status == RunStatus::Paused;
            if is_held && row(shared, parent).await?.control.control == Control::Running {
                resume_after(shared, id, parent, (parent.as_str(), "its parent goes on")).await?;
            }
        }
        ChildAsk::Find => {}
        ChildAsk::Cancel { by, why } => unless_over(reach(shared, id, Ask::Cancel, (by, why)).await)?,
    }
    let summary = row(shared, id).await?.summary;
    Ok(ChildState { status: summary.status, outcome: summary.outcome, output: summary.output })
}

async fn row(shared: &Shared, id: &RunId) -> Result<RunRow, Error> {
    shared.store.run(id).await?.ok_or_else(|| Error::UnknownRun { id: id.clone() })
}

async fn start(shared: &Arc<Shared>, id: &RunId, flow: &Name, input: Payload, parent: &RunId) -> Result<(), Error> {
    let plan = {
        let flows = shared.flows.read().unwrap_or_else(PoisonError::into_inner);
        flows.get(&**flow).map(|served| served.plan).ok_or_else(|| {
            let known = flows.keys().cloned().collect();
            Error::UnknownFlow { name: flow.to_string(), known }
        })?
    };
    let bound = shared.bound(plan).await?;
    let begun = shared.begun(parent).await?;
    let of_parent = begun.as_ref().map(|begun| &begun.info);
    let trace = TraceContext::of_run(parent, of_parent.and_then(|info| info.trace.as_deref()));
    let info = RunInfo {
        labels: vec![("parent".into(), parent.as_str().into())],
        lane: of_parent.and_then(|info| info.lane.clone()),
        trace: Some(trace.to_string().into()),
        ..RunInfo::default()
    };
    let start = Start { input, info, ..Start::new(id.clone()) };
    match tell(shared, bound, start.clone(), None).await {
        Err(Error::AlreadyExists { id, flow: other }) => match started_of(shared, &id).await? {
            // A call before this one, whose end was not recorded, has started it.
            Some(started) if started.flow == *flow && start.is_same_as(&started) => Ok(()),
            _ => Err(Error::AlreadyExists { id, flow: other }),
        },
        told => told,
    }
}

/// A run has just been started: what was asked of its parent before there was anybody to reach, reaches it now.
async fn follow(shared: &Arc<Shared>, id: &RunId, parent: &RunId) -> Result<(), Error> {
    let summary = row(shared, parent).await?.summary;
    let asked = match summary.status {
        RunStatus::Paused => reach(shared, id, Ask::Pause, (parent.as_str(), "its parent is paused")).await,
        status if status.is_final() || status == RunStatus::Stopping => {
            let why = summary.outcome.map_or_else(String::new, |outcome| outcome.to_string());
            reach(shared, id, Ask::Cancel, (parent.as_str(), &why)).await
        }
        _ => Ok(()),
    };
    unless_over(asked)
}

/// What can be asked of a run and all runs that it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Pause,
    Resume,
    Cancel,
    Kill,
}

impl Ask {
    fn input(self, (by, why): (&str, &str)) -> Input {
        let (by, why) = (by.into(), why.into());
        match self {
            Ask::Pause => Input::Pause { by, why },
            Ask::Resume => Input::Resume { by, why },
            Ask::Cancel => Input::Cancel { by, why },
            Ask::Kill => Input::Kill { by, why },
        }
    }
}

/// Something asked of a run and all runs below it, as a value: a run's children have children.
type Reached<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Asks something of a run, and then of the runs that it started and waits for.
pub(crate) fn reach<'a>(shared: &'a Arc<Shared>, id: &'a RunId, ask: Ask, by_why: (&'a str, &'a str)) -> Reached<'a> {
    Box::pin(async move {
        let cell = cell_at(shared, id, "").await?;
        // A killed run does not know any more what it waited for.
        let before = if ask == Ask::Kill { children(shared, &cell).await? } else { Vec::new() };
        cell.ask(shared, ask.input(by_why)).await?;
        // Looked at when it is recorded: what is started from then on hears of it in `follow`.
        let all = if ask == Ask::Kill { before } else { children(shared, &cell).await? };
        reach_all(shared, id, all, ask, by_why).await
    })
}

/// Asks something of the runs that `parent` started.
pub(crate) async fn reach_all(
    shared: &Arc<Shared>,
    parent: &RunId,
    children: Vec<RunId>,
    ask: Ask,
    (by, why): (&str, &str),
) -> Result<(), Error> {
    for id in &children {
        unless_over(match ask {
            // By its parent: so it can be told from a pause that somebody asked for.
            Ask::Pause => reach(shared, id, ask, (parent.as_str(), why)).await,
            Ask::Resume => resume_after(shared, id, parent, (by, why)).await,
            Ask::Cancel | Ask::Kill => reach(shared, id, ask, (by, why)).await,
        })?;
    }
    Ok(())
}

/// The parent goes on, and so does a run that was paused because it was.
async fn resume_after(shared: &Arc<Shared>, id: &RunId, parent: &RunId, by_why: (&str, &str)) -> Result<(), Error> {
    let cell = cell_at(shared, id, "").await?;
    let is_held_with_it = cell.lock().state.paused_by() == Some(parent.as_str());
    if is_held_with_it {
        return reach(shared, id, Ask::Resume, by_why).await;
    }
    cell.after(shared);
    Ok(())
}

/// Nothing has to be asked of a run that is over, has not begun, or was deleted.
fn unless_over(asked: Result<(), Error>) -> Result<(), Error> {
    match asked {
        Err(Error::RunEnded { .. } | Error::Finishing { .. } | Error::UnknownRun { .. }) => Ok(()),
        asked => asked,
    }
}

/// The runs that a run started and waits for, whether they have begun or are about to. `root` is the run's own scope.
pub(crate) async fn children(shared: &Arc<Shared>, root: &Cell) -> Result<Vec<RunId>, Error> {
    let mut found = Vec::new();
    let mut scopes = if has_children(root.bound.plan()) { vec![root.scope.clone()] } else { Vec::new() };
    while let Some(scope) = scopes.pop() {
        let cell = match cell_at(shared, scope.run(), scope.path()).await {
            // It is about to begin.
            Err(Error::UnknownPlace { .. }) => continue,
            cell => cell?,
        };
        let plan = cell.bound.plan();
        if has_children(plan) {
            let inner = cell.lock();
            for node in nodes_with_children(plan, &inner.state) {
                found.push(child_run_id(&scope, node)?);
            }
            let inside = inner.state.open_scopes();
            scopes.extend(inside.filter_map(|(node, key)| Some(scope.child(&plan.node(node)?.name, key))));
        }
        cell.after(shared);
    }
    Ok(found)
}

/// The nodes of a scope that wait for runs of their own.
fn nodes_with_children<'a>(plan: &'a Plan, state: &State) -> impl Iterator<Item = &'a Name> {
    let waits = |name: &Name| {
        let status = plan.find(name).and_then(|node| state.node_status(node));
        matches!(status, Some(NodeStatus::Running | NodeStatus::Retrying | NodeStatus::Polling))
    };
    plan.spec().nodes.iter().filter(|spec| spec.child.is_some()).map(|spec| &spec.name).filter(move |name| waits(name))
}

/// Whether a node of a plan, or of what is inside its nodes, starts runs.
fn has_children(plan: &Plan) -> bool {
    plan.spec().nodes.iter().any(|spec| {
        let inside = || plan.find(&spec.name).map_or(&[][..], |node| plan.bodies(node));
        spec.child.is_some() || inside().iter().any(|body| has_children(body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use vastflow_sdk::{Data, Flow, Node};
    use vastflow_store::MemoryStore;

    /// An engine on which runs of the flow `waits` wait for a signal, and one of them, named `p`.
    async fn parent() -> (Engine, crate::run::Run) {
        let flow = Flow::dag("waits", |dag, n: Node<'_, u32>| -> Node<'_, u32> { dag.wait_signal("go", n) });
        let engine = Engine::on(Arc::new(MemoryStore::new())).flow(flow.unwrap()).start().await.unwrap();
        let run = engine.run("waits", 1_u32).id("p").await.unwrap();
        (engine, run)
    }

    /// Starts the child `id` of `p`; gives where it stands then.
    async fn start_child(engine: &Engine, id: &str) -> RunStatus {
        let (flow, input) = (Name::new("waits").unwrap(), 1_u32.encode().unwrap());
        let ask = ChildAsk::Start { flow, input, parent: RunId::new("p").unwrap() };
        child(&engine.shared, RunId::new(id).unwrap(), ask).await.unwrap().status
    }

    #[tokio::test]
    async fn what_is_asked_of_the_parent_before_the_child_is_there_reaches_it_when_it_is() {
        let (engine, run) = parent().await;
        assert_eq!(start_child(&engine, "before").await, RunStatus::Running);
        run.pause("ann", "lunch").await.unwrap();
        assert_eq!(start_child(&engine, "meanwhile").await, RunStatus::Paused);
        let look = || ChildAsk::Look { parent: RunId::new("p").unwrap() };
        let meanwhile = || RunId::new("meanwhile").unwrap();
        let state = child(&engine.shared, meanwhile(), look()).await.unwrap();
        assert_eq!(state.status, RunStatus::Paused, "a look in the moment of the pause changes nothing");
        run.resume("ann", "done").await.unwrap();
        assert_eq!(child(&engine.shared, meanwhile(), look()).await.unwrap().status, RunStatus::Running);
        run.kill("ann", "enough").await.unwrap();
        run.wait().await.unwrap();
        assert_eq!(start_child(&engine, "late").await, RunStatus::Stopped);
    }
}
