//! The exchange side: order events to FIX messages, reports back to events.
