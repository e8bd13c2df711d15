//! Carries out what was compiled: scheduling, materializing, testing, keeping the books.

pub mod control;
pub mod event;
pub mod scheduler;
pub mod seed;
pub mod session;
