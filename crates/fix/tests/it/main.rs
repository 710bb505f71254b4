//! The engine from outside: two sessions over a bad link, and two processes' worth of driver over TCP.

mod driver;
mod lossy;
mod support;
