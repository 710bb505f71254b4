//! A table's row, said once: the struct, the columns of its upsert, and its binary COPY all come from one list of fields, so that no
//! column can be forgotten in one of the ways into the table.

use crate::copy::CopyBytes;
use std::borrow::Cow;
use std::sync::Arc;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// A value of a column.
pub(crate) trait Cell {
    /// As an element of an array parameter.
    type Element<'a>
    where
        Self: 'a;

    fn element(&self) -> Self::Element<'_>;

    fn copy(&self, rows: &mut CopyBytes);
}

macro_rules! cell {
    ($($kind:ty: $copy:ident,)+) => {
        $(impl Cell for $kind {
            type Element<'a> = $kind;

            fn element(&self) -> $kind {
                *self
            }

            fn copy(&self, rows: &mut CopyBytes) {
                rows.$copy(*self);
            }
        })+
    };
}

cell! {
    i64: big,
    i32: integer,
    bool: flag,
    Uuid: uuid,
    Date: date,
    OffsetDateTime: instant,
}

impl Cell for String {
    type Element<'a> = &'a str;

    fn element(&self) -> &str {
        self
    }

    fn copy(&self, rows: &mut CopyBytes) {
        rows.text(self);
    }
}

impl Cell for &'static str {
    type Element<'a> = &'a str;

    fn element(&self) -> &str {
        self
    }

    fn copy(&self, rows: &mut CopyBytes) {
        rows.text(self);
    }
}

/// A text that is one of a few when it comes from the fold, and read from Postgres when it is shown: most columns are, and a rebuild
/// would otherwise spend a good part of its time on making and giving back a dozen small texts per row.
pub type Word = Cow<'static, str>;

impl Cell for Word {
    type Element<'a> = &'a str;

    fn element(&self) -> &str {
        self
    }

    fn copy(&self, rows: &mut CopyBytes) {
        rows.text(self);
    }
}

impl Cell for Arc<str> {
    type Element<'a> = &'a str;

    fn element(&self) -> &str {
        self
    }

    fn copy(&self, rows: &mut CopyBytes) {
        rows.text(self);
    }
}

impl<C: Cell> Cell for Option<C> {
    type Element<'a>
        = Option<C::Element<'a>>
    where
        Self: 'a;

    fn element(&self) -> Option<C::Element<'_>> {
        self.as_ref().map(C::element)
    }

    fn copy(&self, rows: &mut CopyBytes) {
        match self {
            Some(cell) => cell.copy(rows),
            None => rows.null(),
        }
    }
}

/// `struct Row in "<table>" { <column>: <type>, ... }`, with `COPY` and `copy` for a rebuild; and, with `by "<file>"`, `upsert` for the
/// live tables, whose statement takes one array per column in this order.
macro_rules! table_row {
    (
        $(#[$doc:meta])*
        $vis:vis struct $Row:ident in $table:literal $(by $upsert:tt)? {
            $(#[$first_doc:meta])*
            pub $first:ident: $first_kind:ty,
            $($(#[$field_doc:meta])* pub $field:ident: $kind:ty,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $Row {
            $(#[$first_doc])*
            pub $first: $first_kind,
            $($(#[$field_doc])* pub $field: $kind,)+
        }

        impl $crate::copy::CopyRow for $Row {
            const COPY: &'static str = concat!(
                "COPY ", $table, " (", stringify!($first), $(", ", stringify!($field),)+ ") FROM STDIN (FORMAT binary)"
            );

            fn copy(&self, rows: &mut $crate::copy::CopyBytes) {
                use $crate::cell::Cell;
                rows.row([stringify!($first), $(stringify!($field)),+].len());
                self.$first.copy(rows);
                $(self.$field.copy(rows);)+
            }
        }

        $crate::cell::table_row!(@upsert $Row $($upsert)? [$first $($field)+]);
    };
    (@upsert $Row:ident [$($field:ident)+]) => {};
    (@upsert $Row:ident $upsert:tt [$($field:ident)+]) => {
        impl $Row {
            pub(crate) async fn upsert(
                connection: &mut sqlx::PgConnection,
                rows: &[Self],
            ) -> Result<(), sqlx::Error> {
                use $crate::cell::Cell;
                use $crate::write::column;
                sqlx::query_file!(
                    $upsert,
                    $(&column(rows, |row| Cell::element(&row.$field)) as _,)+
                )
                .execute(connection)
                .await?;
                Ok(())
            }
        }
    };
}
pub(crate) use table_row;
