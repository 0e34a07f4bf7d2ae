//! Cells that have nothing to do for now, kept for a while: the next poll or timer of their runs need not fold the
//! journals again.

use crate::cell::Cell;
use crate::shared::lock;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use vastflow_core::{ScopeId, State};

/// How many nodes the parked states may have together; some ten megabytes.
const ROOM: usize = 256 * 1024;
/// What a state weighs besides its nodes.
const BESIDES: usize = 16;
/// So many bytes of payloads weigh as much as a node.
const NODE: usize = 64;

/// Idle cells of unfinished runs, those that were used last. They are nobody's truth: whoever takes one asks the
/// journal whether it has grown, or finds out by a conflict.
#[derive(Default)]
pub(crate) struct Parked(Mutex<Table>);

#[derive(Default)]
struct Table {
    cells: FxHashMap<ScopeId, Kept>,
    /// Oldest first.
    order: BTreeMap<u64, ScopeId>,
    next: u64,
    weight: usize,
}

struct Kept {
    at: u64,
    weight: usize,
    cell: Arc<Cell>,
}

impl Parked {
    /// Keeps a cell with its state, and lets go of the oldest if there are too many.
    pub(crate) fn put(&self, cell: Arc<Cell>, state: &State) {
        self.put_within(cell, state, ROOM);
    }

    fn put_within(&self, cell: Arc<Cell>, state: &State, room: usize) {
        let weight = weight(&cell, state);
        let mut table = lock(&self.0);
        table.take(&cell.scope.clone());
        let at = table.next;
        table.next += 1;
        table.weight += weight;
        table.order.insert(at, cell.scope.clone());
        table.cells.insert(cell.scope.clone(), Kept { at, weight, cell });
        while table.weight > room {
            let Some((_, oldest)) = table.order.pop_first() else { break };
            table.take(&oldest);
        }
    }

    /// Takes the cell of a scope, if it is here.
    pub(crate) fn take(&self, scope: &ScopeId) -> Option<Arc<Cell>> {
        lock(&self.0).take(scope)
    }
}

impl Table {
    fn take(&mut self, scope: &ScopeId) -> Option<Arc<Cell>> {
        let Kept { at, weight, cell } = self.cells.remove(scope)?;
        self.order.remove(&at);
        self.weight -= weight;
        Some(cell)
    }
}

fn weight(cell: &Cell, state: &State) -> usize {
    cell.bound.plan().len() + BESIDES + state.payload_bytes() / NODE
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_core::run::{Input, Start};
    use vastflow_core::{Codec, Payload, RunId, Timestamp};
    use vastflow_sdk::{Flow, Library, Node};

    fn cells(count: usize) -> Vec<Arc<Cell>> {
        let flow = Flow::dag("one", |dag, n: Node<'_, u32>| {
            dag.node("n", |n: u32| async move { Ok::<_, vastflow_sdk::BoxError>(n) }, n)
        });
        let flow = flow.unwrap();
        let mut library = Library::default();
        library.add_flow(flow.name().clone(), Arc::clone(flow.code())).unwrap();
        let bound = Arc::new(library.bind(flow.plan()).unwrap());
        let scope = |n| ScopeId::root(RunId::new(format!("r{n}")).unwrap());
        (0..count).map(|n| Cell::new(scope(n), Arc::clone(&bound), State::default())).collect()
    }

    #[test]
    fn the_oldest_goes_first_and_what_is_put_again_is_new() {
        let (parked, cells) = (Parked::default(), cells(4));
        let state = State::default();
        let room = 3 * weight(&cells[0], &state);
        for at in [0, 1, 2, 0, 3] {
            parked.put_within(Arc::clone(&cells[at]), &state, room);
        }
        let is_there = |at: usize| parked.take(&cells[at].scope).is_some();
        assert_eq!([0, 1, 2, 3].map(is_there), [true, false, true, true]);
        assert_eq!([0, 1, 2, 3].map(is_there), [false; 4], "whoever takes one has it");
        let table = lock(&parked.0);
        assert_eq!((table.weight, table.order.len(), table.cells.len()), (0, 0, 0));
    }
    #[test]
    fn payloads_weigh_too() {
        let (parked, cells) = (Parked::default(), cells(2));
        let mut start = Start::new(cells[0].scope.run().clone());
        start.input = Payload::new(Codec::Bytes, vec![0; 1 << 20]);
        let plan = cells[0].bound.plan();
        let mut heavy = State::default();
        let began = heavy.decide(plan, Input::Start(start), Timestamp::ZERO).unwrap();
        heavy.evolve(plan, &began, Timestamp::ZERO, &mut ()).unwrap();
        let room = weight(&cells[0], &heavy) + weight(&cells[1], &State::default()) - 1;
        parked.put_within(Arc::clone(&cells[0]), &heavy, room);
        parked.put_within(Arc::clone(&cells[1]), &State::default(), room);
        assert!(weight(&cells[0], &heavy) > (1 << 20) / NODE);
        assert!(parked.take(&cells[0].scope).is_none() && parked.take(&cells[1].scope).is_some());
    }
}
