//! Postgres' binary COPY format: what a rebuild writes instead of inserts.
//!
//! Source: PostgreSQL documentation, COPY, "Binary Format"; values are as the types' `*_send` functions write them.

use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use uuid::Uuid;

/// Sent to the server when this much is there: large enough to be few messages, small enough to stay in a processor's cache.
const CHUNK_BYTES: usize = 256 << 10;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
const NULL: i32 = -1;
/// Object id of the type `text`, the same in every database.
const TEXT_TYPE: i32 = 25;

/// Postgres counts days and microseconds from here.
const EPOCH: OffsetDateTime =
    OffsetDateTime::new_in_offset(EPOCH_DATE, Time::MIDNIGHT, UtcOffset::UTC);
const EPOCH_DATE: Date = match Date::from_calendar_date(2000, Month::January, 1) {
    Ok(date) => date,
    Err(_) => panic!("2000-01-01 is a date"),
};

/// Rows on their way into one table.
pub(crate) struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    pub(crate) fn row(&mut self, columns: i16) {
        self.bytes.extend(columns.to_be_bytes());
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    pub(crate) fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.int(NULL),
        }
    }

    pub(crate) fn texts(&mut self, values: &[String]) {
        let length = if values.is_empty() {
            12
        } else {
            20 + values.iter().map(|value| 4 + value.len()).sum::<usize>()
        };
        self.int(len(length));
        let dimensions = i32::from(!values.is_empty());
        for number in [dimensions, 0, TEXT_TYPE] {
            self.int(number);
        }
        if !values.is_empty() {
            self.int(len(values.len()));
            self.int(1);
            values.iter().for_each(|value| self.text(value));
        }
    }

    pub(crate) fn big(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(crate) fn big_or_null(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.big(value),
            None => self.int(NULL),
        }
    }

    pub(crate) fn integer(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.field(&[u8::from(value)]);
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    pub(crate) fn date(&mut self, value: Date) {
        self.integer(value.to_julian_day() - EPOCH_DATE.to_julian_day());
    }

    pub(crate) fn instant(&mut self, value: OffsetDateTime) {
        let micros = (value - EPOCH).whole_microseconds();
        self.big(i64::try_from(micros).expect("an instant of the log is within 300 years"));
    }

    fn field(&mut self, bytes: &[u8]) {
        self.int(len(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    fn int(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }
}

/// A `COPY <table> (<columns>) FROM STDIN (FORMAT binary)` that is under way.
pub(crate) struct Copying<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
    buffer: CopyRows,
}

impl<'c> Copying<'c> {
    pub(crate) async fn begin(
        connection: &'c mut PgConnection,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let copy = connection.copy_in_raw(statement).await?;
        Ok(Copying {
            copy,
            buffer: CopyRows {
                bytes: SIGNATURE.to_vec(),
            },
        })
    }

    pub(crate) async fn rows<R>(
        &mut self,
        rows: impl Iterator<Item = R>,
        write: impl Fn(&R, &mut CopyRows),
    ) -> Result<(), sqlx::Error> {
        for row in rows {
            write(&row, &mut self.buffer);
            if self.buffer.bytes.len() >= CHUNK_BYTES {
                self.copy.send(self.buffer.bytes.as_slice()).await?;
                self.buffer.bytes.clear();
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<u64, sqlx::Error> {
        self.buffer.bytes.extend(TRAILER);
        self.copy.send(self.buffer.bytes.as_slice()).await?;
        self.copy.finish().await
    }
}

/// Copies `rows` by `statement`, from begin to finish.
pub(crate) async fn copy<R>(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: impl Iterator<Item = R>,
    write: impl Fn(&R, &mut CopyRows),
) -> Result<u64, sqlx::Error> {
    let mut copying = Copying::begin(connection, statement).await?;
    copying.rows(rows, write).await?;
    copying.finish().await
}

fn len(length: usize) -> i32 {
    i32::try_from(length).expect("a value is far smaller than the log's largest event, 1 MiB")
}
