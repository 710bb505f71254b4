//! The operator's shell: configuration, the roles as processes, and the commands around them. Wires, never decides.

pub mod audit;
pub mod book;
pub mod client;
pub mod config;
pub mod database;
pub mod demo;
pub mod fix;
pub mod folder;
pub mod health;
pub mod operator;
pub mod platform;
pub mod rebuild;
pub mod reconcile;
pub mod replay;
pub mod roles;
pub mod sentence;
pub mod serve;
pub mod shutdown;
pub mod stack;
pub mod store;
pub mod supervisor;
pub mod up;
