//! Places: how much is under way at once, and how much of it is one's.

use crate::limits::Whose;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places, of which each who asks may have some.
#[derive(Debug)]
pub(crate) struct Room {
    places: Arc<Semaphore>,
    most: usize,
    each: usize,
    taken: Mutex<FxHashMap<Whose, usize>>,
}

impl Room {
    pub(crate) fn new(most: usize, each: usize) -> Arc<Self> {
        Arc::new(Room { places: Arc::new(Semaphore::new(most)), most, each, taken: Mutex::default() })
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }

    /// Whether less than a quarter of the places is left.
    pub(crate) fn is_scarce(&self) -> bool {
        self.places.available_permits() < self.most.div_ceil(4)
    }

    /// Takes a place, if there is one, and if `whose` it is has not as many as each may have. Of nobody in particular only
    /// the places are counted.
    pub(crate) fn take(self: &Arc<Self>, whose: Option<Whose>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut place = Place { room: Arc::clone(self), whose: None, _permit: permit };
        place.is_of(whose).then_some(place)
    }
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    whose: Option<Whose>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Says whose it is, now that it is known; false when they have as many as each may have.
    pub(crate) fn is_of(&mut self, whose: Option<Whose>) -> bool {
        let Some(whose) = whose else { return true };
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&whose) {
            Some(own) if *own >= self.room.each => return false,
            Some(own) => *own += 1,
            None => _ = taken.insert(whose.clone(), 1),
        }
        drop(taken);
        self.whose = Some(whose);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(whose) = self.whose.take() else { return };
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&whose) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&whose);
            }
        }
    }
}

/// The place of a request, which whoever answers it may change for another.
#[derive(Clone, Debug)]
pub(crate) struct Held(Arc<Mutex<Option<Place>>>);

impl Held {
    pub(crate) fn new(place: Option<Place>) -> Self {
        Held(Arc::new(Mutex::new(place)))
    }

    /// Gives the place back for one of the same person in another room; false when there is none, and nothing changed.
    pub(crate) fn moves_to(&self, room: &Arc<Room>) -> bool {
        let mut held = self.lock();
        let place = room.take(held.as_ref().and_then(|place| place.whose.clone()));
        let moves = place.is_some();
        if moves {
            *held = place;
        }
        moves
    }

    /// The same for who keeps the other place themselves.
    pub(crate) fn leaves_for(&self, room: &Arc<Room>) -> Option<Place> {
        let mut held = self.lock();
        let place = room.take(held.as_ref().and_then(|place| place.whose.clone()))?;
        *held = None;
        Some(place)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Option<Whose> {
        Some(Whose::Name("ann".into()))
    }

    #[test]
    fn nobody_has_more_than_their_share_and_places_are_given_back() {
        let room = Room::new(3, 2);
        let own = [room.take(ann()).unwrap(), room.take(ann()).unwrap()];
        assert!(room.take(ann()).is_none(), "she has her share");
        assert_eq!(room.taken(), 2, "what was refused takes no place");
        let bob = room.take(Some(Whose::Name("bob".into()))).unwrap();
        assert!(room.take(None).is_none(), "all are taken");
        drop(own);
        drop(bob);
        assert_eq!((room.taken(), room.taken.lock().unwrap().len()), (0, 0));
    }

    #[test]
    fn who_moves_gives_a_place_back_and_who_cannot_keeps_it() {
        let (requests, waits) = (Room::new(5, 5), Room::new(5, 1));
        let held = [0, 1].map(|_| Held::new(requests.take(ann())));
        assert!(held[0].moves_to(&waits));
        assert_eq!((requests.taken(), waits.taken()), (1, 1));
        assert!(!held[1].moves_to(&waits), "she waits already as often as she may");
        assert_eq!((requests.taken(), waits.taken()), (1, 1));
        drop(held);
        assert_eq!((requests.taken(), waits.taken()), (0, 0));
    }
}
