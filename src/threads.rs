//! Threads of connections, of which there may be thousands: only as many as the system has room for.
//!
//! A process may have so many memory maps (`vm.max_map_count`, 65,530 where nobody has changed it), and each thread
//! takes four of them. The thread that gets no more of them cannot even say so: the whole process ends. So threads that
//! somebody else can cause are started here, and are counted.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

/// Maps of a thread: its stack and that of its signal handlers, and behind each a page that nobody may touch.
const MAPS: u64 = 4;
/// What the system gives where it does not say it.
const USUAL: u64 = 65_530;

static OURS: LazyLock<Room> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let maps = text.ok().and_then(|text| text.trim().parse().ok());
    // An eighth is for everything else.
    Room::of(maps.unwrap_or(USUAL) / MAPS / 8 * 7)
});

/// Start a thread, if there is room for one.
///
/// Errors: that there is none, and what the system says.
pub fn start<T: Send + 'static>(
    name: &str,
    stack: usize,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    OURS.start(name, stack, run)
}

/// How many threads there may be, and are.
struct Room {
    most: u64,
    taken: AtomicU64,
}

/// A place in it, as long as a thread runs.
struct Place(&'static Room);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    fn of(most: u64) -> Room {
        Room {
            most,
            taken: AtomicU64::new(0),
        }
    }

    fn start<T: Send + 'static>(
        &'static self,
        name: &str,
        stack: usize,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if taken >= self.most {
            return Err(io::Error::other(format!(
                "{} threads of connections are all that the system has room for (sysctl vm.max_map_count)",
                self.most
            )));
        }
        Builder::new().name(name.into()).stack_size(stack).spawn(move || {
            let outcome = run();
            drop(place);
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn thread_beyond_the_room_is_refused_until_another_has_ended() {
        let room: &'static Room = Box::leak(Box::new(Room::of(2)));
        let (ends, wait) = channel::<()>();
        let first = room.start("first", 64 << 10, move || wait.recv()).unwrap();
        let second = room.start("second", 64 << 10, || 2).unwrap();
        assert_eq!(second.join().unwrap(), 2);
        let (end, wait) = channel::<()>();
        let third = room.start("third", 64 << 10, move || wait.recv()).unwrap();
        let error = room.start("fourth", 64 << 10, || ()).unwrap_err();
        assert!(error.to_string().contains("2 threads of connections"), "{error}");
        drop(ends);
        first.join().unwrap().unwrap_err();
        room.start("fifth", 64 << 10, || ()).unwrap().join().unwrap();
        drop(end);
        third.join().unwrap().unwrap_err();
        // A place is given back also by a thread that panics.
        let panics = room.start("sixth", 64 << 10, || std::panic::resume_unwind(Box::new(())));
        panics.unwrap().join().unwrap_err();
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
