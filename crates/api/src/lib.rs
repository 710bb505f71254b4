//! People: HTTP, problem details, development log-in.
