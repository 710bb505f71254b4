//! What is done once to each table when its rows are there: rows that were written again are cleared of their older selves, indexes
//! and keys are built (sorting once is far cheaper than a million insertions), statistics are taken.
//!
//! The list is kept beside the tables, and each step is crossed off in its own transaction: a rebuild that was killed does the rest.

use super::tables::tables;
use super::{Progress, Stage, Tell};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use squareoff_store::Position;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Takes off every index and key of the read models' tables in the connection's schema, and writes down the steps.
pub(super) async fn set_aside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut steps = vec![];
    let all = tables(&mut *connection).await?;
    let filled = || all.iter().filter(|table| table.name != "checkpoint");
    for table in filled().filter(|table| table.rows_change) {
        steps.push((table.name.clone(), table.keep_newest()));
    }
    let indexes = sqlx::query_file!("src/rebuild/indexes.sql")
        .fetch_all(&mut *connection)
        .await?;
    // Both statements were put together, and their names quoted, by the server itself.
    let take_off: Vec<_> = indexes.iter().map(|index| &*index.take_off).collect();
    connection
        .execute(AssertSqlSafe(take_off.join("; ")))
        .await?;
    let build = indexes.into_iter();
    steps.extend(build.map(|index| (index.table, index.build)));
    steps.extend(filled().map(|table| (table.name.clone(), format!("ANALYZE {}", table.name))));
    let (tables, statements): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    sqlx::query!(
        "INSERT INTO rebuild_steps (number, table_name, statement)
             SELECT number, table_name, statement
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS step (table_name, statement, number)",
        &tables,
        &statements,
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// A table and the numbered statements that are left to do to it.
type TableSteps = (String, Vec<(i32, String)>);

/// Does what is left, two tables at a time: the server works on one per connection.
pub(super) async fn finish(
    one: &mut PgConnection,
    two: &mut PgConnection,
    position: Position,
    tell: &mut Tell<'_>,
) -> Result<(), sqlx::Error> {
    let queue = left(one).await?;
    let total = queue.iter().map(|(_, steps)| steps.len()).sum();
    let queue = Mutex::new(queue);
    let done = Mutex::new((0, tell));
    let report = || {
        let mut done = done.lock().expect("telling does not panic");
        let (steps, tell) = &mut *done;
        tell(Progress::steps(Stage::Indexing, position, *steps, total));
        *steps += 1;
    };
    report();
    let work = async |connection: &mut PgConnection| {
        loop {
            let next = queue.lock().expect("taking does not panic").pop_front();
            let Some((_, steps)) = next else {
                return Ok::<_, sqlx::Error>(());
            };
            for (number, statement) in steps {
                let mut transaction = connection.begin().await?;
                transaction.execute(AssertSqlSafe(statement)).await?;
                sqlx::query!("DELETE FROM rebuild_steps WHERE number = $1", number)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                report();
            }
        }
    };
    tokio::try_join!(work(one), work(two))?;
    Ok(())
}

/// The largest table first, so that the two connections end together.
async fn left(connection: &mut PgConnection) -> Result<VecDeque<TableSteps>, sqlx::Error> {
    let steps = sqlx::query!(
        "SELECT number, table_name, statement FROM rebuild_steps
             ORDER BY pg_relation_size(quote_ident(table_name)::regclass) DESC, table_name, number"
    )
    .fetch_all(connection)
    .await?;
    let mut queue: VecDeque<TableSteps> = VecDeque::new();
    for step in steps {
        match queue
            .back_mut()
            .filter(|(table, _)| *table == step.table_name)
        {
            Some((_, statements)) => statements.push((step.number, step.statement)),
            None => queue.push_back((step.table_name, vec![(step.number, step.statement)])),
        }
    }
    Ok(queue)
}
