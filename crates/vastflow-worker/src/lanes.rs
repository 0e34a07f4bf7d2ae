//! Lanes: how many calls of one kind may be under way, besides the limit for all.

use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use vastflow_core::{Name, Plan};

/// The lanes that an engine serves, with the room that is left in each.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    rooms: BTreeMap<Name, AtomicUsize>,
    freed: Notify,
}

/// A place in a lane; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct LanePlace {
    lanes: Arc<Lanes>,
    lane: Name,
}

impl Lanes {
    pub(crate) fn new(lanes: BTreeMap<Name, usize>) -> Arc<Self> {
        let rooms = lanes.into_iter().map(|(lane, room)| (lane, AtomicUsize::new(room))).collect();
        Arc::new(Lanes { rooms, freed: Notify::new() })
    }

    /// The lanes that are served here.
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        let served = self.rooms.iter().filter(|(_, room)| room.load(Ordering::Acquire) > 0);
        served.map(|(lane, _)| lane.clone())
    }

    /// Takes all the room there is, for a claim; what it does not use is to be given back.
    pub(crate) fn take_all(&self) -> Vec<(Name, usize)> {
        self.rooms.iter().map(|(lane, room)| (lane.clone(), room.swap(0, Ordering::AcqRel))).collect()
    }

    /// Gives back what a claim did not use.
    pub(crate) fn give_back(&self, lane: &Name, room: usize) {
        if let Some(free) = self.rooms.get(lane).filter(|_| room > 0) {
            free.fetch_add(room, Ordering::AcqRel);
        }
    }

    /// A place that was taken by [`Lanes::take_all`], as something that gives itself back.
    pub(crate) fn place(self: &Arc<Self>, lane: Name) -> LanePlace {
        LanePlace { lanes: Arc::clone(self), lane }
    }

    /// Waits until a call in some lane has ended.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Whether every lane of a plan is served here, be it with no room.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), Error> {
        for spec in &plan.spec().nodes {
            if let Some(lane) = spec.lane.as_ref().filter(|lane| !self.rooms.contains_key(*lane)) {
                return Err(Error::Setting(format!(
                    "node {:?} of flow {:?} queues in lane {lane:?}, which this engine does not know; add `.lane({lane:?}, n)` \
                     with the number of calls that may run at once, or 0 if other engines serve it",
                    spec.name,
                    plan.flow()
                )));
            }
            plan.find(&spec.name)
                .map_or(&[][..], |node| plan.bodies(node))
                .iter()
                .try_for_each(|body| self.check(body))?;
        }
        Ok(())
    }
}

impl Drop for LanePlace {
    fn drop(&mut self) {
        self.lanes.give_back(&self.lane, 1);
        self.lanes.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_gives_itself_back() {
        let gpu = Name::new("gpu").unwrap();
        let lanes = Lanes::new([(gpu.clone(), 2)].into());
        assert_eq!(lanes.take_all(), [(gpu.clone(), 2)]);
        let place = lanes.place(gpu.clone());
        lanes.give_back(&gpu, 1);
        assert_eq!(lanes.take_all(), [(gpu.clone(), 1)]);
        drop(place);
        assert_eq!(lanes.take_all(), [(gpu, 1)]);
    }
}
