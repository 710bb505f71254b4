//! Whole-system tests: the shape of the house, the command line, and runs of the real processes with parts killed.

mod architecture;
mod commands;
mod killed;
