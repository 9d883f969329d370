//! The node of an agent in ZooKeeper: its data are properties, and it is watched (Flume's
//! `PollingZooKeeperConfigurationProvider`).
//!
//! The client wants a runtime. It has one in a thread of its own, which is there only while this provider is;
//! the last data and why there are none are all that others see of it.

use super::Provider;
use crate::agent::config::Text;
use crate::say;
use crate::stop::Stop;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use zookeeper_client::{Client, Error};

/// How long the ensemble may take to answer at the start.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// How long a session lives without a member that knows it.
const SESSION: Duration = Duration::from_secs(10);
/// The pause before a session is made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub struct ZooKeeper {
    cluster: String,
    path: String,
    shared: Arc<Shared>,
    /// The thread ends when this goes.
    thread: Option<oneshot::Sender<()>>,
    /// The version of the data that were given out.
    given: u64,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What is known of the node.
#[derive(Default)]
struct Seen {
    data: Option<Vec<u8>>,
    /// Counts different data.
    version: u64,
    /// Why there are none, or no newer ones.
    trouble: Option<String>,
    /// It was answered that the node is not there: waiting does not help a start.
    is_missing: bool,
}

impl ZooKeeper {
    /// The node `BASE/AGENT` of the ensemble at `HOST:PORT,HOST:PORT...`, with a path behind it if all paths begin there.
    ///
    /// Errors: a sentence about a path that cannot be.
    pub fn new(cluster: &str, base: &str, agent: &str) -> Result<ZooKeeper, String> {
        let base = base.trim_end_matches('/');
        if !(base.is_empty() || base.starts_with('/')) || agent.contains('/') {
            return Err(format!(
                "{base}/{agent} is no path of a node: --zkBasePath begins with a slash, and the agent's name has none"
            ));
        }
        Ok(ZooKeeper {
            cluster: cluster.to_string(),
            path: format!("{base}/{agent}"),
            shared: Arc::default(),
            thread: None,
            given: 0,
        })
    }

    fn start(&mut self) -> Result<(), String> {
        if self.thread.is_some() {
            return Ok(());
        }
        let failed = |error: std::io::Error| format!("ZooKeeper cannot be asked: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed)?;
        let (own, end) = oneshot::channel();
        let follow = follow(self.cluster.clone(), self.path.clone(), self.shared.clone());
        let run = move || {
            runtime.block_on(async {
                tokio::spawn(follow);
                // Whichever way: nobody wants to know any more.
                let _ = end.await;
            });
        };
        std::thread::Builder::new()
            .name("flume-zookeeper".into())
            .spawn(run)
            .map_err(failed)?;
        self.thread = Some(own);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn set(&self, data: Vec<u8>) {
        let mut seen = self.lock();
        if seen.trouble.take().is_some() && seen.version > 0 {
            say::info("agent", "ZooKeeper answers again");
        }
        seen.is_missing = false;
        if seen.data.as_ref() != Some(&data) {
            seen.data = Some(data);
            seen.version += 1;
        }
        drop(seen);
        self.changed.notify_all();
    }

    /// Told once, until it is something else.
    fn trouble(&self, why: String, is_missing: bool) {
        let mut seen = self.lock();
        seen.is_missing = is_missing;
        if seen.trouble.as_ref() != Some(&why) {
            if seen.version > 0 {
                say::warn("agent", format!("{why}; what runs goes on"));
            }
            seen.trouble = Some(why);
        }
        drop(seen);
        self.changed.notify_all();
    }
}

/// For ever: session after session.
async fn follow(cluster: String, path: String, shared: Arc<Shared>) {
    loop {
        let why = match session(&cluster, &path, &shared).await {
            Ok(never) => match never {},
            Err(Error::NoHosts | Error::Timeout) => "no member answers".to_string(),
            Err(error) => error.to_string(),
        };
        shared.trouble(format!("ZooKeeper at {cluster}: {why}"), false);
        tokio::time::sleep(PAUSE).await;
    }
}

/// As long as it lasts. The client finds another member by itself when one goes.
async fn session(cluster: &str, path: &str, shared: &Shared) -> Result<std::convert::Infallible, Error> {
    let connecting = Client::connector().with_session_timeout(SESSION).connect(cluster);
    let client = tokio::time::timeout(SESSION, connecting)
        .await
        .map_err(|_| Error::Timeout)??;
    loop {
        match client.get_and_watch_data(path).await {
            Ok((data, _, watcher)) => {
                shared.set(data);
                watcher.changed().await;
            }
            Err(Error::NoNode) => {
                let (stat, watcher) = client.check_and_watch_stat(path).await?;
                if stat.is_none() {
                    shared.trouble(format!("ZooKeeper at {cluster} has no node {path}"), true);
                    watcher.changed().await;
                }
            }
            Err(error) => return Err(error),
        }
    }
}

impl Provider for ZooKeeper {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        self.start()?;
        let deadline = Instant::now() + FIRST_ANSWER;
        let mut seen = self.shared.lock();
        while seen.data.is_none() && !seen.is_missing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        let name = self.path.clone();
        let Some(bytes) = seen.data.clone() else {
            let why = seen.trouble.clone();
            return Err(why.unwrap_or_else(|| format!("ZooKeeper at {} does not answer", self.cluster)));
        };
        self.given = seen.version;
        Ok(vec![Text {
            name: format!("zookeeper:{name}").into(),
            bytes,
        }])
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        let shared = Arc::downgrade(&self.shared);
        stop.on_stop(move || {
            if let Some(shared) = shared.upgrade() {
                // Under the lock: whoever has looked at the stop already waits by now.
                let _seen = shared.lock();
                shared.changed.notify_all();
            }
        });
        let mut seen = self.shared.lock();
        loop {
            if stop.is_stopping() {
                return false;
            }
            if seen.version != self.given {
                return true;
            }
            let waited = self.shared.changed.wait(seen);
            seen = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// As in Flume.
    fn keeps_variables(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("{} in ZooKeeper at {}", self.path, self.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_below_the_base() {
        let path = |base, agent| ZooKeeper::new("h:1", base, agent).map(|own| own.path);
        assert_eq!(path("/flume", "a1").unwrap(), "/flume/a1");
        assert_eq!(path("/flume/", "a1").unwrap(), "/flume/a1");
        assert_eq!(path("/", "a1").unwrap(), "/a1");
        assert!(path("flume", "a1").unwrap_err().contains("slash"));
        assert!(path("/flume", "a/1").is_err());
    }

    #[test]
    fn wait_ends_with_the_stop_when_no_member_is_there() {
        say::be_quiet();
        // Port 1 of loopback: nobody listens.
        let mut own = ZooKeeper::new("127.0.0.1:1", "/flume", "a1").unwrap();
        own.start().unwrap();
        let stop = Stop::new(Duration::ZERO).unwrap();
        let stopper = stop.clone();
        let thread = std::thread::spawn(move || stopper.stop());
        assert!(!own.wait_changed(&stop));
        thread.join().unwrap();
    }
}
