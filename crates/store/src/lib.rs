//! The event log: port, adapters, codec, transact, subscriptions.
