//! What the primary did on the day before it went down: orders that may still fill at the venue, and trades. Two more files of the
//! book's folder, `orders.csv` and `trades.csv`; either may be missing, and both may be read again as the primary tells more.
//!
//! 1. Read against the book, strictly, and all mistakes at once, like the files of the beginning of the day.
//! 2. Each row is a fact: the same again appends nothing, more filled or an end is told as such, another content contradicts.
//! 3. A trade that waits in suspense finds its position here: see [`import`](import()).

mod import;
mod rows;

use crate::bod::mistakes::{BodError, Mistakes};
use crate::bod::{bytes, each_row};
use crate::book::{Book, csv};
use crate::format::{
    ORDER_COLUMNS, ORDER_COLUMNS_OPTIONAL, ORDERS_FILE, TRADE_COLUMNS, TRADES_FILE, instant_text,
    version,
};
use squareoff_domain::{
    ClOrdId, ExchangeOrderId, ExecutionKey, PositionKey, Price, Quantity, Side, Timestamp,
};
use std::io::{self, Write};
use std::path::Path;

pub use import::{IntradayReport, import};

/// Orders and trades of the primary on the book's trading date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intraday {
    pub orders: Vec<OrderLine>,
    pub trades: Vec<TradeLine>,
    /// Which bytes they came from: `<date>/<16 hex digits>`; empty for a file that is missing.
    pub orders_version: String,
    pub trades_version: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    pub key: PositionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub cumulative: Quantity,
    pub price: Price,
    pub cl_ord_id: ClOrdId,
    pub exchange_order_id: ExchangeOrderId,
    pub entered_at: Timestamp,
    pub ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeLine {
    pub key: PositionKey,
    pub execution: ExecutionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub traded_at: Timestamp,
}

impl Intraday {
    /// The files of `dir`, a folder that holds `book`.
    ///
    /// # Errors
    /// [`BodError`], which lists the mistakes.
    pub fn read(dir: &Path, book: &Book) -> Result<Intraday, BodError> {
        let mut mistakes = Mistakes::default();
        let mut known = rows::Known::of(book);
        let mut intraday = Intraday::default();
        let there = |file: &str| dir.join(file).symlink_metadata().is_ok();
        if there(ORDERS_FILE) {
            let bytes = bytes(dir, ORDERS_FILE, &mut mistakes);
            let columns = (ORDER_COLUMNS, ORDER_COLUMNS_OPTIONAL);
            each_row(ORDERS_FILE, columns, &bytes, &mut mistakes, |row| {
                intraday.orders.extend(rows::order(row, &mut known));
            });
            intraday.orders_version = version(book.trading_date, &bytes.unwrap_or_default());
        }
        if there(TRADES_FILE) {
            let bytes = bytes(dir, TRADES_FILE, &mut mistakes);
            each_row(
                TRADES_FILE,
                (TRADE_COLUMNS, 0),
                &bytes,
                &mut mistakes,
                |row| {
                    intraday.trades.extend(rows::trade(row, &mut known));
                },
            );
            intraday.trades_version = version(book.trading_date, &bytes.unwrap_or_default());
        }
        if mistakes.is_empty() {
            Ok(intraday)
        } else {
            Err(mistakes.into())
        }
    }

    /// Name and bytes of each file.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 2] {
        let order = |line: &OrderLine| {
            let mut cells = instrument(&line.key, line.side, line.quantity);
            cells.extend([
                line.cumulative.to_string(),
                line.price.to_string(),
                line.cl_ord_id.to_string(),
                line.exchange_order_id.to_string(),
                instant_text(line.entered_at),
                if line.ended { "ended" } else { "working" }.to_owned(),
            ]);
            cells
        };
        let trade = |line: &TradeLine| {
            let mut cells = instrument(&line.key, line.side, line.quantity);
            let exec_id = line.execution.as_str().rsplit('|').next();
            cells.extend([
                line.price.to_string(),
                exec_id.unwrap_or_default().to_owned(),
                instant_text(line.traded_at),
            ]);
            cells
        };
        [
            (
                ORDERS_FILE,
                csv(ORDER_COLUMNS, self.orders.iter().map(order)),
            ),
            (
                TRADES_FILE,
                csv(TRADE_COLUMNS, self.trades.iter().map(trade)),
            ),
        ]
    }

    /// Writes the files into `dir`, each whole or not at all.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        for (name, bytes) in self.files() {
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(dir.join(name)).map_err(|error| error.error)?;
        }
        std::fs::File::open(dir).and_then(|folder| folder.sync_all())
    }
}

fn instrument(key: &PositionKey, side: Side, quantity: Quantity) -> Vec<String> {
    vec![
        key.date.to_string(),
        key.client.to_string(),
        key.venue.to_string(),
        key.symbol.to_string(),
        key.product.to_string(),
        side.to_string(),
        quantity.to_string(),
    ]
}
