//! What becomes an event.

use super::*;
use crate::event::Event;

#[test]
fn lines_that_are_added_come_in_their_order_and_a_half_one_waits() {
    let case = Case::new(r"a.*\.log", &[]);
    case.add("a1.log", "one\r\ntwo\n");
    case.add("b.log", "not this\n");
    let running = case.start();
    assert_eq!(running.bodies(2), ["one", "two"]);
    case.add("a1.log", "thr");
    case.add("a2.log", "other\n");
    assert_eq!(running.bodies(3)[2], "other");
    case.add("a1.log", "ee\nfour");
    running.bodies(4);
    assert_eq!(running.stop(), ["one", "two", "other", "three"]);
    // The position is before the half line.
    case.add("a1.log", "\n");
    assert_eq!(case.all(), ["four"]);
}

#[test]
fn last_line_without_its_end_comes_when_the_file_was_idle_and_what_follows_is_another() {
    let case = Case::new("a", &["--idle-timeout=20"]);
    case.add("a", "one\nha");
    let running = case.start();
    assert_eq!(running.bodies(2), ["one", "ha"]);
    case.add("a", "lf\n");
    assert_eq!(running.bodies(3)[2], "lf");
    running.stop();
    assert_eq!(case.all(), [""; 0]);
}

fn header(event: &Event, name: &str) -> String {
    String::from_utf8_lossy(event.header(name).unwrap_or(b"-")).into_owned()
}

#[test]
fn headers_are_those_of_the_group_the_path_and_the_offset() {
    let case = Case::new("unused", &[]);
    let mut words = case.words.clone();
    words.remove(0);
    for (group, pattern) in [("f1", "a.*"), ("f2", "b.*")] {
        words.push(format!("--filegroup={group}={}", case.path(pattern).display()));
    }
    for word in [
        "--filegroups=f1 f2",
        "--header=f1.site=north",
        "--header=f2.a.b=c",
        "--file-header",
        "--byte-offset-header",
    ] {
        words.push(word.into());
    }
    let case = Case { words, ..case };
    case.add("a1", "one\ntwo\n");
    case.add("b1", "three\n");
    let running = case.start();
    running.collect.wait_for(3);
    let events = running.collect.events();
    let shown: Vec<String> = events
        .iter()
        .map(|event| {
            ["site", "a.b", "file", "byteoffset"]
                .map(|name| header(event, name))
                .join(" ")
        })
        .collect();
    let (a, b) = (case.path("a1"), case.path("b1"));
    let expected = [
        format!("north - {} 0", a.display()),
        format!("north - {} 4", a.display()),
        format!("- c {} 0", b.display()),
    ];
    assert_eq!(shown, expected);
    running.stop();
}

#[test]
fn name_of_the_path_header_can_be_chosen() {
    let case = Case::new("a", &["--file-header", "--file-header-key=path"]);
    case.add("a", "one\n");
    let running = case.start();
    running.collect.wait_for(1);
    assert_eq!(
        header(&running.collect.events()[0], "path"),
        case.path("a").display().to_string()
    );
    running.stop();
}

#[test]
fn event_of_several_lines_is_one_and_the_last_comes_when_nothing_follows() {
    let case = Case::new("a", &[r"--multiline-start=^\d{4}-", "--multiline-timeout=20"]);
    case.add("a", "2026-01 one\n  at a\n  at b\n2026-02 two\n  at");
    let running = case.start();
    let expected = ["2026-01 one\n  at a\n  at b", "2026-02 two"];
    assert_eq!(running.bodies(2), expected);
    case.add("a", " c\n2026-03 three\n2026-04 four\n");
    assert_eq!(
        running.bodies(5)[2..],
        ["  at c", "2026-03 three", "2026-04 four"]
    );
    running.stop();
}

#[test]
fn lines_that_are_too_long_are_split_cut_off_or_left_out() {
    for (how, expected) in [
        ("split", vec!["a", "1234567890", "12345", "b"]),
        ("truncate", vec!["a", "1234567890", "b"]),
        ("reject", vec!["a", "b"]),
    ] {
        let case = Case::new("a", &["--max-line-length=10", &format!("--long-lines={how}")]);
        case.add("a", "a\n123456789012345\nb\n");
        assert_eq!(case.all(), expected, "{how}");
        assert_eq!(case.all(), [""; 0]);
    }
}

#[test]
fn line_larger_than_what_is_read_at_once_is_whole() {
    let case = Case::new("a", &[]);
    let long = "x".repeat(700_000);
    case.add("a", &format!("one\n{long}\ntwo\n"));
    let bodies = case.all();
    assert_eq!(
        bodies.iter().map(String::len).collect::<Vec<_>>(),
        [3, 700_000, 3]
    );
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let case = Case::new("a", &[]);
    std::fs::write(case.path("a"), b"\xff\x00\xfe\n").unwrap();
    let running = case.start();
    running.collect.wait_for(1);
    assert_eq!(&running.collect.events()[0].body()[..], b"\xff\x00\xfe");
    running.stop();
}

#[test]
fn files_are_read_in_the_order_in_which_they_were_changed_group_after_group() {
    let case = Case::new("unused", &[]);
    let mut words = case.words.clone();
    words[0] = case.path("b.*").display().to_string();
    words.insert(1, case.path("a.*").display().to_string());
    let case = Case { words, ..case };
    for (age, name) in [(10, "b2"), (20, "b1"), (30, "a2"), (40, "a1")] {
        let file = case.add(name, &format!("{name}\n"));
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(then).unwrap();
    }
    assert_eq!(case.all(), ["b1", "b2", "a1", "a2"]);
}

#[test]
fn next_file_has_its_turn_after_so_many_batches() {
    let case = Case::new("a.*", &["--max-batch-count=1", "--batch-size=2"]);
    for (age, name) in [(20, "a1"), (10, "a2")] {
        let file = case.add(name, &format!("{name}-1\n{name}-2\n{name}-3\n"));
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(then).unwrap();
    }
    assert_eq!(case.all(), ["a1-1", "a1-2", "a2-1", "a2-2", "a1-3", "a2-3"]);
}

#[test]
fn files_at_the_start_can_be_skipped_and_later_ones_are_read_whole() {
    let case = Case::new("a.*", &["--skip-to-end"]);
    case.add("a1", "old\n");
    let running = case.start();
    wait_until(|| case.position_text().contains("\"pos\":4"));
    case.add("a2", "new file\n");
    assert_eq!(running.bodies(1), ["new file"]);
    case.add("a1", "new line\n");
    assert_eq!(running.bodies(2)[1], "new line");
    running.stop();
}

#[test]
fn many_lines_of_many_files_come_each_once() {
    let case = Case::new(r"\d+", &["--batch-size=7"]);
    let running = case.start();
    for round in 0..20 {
        for file in 0..50 {
            case.add(&file.to_string(), &numbers(round * 10..round * 10 + 10));
        }
    }
    let mut bodies = running.bodies(10_000);
    running.stop();
    bodies.sort_by_key(|body| body.parse::<u32>().unwrap());
    let expected: Vec<String> = listed(0..200)
        .into_iter()
        .flat_map(|body| vec![body; 50])
        .collect();
    assert_eq!(bodies, expected);
}
