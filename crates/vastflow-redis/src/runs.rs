//! Lists of runs, and deleting those that are over.

use crate::element::text_of;
use crate::link::Link;
use crate::record::{Row, digit_of_status};
use crate::script;
use crate::wire::told;
use serde::Deserialize;
use std::sync::Arc;
use vastflow_core::{Name, RunId};
use vastflow_store::{Doomed, Filling, Keep, Prune, Pruned, RunPage, RunQuery, RunRow, StoreError};

/// How many runs one step looks at, so that no list holds up the others for long.
const LOOK: usize = 500;
/// The most runs that one step deletes.
const PRUNED: usize = 256;

told! {
    struct RunAsk<'a> {
        run: &'a str,
    }
}

told! {
    struct PageAsk<'a> {
        flow: &'a str,
        status: String,
        before: &'a str,
        look: usize,
    }
}

#[derive(Deserialize)]
struct RowsTold {
    rows: Vec<Row>,
    /// Where the next look begins; empty when there is nothing more.
    #[serde(default)]
    before: String,
}

/// One run.
pub(crate) async fn one(link: &Arc<Link>, id: &RunId) -> Result<Option<RunRow>, StoreError> {
    let told: RowsTold = link.step(script::READ, "run", &RunAsk { run: id }).await?;
    told.rows.into_iter().next().map(Row::read).transpose()
}

/// A page of runs: looks until it is full, a bounded number of runs at a time.
pub(crate) async fn page(link: &Arc<Link>, query: &RunQuery) -> Result<RunPage, StoreError> {
    let size = query.page_size();
    let mut filling = Filling::new(size);
    let mut before = query.before.map_or_else(|| "+inf".to_owned(), |key| format!("({key}"));
    while !filling.is_done() && !before.is_empty() {
        let ask = PageAsk {
            flow: query.flow.as_ref().map_or("", Name::as_str),
            status: query.status.map(digit_of_status).unwrap_or_default(),
            before: &before,
            look: LOOK.min(size.saturating_add(1)),
        };
        let told: RowsTold = link.step(script::READ, "runs", &ask).await?;
        for row in told.rows {
            let row = row.read()?;
            if query.matches(&row.summary.started, row.summary.status) {
                filling.take(row);
            }
        }
        before = told.before;
    }
    Ok(filling.page())
}

told! {
    #[derive(Default)]
    struct PruneAsk<'a> {
        by_name: bool,
        runs: Vec<&'a str>,
        flow: &'a str,
        except: Vec<&'a str>,
        since: String,
        newest: Option<usize>,
        /// Where the look for those that have too many newer ones begins.
        first: String,
        limit: usize,
    }
}

#[derive(Deserialize)]
struct PruneTold {
    runs: usize,
    more: bool,
    /// Where the next look begins, when this one was too short.
    #[serde(default)]
    first: Option<String>,
}

/// Deletes runs that are over, in steps of a bounded size.
pub(crate) async fn prune(link: &Arc<Link>, ask: &Prune) -> Result<Pruned, StoreError> {
    match &ask.which {
        Doomed::Runs(ids) => {
            let runs = ids.iter().map(RunId::as_str).collect();
            let ask = PruneAsk { by_name: true, runs, limit: ask.limit.min(ids.len()), ..PruneAsk::default() };
            let PruneTold { runs, more, .. } = link.step(script::UPKEEP, "prune", &ask).await?;
            Ok(Pruned { runs, more })
        }
        Doomed::Old(keep) => {
            let (mut all, mut place) = (Pruned::default(), "-inf".to_owned());
            loop {
                let limit = PRUNED.min(ask.limit - all.runs);
                let step = of_keep(keep, &place, limit);
                let PruneTold { runs, more, first } = link.step(script::UPKEEP, "prune", &step).await?;
                all = Pruned { runs: all.runs + runs, more: more || first.is_some() };
                if !all.more || all.runs >= ask.limit {
                    return Ok(all);
                }
                place = first.unwrap_or(place);
            }
        }
    }
}

fn of_keep<'a>(keep: &'a Keep, first: &str, limit: usize) -> PruneAsk<'a> {
    PruneAsk {
        by_name: false,
        runs: Vec::new(),
        flow: keep.flow.as_ref().map_or("", Name::as_str),
        except: keep.except.iter().map(Name::as_str).collect(),
        since: keep.ended_since.map(text_of).unwrap_or_default(),
        newest: keep.newest,
        first: first.to_owned(),
        limit,
    }
}
