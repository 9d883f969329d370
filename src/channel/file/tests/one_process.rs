use super::*;
use std::collections::HashSet;

#[test]
fn batches_come_in_order_with_positions_and_leave_when_accepted() {
    let bench = Bench::new();
    let channel = bench.open();
    channel.put(&[batch(&["a", "b"]), batch(&["c"])]).unwrap();
    assert_eq!((channel.fill().events, channel.id().len()), (3, 32));
    let (first, second) = (take(&channel), take(&channel));
    assert_eq!((first.batch.len(), name_of(&first.batch)), (2, "a".into()));
    assert_eq!(second.batch.origin, first.batch.origin + 1);
    assert!(try_take(&channel).is_none());
    assert_eq!(channel.fill().events, 3);
    first.accept();
    second.accept();
    assert_eq!(channel.fill(), Fill::default());
}

#[test]
fn oldest_event_is_as_old_as_what_is_not_accepted() {
    let bench = Bench::new();
    let channel = bench.open();
    assert_eq!(channel.oldest(), None);
    put(&channel, &["a"]);
    let pause = std::time::Duration::from_millis(30);
    std::thread::sleep(pause);
    put(&channel, &["b"]);
    assert!(channel.oldest().unwrap() >= pause - std::time::Duration::from_millis(2));
    let first = take(&channel);
    assert!(channel.oldest().unwrap() >= pause - std::time::Duration::from_millis(2));
    first.accept();
    let left = channel.oldest().unwrap();
    assert!(left < std::time::Duration::from_secs(20), "{left:?}");
    take(&channel).accept();
    assert_eq!(channel.oldest(), None);
}

#[test]
fn refused_batch_comes_again_in_its_place_with_its_position() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a", "b", "c"]);
    let (first, second) = (take(&channel), take(&channel));
    let (origin, _) = (first.batch.origin, first.refuse(Refusal::retry("no")));
    let again = take(&channel);
    assert_eq!((again.batch.origin, name_of(&again.batch)), (origin, "a".into()));
    drop(second);
    drop(again);
    assert_eq!(drain(&channel), ["a", "b", "c"]);
}

#[test]
fn batches_without_events_are_accepted_and_not_stored() {
    let bench = Bench::new();
    let channel = bench.open();
    channel.put(&[]).unwrap();
    channel.put(&[Batch::default()]).unwrap();
    assert!(bench.segments().is_empty());
    channel
        .put(&[Batch::default(), batch(&["a"]), Batch::default()])
        .unwrap();
    assert_eq!(drain(&channel), ["a"]);
}

#[test]
fn what_was_not_accepted_is_there_after_a_restart_with_and_without_tables() {
    for forget in [false, true] {
        let bench = Bench::new();
        let channel = bench.open();
        put(&channel, &["a", "b", "c", "d"]);
        take(&channel).accept();
        let (second, third) = (take(&channel), take(&channel));
        third.accept();
        drop(second);
        drop(channel);
        if forget {
            bench.forget_tables();
        }
        let channel = bench.open();
        assert_eq!(channel.fill().events, 2);
        put(&channel, &["e"]);
        assert_eq!(drain(&channel), ["b", "d", "e"], "{forget}");
        assert!(lock(&bench.reports).is_empty(), "{:?}", lock(&bench.reports));
    }
}

#[test]
fn positions_go_on_after_everything_was_drained_and_removed() {
    let bench = Bench::new();
    let mut seen = HashSet::new();
    for round in 0..4 {
        let channel = bench.open();
        put(&channel, &["a", "b"]);
        while let Some(delivery) = try_take(&channel) {
            assert!(seen.insert(delivery.batch.origin), "round {round}");
            delivery.accept();
        }
        drop(channel);
        if round % 2 == 1 {
            bench.forget_tables();
            bench
                .segments()
                .iter()
                .for_each(|path| std::fs::remove_file(path).unwrap());
        }
    }
    assert_eq!(seen.len(), 8);
    assert!(seen.iter().all(|origin| *origin > 0));
}

#[test]
fn drained_segments_and_their_logs_are_deleted() {
    let bench = Bench::new();
    let channel = bench.open();
    for round in 0..20 {
        channel.put(&[large(&format!("{round}"))]).unwrap();
    }
    assert!(bench.segments().len() > 5);
    assert_eq!(drain(&channel).len(), 20);
    assert_eq!(bench.segments().len(), 1, "the one that is open");
    drop(channel);
    let channel = bench.open();
    assert!(channel.is_drained().unwrap());
    drop(channel);
    assert!(bench.segments().is_empty());
    let logs = std::fs::read_dir(bench.directory.join("checkpoint/acc")).unwrap();
    assert!(logs.count() <= 1);
}

#[test]
fn put_larger_than_a_segment_and_compressed_ones_come_back_as_they_were() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let bench = Bench::new();
        let mut config = bench.config();
        config.compression = compression;
        let channel = FileChannel::open(config, Role::Both).unwrap();
        let many: Vec<_> = (0..30).map(|n| large(&n.to_string())).collect();
        channel.put(&[batch(&["first"])]).unwrap();
        channel.put(&many).unwrap();
        assert_eq!(drain(&channel).len(), 31);
    }
}

#[test]
fn full_says_so_after_the_keep_alive_and_has_room_when_something_is_accepted() {
    let bench = Bench::new();
    let mut config = bench.config();
    (config.capacity, config.max_bytes) = (3, 60_000);
    config.keep_alive = Duration::from_millis(30);
    let channel = FileChannel::open(config.clone(), Role::Both).unwrap();
    put(&channel, &["a", "b", "c"]);
    let started = Instant::now();
    let error = channel.put(&[batch(&["d"])]).unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(30));
    assert!(matches!(error, ChannelError::Full(_)));
    assert!(error.to_string().contains("3 events of 3"), "{error}");
    let held = take(&channel);
    assert!(channel.put(&[batch(&["d"])]).is_err(), "what is held counts");
    held.accept();
    put(&channel, &["d"]);
    assert_eq!(drain(&channel), ["b", "c", "d"]);
    put_until_full_of_bytes(&channel);
    drop(channel);
    let channel = FileChannel::open(config, Role::Both).unwrap();
    assert!(matches!(channel.put(&[large("x")]), Err(ChannelError::Full(_))));
}

fn put_until_full_of_bytes(channel: &FileChannel) {
    channel.put(&[large("1"), large("2")]).unwrap();
    let error = channel.put(&[large("3")]).unwrap_err();
    assert!(matches!(error, ChannelError::Full(_)) && error.to_string().contains("60000"));
}

#[test]
fn put_that_waits_for_room_goes_on_when_a_taker_accepts() {
    let bench = Bench::new();
    let mut config = bench.config();
    (config.capacity, config.keep_alive) = (1, Duration::from_secs(20));
    let channel = FileChannel::open(config, Role::Both).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| put(&channel, &["a", "b", "c"]));
        for name in ["a", "b", "c"] {
            let delivery = take(&channel);
            assert_eq!(name_of(&delivery.batch), name);
            delivery.accept();
        }
    });
}

#[test]
fn what_can_never_fit_is_too_large() {
    let bench = Bench::new();
    let mut config = bench.config();
    (config.capacity, config.max_bytes) = (2, 10_000);
    let channel = FileChannel::open(config, Role::Both).unwrap();
    for too_large in [batch(&["a", "b", "c"]), large("x")] {
        let error = channel.put(&[too_large]).unwrap_err();
        assert!(matches!(error, ChannelError::TooLarge(_)), "{error}");
    }
    assert_eq!(channel.fill().events, 0);
}

enum End {
    Wake,
    Finish,
}

#[test]
fn taker_that_waits_is_woken_by_put_and_by_the_end() {
    waits_until(End::Finish);
}

#[test]
fn taker_that_waits_is_woken_by_wake_and_does_not_wait_for_ever_again() {
    waits_until(End::Wake);
}

fn waits_until(end: End) {
    let bench = Bench::new();
    let channel = bench.open();
    let waits = |then: &dyn Fn()| {
        let before = channel.inner.core.table.put_bell();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| channel.take(None).unwrap());
            while before.look() & 1 == 0 {
                std::thread::yield_now();
            }
            then();
            thread.join().unwrap()
        })
    };
    match waits(&|| put(&channel, &["a"])) {
        Taken::Delivery(delivery) => delivery.accept(),
        _ => panic!("a put does not wake"),
    }
    match end {
        End::Wake => {
            assert!(matches!(waits(&|| channel.wake()), Taken::Empty));
            // Also one that was on its way when it was woken.
            assert!(matches!(channel.take(None).unwrap(), Taken::Empty));
        }
        End::Finish => {
            assert!(matches!(waits(&|| channel.finish_put()), Taken::Finished));
            assert!(matches!(channel.take(None).unwrap(), Taken::Finished));
        }
    }
}

#[test]
fn finished_only_when_nothing_can_come_back() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a"]);
    channel.finish_put();
    let held = take(&channel);
    assert!(try_take(&channel).is_none());
    let taken = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| channel.take(None).unwrap());
        held.refuse(Refusal::retry("no"));
        waiting.join().unwrap()
    });
    let Taken::Delivery(again) = taken else {
        panic!("it did not come back");
    };
    let taken = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| channel.take(None).unwrap());
        again.accept();
        waiting.join().unwrap()
    });
    assert!(matches!(taken, Taken::Finished));
}

#[test]
fn many_threads_put_and_take_each_batch_once_in_order_of_each_putter() {
    const PUTTERS: usize = 4;
    const EACH: usize = 500;
    let bench = Bench::new();
    let channel = bench.open();
    let taken = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| take_until_finished(&channel)))
            .collect();
        let putters: Vec<_> = (0..PUTTERS)
            .map(|putter| {
                let channel = &channel;
                scope.spawn(move || {
                    for n in 0..EACH {
                        channel.put(&[batch(&[&format!("{putter} {n}.")])]).unwrap();
                    }
                })
            })
            .collect();
        putters.into_iter().for_each(|thread| thread.join().unwrap());
        channel.finish_put();
        let taken = takers.into_iter().map(|thread| thread.join().unwrap());
        taken.collect::<Vec<_>>()
    });
    for of_one in &taken {
        for putter in 0..PUTTERS {
            let prefix = format!("{putter} ");
            let numbers = of_one.iter().filter_map(|name| name.strip_prefix(&prefix));
            let numbers: Vec<usize> = numbers.map(|n| n.parse().unwrap()).collect();
            assert!(numbers.is_sorted());
        }
    }
    let all: Vec<_> = taken.concat();
    assert_eq!(all.len(), PUTTERS * EACH);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), PUTTERS * EACH);
}

fn take_until_finished(channel: &FileChannel) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        match channel.take(None).unwrap() {
            Taken::Delivery(delivery) => {
                names.push(name_of(&delivery.batch));
                delivery.accept();
            }
            Taken::Empty => {}
            Taken::Finished => return names,
        }
    }
}

#[test]
fn directories_that_cannot_be_used_are_refused_and_not_touched() {
    let bench = Bench::new();
    let said = |config: Config| match FileChannel::open(config, Role::Both) {
        Err(ChannelError::Unusable(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("opened"),
    };
    let mut missing = bench.config();
    missing.create = false;
    assert!(said(missing).ends_with("does not exist"));
    std::fs::create_dir(&bench.directory).unwrap();
    std::fs::write(bench.directory.join("letter.txt"), "dear").unwrap();
    assert!(said(bench.config()).contains("letter.txt"));
    let left: Vec<_> = std::fs::read_dir(&bench.directory).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert!(!looks_like_channel(&bench.directory));
    std::fs::rename(
        bench.directory.join("letter.txt"),
        bench.directory.join(".hidden"),
    )
    .unwrap();
    let mut not_made = bench.config();
    not_made.create = false;
    assert!(said(not_made).contains("is not a file channel"));
    drop(bench.open());
    assert!(looks_like_channel(&bench.directory));
    let mut elsewhere = bench.config();
    elsewhere.data_dirs = vec![bench.directory.join("other")];
    assert!(said(elsewhere).contains("was made with"));
    let newer = r#"{"format": "flume file channel", "version": 9}"#;
    std::fs::write(bench.directory.join("flume-channel"), newer).unwrap();
    assert!(said(bench.config()).contains("version 9"));
    assert!(looks_like_channel(&bench.directory));
}

#[test]
fn segments_are_spread_over_the_data_directories() {
    let bench = Bench::new();
    let mut config = bench.config();
    let dirs = ["one", "two"].map(|name| bench._root.path().join(name));
    config.data_dirs = dirs.to_vec();
    config.checkpoint_dir = Some(bench._root.path().join("check"));
    let channel = FileChannel::open(config.clone(), Role::Both).unwrap();
    for round in 0..12 {
        channel.put(&[large(&format!("{round}"))]).unwrap();
    }
    assert!(dirs.iter().all(|path| segments_in(path).len() >= 2));
    drop(channel);
    assert_eq!(status(&bench.directory).unwrap().events, 12);
    let channel = FileChannel::open(config, Role::Both).unwrap();
    let expected: Vec<_> = (0..12).map(|n| n.to_string()).collect();
    assert_eq!(drain(&channel), expected);
}

#[test]
fn browsing_shows_what_waits_without_taking_it() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a", "b", "c"]);
    take(&channel).accept();
    let held = take(&channel);
    let names = || -> Vec<_> {
        let all = browse(&bench.directory).unwrap();
        all.map(|one| name_of(&one.unwrap().1)).collect()
    };
    assert_eq!(names(), ["b", "c"]);
    let found = status(&bench.directory).unwrap();
    assert_eq!((found.events, found.segments, found.quarantined), (2, 1, 0));
    assert_eq!(found.id, channel.id());
    held.accept();
    drop(channel);
    bench.forget_tables();
    assert_eq!(names(), ["c"]);
    assert_eq!(status(&bench.directory).unwrap().events, 1);
    assert!(browse(Path::new("/nowhere")).is_err());
}

#[test]
fn roles_are_kept() {
    let bench = Bench::new();
    let putter = FileChannel::open(bench.config(), Role::Put).unwrap();
    let taker = FileChannel::open(bench.config(), Role::Take).unwrap();
    put(&putter, &["a"]);
    assert!(putter.take(None).is_err() && taker.put(&[batch(&["b"])]).is_err());
    assert_eq!(drain(&taker), ["a"]);
}

/// Spoil a byte of the file, so many bytes behind the text.
fn spoil(path: &Path, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = memchr::memmem::find(&bytes, text.as_bytes()).unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_frame_sends_its_segment_to_the_quarantine_after_the_good_frames() {
    for (forget, together) in [(false, false), (true, false), (true, true)] {
        let bench = Bench::new();
        let channel = FileChannel::open(
            Config {
                sync: Sync::Always,
                ..bench.config()
            },
            Role::Both,
        );
        let channel = channel.unwrap();
        match together {
            false => put(&channel, &["first", "second", "third"]),
            true => channel
                .put(&["first", "second", "third"].map(|name| batch(&[name])))
                .unwrap(),
        }
        drop(channel);
        spoil(&bench.segments()[0], "second");
        if forget {
            bench.forget_tables();
        }
        let channel = bench.open();
        assert_eq!(drain(&channel), ["first", "third"]);
        assert!(try_take(&channel).is_none() && channel.is_drained().unwrap());
        assert!(bench.segments().is_empty());
        assert_eq!(segments_in(&bench.directory.join("data/quarantine")).len(), 1);
        assert!(bench.reported("quarantine"), "{:?}", lock(&bench.reports));
        assert_eq!(status(&bench.directory).unwrap().quarantined, 1);
    }
}

#[test]
fn last_frame_that_is_lost_from_a_sealed_segment_is_damage() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["first", "second"]);
    drop(channel);
    spoil(&bench.segments()[0], "second");
    bench.forget_tables();
    let channel = bench.open();
    assert_eq!(drain(&channel), ["first"]);
    assert!(
        bench.reported("the last 1 of its 2 frames"),
        "{:?}",
        lock(&bench.reports)
    );
}

#[test]
fn torn_tail_of_a_dead_putter_ends_its_segment_without_loss() {
    for tail in [&[0u8; 9000][..], &[0x5a; 700], b"FLM1\x02\0\0\0"] {
        let bench = Bench::new();
        let channel = bench.open();
        put(&channel, &["a", "b"]);
        drop(channel);
        let path = &bench.segments()[0];
        let mut bytes = std::fs::read(path).unwrap();
        bytes.extend_from_slice(tail);
        std::fs::write(path, bytes).unwrap();
        bench.forget_tables();
        let channel = bench.open();
        put(&channel, &["c"]);
        assert_eq!(drain(&channel), ["a", "b", "c"]);
    }
}

#[test]
fn acceptances_noted_by_many_dead_takers_are_joined_into_few_logs() {
    let bench = Bench::new();
    let names: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    let channel = bench.open();
    put(&channel, &names.iter().map(String::as_str).collect::<Vec<_>>());
    drop(channel);
    for _ in 0..25 {
        take(&bench.open()).accept();
    }
    let logs = std::fs::read_dir(bench.directory.join("checkpoint/acc")).unwrap();
    assert!(logs.count() <= 12);
    bench.forget_tables();
    assert_eq!(drain(&bench.open()), names[25..]);
}

#[test]
fn many_may_make_one_channel_at_the_same_time() {
    for _ in 0..100 {
        let bench = Bench::new();
        std::fs::create_dir(&bench.directory).unwrap();
        let all_there = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (bench, all_there) = (&bench, &all_there);
                scope.spawn(move || {
                    all_there.wait();
                    // Some look while others have just begun to make it.
                    (0..number * 200).for_each(|_| std::hint::spin_loop());
                    Place::open(&bench.config(), &RealDisk).map(drop).unwrap();
                });
            }
        });
    }
}
