//! The files of a node past everything that the platform refuses: what a hand, a broken disk or another process does to them.

use crate::desk::Desk;
use rusqlite::Connection;
use squareoff_store::Position;
use squareoff_store::embedded::FILE_NAME;

/// The log's file.
pub fn log(desk: &Desk) -> Connection {
    Connection::open(desk.folder().join("log").join(FILE_NAME)).unwrap()
}

/// The same, and nothing keeps what stands in it from being changed any more.
pub fn unguarded(desk: &Desk) -> Connection {
    let log = log(desk);
    let triggers = {
        let named = "select name from sqlite_master where type = 'trigger'";
        let mut named = log.prepare(named).unwrap();
        let names = named.query_map([], |row| row.get::<_, String>(0)).unwrap();
        Vec::from_iter(names.map(Result::unwrap))
    };
    for trigger in triggers {
        let drop = format!("drop trigger {trigger}");
        log.execute_batch(&drop).unwrap();
    }
    log
}

/// The bytes of one event become what `change` makes of them.
pub fn alter(desk: &Desk, position: Position, change: impl FnOnce(&mut Vec<u8>)) {
    let log = unguarded(desk);
    let at = i64::try_from(position.as_u64()).unwrap();
    let found = "select entry from events where position = ?1";
    let mut entry: Vec<u8> = log.query_row(found, [at], |row| row.get(0)).unwrap();
    change(&mut entry);
    let altered = "update events set entry = ?2 where position = ?1";
    assert_eq!(log.execute(altered, (at, entry)).unwrap(), 1);
}
