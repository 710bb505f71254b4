//! Postgres' binary COPY format: what a rebuild writes instead of inserts.
//!
//! Source: PostgreSQL documentation, COPY, "Binary Format"; values are as the types' `*_send` functions write them.

use sqlx::PgConnection;
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
    pub(crate) fn row(&mut self, columns: usize) {
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

/// Copies `rows` by `statement`, a `COPY <table> (<columns>) FROM STDIN (FORMAT binary)`, which is not asked when there are none.
pub(crate) async fn copy<R>(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: &[R],
    write: impl Fn(&R, &mut CopyRows),
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut buffer = CopyRows {
        bytes: Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4),
    };
    buffer.bytes.extend(SIGNATURE);
    for row in rows {
        write(row, &mut buffer);
        if buffer.bytes.len() >= CHUNK_BYTES {
            copy.send(buffer.bytes.as_slice()).await?;
            buffer.bytes.clear();
        }
    }
    buffer.bytes.extend(TRAILER);
    copy.send(buffer.bytes.as_slice()).await?;
    copy.finish().await?;
    Ok(())
}

fn len(length: usize) -> i32 {
    i32::try_from(length).expect("a value is far smaller than the log's largest event, 1 MiB")
}
