//! Postgres' binary COPY format: what a rebuild writes instead of inserts.
//!
//! Source: PostgreSQL documentation, COPY, "Binary Format"; values are as the types' `*_send` functions write them.

use sqlx::PgConnection;
use std::fmt;
use std::marker::PhantomData;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use uuid::Uuid;

/// Sent to the server in pieces of this size: large enough to be few messages, small enough that none is copied a second time as a whole.
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

/// A row of a table that COPY fills.
pub(crate) trait CopyRow {
    /// `COPY <table> (<columns>) FROM STDIN (FORMAT binary)`
    const COPY: &'static str;

    /// Writes the columns down, in the statement's order.
    fn copy(&self, rows: &mut CopyBytes);
}

/// Rows of one table, as COPY takes them.
pub(crate) struct CopyRows<R> {
    bytes: CopyBytes,
    row: PhantomData<fn(R)>,
}

impl<R> Default for CopyRows<R> {
    fn default() -> Self {
        CopyRows {
            bytes: CopyBytes::default(),
            row: PhantomData,
        }
    }
}

impl<R> fmt::Debug for CopyRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyRows")
            .field("bytes", &self.bytes.bytes.len())
            .finish()
    }
}

impl<R: CopyRow> CopyRows<R> {
    pub(crate) fn encode(&mut self, row: &R) {
        row.copy(&mut self.bytes);
    }

    /// Copies the rows into their table, if there are any, and keeps their memory for others.
    pub(crate) async fn copy_into(
        &mut self,
        connection: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let bytes = &mut self.bytes.bytes;
        if bytes.is_empty() {
            return Ok(());
        }
        bytes.extend(TRAILER);
        let mut copy = connection.copy_in_raw(R::COPY).await?;
        for chunk in bytes.chunks(CHUNK_BYTES) {
            copy.send(chunk).await?;
        }
        copy.finish().await?;
        bytes.clear();
        Ok(())
    }
}

/// Rows written down, behind the format's signature.
#[derive(Default)]
pub(crate) struct CopyBytes {
    bytes: Vec<u8>,
}

impl CopyBytes {
    pub(crate) fn row(&mut self, columns: usize) {
        if self.bytes.is_empty() {
            self.bytes.extend(SIGNATURE);
        }
        let columns = i16::try_from(columns).expect("a table has at most 1,600 columns");
        self.bytes.extend(columns.to_be_bytes());
    }

    pub(crate) fn null(&mut self) {
        self.int(NULL);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
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
        let seconds = value.unix_timestamp() - EPOCH.unix_timestamp();
        self.big(seconds * 1_000_000 + i64::from(value.microsecond()));
    }

    fn field(&mut self, bytes: &[u8]) {
        self.int(len(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    fn int(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }
}

fn len(length: usize) -> i32 {
    i32::try_from(length).expect("a value is far smaller than the log's largest event, 1 MiB")
}
