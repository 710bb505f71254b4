//! The operator's shell: configuration, the roles as processes, and the commands around them. Wires, never decides.

pub mod book;
pub mod config;
pub mod demo;
pub mod folder;
pub mod health;
pub mod platform;
pub mod rebuild;
pub mod replay;
pub mod roles;
pub mod shutdown;
pub mod stack;
pub mod supervisor;
pub mod up;
