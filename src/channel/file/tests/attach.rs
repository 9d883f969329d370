//! What is found when a process attaches: tables of another mount, leftovers of the dead; and a directory that
//! is removed under those who use it.

use super::super::index::Maker;
use super::*;
use std::collections::HashSet;
use std::os::unix::fs::FileExt;

/// Where these words stand in the control file, and in an index.
const NUMBERS: u64 = 16;
const DURABLE: u64 = 24;
const STAMP: u64 = 48;
const COMMITTED: u64 = 64;

fn table_of(bench: &Bench) -> PathBuf {
    let place = Place::find(&bench.directory).unwrap();
    table::directory(&place).unwrap()
}

fn control_of(bench: &Bench) -> PathBuf {
    table_of(bench).join("control")
}

fn set_word(path: &Path, at: u64, value: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&value.to_le_bytes(), at).unwrap();
}

fn indexes(bench: &Bench) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(table_of(bench)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "idx"));
    paths.sort();
    paths
}

/// The stamp of the table that was there is replaced by one that no mount has.
fn remount(bench: &Bench) {
    set_word(&control_of(bench), STAMP, 77);
}

/// The table is still the one that was there at the remount.
fn has_old_table(bench: &Bench) -> bool {
    let file = std::fs::File::open(control_of(bench)).unwrap();
    let mut word = [0; 8];
    file.read_exact_at(&mut word, STAMP).unwrap();
    u64::from_le_bytes(word) == 77
}

#[test]
fn table_of_another_mount_is_not_believed() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a", "b", "c"]);
    let taken = take(&channel);
    let mut seen = HashSet::from([taken.batch.origin]);
    taken.accept();
    drop(channel);
    // As an earlier state of the disk would have it: two frames are missing, numbers are used again.
    remount(&bench);
    set_word(&control_of(&bench), NUMBERS, 1);
    set_word(&indexes(&bench)[0], COMMITTED, 1);
    let channel = bench.open();
    assert!(!has_old_table(&bench));
    put(&channel, &["d"]);
    for name in ["b", "c", "d"] {
        let delivery = take(&channel);
        assert_eq!(name_of(&delivery.batch), name);
        assert!(seen.insert(delivery.batch.origin));
        delivery.accept();
    }
    assert!(try_take(&channel).is_none());
    let left = std::fs::read_dir(bench.directory.join("checkpoint")).unwrap();
    let is_gone = |name: &str| name.starts_with("table-gone");
    assert!(
        !left
            .flatten()
            .any(|entry| is_gone(&entry.file_name().to_string_lossy()))
    );
    assert!(lock(&bench.reports).is_empty(), "{:?}", lock(&bench.reports));
}

#[test]
fn table_that_is_not_whole_is_made_anew() {
    for length in [0, 5000] {
        let bench = Bench::new();
        let channel = bench.open();
        put(&channel, &["a"]);
        drop(channel);
        let control = std::fs::File::options()
            .write(true)
            .open(control_of(&bench))
            .unwrap();
        control.set_len(length).unwrap();
        let channel = bench.open();
        assert_eq!(drain(&channel), ["a"], "{length}");
        put(&channel, &["b"]);
        assert_eq!(drain(&channel), ["b"], "{length}");
    }
}

#[test]
fn table_that_somebody_uses_is_shared_also_through_another_mount() {
    let bench = Bench::new();
    let channel = bench.open();
    remount(&bench);
    let second = bench.open();
    put(&second, &["a"]);
    assert_eq!(drain(&channel), ["a"]);
    drop(channel);
    let third = bench.open();
    put(&second, &["b"]);
    assert_eq!(drain(&third), ["b"]);
    assert!(has_old_table(&bench));
}

#[test]
fn all_that_attach_at_once_after_a_remount_agree_on_one_table() {
    for _ in 0..10 {
        let bench = Bench::new();
        let channel = bench.open();
        put(&channel, &["first"]);
        drop(channel);
        remount(&bench);
        let all_there = std::sync::Barrier::new(8);
        let come = || {
            all_there.wait();
            bench.open()
        };
        let channels: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(come)).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        for (n, channel) in channels.iter().enumerate() {
            put(channel, &[&n.to_string()]);
        }
        assert!(channels.iter().all(|channel| channel.fill().events == 9));
        drop(channels);
        let mut names = drain(&bench.open());
        names.sort();
        assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6", "7", "first"]);
    }
}

#[test]
fn process_that_stops_while_it_opens_a_channel_is_told_of() {
    let bench = Bench::new();
    drop(bench.open());
    let door = std::fs::File::options()
        .read(true)
        .write(true)
        .open(control_of(&bench));
    let door = door.unwrap();
    assert!(shm::try_lock(&door, table::SLOTS as i64 + 1, 1).unwrap());
    let open = || {
        let lease = Duration::from_millis(30);
        FileChannel::open_on(bench.config(), Role::Both, Arc::new(RealDisk), lease)
    };
    let error = open().err().unwrap();
    assert!(matches!(error, ChannelError::Failed(_)), "{error:?}");
    assert!(error.to_string().contains("does not go on"), "{error}");
    drop(door);
    put(&open().unwrap(), &["a"]);
}

#[test]
fn index_whose_frames_are_no_chain_is_made_anew() {
    for (at, value) in [(COMMITTED, 9000), (4096 + 2048 * 8 + 16, 5000)] {
        let bench = Bench::new();
        let channel = bench.open();
        put(&channel, &["a", "b", "c"]);
        take(&channel).accept();
        drop(channel);
        set_word(&indexes(&bench)[0], at, value);
        assert_eq!(drain(&bench.open()), ["b", "c"], "{at}");
        assert!(bench.reported("do not lie one behind the other; it is made anew"));
    }
}

#[test]
fn what_a_putter_left_that_died_before_its_segment_was_there_is_removed() {
    let bench = Bench::new();
    drop(bench.open());
    let table = table_of(&bench);
    let maker = Maker {
        number: 77,
        cap: 16,
        owner: (3, 9),
    };
    let leave = || {
        drop(index::Index::create(&table::index_path(&table, 77), &maker).unwrap());
        std::fs::write(table.join(".half"), "made").unwrap();
    };
    leave();
    let channel = bench.open();
    assert!(indexes(&bench).is_empty() && !table.join(".half").exists());
    put(&channel, &["a"]);
    leave();
    // What is half made may be of somebody who lives.
    let second = bench.open();
    assert!(indexes(&bench).len() == 1 && table.join(".half").exists());
    drop((channel, second));
    drop(bench.open());
    assert!(!table.join(".half").exists());
}

#[test]
fn numbers_of_a_table_that_is_older_than_its_mark_are_not_used_again() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a"]);
    let delivery = take(&channel);
    let before = delivery.batch.origin;
    delivery.accept();
    drop(channel);
    assert!(bench.open().is_drained().unwrap());
    set_word(&control_of(&bench), NUMBERS, 1);
    set_word(&control_of(&bench), DURABLE, 0);
    let channel = bench.open();
    assert!(bench.segments().is_empty());
    put(&channel, &["b"]);
    assert!(take(&channel).batch.origin > before);
}

#[test]
fn directory_that_is_removed_while_it_is_used_is_noticed() {
    for sync in [Sync::Always, Sync::Never] {
        let bench = Bench::new();
        let mut config = bench.config();
        config.sync = sync;
        let channel = FileChannel::open(config, Role::Both).unwrap();
        put(&channel, &["a"]);
        std::fs::remove_dir_all(&bench.directory).unwrap();
        let error = loop {
            match channel.put(&[batch(&["b"])]) {
                Err(error) => break error,
                Ok(()) => assert_eq!(sync, Sync::Never, "at once where a put is a promise"),
            }
        };
        for error in [error, channel.put(&[batch(&["c"])]).unwrap_err()] {
            assert!(matches!(error, ChannelError::Unusable(_)), "{error:?}");
            assert!(error.to_string().contains("was removed while"), "{error}");
        }
        // What was taken already can be finished, and then there is nothing to wait for.
        let error = loop {
            match channel.take(None) {
                Ok(Taken::Delivery(delivery)) => delivery.accept(),
                Ok(_) => panic!("nothing more can come"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("was removed while"), "{error}");
        drop(channel);
        put(&bench.open(), &["d"]);
    }
}
