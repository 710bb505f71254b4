//! Square-off rules: pure functions from requests and reports to events.
