//! `entries.parquet`: the rows of `entries.jsonl` for those who ask with SQL. Nothing is proved by it; the lines are.

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use squareoff_store::StoredEvent;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows that are held in memory until they are written: some tens of megabytes.
const ROWS_MAX: usize = 65_536;
const SCHEMA: &str = "message entries {
  required int64 index;
  required int64 position;
  required int64 version;
  required int64 schema_version;
  required int64 occurred_at (TIMESTAMP(NANOS,true));
  required int64 recorded_at (TIMESTAMP(NANOS,true));
  required int64 epoch;
  required byte_array stream (UTF8);
  required byte_array id (UTF8);
  required byte_array type (UTF8);
  required byte_array actor (UTF8);
  required byte_array request_id (UTF8);
  required byte_array correlation_id (UTF8);
  required byte_array trace_id (UTF8);
  required byte_array previous (UTF8);
  required byte_array body (UTF8);
  required byte_array proof (UTF8);
}";
const NUMBERS: usize = 7;
const TEXTS: usize = 10;

pub(super) struct Columns {
    file: SerializedFileWriter<File>,
    numbers: [Vec<i64>; NUMBERS],
    texts: [Vec<ByteArray>; TEXTS],
}

impl Columns {
    pub(super) fn create(path: &Path) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        Ok(Columns {
            file: SerializedFileWriter::new(File::create(path)?, schema, Arc::new(properties))?,
            numbers: Default::default(),
            texts: Default::default(),
        })
    }

    pub(super) fn push(
        &mut self,
        index: u64,
        event: &StoredEvent,
        proof: String,
    ) -> Result<(), ParquetError> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let numbers = [
            number(index),
            number(event.position.as_u64()),
            number(event.version),
            i64::from(event.schema_version),
            event.occurred_at.0,
            event.recorded_at.0,
            i64::from(event.epoch),
        ];
        let texts = [
            event.stream.to_string(),
            event.id.to_string(),
            event.event_type.to_string(),
            event.actor.to_string(),
            event.request_id.to_string(),
            event.correlation_id.to_string(),
            event
                .trace_id
                .map_or_else(String::new, |trace| trace.to_string()),
            super::hex(&event.previous),
            String::from_utf8_lossy(&event.body).into_owned(),
            proof,
        ];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text.into_bytes().into());
        }
        if self.numbers[0].len() >= ROWS_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.numbers[0].is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        let missing = || ParquetError::General("the schema has fewer columns".to_owned());
        for values in &mut self.numbers {
            let mut column = group.next_column()?.ok_or_else(missing)?;
            column
                .typed::<Int64Type>()
                .write_batch(values, None, None)?;
            column.close()?;
            values.clear();
        }
        for values in &mut self.texts {
            let mut column = group.next_column()?.ok_or_else(missing)?;
            column
                .typed::<ByteArrayType>()
                .write_batch(values, None, None)?;
            column.close()?;
            values.clear();
        }
        group.close()?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }
}
