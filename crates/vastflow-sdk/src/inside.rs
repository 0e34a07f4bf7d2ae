//! The code of nodes with graphs inside: who chooses the arms of a branch, who reads the items of a foreach, who folds
//! their results.

use crate::code::{BoxFuture, Code};
use crate::ctx::{About, Ctx};
use crate::data::{Data, DataError, Parts};
use crate::error::BoxError;
use crate::handler::{Handler, Takes, failed, unusable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use vastflow_core::event::Item;
use vastflow_core::plan::{Gives, Schema};
use vastflow_core::{Failure, FailureKind, Payload, Reply};

/// The arms that a chooser takes: one key, several, or none.
pub trait Keys {
    /// The keys.
    fn into_keys(self) -> Vec<String>;
}

/// A chooser's answer that is always one key.
#[diagnostic::on_unimplemented(
    message = "a branch that ends in `.join()` takes exactly one arm, and `{Self}` may be several or none",
    note = "let the chooser give one `&str` or `String`, or end the branch in `.collect()`, which gives a map by key"
)]
pub trait OneKey: Keys {}

impl Keys for &str {
    fn into_keys(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Keys for String {
    fn into_keys(self) -> Vec<String> {
        vec![self]
    }
}

impl OneKey for &str {}
impl OneKey for String {}

impl<K: Into<String>> Keys for Vec<K> {
    fn into_keys(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<K: Into<String>> Keys for Option<K> {
    fn into_keys(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

/// A value that travels as JSON, alone and as a part of lists and maps: anything that serde can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a part of a list or a map that travels between nodes",
    label = "`{Self}` needs `#[derive(serde::Serialize, serde::Deserialize)]`",
    note = "items of a foreach, and what arms and items give, are recorded as JSON"
)]
pub trait Json: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Json for T {}

/// A collection whose items a foreach can go through.
#[diagnostic::on_unimplemented(
    message = "a foreach cannot go through a `{Self}`",
    label = "not a `Vec`, a `BTreeMap<String, _>` or a `HashMap<String, _>`",
    note = "more items than fit into one value come in pages: `dag.for_each_page(…)`"
)]
pub trait Items: Json {
    /// One item.
    type Item: Json;
    /// What comes out when each item gives an `Out`.
    type Of<Out: Json>: Json;
    /// What a foreach over it gives.
    #[doc(hidden)]
    const GIVES: Gives;

    /// The items with their keys; empty keys where they have none of their own.
    fn into_items(self) -> Vec<(String, Self::Item)>;
}

impl<T: Json> Items for Vec<T> {
    type Item = T;
    type Of<Out: Json> = Vec<Out>;
    const GIVES: Gives = Gives::List;

    fn into_items(self) -> Vec<(String, T)> {
        self.into_iter().map(|item| (String::new(), item)).collect()
    }
}

impl<T: Json> Items for BTreeMap<String, T> {
    type Item = T;
    type Of<Out: Json> = BTreeMap<String, Out>;
    const GIVES: Gives = Gives::Map;

    fn into_items(self) -> Vec<(String, T)> {
        self.into_iter().collect()
    }
}

impl<T: Json> Items for HashMap<String, T> {
    type Item = T;
    type Of<Out: Json> = BTreeMap<String, Out>;
    const GIVES: Gives = Gives::Map;

    fn into_items(self) -> Vec<(String, T)> {
        self.into_iter().collect()
    }
}

/// A page of items, and where the next one begins.
///
/// ```
/// use vastflow_sdk::{Page, Result};
///
/// async fn numbers((up_to, from): (u64, Option<u64>)) -> Result<Page<u64, u64>> {
///     let from = from.unwrap_or(0);
///     let end = up_to.min(from + 1_000);
///     Ok(Page::new((from..end).collect()).next((end < up_to).then_some(end)))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    items: Vec<T>,
    next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The last page: nothing comes after it unless [`Page::next`] says so.
    #[must_use]
    pub const fn new(items: Vec<T>) -> Self {
        Page { items, next: None }
    }

    /// Where the next page begins; none when there is none.
    #[must_use]
    pub fn next(mut self, cursor: Option<C>) -> Self {
        self.next = cursor;
        self
    }
}

/// Code that is never called: of a node that only has graphs inside.
pub(crate) struct Nothing;

impl Code for Nothing {
    fn call(&self, _: Ctx, _: Vec<Payload>) -> BoxFuture<Reply> {
        let failure = Failure::new(FailureKind::Engine, "this node has nothing to call");
        now(Reply::Failed { failure, retryable: false })
    }
}

fn now(reply: Reply) -> BoxFuture<Reply> {
    Box::pin(std::future::ready(reply))
}

/// What flows into the node, if that is not simply the one value that came.
fn changed(ctx: &Ctx, args: Vec<Payload>) -> Option<Payload> {
    let raw: Vec<&Payload> = ctx.raw_inputs().iter().map(|(_, value)| value).collect();
    match (args.as_slice(), raw.as_slice()) {
        ([one], [same]) if one == *same => None,
        ([], []) => None,
        ([_], _) => args.into_iter().next(),
        _ => {
            let names = ctx.inputs();
            let named = names.as_slice().iter().zip(args).map(|((name, _), arg)| (name.clone(), arg));
            Some(Parts::new(named.collect()).into_one())
        }
    }
}

/// A branch's chooser.
pub(crate) struct Chooser<T, F> {
    takes: Takes<T>,
    choose: F,
}

impl<T, F> Chooser<T, F> {
    pub(crate) const fn new(takes: Takes<T>, choose: F) -> Self {
        Chooser { takes, choose }
    }
}

impl<T, K, F> Code for Chooser<T, F>
where
    T: Data,
    K: Keys,
    F: Fn(&T) -> K + Send + Sync,
{
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        now(match (self.takes.decode)(&ctx, &args) {
            Ok(input) => {
                let keys = (self.choose)(&input).into_keys();
                Reply::Chosen { keys: keys.into_iter().map(Into::into).collect(), input: changed(&ctx, args) }
            }
            Err(error) => unusable(&error),
        })
    }

    fn takes(&self) -> Schema {
        (self.takes.schema)()
    }
}

/// Goes through a collection that flows in, or that a function makes of what flows in.
pub(crate) struct Through<T, F> {
    takes: Takes<T>,
    items: F,
}

impl<T, F> Through<T, F> {
    pub(crate) const fn new(takes: Takes<T>, items: F) -> Self {
        Through { takes, items }
    }
}

impl<T, F> Code for Through<T, F>
where
    T: Data,
    F: Fn(T) -> Result<Vec<(String, Payload)>, BoxError> + Send + Sync,
{
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        let input = match (self.takes.decode)(&ctx, &args) {
            Ok(input) => input,
            Err(error) => return now(unusable(&error)),
        };
        now(match (self.items)(input) {
            Ok(items) => {
                let items = items.into_iter().map(|(key, input)| Item { key: key.into(), input });
                Reply::Items { items: items.collect(), cursor: None }
            }
            Err(error) => failed(&error),
        })
    }

    fn takes(&self) -> Schema {
        (self.takes.schema)()
    }
}

/// Items as payloads.
pub(crate) fn encoded<T: Data>(items: Vec<(String, T)>) -> Result<Vec<(String, Payload)>, BoxError> {
    items.into_iter().map(|(key, item)| Ok((key, item.encode()?))).collect()
}

/// Reads items page by page.
pub(crate) struct Pages<H, In, C, M> {
    handler: H,
    takes: Takes<In>,
    types: PhantomData<fn() -> (C, M)>,
}

impl<H, In, C, M> Pages<H, In, C, M> {
    pub(crate) const fn new(handler: H, takes: Takes<In>) -> Self {
        Pages { handler, takes, types: PhantomData }
    }
}

impl<H, In, T, C, M> Code for Pages<H, In, C, M>
where
    H: Handler<(In, Option<C>), M, Out = Page<T, C>>,
    In: 'static,
    T: Data,
    C: Data,
    M: 'static,
{
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        let cursor = match ctx.about() {
            About::Page { cursor: Some(cursor), .. } => C::decode(cursor).map(Some),
            _ => Ok(None),
        };
        let input = (self.takes.decode)(&ctx, &args).and_then(|input| Ok((input, cursor?)));
        let input = match input {
            Ok(input) => input,
            Err(error) => return now(unusable(&error)),
        };
        let page = self.handler.handle(ctx, input);
        Box::pin(async move {
            match page.await {
                Ok(page) => page_reply(page).unwrap_or_else(|error| unusable(&error)),
                Err(error) => failed(&error),
            }
        })
    }

    /// Besides what flows in, the place where a page begins: it is recorded too.
    fn takes(&self) -> Schema {
        Schema::Tuple(vec![(self.takes.schema)(), C::schema()])
    }
}

fn page_reply<T: Data, C: Data>(page: Page<T, C>) -> Result<Reply, DataError> {
    let item = |item: T| Ok(Item { key: "".into(), input: item.encode()? });
    let items: Result<Vec<Item>, DataError> = page.items.into_iter().map(item).collect();
    Ok(Reply::Items { items: items?, cursor: page.next.map(|cursor| cursor.encode()).transpose()? })
}

/// Folds the results of items into one value.
pub(crate) struct Reducer<A, T, F> {
    first: A,
    fold: F,
    types: PhantomData<fn(T)>,
}

impl<A, T, F> Reducer<A, T, F> {
    pub(crate) const fn new(first: A, fold: F) -> Self {
        Reducer { first, fold, types: PhantomData }
    }
}

impl<A, T, F> Code for Reducer<A, T, F>
where
    A: Data + Clone + Sync,
    T: Data,
    F: Fn(A, T) -> A + Send + Sync,
{
    fn call(&self, ctx: Ctx, _: Vec<Payload>) -> BoxFuture<Reply> {
        now(self.reduced(&ctx).unwrap_or_else(|error| unusable(&error)))
    }

    fn gives(&self) -> Schema {
        A::schema()
    }
}

impl<A: Data + Clone, T: Data, F: Fn(A, T) -> A> Reducer<A, T, F> {
    fn reduced(&self, ctx: &Ctx) -> Result<Reply, DataError> {
        let About::Fold { acc, results, .. } = ctx.about() else {
            return Err(DataError::Missing { key: "results to fold".into() });
        };
        let mut made = match acc {
            Some(acc) => A::decode(acc)?,
            None => self.first.clone(),
        };
        for (_, result) in results {
            made = (self.fold)(made, T::decode(result)?);
        }
        let count = u32::try_from(results.len()).unwrap_or(u32::MAX);
        Ok(Reply::Reduced { count, acc: made.encode()? })
    }
}

/// What an undo action gets: what the node gave, or nothing when nobody knows whether it did it.
pub(crate) fn decode_undo<T: Data>(ctx: &Ctx, _: &[Payload]) -> Result<Option<T>, DataError> {
    match ctx.about() {
        About::Undo(Some(output)) => T::decode(output).map(Some),
        _ => Ok(None),
    }
}
