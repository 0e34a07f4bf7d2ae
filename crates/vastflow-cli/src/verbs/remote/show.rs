//! `runs show` at a service.

use super::{Remote, back};
use crate::args::Show;
use crate::complaint::Complaint;
use crate::draw::{Tree, Unfolded};
use crate::text;
use crate::verbs::looking;
use crate::verbs::show::{self, DEPTH};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use vastflow_api::inside::ScopeStatus;
use vastflow_api::run::RunRow;
use vastflow_api::view::{NodeView, RunView};
use vastflow_core::plan::NodeKind;
use vastflow_core::{Codec, NodeIx, Payload, Plan, ScopeId};

/// What is being read of a run.
struct Look<'a> {
    remote: &'a Remote<'a>,
    row: &'a RunRow,
    plan: &'a Arc<Plan>,
    /// The most scopes of a node that are unfolded.
    most: usize,
}

type Reading<'t> = Pin<Box<dyn Future<Output = Result<Tree, Complaint>> + 't>>;

impl Remote<'_> {
    pub(super) async fn show(&self, args: &Show) -> Result<(), Complaint> {
        let id = self.pick(&args.id).await?.id;
        looking(self.out(), args.watch, async || {
            let row = self.client.run(&id).await?;
            let mut view = self.client.view(&id, &args.within).await?;
            // It stands with the run.
            view.trace = None;
            if self.out().is_json() {
                self.out().json(json!({ "run": row, "view": view }));
                return Ok(());
            }
            let plan = self.plan(&row.flow, Some(&row.plan)).await?;
            let missing = !view.missing.is_empty();
            let look = Look { remote: self, row: &row, plan: &plan, most: args.unfold };
            let tree = look.tree(&args.within, view, DEPTH).await?;
            let carried = match args.within.is_empty() {
                true => Some((self.carried(&id, false).await?, self.carried(&id, true).await?)),
                false => None,
            };
            let parts = show::Parts { row: &row, tree: &tree, within: &args.within, carried, is_waiting: missing };
            self.out().say(show::page(self.out(), &parts).trim_end());
            Ok(())
        })
        .await
    }

    pub(super) async fn plan(&self, flow: &str, hash: Option<&str>) -> Result<Arc<Plan>, Complaint> {
        let json = self.client.plan(flow, hash).await?.to_string();
        let plan = Plan::from_json(&json).map_err(|why| {
            Complaint::usage(format!("the service's plan of {flow:?} cannot be read: {why}"))
                .next("use the version of `vastflow` that the service has")
        })?;
        Ok(Arc::new(plan))
    }

    /// What a run got or gave, for those who may see it.
    async fn carried(&self, id: &str, output: bool) -> Result<Option<Payload>, Complaint> {
        let carried = if output { self.client.output(id).await } else { self.client.input(id).await };
        match carried {
            Ok(carried) => {
                Ok(Some(Payload::new(if carried.is_json { Codec::Json } else { Codec::Bytes }, carried.bytes)))
            }
            Err(error) if matches!(error.code(), "no-output" | "payload-not-allowed") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Look<'_> {
    /// A scope with what is worth unfolding of it.
    fn tree<'t>(&'t self, scope: &'t str, view: RunView, depth: usize) -> Reading<'t> {
        Box::pin(async move {
            let place = ScopeId::named(back::id(&self.row.id)?, scope);
            let unknown = || Complaint::not_found(format!("the plan of run {} has no scope {scope:?}", self.row.id));
            let plan = self.plan.of_scope(&place).ok_or_else(unknown)?;
            let mut inside = Vec::new();
            for (at, node) in view.nodes.iter().enumerate().filter(|_| depth > 0) {
                let Some((ix, spec)) = plan.find(&node.name).zip(plan.spec().nodes.get(at)) else { continue };
                let keys = self.keys(scope, &spec.kind, node).await?;
                if !keys.is_empty() {
                    inside.push((ix, self.unfold(&place, (&node.name, ix, &plan), keys, depth).await?));
                }
            }
            Ok(Tree { view: back::view(&view)?, plan, inside })
        })
    }

    async fn unfold(
        &self,
        place: &ScopeId,
        (name, node, plan): (&str, NodeIx, &Arc<Plan>),
        keys: Vec<String>,
        depth: usize,
    ) -> Result<Vec<Unfolded>, Complaint> {
        let mut scopes = Vec::new();
        let known = plan.node(node).map(|spec| spec.name.clone());
        for key in keys {
            let Some(id) = known.as_ref().map(|name| place.child(name, &key)) else { continue };
            match self.remote.client.view(&self.row.id, id.path()).await {
                Ok(inner) => {
                    let tree = self.tree(id.path(), inner, depth - 1).await?;
                    let key = if key.is_empty() { String::new() } else { format!("[{}]", text::line(&key, 40)) };
                    scopes.push(Unfolded { key, tree });
                }
                // It has not begun.
                Err(error) if error.code() == "unknown-place" => {}
                Err(error) => return Err(Complaint::from(error).next(format!("look at {name} by --within"))),
            }
        }
        Ok(scopes)
    }

    /// The inner scopes of a node that are shown: of a foreach those that failed, then those that wait for somebody, then those
    /// that are open; arms and basins all.
    async fn keys(&self, scope: &str, kind: &NodeKind, node: &NodeView) -> Result<Vec<String>, Complaint> {
        match (kind, &node.inner) {
            (NodeKind::Branch(_), Some(inner)) => Ok(inner.keys.clone()),
            (NodeKind::Basin(_), Some(_)) => Ok(vec![String::new()]),
            (NodeKind::ForEach(_), Some(_)) => {
                let at = if scope.is_empty() { node.name.clone() } else { format!("{scope}/{}", node.name) };
                let mut keys: Vec<String> = Vec::new();
                for status in [ScopeStatus::Failed, ScopeStatus::Parked, ScopeStatus::Running] {
                    let page = self.remote.client.scopes(&self.row.id, &at, Some(status)).await?;
                    let room = self.most.saturating_sub(keys.len());
                    keys.extend(page.items.into_iter().map(|row| row.key).take(room));
                }
                Ok(keys)
            }
            _ => Ok(Vec::new()),
        }
    }
}
