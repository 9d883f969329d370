//! Drained segments that are written over.

use super::*;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;

fn synced(bench: &Bench) -> Config {
    Config {
        sync: Sync::Always,
        ..bench.config()
    }
}

fn names_in(bench: &Bench, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(bench.directory.join("data")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

fn inodes(paths: &[PathBuf]) -> Vec<u64> {
    let inode = |path: &PathBuf| std::fs::metadata(path).unwrap().ino();
    paths.iter().map(inode).collect()
}

#[test]
fn drained_segment_is_written_over_and_nothing_of_it_comes_again() {
    let bench = Bench::new();
    let channel = FileChannel::open(synced(&bench), Role::Both).unwrap();
    let mut seen = HashMap::new();
    let mut files = HashMap::new();
    for round in 0..40 {
        for n in 0..3 {
            channel.put(&[large(&format!("{round} {n}"))]).unwrap();
        }
        for inode in inodes(&bench.segments()) {
            *files.entry(inode).or_insert(0) += 1;
        }
        while let Some(delivery) = try_take(&channel) {
            let name = name_of(&delivery.batch);
            assert_eq!(
                seen.insert(delivery.batch.origin, name.clone()),
                None,
                "a position twice"
            );
            assert!(name.starts_with(&format!("{round} ")), "{name} in round {round}");
            delivery.accept();
        }
    }
    assert_eq!(seen.len(), 120);
    assert!(files.len() < 10, "{} files for 40 segments", files.len());
    assert!(names_in(&bench, ".spare").len() as u64 <= spare::WANTED);
    drop(channel);
    assert_eq!(names_in(&bench, ".spare").len(), 0, "nobody wants them any more");
    assert_eq!(names_in(&bench, ".half").len(), 0);
}

/// A channel of whose segment, written over an earlier one, two frames were put; its bytes behind them are
/// those of the earlier one.
fn recycled(bench: &Bench) -> Arc<FileChannel> {
    let channel = FileChannel::open(synced(bench), Role::Both).unwrap();
    // Segments hold three of these, and the next put seals a full one.
    for n in 0..7 {
        channel.put(&[large(&format!("old {n}"))]).unwrap();
        assert_eq!(drain(&channel).len(), 1);
    }
    assert_eq!(names_in(bench, ".spare").len(), 1);
    for n in 7..9 {
        channel.put(&[large(&format!("old {n}"))]).unwrap();
    }
    drain(&channel);
    channel.put(&[large("new 0")]).unwrap();
    channel.put(&[large("new 1")]).unwrap();
    channel
}

#[test]
fn what_the_earlier_segment_held_is_neither_events_nor_damage_after_a_power_cut() {
    let bench = Bench::new();
    let channel = recycled(&bench);
    let path = bench.segments().pop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(
        memchr::memmem::find(&bytes, b"old ").is_some(),
        "it is not written over"
    );
    channel.inner.log_takes().unwrap();
    // As a power cut leaves it: not sealed, no table.
    std::mem::forget(channel);
    bench.forget_tables();
    let config = Config {
        sync: Sync::Never,
        ..bench.config()
    };
    let channel = FileChannel::open(config, Role::Both).unwrap();
    assert_eq!(drain(&channel), ["new 0", "new 1"]);
    assert!(lock(&bench.reports).is_empty(), "{:?}", lock(&bench.reports));
}

#[test]
fn taker_that_overslept_the_recycling_has_lost_its_claim_and_damages_nothing() {
    let bench = Bench::new();
    let channel = FileChannel::open(synced(&bench), Role::Both).unwrap();
    channel.put(&[large("a")]).unwrap();
    let (Looked::Claimed(claimed), _) = channel.inner.look().unwrap() else {
        panic!("nothing waits");
    };
    // Somebody else took it over and accepted it meanwhile, and the segment went on as another one.
    claimed
        .opened
        .index
        .claim(claimed.frame)
        .store(ACCEPTED, Ordering::SeqCst);
    for n in 0..9 {
        channel.put(&[large(&format!("other {n}"))]).unwrap();
        assert_eq!(drain(&channel).len(), 1);
    }
    assert!(Inner::read(&channel.inner, claimed).unwrap().is_none());
    assert!(lock(&bench.reports).is_empty(), "{:?}", lock(&bench.reports));
    assert_eq!(names_in(&bench, "quarantine").len(), 0);
}

#[test]
fn what_a_dead_putter_had_begun_is_removed() {
    let bench = Bench::new();
    drop(bench.open());
    for name in [".200-7-00000000000000aa.half", "0000000000000001.spare"] {
        std::fs::write(bench.directory.join("data").join(name), "x").unwrap();
    }
    drop(bench.open());
    assert_eq!(
        names_in(&bench, ".half").len() + names_in(&bench, ".spare").len(),
        0
    );
}
