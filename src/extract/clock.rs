//! Time as extraction needs it: how long ago, and waiting. Given from outside, so that tests wait for nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Measures and passes time.
pub trait Clock: Sync {
    /// Time since some moment that stays the same.
    fn elapsed(&self) -> Duration;

    /// Waits, or returns early once `cancel` is set.
    fn sleep(&self, time: Duration, cancel: &AtomicBool);

    /// A number from 0 to 1 by which waits are spread, so that many clients do not come back at one moment.
    fn jitter(&self) -> f64;
}

/// The clock of the machine; it only ever goes forward.
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a cancelled run may still sleep.
const SLICE: Duration = Duration::from_millis(50);

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration, cancel: &AtomicBool) {
        let end = self.elapsed() + time;
        while !cancel.load(Ordering::Relaxed) {
            let left = end.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    fn jitter(&self) -> f64 {
        use std::hash::{BuildHasher as _, RandomState};
        // Each `RandomState` has keys of its own.
        let bits = RandomState::new().hash_one(0_u8);
        f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
    }
}
