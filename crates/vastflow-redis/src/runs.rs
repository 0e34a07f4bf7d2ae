//! Lists of runs, and deleting those that are over.

use crate::element::text_of;
use crate::link::Link;
use crate::record::{Row, digit_of_status};
use crate::script;
use crate::wire::told;
use serde::Deserialize;
use std::sync::Arc;
use vastflow_core::{Name, RunId};
use vastflow_store::{Doomed, Keep, Prune, Pruned, RunPage, RunQuery, RunRow, StoreError};

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
    let mut rows: Vec<RunRow> = Vec::new();
    let mut before = query.before.map_or_else(|| "+inf".to_owned(), |key| format!("({key}"));
    while rows.len() <= size && !before.is_empty() {
        let ask = PageAsk {
            flow: query.flow.as_ref().map_or("", Name::as_str),
            status: query.status.map(digit_of_status).unwrap_or_default(),
            before: &before,
            look: LOOK.min(size.saturating_add(1)),
        };
        let told: RowsTold = link.step(script::READ, "runs", &ask).await?;
        for row in told.rows {
            let row = row.read()?;
            if query.matches(&row.summary) {
                rows.push(row);
            }
        }
        before = told.before;
    }
    let has_more = rows.len() > size;
    rows.truncate(size);
    Ok(RunPage { next: rows.last().filter(|_| has_more).map(|row| row.key), rows })
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
        limit: usize,
    }
}

#[derive(Deserialize)]
struct PruneTold {
    runs: usize,
    more: bool,
}

/// Deletes runs that are over, in steps of a bounded size.
pub(crate) async fn prune(link: &Arc<Link>, ask: &Prune) -> Result<Pruned, StoreError> {
    match &ask.which {
        Doomed::Runs(ids) => {
            let runs = ids.iter().map(RunId::as_str).collect();
            step(link, &PruneAsk { by_name: true, runs, limit: ask.limit.min(ids.len()), ..PruneAsk::default() }).await
        }
        Doomed::Old(keep) => {
            let mut all = Pruned::default();
            loop {
                let limit = PRUNED.min(ask.limit - all.runs);
                let Pruned { runs, more } = step(link, &of_keep(keep, limit)).await?;
                all = Pruned { runs: all.runs + runs, more };
                if !more || all.runs >= ask.limit {
                    return Ok(all);
                }
            }
        }
    }
}

fn of_keep(keep: &Keep, limit: usize) -> PruneAsk<'_> {
    PruneAsk {
        by_name: false,
        runs: Vec::new(),
        flow: keep.flow.as_ref().map_or("", Name::as_str),
        except: keep.except.iter().map(Name::as_str).collect(),
        since: keep.ended_since.map(text_of).unwrap_or_default(),
        newest: keep.newest,
        limit,
    }
}

async fn step(link: &Arc<Link>, ask: &PruneAsk<'_>) -> Result<Pruned, StoreError> {
    let told: PruneTold = link.step(script::UPKEEP, "prune", ask).await?;
    Ok(Pruned { runs: told.runs, more: told.more })
}
