//! The store: events that wait for the broker.
