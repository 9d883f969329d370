//! How long a client may say nothing, and how slowly it may say something.

use crate::tls::HANDSHAKE;
use crate::value::Seconds;
use std::time::{Duration, Instant};

/// Bytes a second that a message has to come with, after the first time that a client may be silent: who sends a byte
/// now and then must not keep its place for ever.
pub const SLOWEST: u64 = 1024;
/// How long a message of a program may stop in its middle where nobody has set a limit.
const STALL: Duration = Duration::from_secs(60);

/// Settings of connections whose clients may be silent for ever, if nobody says otherwise.
#[derive(clap::Args, Debug, Clone, Copy)]
pub struct Idle {
    /// How long a client may send nothing until its connection is closed; what it has begun has to come with 1 KiB a
    /// second from then on. 0 sets no limit.
    #[arg(long, id = "idle-timeout", default_value = "0", value_name = "TIME")]
    pub idle_timeout: Seconds,
}

impl Idle {
    fn limit(self) -> Option<Duration> {
        Some(self.idle_timeout.0).filter(|limit| !limit.is_zero())
    }

    /// How long a client may take for its TLS handshake.
    pub fn handshake(self) -> Duration {
        self.limit().map_or(HANDSHAKE, |limit| limit.min(HANDSHAKE))
    }

    /// With a client that begins now, and may be a human: only the setting limits it.
    pub fn patience(self) -> Patience {
        Patience {
            silence: self.limit(),
            stall: self.limit(),
            since: Instant::now(),
            begun: None,
        }
    }

    /// With a program, whose messages do not stop in the middle: what it has begun is limited in any case.
    pub fn patience_with_program(self) -> Patience {
        Patience {
            stall: Some(self.limit().unwrap_or(STALL)),
            ..self.patience()
        }
    }
}

/// When a client must have said something. It is whole messages that count, and not bytes.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long it may say nothing, and how long what it has begun may stop.
    silence: Option<Duration>,
    stall: Option<Duration>,
    /// It was silent since then, or something of a message was here then.
    since: Instant,
    begun: Option<Instant>,
}

impl Patience {
    /// It has said something whole, or was told something.
    pub fn renew(&mut self) {
        self.since = Instant::now();
        self.begun = None;
    }

    /// Something was done for it at that time: false if that is nothing new.
    pub fn saw(&mut self, at: Option<Instant>) -> bool {
        let newer = at.filter(|at| *at > self.since);
        self.since = newer.unwrap_or(self.since);
        newer.is_some()
    }

    /// When it must have said something, if so many bytes of a message are here.
    pub fn deadline(&mut self, bytes: usize) -> Option<Instant> {
        if bytes == 0 {
            self.begun = None;
            return self.silence.and_then(|limit| self.since.checked_add(limit));
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let limit = self.stall? + Duration::from_secs(bytes as u64 / SLOWEST);
        begun.checked_add(limit)
    }

    /// It was silent, or too slow, for too long.
    pub fn is_over(&mut self, bytes: usize) -> bool {
        self.deadline(bytes)
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Why its connection is closed, if so many bytes of a message are here.
    pub fn reason(&self, bytes: usize) -> String {
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default().as_secs_f64();
        let setting = match self.silence {
            Some(_) => " (--idle-timeout)",
            None => "",
        };
        match bytes {
            0 => format!(
                "nothing came for {} s{setting}",
                seconds(self.silence.or(self.stall))
            ),
            _ => format!(
                "what it has begun did not come to its end in {} s{setting}: {bytes} bytes are here",
                seconds(self.stall)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(seconds: u64) -> Idle {
        Idle {
            idle_timeout: Seconds(Duration::from_secs(seconds)),
        }
    }

    /// Seconds from now, rounded.
    fn left(deadline: Option<Instant>) -> Option<u64> {
        let left = deadline?.saturating_duration_since(Instant::now());
        Some(left.as_secs_f64().round() as u64)
    }

    #[test]
    fn without_a_setting_only_what_a_program_has_begun_is_limited() {
        let (mut human, mut program) = (idle(0).patience(), idle(0).patience_with_program());
        assert_eq!(
            [human.deadline(0), human.deadline(9), program.deadline(0)],
            [None; 3]
        );
        assert_eq!(left(program.deadline(9)), Some(60));
        assert_eq!(idle(0).handshake(), HANDSHAKE);
    }

    #[test]
    fn bytes_that_come_renew_nothing_but_pay_for_their_time() {
        let mut patience = idle(10).patience();
        assert_eq!(left(patience.deadline(0)), Some(10));
        let first = patience.deadline(1);
        assert_eq!(patience.deadline(1000), first);
        assert_eq!(left(patience.deadline(5 << 10)), Some(15));
        assert!(!patience.is_over(1));
        assert_eq!(idle(10).handshake(), Duration::from_secs(10));
        assert_eq!(idle(100).handshake(), HANDSHAKE);
    }

    #[test]
    fn time_of_a_message_begins_with_it_and_ends_with_it() {
        let mut patience = idle(1).patience_with_program();
        patience.since -= Duration::from_secs(5);
        assert!(patience.is_over(0));
        assert!(!patience.is_over(7));
        patience.begun = patience.begun.map(|begun| begun - Duration::from_secs(5));
        assert!(patience.is_over(7));
        patience.renew();
        assert!(!patience.is_over(7));
    }
}
