//! WireMin.

pub mod pow;
