//! The stored descriptions of the checked queries are those of the migrations as they are now.

use crate::story::start;
use sqlx::{Executor, SqlSafeStr};
use std::path::Path;

#[tokio::test]
async fn every_stored_query_description_is_what_the_database_says() {
    let (_test, database) = start().await;
    let pool = database.pool(1);
    // A plan made for no values at all knows no joins, and so not what they leave open.
    pool.execute("SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let stored: serde_json::Value =
            serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let query = stored["query"].as_str().unwrap().to_owned();
        let sql = sqlx::AssertSqlSafe(query.clone()).into_sql_str();
        let described = serde_json::to_value((&pool).describe(sql).await.unwrap()).unwrap();
        assert_eq!(described, stored["describe"], "run prepare.sh: {query}");
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}
