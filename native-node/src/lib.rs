//! WireMin.

pub mod pow;
pub mod rtc;
