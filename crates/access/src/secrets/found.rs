//! Log-ins that were found in the secrets file as it is. A program asks with one token hundreds of times a second, and between two commits
//! the file says the same of it each time: SQLite's `data_version` tells of every commit of another connection, in whichever process.

use super::{LogIn, SecretsError};
use lru::LruCache;
use rusqlite::Connection;
use squareoff_domain::Timestamp;
use squareoff_domain::people::LogInKind;
use std::num::NonZeroUsize;

/// More than are used at a time; some 400 bytes each.
const FOUND_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// What a token opens, and until when if nothing is committed.
pub struct Opened {
    pub log_in: LogIn,
    pub until: Timestamp,
}

/// By the SHA-256 of the cookie or token, and which of the two it is: what opens as the one opens nothing as the other. Of one connection,
/// which must write nothing itself.
pub struct Found {
    data_version: i64,
    opened: LruCache<Key, Kept>,
}

pub type Key = (LogInKind, [u8; 32]);

struct Kept {
    opened: Opened,
    /// A clock that was set back makes what was found before it unknown again.
    since: Timestamp,
}

impl Found {
    pub fn new() -> Self {
        Found {
            data_version: 0,
            opened: LruCache::new(FOUND_MAX),
        }
    }

    /// What `find` says, unless it said so before and nothing was committed since. That nothing was found is not remembered.
    ///
    /// # Errors
    /// What `find` says; [`SecretsError::Sqlite`].
    pub fn open(
        &mut self,
        connection: &Connection,
        key: Key,
        now: Timestamp,
        find: impl FnOnce(&Connection) -> Result<Option<Opened>, SecretsError>,
    ) -> Result<Option<LogIn>, SecretsError> {
        let data_version: i64 = connection
            .prepare_cached("pragma data_version")?
            .query_row([], |row| row.get(0))?;
        if data_version != self.data_version {
            self.opened.clear();
            self.data_version = data_version;
        }
        if let Some(kept) = self.opened.get(&key)
            && kept.since <= now
            && now < kept.opened.until
        {
            return Ok(Some(kept.opened.log_in.clone()));
        }
        let Some(opened) = find(connection)? else {
            return Ok(None);
        };
        let log_in = opened.log_in.clone();
        self.opened.put(key, Kept { opened, since: now });
        Ok(Some(log_in))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::LogInId;
    use squareoff_domain::people::Role;
    use std::cell::Cell;
    use uuid::Uuid;

    #[test]
    fn what_was_found_is_found_again_until_it_ends_or_anybody_commits_or_the_clock_is_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let connect = || {
            let connection = Connection::open(folder.path().join("file")).unwrap();
            connection
                .pragma_update(None, "journal_mode", "wal")
                .unwrap();
            connection
        };
        let (reader, other) = (connect(), connect());
        other.execute("create table t (x)", []).unwrap();
        let log_in = LogIn {
            id: LogInId(Uuid::from_u128(7)),
            operator: "recon".parse().unwrap(),
            role: Role::Machine,
            client: None,
            kind: LogInKind::Token,
            address: "127.0.0.1".into(),
            begun_at: Timestamp(0),
            seen_at: Timestamp(0),
            ends_at: Timestamp(90),
        };
        let (mut found, asked) = (Found::new(), Cell::new(0));
        let mut open_as = |kind, now, until: Option<i64>| {
            let find = |_: &Connection| {
                asked.set(asked.get() + 1);
                let log_in = log_in.clone();
                Ok(until.map(|until| Opened {
                    log_in,
                    until: Timestamp(until),
                }))
            };
            let opened = found.open(&reader, (kind, [1; 32]), Timestamp(now), find);
            (opened.unwrap().is_some(), asked.get())
        };
        assert_eq!(open_as(LogInKind::Cookie, 10, Some(20)), (true, 1));
        let mut open = |now, until| open_as(LogInKind::Token, now, until);
        assert_eq!(open(10, None), (false, 2));
        assert_eq!(open(10, Some(20)), (true, 3));
        assert_eq!(open(19, None), (true, 3));
        assert_eq!(open(20, Some(30)), (true, 4));
        assert_eq!(open(19, None), (false, 5));
        assert_eq!(open(20, None), (true, 5));
        other.execute("insert into t values (1)", []).unwrap();
        assert_eq!(open(21, None), (false, 6));
    }
}
