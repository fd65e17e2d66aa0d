//! WireMin.
