//! A simulated exchange: FIX acceptor, price-time book, ledger.
