//! Inserting many rows: several a statement, because running a statement costs about as much as the row.

use rusqlite::{Connection, Result, Statement, ToSql};

/// How many rows one statement inserts.
const ROWS: usize = 8;

/// Where rows go.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// The table with the names of its columns.
    pub(super) table: &'static str,
    /// How many columns that are.
    pub(super) columns: usize,
}

/// A row whose values are given one after the other.
pub(super) struct Row<'a, 'c> {
    insert: &'a mut Statement<'c>,
    given: usize,
}

impl Row<'_, '_> {
    pub(super) fn push(&mut self, value: impl ToSql) -> Result<()> {
        self.given += 1;
        self.insert.raw_bind_parameter(self.given, value)
    }
}

/// Inserts a row for each of `all`, as `fill` gives its values.
pub(super) fn insert<T>(
    tables: &Connection,
    into: Target,
    all: &[T],
    mut fill: impl FnMut(&T, &mut Row<'_, '_>) -> Result<()>,
) -> Result<()> {
    let (full, rest) = all.as_chunks::<ROWS>();
    for (rows, each) in [(ROWS, full.as_flattened()), (1, rest)] {
        if each.is_empty() {
            continue;
        }
        let mut insert = tables.prepare_cached(&into.sql(rows))?;
        for some in each.chunks(rows) {
            let mut row = Row { insert: &mut insert, given: 0 };
            some.iter().try_for_each(|one| fill(one, &mut row))?;
            insert.raw_execute()?;
        }
    }
    Ok(())
}

impl Target {
    fn sql(self, rows: usize) -> String {
        let Target { table, columns } = self;
        let row = format!("({})", vec!["?"; columns].join(", "));
        // What fails rolls the whole transaction back anyway: without this, SQLite would keep a copy of all that a
        // statement of several rows changes, to undo just that.
        format!("INSERT OR ROLLBACK INTO {table} VALUES {}", vec![&*row; rows].join(", "))
    }
}
