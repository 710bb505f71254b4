//! A page of a list as it was asked for: JSON, or its rows alone as CSV.

use super::log_in::not_stored;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::convert::Infallible;

/// Of CSV, where no field of a page's own can stand: which part of the log it shows.
const POSITION: &str = "x-log-position";

/// What the caller wants a list as.
pub struct Wanted {
    csv: bool,
    uri: Uri,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Wanted {
            csv: accepts_csv(&parts.headers),
            uri: parts.uri.clone(),
        })
    }
}

/// Who names JSON beside it can read that.
pub fn accepts_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
    let names = |kind: &str| accept.iter().any(|value| value.contains(kind));
    names("text/csv") && !names("application/json")
}

impl Wanted {
    /// The page; as CSV its rows, with the next page in `Link` and the position in `x-log-position`.
    ///
    /// # Errors
    /// `internal-error`.
    pub fn page<R: Serialize, P: Serialize>(
        &self,
        rows: Vec<R>,
        cursor: &'static str,
        next: Option<String>,
        position: String,
        page: impl FnOnce(Vec<R>, Option<String>, String) -> P,
    ) -> Result<Response, Problem> {
        self.page_of(rows, written::<R>, (cursor, next, position), page)
    }

    /// The same of rows that hold something in themselves: each is a `line` in CSV.
    ///
    /// # Errors
    /// `internal-error`.
    pub fn page_in_lines<R, L: Serialize, P: Serialize>(
        &self,
        rows: Vec<R>,
        line: impl Fn(&R) -> L,
        at: (&'static str, Option<String>, String),
        page: impl FnOnce(Vec<R>, Option<String>, String) -> P,
    ) -> Result<Response, Problem> {
        let lines = |rows: &[R]| written(&Vec::from_iter(rows.iter().map(&line)));
        self.page_of(rows, lines, at, page)
    }

    /// A list that is no page but all there is, and is kept by no cache.
    ///
    /// # Errors
    /// `internal-error`.
    pub fn all<R: Serialize, A: Serialize>(
        &self,
        rows: Vec<R>,
        all: impl FnOnce(Vec<R>) -> A,
    ) -> Result<Response, Problem> {
        if self.csv {
            let mut response = of_lines(written(&rows)?);
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Ok(response);
        }
        Ok(not_stored(&all(rows)))
    }

    fn page_of<R, P: Serialize>(
        &self,
        rows: Vec<R>,
        written: impl FnOnce(&[R]) -> Result<Vec<u8>, Problem>,
        (cursor, next, position): (&'static str, Option<String>, String),
        page: impl FnOnce(Vec<R>, Option<String>, String) -> P,
    ) -> Result<Response, Problem> {
        if !self.csv {
            return Ok(axum::Json(page(rows, next, position)).into_response());
        }
        let mut response = of_lines(written(&rows)?);
        let headers = response.headers_mut();
        let position = HeaderValue::from_str(&position).map_err(Problem::bug)?;
        headers.insert(POSITION, position);
        if let Some(next) = next {
            let link = format!("<{}>; rel=\"next\"", self.behind(cursor, &next));
            let link = HeaderValue::from_str(&link).map_err(Problem::bug)?;
            headers.insert(header::LINK, link);
        }
        Ok(response)
    }

    /// The same list behind this one's end.
    fn behind(&self, cursor: &str, next: &str) -> String {
        let query = self.uri.query().unwrap_or_default();
        let of_cursor = |part: &&str| part.split('=').next() == Some(cursor);
        let kept = query
            .split('&')
            .filter(|part| !part.is_empty() && !of_cursor(part));
        // `M&M` is a symbol.
        let next = format!("{cursor}={}", next.replace('&', "%26"));
        let query: Vec<_> = kept.chain([next.as_str()]).collect();
        format!("{}?{}", self.uri.path(), query.join("&"))
    }
}

fn of_lines(lines: Vec<u8>) -> Response {
    let mut response = lines.into_response();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A heading of the fields' names, then a line for each row; nothing of no rows.
fn written<R: Serialize>(rows: &[R]) -> Result<Vec<u8>, Problem> {
    let mut plainly = csv::Writer::from_writer(Vec::new());
    for row in rows {
        plainly.serialize(row).map_err(Problem::bug)?;
    }
    let plainly = plainly.into_inner().map_err(Problem::bug)?;
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&plainly[..]);
    let mut safe = csv::Writer::from_writer(Vec::new());
    for line in lines.records() {
        let line = line.map_err(Problem::bug)?;
        safe.write_record(line.iter().map(plain))
            .map_err(Problem::bug)?;
    }
    safe.into_inner().map_err(Problem::bug)
}

/// A spreadsheet takes a field that begins like this for a formula, and people write reasons: an apostrophe makes it text. A number
/// below zero is none.
pub fn plain(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula && field.parse::<f64>().is_err() {
        format!("'{field}")
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_reckon_is_text() {
        for (field, kept) in [
            ("primary down", "primary down"),
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+x", "'+x"),
            ("-1+cmd", "'-1+cmd"),
            ("-1", "-1"),
            ("-1402.50", "-1402.50"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(plain(field), kept);
        }
    }

    #[test]
    fn the_next_page_is_the_same_list_behind_its_cursor() {
        for (asked, behind) in [
            ("/v1/orders", "/v1/orders?before=7"),
            (
                "/v1/orders?before=9&venue=NSE",
                "/v1/orders?venue=NSE&before=7",
            ),
            ("/v1/orders?limit=5", "/v1/orders?limit=5&before=7"),
        ] {
            let wanted = Wanted {
                csv: true,
                uri: asked.parse().unwrap(),
            };
            assert_eq!(wanted.behind("before", "7"), behind);
        }
    }
}
