//! The context, in river words the headwaters: durable key–value data that the nodes of a run share.

use crate::payload::Payload;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What one call wrote: keys with their new value, or `None` where it deleted. Later entries win.
pub type Writes = Vec<(Box<str>, Option<Payload>)>;

/// The data of a run as the journal tells it.
///
/// ```
/// use vastflow_core::{Codec, Context, Payload};
///
/// let mut context = Context::default();
/// context.apply(&[("vmId".into(), Some(Payload::new(Codec::Json, r#""vm1""#)))]);
/// assert_eq!(context.get("vmId").map(Payload::bytes), Some(&br#""vm1""#[..]));
/// context.apply(&[("vmId".into(), None)]);
/// assert!(context.get("vmId").is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<Box<str>, Payload>);

impl Context {
    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Payload> {
        self.0.get(key)
    }

    /// All keys with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Payload)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what a call wrote.
    pub fn apply(&mut self, writes: &[(Box<str>, Option<Payload>)]) {
        for (key, value) in writes {
            match value {
                Some(value) => self.0.insert(key.clone(), value.clone()),
                None => self.0.remove(key),
            };
        }
    }
}
