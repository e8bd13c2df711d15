//! How long the client waits for what: given from outside, so that tests wait for nothing.

use std::time::Duration;
use uuid::Uuid;

/// Waits and limits of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often a request is sent again after the network or the server failed.
    pub retries: u32,
    /// The shortest wait before a request is sent again.
    pub retry_first: Duration,
    /// The longest wait before a request is sent again.
    pub retry_longest: Duration,
    /// The wait between two questions after a running statement, if the server answers them at once; it doubles.
    pub poll_first: Duration,
    /// The longest wait between two such questions.
    pub poll_longest: Duration,
    /// How long closing a session may take.
    pub close_limit: Duration,
    /// How long a cancelled statement may take to end.
    pub cancel_limit: Duration,
    /// The unit of the wait before another attempt at logging in; the wait is the attempt's square of it.
    pub connect_wait: Duration,
    /// The time between two signs of life of an idle session; none: what the server's tokens ask for.
    pub heartbeat: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            retries: 7,
            retry_first: Duration::from_millis(250),
            retry_longest: Duration::from_secs(16),
            poll_first: Duration::from_millis(500),
            poll_longest: Duration::from_secs(5),
            close_limit: Duration::from_secs(5),
            cancel_limit: Duration::from_secs(10),
            connect_wait: Duration::from_secs(1),
            heartbeat: None,
        }
    }
}

impl Pace {
    /// The wait after a wait: random between the shortest and three times the last, but not above the longest. Many
    /// clients that failed at one moment do not come back at one moment.
    pub(super) fn next_wait(&self, last: Duration) -> Duration {
        let upper = (last * 3).max(self.retry_first);
        let span = upper.saturating_sub(self.retry_first);
        (self.retry_first + span.mul_f64(random())).min(self.retry_longest)
    }
}

/// A number from 0 to 1.
fn random() -> f64 {
    let (bits, _) = Uuid::new_v4().as_u64_pair();
    // The highest bits of a random UUID are random; the low ones of this half hold its version.
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_limits() {
        let pace = Pace::default();
        let mut wait = Duration::ZERO;
        for _ in 0..100 {
            let next = pace.next_wait(wait);
            assert!(next >= pace.retry_first && next <= pace.retry_longest && next <= (wait * 3).max(pace.retry_first));
            wait = next;
        }
    }
}
