//! FIX 4.4: bytes, messages, session, journal.
