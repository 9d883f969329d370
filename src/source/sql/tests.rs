//! With SQLite, which is inside.

use super::*;
use crate::ack::Outcome;
use crate::component::find;
use crate::link::testing::Collect;
use crate::source;
use crate::stage::{Source, run_source};
use rusqlite::Connection;
use std::path::Path;

struct Bench {
    directory: tempfile::TempDir,
    connection: Connection,
}

impl Bench {
    fn new(sql: &str) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("a.db")).unwrap();
        connection.execute_batch(sql).unwrap();
        Bench {
            directory,
            connection,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn source(&self, words: &[&str]) -> Source {
        let at = self.path().display();
        let mut all = vec![
            format!("--url=sqlite:{at}/a.db"),
            format!("--position-file={at}/state/position"),
        ];
        all.extend(words.iter().map(|word| word.to_string()));
        find(source::ALL, "sql").unwrap().from_flags(&all).unwrap()
    }

    fn run(&self, words: &[&str], collect: &Collect) -> StageResult {
        let (to, _stop) = collect.processor("source sql");
        run_source(self.source(words), &to)
    }

    fn bodies(&self, words: &[&str]) -> Vec<String> {
        let collect = Collect::accepting();
        assert_eq!(self.run(words, &collect), Ok(()));
        collect.bodies()
    }

    fn kept(&self) -> String {
        std::fs::read_to_string(self.path().join("state/position")).unwrap()
    }
}

const LOG: &str = "CREATE TABLE log (id INTEGER PRIMARY KEY, at TEXT, message TEXT, size REAL, raw BLOB);
    INSERT INTO log VALUES (1, '2026-01-01', 'one', 1.5, NULL), (2, '2026-01-01', 'two', NULL, x'ff00'),
    (3, '2026-01-02', NULL, 3, NULL);";

#[test]
fn each_run_takes_what_is_new() {
    let bench = Bench::new(LOG);
    let words = ["--table", "log", "--column", "id"];
    assert_eq!(
        bench.bodies(&words),
        [
            r#"{"id":1,"at":"2026-01-01","message":"one","size":1.5,"raw":null}"#,
            r#"{"id":2,"at":"2026-01-01","message":"two","size":null,"raw":"/wA="}"#,
            r#"{"id":3,"at":"2026-01-02","message":null,"size":3.0,"raw":null}"#
        ]
    );
    assert_eq!(bench.kept(), "{\"column\":\"id\",\"last\":3}\n");
    assert_eq!(bench.bodies(&words).len(), 0);
    bench
        .connection
        .execute_batch("INSERT INTO log (message) VALUES ('four')")
        .unwrap();
    assert_eq!(bench.bodies(&words).len(), 1);
}

#[test]
fn column_becomes_the_body_and_the_others_headers() {
    let bench = Bench::new(LOG);
    let collect = Collect::accepting();
    let query = "SELECT id, message, at AS day FROM log WHERE id <> 2; ";
    bench
        .run(
            &[
                "--query", query, "--column", "id", "--body", "message", "--after", "0",
            ],
            &collect,
        )
        .unwrap();
    let events = collect.events();
    assert_eq!(collect.bodies(), ["one", ""]);
    assert_eq!(events[1].header("day"), Some(&b"2026-01-02"[..]));
    assert_eq!(events[0].header("id"), Some(&b"1"[..]));
}

#[test]
fn rows_of_one_value_stay_together_and_none_is_left_out() {
    let bench = Bench::new("CREATE TABLE log (at TEXT, n INTEGER)");
    for n in 0..100 {
        let at = format!("day {:02}", n / 7);
        bench
            .connection
            .execute("INSERT INTO log VALUES (?1, ?2)", (at, n))
            .unwrap();
    }
    for size in ["1", "3", "7", "8", "1000"] {
        let _ = std::fs::remove_file(bench.path().join("state/position"));
        let words = [
            "--table",
            "log",
            "--column",
            "at",
            "--body",
            "n",
            "--batch-size",
            size,
        ];
        let mut bodies = bench.bodies(&words);
        bodies.sort_by_key(|body| body.parse::<u32>().unwrap());
        assert_eq!(
            bodies,
            (0..100).map(|n| n.to_string()).collect::<Vec<_>>(),
            "{size}"
        );
    }
}

#[test]
fn what_was_not_accepted_comes_again() {
    let bench = Bench::new(LOG);
    let words = [
        "--table",
        "log",
        "--column",
        "id",
        "--body",
        "id",
        "--batch-size",
        "1",
    ];
    let collect = Collect::holding();
    let (to, _stop) = collect.processor("source sql");
    let Source::Polled(mut source) = bench.source(&words) else {
        panic!("it is polled");
    };
    source.start(&to).unwrap();
    for _ in 0..3 {
        source.process(&to).unwrap();
    }
    // The first is not accepted: nothing behind it counts.
    collect.settle_newest(Outcome::Accepted);
    source.stop().unwrap();
    assert!(!bench.path().join("state/position").exists());
    collect.settle_all(Outcome::Accepted);
    source.stop().unwrap();
    assert_eq!(bench.kept(), "{\"column\":\"id\",\"last\":3}\n");
}

#[test]
fn two_sources_with_one_position_file_are_one_too_many() {
    let bench = Bench::new(LOG);
    let (to, _stop) = Collect::accepting().processor("source sql");
    let words = ["--table", "log", "--column", "id"];
    let Source::Polled(mut first) = bench.source(&words) else {
        panic!("it is polled");
    };
    first.start(&to).unwrap();
    let error = bench.run(&words, &Collect::accepting()).unwrap_err();
    assert_eq!(error.status(), 75);
    assert!(error.to_string().contains("in use by another source"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let bench = Bench::new(LOG);
    let fails = |words: &[&str], expected: &str| {
        let error = bench.run(words, &Collect::accepting()).unwrap_err();
        assert!(error.to_string().contains(expected), "{words:?}: {error}");
    };
    fails(&["--table", "logs", "--column", "id"], "no such table: logs");
    fails(&["--table", "log", "--column", "di"], "no such column: q.di");
    fails(
        &["--table", "log", "--column", "id", "--body", "text"],
        "they have id, at, message",
    );
    fails(&["--query", "SELEC 1", "--column", "id"], "syntax error");
    std::fs::write(
        bench.path().join("state/position"),
        "{\"column\":\"at\",\"last\":1}",
    )
    .unwrap();
    fails(&["--table", "log", "--column", "id"], "is of the column \"at\"");
    std::fs::write(bench.path().join("state/position"), "").unwrap();
    fails(&["--table", "log", "--column", "id"], "is none of source sql");
    for (url, expected) in [
        ("mysql://x", "no database that is known"),
        ("postgres://u:secret@h/d", "--password"),
        ("postgres://h:x/d", "the URL is not as in"),
    ] {
        let words = [url, "--table=t", "--column=c"].map(str::to_string);
        let words = [format!("--url={}", words[0]), words[1].clone(), words[2].clone()];
        let error = find(source::ALL, "sql")
            .unwrap()
            .from_flags(&words)
            .map(drop)
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{url}: {error}");
        assert!(!error.to_string().contains("secret@"), "{error}");
    }
}

#[test]
fn database_that_is_not_there_is_not_made() {
    let bench = Bench::new(LOG);
    let words: Vec<String> = ["--url", "sqlite:/nowhere/a.db", "--table", "t", "--column", "c"]
        .iter()
        .map(|word| word.to_string())
        .collect();
    let source = find(source::ALL, "sql").unwrap().from_flags(&words).unwrap();
    let (to, _stop) = Collect::accepting().processor("source sql");
    let error = run_source(source, &to).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/a.db cannot be opened"),
        "{error}"
    );
    drop(bench);
}

#[test]
fn stop_ends_a_query_without_an_end_and_the_wait_for_a_lock() {
    let bench = Bench::new(LOG);
    let endless =
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE id < 0";
    for words in [["--query", endless], ["--table", "log"]] {
        if words[0] == "--table" {
            bench.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        }
        let (to, stop) = Collect::accepting().processor("source sql");
        let source = bench.source(&[&words[..], &["--column", "id"]].concat());
        let running = std::thread::spawn(move || run_source(source, &to));
        // In whichever moment of it: before the query, too.
        std::thread::yield_now();
        let began = Instant::now();
        stop.stop();
        assert_eq!(running.join().unwrap(), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(5), "{words:?}");
    }
}

#[test]
fn url_that_is_of_no_database_is_told_without_its_password() {
    let error = database::check("mysql://u:s3cret@h/d").unwrap_err();
    assert!(
        error.contains("\"mysql\"") && !error.contains("s3cret"),
        "{error}"
    );
}
