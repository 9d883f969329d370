//! Counters: what every component counts from its start, under Flume's names.
//!
//! Plain atomics, bumped once a batch. A stage's summary is made from the same numbers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a component is; decides which counters it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `SOURCE.name`
    Source,
    /// `INTERCEPTOR.name`, which Flume does not count.
    Interceptor,
    /// `CHANNEL.name`
    Channel,
    /// `SINK.name`
    Sink,
}

impl Kind {
    /// As Flume writes it.
    pub fn flume(self) -> &'static str {
        match self {
            Kind::Source => "SOURCE",
            Kind::Interceptor => "INTERCEPTOR",
            Kind::Channel => "CHANNEL",
            Kind::Sink => "SINK",
        }
    }
}

impl Count {
    /// It says how much there is, and may fall.
    pub fn is_gauge(self) -> bool {
        matches!(
            self,
            Count::OpenConnection | Count::ChannelSize | Count::ChannelCapacity
        )
    }
}

macro_rules! counts {
    ($($variant:ident = $name:literal: $($kind:ident)*;)*) => {
        /// One counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Count { $($variant),* }

        const NAMES: &[(Count, &str, &[Kind])] = &[$((Count::$variant, $name, &[$(Kind::$kind),*])),*];
    };
}

counts! {
    EventReceived = "EventReceivedCount": Source Interceptor;
    EventAccepted = "EventAcceptedCount": Source Interceptor;
    AppendReceived = "AppendReceivedCount": Source;
    AppendAccepted = "AppendAcceptedCount": Source;
    AppendBatchReceived = "AppendBatchReceivedCount": Source;
    AppendBatchAccepted = "AppendBatchAcceptedCount": Source;
    OpenConnection = "OpenConnectionCount": Source;
    EventReadFail = "EventReadFail": Source;
    ChannelWriteFail = "ChannelWriteFail": Source;
    GenericProcessingFail = "GenericProcessingFail": Source;
    ConnectionCreated = "ConnectionCreatedCount": Sink;
    ConnectionClosed = "ConnectionClosedCount": Sink;
    ConnectionFailed = "ConnectionFailedCount": Sink;
    BatchEmpty = "BatchEmptyCount": Sink;
    BatchUnderflow = "BatchUnderflowCount": Sink;
    BatchComplete = "BatchCompleteCount": Sink;
    EventDrainAttempt = "EventDrainAttemptCount": Sink;
    EventDrainSuccess = "EventDrainSuccessCount": Sink;
    EventWriteFail = "EventWriteFail": Sink;
    ChannelReadFail = "ChannelReadFail": Sink;
    ChannelSize = "ChannelSize": Channel;
    ChannelCapacity = "ChannelCapacity": Channel;
    EventPutAttempt = "EventPutAttemptCount": Channel;
    EventPutSuccess = "EventPutSuccessCount": Channel;
    EventTakeAttempt = "EventTakeAttemptCount": Channel;
    EventTakeSuccess = "EventTakeSuccessCount": Channel;
    EventPutError = "EventPutErrorCount": Channel;
    EventTakeError = "EventTakeErrorCount": Channel;
    Expired = "EventExpiredCount": Channel;
    Sent = "EventSentCount": ;
    Refused = "EventRefusedCount": ;
    Rejected = "EventRejectedCount": ;
    Filtered = "EventFilteredCount": ;
    Bytes = "ByteCount": ;
    SentBytes = "ByteSentCount": ;
    Batches = "BatchCount": ;
}

/// On a cache line of its own: the thread that sends and the one that settles count at the same time.
#[repr(align(64))]
struct Counter(AtomicI64);

/// The counters of one component.
pub struct Counters {
    kind: Kind,
    name: String,
    start_time_ms: u64,
    started: Instant,
    stop_time_ms: AtomicU64,
    values: [Counter; NAMES.len()],
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_millis() as u64
}

impl Counters {
    /// All zero, from now on.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Counters {
            kind,
            name: name.into(),
            start_time_ms: unix_ms(),
            started: Instant::now(),
            stop_time_ms: AtomicU64::new(0),
            values: [const { Counter(AtomicI64::new(0)) }; NAMES.len()],
        }
    }

    /// The component that counts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Add to a counter.
    pub fn add(&self, count: Count, more: u64) {
        self.values[count as usize]
            .0
            .fetch_add(more as i64, Ordering::Relaxed);
    }

    /// Set a gauge.
    pub fn set(&self, count: Count, value: u64) {
        self.values[count as usize]
            .0
            .store(value as i64, Ordering::Relaxed);
    }

    /// Take one from a gauge.
    pub fn lower(&self, count: Count) {
        self.values[count as usize].0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Read a counter.
    pub fn get(&self, count: Count) -> u64 {
        self.values[count as usize].0.load(Ordering::Relaxed).max(0) as u64
    }

    /// The component has stopped.
    pub fn stopped(&self) {
        self.stop_time_ms.store(unix_ms(), Ordering::Relaxed);
    }

    /// When it started, in milliseconds since 1970, and when it stopped, 0 while it runs.
    pub fn times_ms(&self) -> [u64; 2] {
        [self.start_time_ms, self.stop_time_ms.load(Ordering::Relaxed)]
    }

    /// The counters that a component of its kind has, by Flume's names.
    pub fn values(&self) -> impl Iterator<Item = (Count, &'static str, u64)> {
        let own = NAMES.iter().filter(|(_, _, kinds)| kinds.contains(&self.kind));
        own.map(|(count, name, _)| (*count, *name, self.get(*count)))
    }

    /// The group's name as Flume has it, and its counters by Flume's names, in text as Flume gives them.
    pub fn flume(&self) -> (String, Vec<(&'static str, String)>) {
        let kind = self.kind.flume();
        let mut all: Vec<_> = self
            .values()
            .map(|(_, name, value)| (name, value.to_string()))
            .collect();
        if self.kind == Kind::Channel {
            let (size, capacity) = (self.get(Count::ChannelSize), self.get(Count::ChannelCapacity));
            let fill = match capacity {
                0 => f64::MAX,
                _ => size as f64 / capacity as f64 * 100.0,
            };
            all.push(("ChannelFillPercentage", fill.to_string()));
        }
        let [start, stop] = self.times_ms();
        all.push(("StartTime", start.to_string()));
        all.push(("StopTime", stop.to_string()));
        all.push(("Type", kind.into()));
        (format!("{kind}.{}", self.name), all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_flumes_names_and_are_text() {
        let counters = Counters::new(Kind::Channel, "c1");
        counters.set(Count::ChannelCapacity, 200);
        counters.set(Count::ChannelSize, 50);
        let (group, all) = counters.flume();
        assert_eq!(group, "CHANNEL.c1");
        assert!(all.contains(&("ChannelFillPercentage", "25".into())));
        assert!(all.contains(&("Type", "CHANNEL".into())));
        assert!(!all.iter().any(|(name, _)| *name == "EventReceivedCount"));
    }
}
