//! Files in the places that escapes and schemas say.

use super::*;

fn event(body: &str, headers: &[(&str, &str)]) -> Event {
    let event = Event::new(body.to_string());
    headers
        .iter()
        .fold(event, |event, (name, value)| event.with_header(*name, *value))
}

fn written_events(sink: &mut FileRoll, events: &[Event]) {
    let mut builder = BatchBuilder::new();
    events.iter().for_each(|event| builder.push_event(event));
    sink.write(&builder.finish()).unwrap();
}

/// All complete files below a directory, by their directories, with what is in them.
fn tree(directory: &Path) -> Vec<(String, String)> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(!name.starts_with('.'), "{name}");
            let below = path.parent().unwrap().strip_prefix(root).unwrap();
            found.push((below.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found.sort();
    found
}

#[test]
fn directory_of_an_event_is_what_the_escapes_say() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("%{host}/%Y-%m-%d");
    let mut sink = started(&path, &["--time-zone=UTC", "--path-manager-prefix=%{app}-"]);
    written_events(
        &mut sink,
        &[
            event("one", &[("host", "a"), ("timestamp", "0"), ("app", "x")]),
            event("two", &[("host", "b"), ("timestamp", "0")]),
            event("three", &[("host", "a"), ("timestamp", "1"), ("app", "x")]),
            event("four", &[("host", "../../b"), ("timestamp", "86400000")]),
        ],
    );
    sink.commit().unwrap();
    sink.stop().unwrap();
    let of = |below: &str, text: &str| (below.to_string(), text.to_string());
    let expected = [
        of("%2E./%2E./b/1970-01-02", "four\n"),
        of("a/1970-01-01", "one\nthree\n"),
        of("b/1970-01-01", "two\n"),
    ];
    assert_eq!(tree(parent.path()), expected);
    let name = names(&parent.path().join("a/1970-01-01")).remove(0);
    assert!(name.starts_with("x-") && name.ends_with("-1"), "{name}");
}

#[test]
fn event_without_a_time_goes_where_the_time_now_says() {
    let parent = tempfile::tempdir().unwrap();
    let mut sink = started(
        &parent.path().join("%s"),
        &["--round", "--round-value=23", "--round-unit=hour"],
    );
    written_events(
        &mut sink,
        &[event("one", &[]), event("two", &[("timestamp", "noon")])],
    );
    sink.commit().unwrap();
    sink.stop().unwrap();
    let found = tree(parent.path());
    assert_eq!(
        found.iter().map(|(_, text)| text.as_str()).collect::<String>(),
        "one\ntwo\n"
    );
}

#[test]
fn few_files_are_open_at_once_and_a_rollback_takes_back_in_all_places() {
    let parent = tempfile::tempdir().unwrap();
    let mut sink = started(&parent.path().join("%{n}"), &["--max-open-files=3"]);
    let all: Vec<_> = (0..10)
        .map(|number| event("x", &[("n", &number.to_string())]))
        .collect();
    written_events(&mut sink, &all[..2]);
    sink.commit().unwrap();
    written_events(&mut sink, &all);
    assert!(sink.files.full() >= 7);
    sink.rollback();
    written_events(&mut sink, &all);
    sink.commit().unwrap();
    sink.stop().unwrap();
    let found = tree(parent.path());
    let bodies = |n: &str| {
        found
            .iter()
            .filter(|(below, _)| below == n)
            .map(|(_, text)| text.as_str())
            .collect::<String>()
    };
    assert_eq!(
        (bodies("0"), bodies("1"), bodies("9")),
        ("x\nx\n".into(), "x\nx\n".into(), "x\n".into())
    );
}

#[test]
fn files_that_a_dead_sink_left_below_are_completed() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("%{host}/x");
    let mut dead = started(&path, &[]);
    written_events(&mut dead, &[event("one", &[("host", "a")])]);
    dead.commit().unwrap();
    drop(dead);
    started(&path, &[]).stop().unwrap();
    assert_eq!(tree(parent.path()), [("a/x".to_string(), "one\n".to_string())]);
}

#[test]
fn bodies_with_another_schema_go_into_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--serializer=AvroEventSerializer"]);
    let with = |schema: &str| event("\u{2}", &[("flume.avro.schema.literal", schema)]);
    written_events(&mut sink, &[with("\"long\""), with("\"long\""), with("\"int\"")]);
    sink.commit().unwrap();
    sink.stop().unwrap();
    let counts: Vec<_> = names(directory.path())
        .iter()
        .map(|name| {
            apache_avro::Reader::new(&fs::read(directory.path().join(name)).unwrap()[..])
                .unwrap()
                .count()
        })
        .collect();
    assert_eq!(counts, [2, 1]);
}
