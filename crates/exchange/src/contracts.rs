//! The day's contract file: what can be traded, in which lots and ticks, inside which band.
//!
//! Read once at start. One CSV file serves all venues; a trading symbol is unique within its venue. The exchange
//! looks only at the columns it checks orders by; the others must be there (the file has one format) and are not
//! interpreted. A file with one bad cell is refused whole: an exchange with a wrong band is worse than none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::price::Price;

/// What the header row begins with, in this order. Rupee columns are decimals with at most four places, quantities whole units.
pub const COLUMNS: [&str; 17] = [
    "trading_date",
    "venue",
    "segment",
    "symbol",
    "series_or_expiry",
    "instrument_type",
    "strike",
    "option_type",
    "lot_size_units",
    "tick_size_rupees",
    "freeze_quantity_units",
    "price_band_low_rupees",
    "price_band_high_rupees",
    "reference_price_rupees",
    "reference_price_at",
    "source",
    "price_protection_rupees",
];

/// More lines than any venue's contract master has (NSE derivatives list about 100,000); guards against a wrong file.
const LINES_MAX: u64 = 500_000;

/// One tradable contract. Quantities in units, never lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    pub venue: String,
    /// Whose market phases it follows, e.g. `FO`.
    pub segment: String,
    /// The full trading symbol, e.g. `NIFTY26NOVFUT`; unique within the venue.
    pub symbol: String,
    pub lot_units: i64,
    pub tick: Price,
    /// An order above this is refused.
    pub freeze_units: i64,
    pub band_low: Price,
    pub band_high: Price,
    pub reference: Price,
}

#[derive(Debug, thiserror::Error)]
pub enum ContractsError {
    #[error("contract file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: csv::Error },
    #[error("contract file {}: the header row must begin with {}, found {found}", path.display(), COLUMNS.join(","))]
    Header { path: PathBuf, found: String },
    #[error("contract file {}, line {line}, column {column}: {why}", path.display())]
    Cell {
        path: PathBuf,
        line: u64,
        column: &'static str,
        why: String,
    },
    #[error("contract file {} has no contracts", path.display())]
    Empty { path: PathBuf },
    #[error("contract file {} has more than {LINES_MAX} lines", path.display())]
    TooLong { path: PathBuf },
}

/// All contracts of the day, addressed by a small number that books and orders use.
#[derive(Debug, Default)]
pub struct Contracts {
    instruments: Vec<Instrument>,
    by_venue: HashMap<String, HashMap<String, usize>>,
    segments: BTreeMap<String, BTreeSet<String>>,
}

impl Contracts {
    /// # Errors
    /// The first thing wrong, with file, line and column.
    pub fn load(path: &Path) -> Result<Self, ContractsError> {
        let unreadable = |source| ContractsError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(unreadable)?;
        let header = reader.headers().map_err(unreadable)?;
        // What stands behind them is the broker's own business.
        if !header.iter().take(COLUMNS.len()).eq(COLUMNS) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            return Err(ContractsError::Header {
                path: path.to_owned(),
                found,
            });
        }
        let mut contracts = Self::default();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(unreadable)? {
            let line = record.position().map_or(0, csv::Position::line);
            if line > LINES_MAX {
                return Err(ContractsError::TooLong {
                    path: path.to_owned(),
                });
            }
            let cells = Cells {
                path,
                line,
                record: &record,
            };
            contracts
                .insert(cells.instrument()?)
                .map_err(|why| cells.error("symbol", why))?;
        }
        if contracts.instruments.is_empty() {
            return Err(ContractsError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(contracts)
    }

    /// # Errors
    /// When the venue already has the symbol.
    pub fn insert(&mut self, instrument: Instrument) -> Result<(), String> {
        let symbols = self.by_venue.entry(instrument.venue.clone()).or_default();
        if symbols.contains_key(&instrument.symbol) {
            return Err(format!(
                "{} lists {} twice",
                instrument.venue, instrument.symbol
            ));
        }
        symbols.insert(instrument.symbol.clone(), self.instruments.len());
        let segments = self.segments.entry(instrument.venue.clone()).or_default();
        segments.insert(instrument.segment.clone());
        self.instruments.push(instrument);
        Ok(())
    }

    #[must_use]
    pub fn find(&self, venue: &str, symbol: &str) -> Option<usize> {
        self.by_venue.get(venue)?.get(symbol).copied()
    }

    /// Every contract; the position in the slice is what [`Contracts::find`] answers.
    #[must_use]
    pub fn all(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The segments of a venue, in alphabetical order.
    #[must_use]
    pub fn segments(&self, venue: &str) -> Vec<&str> {
        let segments = self.segments.get(venue).into_iter().flatten();
        segments.map(String::as_str).collect()
    }

    /// Every segment of every venue, in alphabetical order.
    pub fn venues_and_segments(&self) -> impl Iterator<Item = (&str, &str)> {
        let venues = self.segments.iter();
        venues.flat_map(|(venue, segments)| segments.iter().map(|of| (venue.as_str(), of.as_str())))
    }

    /// The venues that have a segment, in alphabetical order.
    #[must_use]
    pub fn venues_with(&self, segment: &str) -> Vec<&str> {
        let with = |(_, segments): &(&String, &BTreeSet<String>)| segments.contains(segment);
        let venues = self.segments.iter().filter(with);
        venues.map(|(venue, _)| venue.as_str()).collect()
    }

    #[must_use]
    pub fn has_venue(&self, venue: &str) -> bool {
        self.by_venue.contains_key(venue)
    }
}

/// One row being read: knows where it stands, so that every refusal can say so.
struct Cells<'a> {
    path: &'a Path,
    line: u64,
    record: &'a csv::StringRecord,
}

impl Cells<'_> {
    fn instrument(&self) -> Result<Instrument, ContractsError> {
        let instrument = Instrument {
            venue: self.word("venue")?,
            segment: self.word("segment")?,
            symbol: self.word("symbol")?,
            lot_units: self.units("lot_size_units")?,
            tick: self.rupees("tick_size_rupees")?,
            freeze_units: self.units("freeze_quantity_units")?,
            band_low: self.rupees("price_band_low_rupees")?,
            band_high: self.rupees("price_band_high_rupees")?,
            reference: self.rupees("reference_price_rupees")?,
        };
        if instrument.freeze_units < instrument.lot_units {
            return Err(self.error(
                "freeze_quantity_units",
                "is smaller than one lot".to_owned(),
            ));
        }
        if instrument.band_high < instrument.band_low {
            return Err(self.error(
                "price_band_high_rupees",
                format!("is below the low end {}", instrument.band_low),
            ));
        }
        if instrument.reference < instrument.band_low || instrument.reference > instrument.band_high
        {
            let why = format!(
                "{} is outside the band {} to {}",
                instrument.reference, instrument.band_low, instrument.band_high
            );
            return Err(self.error("reference_price_rupees", why));
        }
        if instrument.band_low.ceil_to(instrument.tick)
            > instrument.band_high.floor_to(instrument.tick)
        {
            return Err(self.error(
                "tick_size_rupees",
                "leaves no price inside the band".to_owned(),
            ));
        }
        Ok(instrument)
    }

    fn cell(&self, column: &'static str) -> &str {
        let at = COLUMNS
            .iter()
            .position(|name| *name == column)
            .expect("only names from COLUMNS are asked for");
        self.record.get(at).unwrap_or_default()
    }

    fn word(&self, column: &'static str) -> Result<String, ContractsError> {
        match self.cell(column) {
            "" => Err(self.error(column, "is empty".to_owned())),
            word => Ok(word.to_owned()),
        }
    }

    fn units(&self, column: &'static str) -> Result<i64, ContractsError> {
        match self.cell(column).parse() {
            Ok(units) if units > 0 => Ok(units),
            _ => Err(self.error(
                column,
                format!("{:?} is not a whole number above zero", self.cell(column)),
            )),
        }
    }

    fn rupees(&self, column: &'static str) -> Result<Price, ContractsError> {
        let price = Price::parse(self.cell(column))
            .map_err(|error| self.error(column, error.to_string()))?;
        if price <= Price(0) {
            return Err(self.error(column, format!("{price} is not above zero")));
        }
        Ok(price)
    }

    fn error(&self, column: &'static str, why: String) -> ContractsError {
        ContractsError::Cell {
            path: self.path.to_owned(),
            line: self.line,
            column,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "2026-11-20,NSE,FO,NIFTY26NOVFUT,2026-11-24,FUTIDX,,,65,0.10,1800,23400.00,28600.00,26012.35,2026-11-19T15:30:00+05:30,sample,780.00";

    fn load(rows: &[&str]) -> Result<Contracts, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            format!("{}\n{}\n", COLUMNS.join(","), rows.join("\n")),
        )
        .unwrap();
        Contracts::load(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_line_is_an_instrument() {
        let contracts = load(&[GOOD, &GOOD.replace("NSE", "BSE")]).unwrap();
        let found = &contracts.all()[contracts.find("NSE", "NIFTY26NOVFUT").unwrap()];
        assert_eq!(
            (found.lot_units, found.tick, found.freeze_units),
            (65, Price(1_000), 1_800)
        );
        assert_eq!(found.reference, Price(260_123_500));
        assert_eq!(contracts.segments("BSE"), ["FO"]);
        assert_eq!(contracts.venues_with("FO"), ["BSE", "NSE"]);
        assert!(
            contracts.find("MCX", "NIFTY26NOVFUT").is_none()
                && contracts.find("NSE", "NIFTY").is_none()
        );
    }

    #[test]
    fn a_bad_cell_is_named_by_line_and_column() {
        for (from, to, says) in [
            (",65,", ",0,", "line 3, column lot_size_units: \"0\" is not"),
            (",65,", ",x,", "line 3, column lot_size_units: \"x\" is not"),
            (
                "0.10",
                "0.00001",
                "line 3, column tick_size_rupees: \"0.00001\" is not a rupee amount",
            ),
            (
                "0.10",
                "0",
                "line 3, column tick_size_rupees: 0 is not above zero",
            ),
            (
                ",1800,",
                ",10,",
                "line 3, column freeze_quantity_units: is smaller than one lot",
            ),
            (
                "28600.00",
                "20.00",
                "line 3, column price_band_high_rupees: is below",
            ),
            (
                "26012.35",
                "100",
                "line 3, column reference_price_rupees: 100 is outside the band",
            ),
            ("NSE", "", "line 3, column venue: is empty"),
            ("FO", "", "line 3, column segment: is empty"),
            (
                GOOD,
                GOOD,
                "line 3, column symbol: NSE lists NIFTY26NOVFUT twice",
            ),
        ] {
            let refusal = load(&[GOOD, &GOOD.replace(from, to)]).unwrap_err();
            assert!(refusal.contains(says), "{refusal}");
        }
        assert!(
            load(&["1,2,3"]).unwrap_err().contains("line: 2"),
            "a short row names its line"
        );
        assert!(load(&[]).unwrap_err().contains("has no contracts"));
    }

    #[test]
    fn a_missing_file_and_a_foreign_header_are_refused() {
        let missing = Contracts::load(Path::new("no-such-contracts.csv"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("no-such-contracts.csv"), "{missing}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a,b\n1,2\n").unwrap();
        assert!(
            Contracts::load(file.path())
                .unwrap_err()
                .to_string()
                .contains("found a,b")
        );
    }
}
