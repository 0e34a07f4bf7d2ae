//! Going through lists of runs. A page of a store may be short, because its runs carry much.

use vastflow_store::{RunQuery, RunRow, Store, StoreError};

/// Shows the newest runs that a query asks for, at most so many, one after the other; whether there are more. What is not
/// kept by whom it is shown to is let go of page by page.
pub(crate) async fn each_of(
    store: &dyn Store,
    mut query: RunQuery,
    most: usize,
    mut each: impl FnMut(RunRow),
) -> Result<bool, StoreError> {
    let mut room = most;
    while room > 0 {
        query.limit = room;
        let page = store.runs(&query).await?;
        room -= page.rows.len().min(room);
        page.rows.into_iter().for_each(&mut each);
        query.before = page.next;
        if query.before.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
