//! Carries out what was compiled: scheduling, materializing, testing, keeping the books.

pub mod event;
