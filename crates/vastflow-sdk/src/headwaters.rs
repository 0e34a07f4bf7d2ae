//! Headwaters: a run's shared data and id, in the words of the river.

use crate::ctx::Ctx;
use crate::data::{Bytes, Data, DataError, to_json};
use crate::values::Values;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use vastflow_core::{Payload, RunOutcome, Writes};

/// The data that flows down a river: what the run starts with, and what its rivers share.
///
/// Before the run it is filled with [`Headwaters::put`] or [`Headwaters::with`] and handed to the engine with the
/// [`Andes`](crate::Andes); rivers get it as they run. What a river puts is recorded when its call returns, whatever
/// the call returns.
///
/// ```
/// use vastflow_sdk::Headwaters;
///
/// let hw = Headwaters::new("request-7").with("vmName", "my-vm").action("create").colour("blue");
/// assert_eq!(hw.get::<String>("vmName")?, "my-vm");
/// assert_eq!(hw.get_int("vmName"), None);
/// # Ok::<(), vastflow_sdk::DataError>(())
/// ```
#[derive(Debug)]
pub struct Headwaters {
    request_id: String,
    place: Place,
    labels: Vec<(String, String)>,
    request_info: Option<Payload>,
}

enum Place {
    /// Being filled for a run to come.
    Ahead(Box<Values>),
    /// In a call of a run.
    In(Ctx),
}

impl Headwaters {
    /// Headwaters of a run to come. The request id is the run's id: the same id again is the same run.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        let place = Place::Ahead(Box::default());
        Headwaters { request_id: request_id.into(), place, labels: Vec::new(), request_info: None }
    }

    pub(crate) fn of_call(ctx: Ctx) -> Self {
        let request_id = ctx.run_id().to_string();
        Headwaters { request_id, place: Place::In(ctx), labels: Vec::new(), request_info: None }
    }

    /// Puts a value; for chaining.
    #[must_use]
    pub fn with(self, key: &str, value: impl Serialize) -> Self {
        self.put(key, value);
        self
    }

    /// Tells what is done: a searchable label `action`.
    #[must_use]
    pub fn action(self, action: &str) -> Self {
        self.label("action", action)
    }

    /// Tells what it is done to: a searchable label `object`.
    #[must_use]
    pub fn object(self, object: &str) -> Self {
        self.label("object", object)
    }

    /// Tells whom it is done for: a searchable label `project`.
    #[must_use]
    pub fn project(self, project: &str) -> Self {
        self.label("project", project)
    }

    /// A free mark to find runs by: a searchable label `colour`.
    #[must_use]
    pub fn colour(self, colour: &str) -> Self {
        self.label("colour", colour)
    }

    /// Any other searchable label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// What the request was about, as the run's input.
    ///
    /// # Errors
    /// [`DataError`] when it cannot be written.
    pub fn request(mut self, info: impl Data) -> Result<Self, DataError> {
        self.request_info = Some(info.encode()?);
        Ok(self)
    }

    /// The id of the request, which is the run's id.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// What the request was about.
    ///
    /// # Errors
    /// [`DataError`] when it is not a `T`, or nothing was said.
    pub fn request_info<T: Data>(&self) -> Result<T, DataError> {
        match (&self.place, &self.request_info) {
            (Place::In(ctx), _) => ctx.run_input(),
            (_, Some(info)) => T::decode(info),
            (_, None) => Err(DataError::Missing { key: "the request's info".into() }),
        }
    }

    /// The call that this is part of; none before the run.
    #[must_use]
    pub fn ctx(&self) -> Option<&Ctx> {
        match &self.place {
            Place::In(ctx) => Some(ctx),
            Place::Ahead(_) => None,
        }
    }

    /// Puts a value under a key. A value that cannot be written fails the call, or the start of the run.
    pub fn put(&self, key: &str, value: impl Serialize) {
        self.put_payload(key, to_json(&value));
    }

    /// Puts raw bytes under a key.
    pub fn put_bytes(&self, key: &str, value: Bytes) {
        self.put_payload(key, value.encode());
    }

    fn put_payload(&self, key: &str, value: Result<Payload, DataError>) {
        match &self.place {
            Place::In(ctx) => ctx.put_payload(key, value),
            Place::Ahead(values) => values.put(key, value),
        }
    }

    /// The value under a key.
    ///
    /// # Errors
    /// [`DataError::Missing`] when there is none, [`DataError::Decode`] when it is not a `T`.
    pub fn get<T: Data>(&self, key: &str) -> Result<T, DataError> {
        self.find(key)?.ok_or_else(|| DataError::Missing { key: key.to_owned() })
    }

    /// The value under a key, if it is there.
    ///
    /// # Errors
    /// [`DataError::Decode`] when it is not a `T`.
    pub fn find<T: Data>(&self, key: &str) -> Result<Option<T>, DataError> {
        match &self.place {
            Place::In(ctx) => ctx.find(key),
            Place::Ahead(values) => values.get(key),
        }
    }

    /// The number under a key; none when there is no whole number.
    #[must_use]
    pub fn get_int(&self, key: &str) -> Option<i64> {
        self.get(key).ok()
    }

    /// The text under a key; none when there is no text.
    #[must_use]
    pub fn get_string(&self, key: &str) -> Option<String> {
        self.get(key).ok()
    }

    /// A copy of everything.
    #[must_use]
    pub fn get_all(&self) -> BTreeMap<String, Payload> {
        match &self.place {
            Place::In(ctx) => ctx.all(),
            Place::Ahead(values) => values.all(),
        }
    }

    /// Deletes a key.
    pub fn del(&self, key: &str) {
        match &self.place {
            Place::In(ctx) => ctx.del(key),
            Place::Ahead(values) => values.del(key),
        }
    }

    /// Replaces everything by what `other` holds.
    pub fn replace(&self, other: &Headwaters) {
        let theirs = other.get_all();
        for key in self.get_all().keys().filter(|key| !theirs.contains_key(*key)) {
            self.del(key);
        }
        for (key, value) in theirs {
            self.put_payload(&key, Ok(value));
        }
    }

    /// Asks that the run stop, with a reason; the first reason counts. What runs finishes its call. Does nothing
    /// before the run.
    pub fn cancel(&self, why: &str) {
        if let Place::In(ctx) = &self.place {
            ctx.cancel_run(why);
        }
    }

    /// Waits until the run is being stopped or this call is given up; for ever before the run.
    pub async fn done(&self) {
        match &self.place {
            Place::In(ctx) => ctx.cancelled().await,
            Place::Ahead(_) => std::future::pending().await,
        }
    }

    /// Why the run is being stopped or failed, if it is: the reason that was given, or the failure.
    #[must_use]
    pub fn err(&self) -> Option<String> {
        match self.ctx()?.outcome()? {
            RunOutcome::Stopped { why, .. } => Some(why.to_string()),
            RunOutcome::Failed(failure) => Some(failure.to_string()),
            RunOutcome::Succeeded => None,
        }
    }

    /// Notes a text for later rivers of this run in this process. Never recorded: gone after a restart.
    pub fn tmp_put(&self, key: &str, value: impl Into<String>) {
        match &self.place {
            Place::In(ctx) => ctx.tmp_put(key, value),
            Place::Ahead(values) => values.temporary().put(key, value.into()),
        }
    }

    /// A text that an earlier river of this run noted in this process.
    #[must_use]
    pub fn tmp_get(&self, key: &str) -> Option<String> {
        match &self.place {
            Place::In(ctx) => ctx.tmp_get(key),
            Place::Ahead(values) => values.temporary().get(key),
        }
    }

    /// For engines: what a run starts with.
    ///
    /// # Errors
    /// [`DataError`] when a value could not be written.
    pub fn into_start(self) -> Result<HeadwatersStart, DataError> {
        let (context, temporary) = match &self.place {
            Place::Ahead(values) => (values.take()?, values.temporary().clone()),
            Place::In(ctx) => (ctx.all().into_iter().map(|(k, v)| (k.into(), Some(v))).collect(), Default::default()),
        };
        let input = self.request_info.unwrap_or_else(Payload::null);
        Ok(HeadwatersStart { request_id: self.request_id, input, context, temporary, labels: self.labels })
    }
}

/// What a run that is drawn starts with.
#[derive(Debug)]
pub struct HeadwatersStart {
    /// The run's id.
    pub request_id: String,
    /// The run's input.
    pub input: Payload,
    /// The run's shared data.
    pub context: Writes,
    /// The run's data of this process.
    pub temporary: crate::Temporary,
    /// The run's labels.
    pub labels: Vec<(String, String)>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Ahead(_) => f.write_str("ahead"),
            Place::In(ctx) => ctx.fmt(f),
        }
    }
}
