//! `flows` at a service.

use super::Remote;
use crate::args::{Flows, Graph, OneFlow};
use crate::complaint::{Complaint, Exit};
use crate::text;
use crate::verbs::flows as local;
use std::sync::Arc;
use vastflow_api::flow::FlowRow;
use vastflow_core::Plan;

impl Remote<'_> {
    pub(super) async fn flows(&self, verb: Flows) -> Result<(), Complaint> {
        match verb {
            Flows::Ls => {
                local::print_list(&self.client.flows().await?.items, self.out());
                Ok(())
            }
            Flows::Show(args) => {
                let (row, plan) = self.flow_of(&args).await?;
                local::print_flow(&row, &plan, None, self.out());
                Ok(())
            }
            Flows::Graph(Graph { flow, kind, .. }) => {
                let (_, plan) = self.flow_of(&flow).await?;
                local::print_graph(&plan, kind, self.out());
                Ok(())
            }
            Flows::Check => Err(super::only_a_store("flows check")),
        }
    }

    async fn flow_of(&self, args: &OneFlow) -> Result<(FlowRow, Arc<Plan>), Complaint> {
        let row = match self.client.flow(&args.flow).await {
            Ok(flow) => flow.flow,
            Err(error) if error.code() == "unknown-flow" => return Err(self.unknown(&args.flow).await?),
            Err(error) => return Err(error.into()),
        };
        let mut fit = row.plans.iter().filter(|plan| args.plan.as_ref().is_some_and(|hash| plan.starts_with(hash)));
        let hash = match (&args.plan, fit.next(), fit.next()) {
            (None, ..) => None,
            (Some(_), Some(hash), None) => Some(hash.clone()),
            (Some(hash), None, _) => {
                return Err(Complaint::not_found(format!("no plan of that flow begins with {hash:?}")));
            }
            (Some(hash), Some(_), Some(_)) => {
                let text = format!("{hash:?} is not clear: several plans begin so");
                return Err(Complaint::new(Exit::Conflict, "ambiguous-id", text));
            }
        };
        let plan = self.plan(&args.flow, hash.as_deref()).await?;
        Ok((row, plan))
    }

    async fn unknown(&self, flow: &str) -> Result<Complaint, Complaint> {
        let all = self.client.flows().await?.items;
        let near = text::meant(flow, all.iter().map(|row| row.name.as_str()));
        Ok(local::unknown_flow(flow, near))
    }
}
