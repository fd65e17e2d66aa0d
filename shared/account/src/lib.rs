//! WireMin.
#![no_std]
