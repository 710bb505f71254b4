//! The replay of a small day, word for word; and its questions, over a real log.

mod asking;
mod moments;
mod printing;
mod story;
