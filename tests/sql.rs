//! Rows of databases: a real PostgreSQL, and kills in the middle of SQLite's.

use crate::pipe::{FLUME, Pipe};
use crate::shell::{bash, output_of};
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LAUNCHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/postgres/postgres");

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with this.
struct Postgres {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl Postgres {
    fn start() -> Option<Postgres> {
        let prepared = Command::new(LAUNCHER).arg("--prepare").output().unwrap();
        if !prepared.status.success() {
            let why = String::from_utf8_lossy(&prepared.stderr).into_owned();
            skipped(&format!("rows of PostgreSQL: {why}"));
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(LAUNCHER)
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("ready ").expect("it does not start");
        Some(Postgres {
            port: port.parse().unwrap(),
            process,
            directory,
        })
    }

    fn ask(&self, sql: &str) -> String {
        let script = format!(
            "PGPASSWORD=secret psql -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p {} -U flume flume -c \"{sql}\"",
            self.port
        );
        output_of(&script, Path::new("/"), &[])
    }

    /// Wait until this query, which the server is asked again and again, has this answer.
    fn wait_until(&self, sql: &str, answer: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ask(sql).trim() != answer {
            assert!(Instant::now() < until, "{sql} is never {answer}");
        }
    }

    /// What a source with this role, host and words behind the URL says, and its exit status.
    fn status(&self, who: &str, words: &str) -> (i32, String) {
        let url = format!("postgres://{who}:{}/flume{words}", self.port);
        let ended = Pipe::new(&format!(
            "source sql --url '{url}' --password env:PASSWORD --table log --column id"
        ))
        .then("sink null")
        .env("PASSWORD", "secret")
        .run();
        (ended.status(0), ended.stderr(0).to_string())
    }

    /// The words of a source for it.
    fn source(&self, words: &str) -> String {
        format!(
            "source sql --url postgres://flume@127.0.0.1:{}/flume --password env:PASSWORD --column id \
             --position-file position {words}",
            self.port
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn rows_of_postgresql_come_once_with_their_types() {
    let Some(server) = Postgres::start() else { return };
    server.ask(
        "CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz, message text, tags text[], size numeric, data jsonb);
         INSERT INTO log (at, message, tags, size, data) VALUES
         ('2026-01-01 10:00Z', 'it''s one', '{a,b}', 1.50, '{}'), (NULL, NULL, NULL, NULL, '[1]')",
    );
    let directory = tempfile::tempdir().unwrap();
    let run = |words: &str| {
        let ended = Pipe::new(&server.source(words))
            .then("cat --output json")
            .dir(directory.path())
            .env("PASSWORD", "secret")
            .env("PGTZ", "UTC")
            .run()
            .expect_status([0, 0]);
        let bodies = ended.text();
        let bodies = bodies.lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["body"].as_str().unwrap().to_string()
        });
        bodies.collect::<Vec<_>>()
    };
    let found = run("--table log");
    let first: serde_json::Value = serde_json::from_str(&found[0]).unwrap();
    assert_eq!(first["message"], "it's one");
    assert_eq!(first["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(first["size"].to_string(), "1.5");
    assert_eq!(found.len(), 2);
    assert!(run("--table log").is_empty());
    server.ask("INSERT INTO log (message) SELECT 'more ' || i FROM generate_series(1, 2500) i");
    let found = run("--query 'SELECT id, message FROM log -- all of it' --body message --batch-size 100");
    assert_eq!((found.len(), found[2499].as_str()), (2500, "more 2500"));
    let position = std::fs::read_to_string(directory.path().join("position")).unwrap();
    assert_eq!(position, "{\"column\":\"id\",\"last\":\"2502\"}\n");
}

#[test]
fn trouble_with_postgresql_is_told() {
    let Some(server) = Postgres::start() else { return };
    for (password, words, status, says) in [
        ("wrong", "--table log", 1, "password authentication failed"),
        ("secret", "--table log", 1, "relation \"log\" does not exist"),
        ("secret", "--query SELEC", 1, "syntax error"),
    ] {
        let ended = Pipe::new(&server.source(words))
            .then("sink null")
            .env("PASSWORD", password)
            .run();
        assert_eq!(ended.status(0), status, "{}", ended.told());
        assert!(ended.stderr(0).contains(says), "{}", ended.stderr(0));
    }
    let nobody = server
        .source("--table log")
        .replace(&server.port.to_string(), "1");
    let ended = Pipe::new(&nobody)
        .then("sink null")
        .env("PASSWORD", "secret")
        .run();
    assert_eq!(ended.status(0), 75, "{}", ended.told());
    assert!(
        ended.stderr(0).contains("PostgreSQL at 127.0.0.1:1"),
        "{}",
        ended.stderr(0)
    );
}

#[test]
fn tls_with_postgresql_is_as_the_words_of_libpq_say() {
    let Some(server) = Postgres::start() else { return };
    server.ask("CREATE TABLE log (id bigserial PRIMARY KEY); GRANT SELECT ON log TO PUBLIC");
    let at = server.directory.path().display();
    let own = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    std::fs::write(server.directory.path().join("other.pem"), own.cert.pem()).unwrap();
    let ca = format!("sslrootcert={at}/ca.pem");
    let client = format!("sslcert={at}/client.pem&sslkey={at}/client.key");
    for (who, words, status, says) in [
        ("encrypted@127.0.0.1", "", 0, ""),
        ("encrypted@127.0.0.1", "?sslmode=require", 0, ""),
        ("flume@127.0.0.1", "?sslmode=disable", 0, ""),
        (
            "encrypted@127.0.0.1",
            "?sslmode=disable",
            1,
            "pg_hba.conf rejects",
        ),
        ("encrypted@localhost", &format!("?{ca}"), 0, ""),
        ("encrypted@127.0.0.1", &format!("?{ca}&sslmode=verify-ca"), 0, ""),
        (
            "encrypted@127.0.0.1",
            &format!("?{ca}"),
            1,
            "does not bear the name 127.0.0.1",
        ),
        (
            "encrypted@localhost",
            &format!("?sslrootcert={at}/other.pem"),
            1,
            "sslrootcert=FILE",
        ),
        (
            "encrypted@127.0.0.1",
            &format!("?sslrootcert={at}/none.pem"),
            2,
            "sslrootcert: ",
        ),
        ("certified@localhost", &format!("?{ca}&{client}"), 0, ""),
        (
            "certified@localhost",
            &format!("?{ca}"),
            1,
            "valid client certificate",
        ),
    ] {
        let (found, said) = server.status(who, words);
        assert_eq!(found, status, "{who} {words}: {said}");
        assert!(
            said.contains(says) && !said.contains("secret"),
            "{who} {words}: {said}"
        );
    }
    server.ask("ALTER SYSTEM SET ssl = off");
    server.ask("SELECT pg_reload_conf()");
    server.wait_until("SHOW ssl", "off");
    for (words, status, says) in [
        ("", 0, ""),
        ("?sslmode=require", 1, "server does not support TLS"),
        (&format!("?{ca}"), 1, "server does not support TLS"),
    ] {
        let (found, said) = server.status("flume@localhost", words);
        assert_eq!(found, status, "{words}: {said}");
        assert!(said.contains(says), "{words}: {said}");
    }
}

#[test]
fn first_signal_ends_a_query_that_runs() {
    let Some(server) = Postgres::start() else { return };
    server.ask("CREATE TABLE log (id bigserial PRIMARY KEY); INSERT INTO log VALUES (1), (2)");
    let active =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'flume'";
    for signal in [Signal::TERM, Signal::INT] {
        for words in ["", "?sslmode=disable"] {
            let url = format!("postgres://flume@127.0.0.1:{}/flume{words}", server.port);
            let source = format!(
                "source sql --url {url} --password env:PASSWORD --column id --query 'SELECT id, pg_sleep(600) FROM log'"
            );
            let running = Pipe::new(&source)
                .then("sink null")
                .env("PASSWORD", "secret")
                .start();
            server.wait_until(active, "1");
            running.kill(0, signal);
            running.wait().expect_status([0, 0]);
            server.wait_until(active, "0");
        }
    }
    let endless =
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE id < 0";
    let directory = tempfile::tempdir().unwrap();
    // An empty file is an empty database.
    std::fs::write(directory.path().join("a.db"), "").unwrap();
    let running = Pipe::new(&format!(
        "source sql --url sqlite:a.db --column id --query '{endless}'"
    ))
    .then("sink null")
    .dir(directory.path())
    .start();
    running.wait_for(0, "each run takes all rows");
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
}

#[test]
fn kills_lose_no_row() {
    let directory = tempfile::tempdir().unwrap();
    let rows = 300_000;
    let script = format!(
        "sqlite3 a.db 'CREATE TABLE log (id INTEGER PRIMARY KEY, body TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO log SELECT i, i FROM n'"
    );
    if !bash("command -v sqlite3", directory.path(), &[]).status.success() {
        return skipped("kills of source sql: sqlite3 is missing");
    }
    assert!(bash(&script, directory.path(), &[]).status.success());
    let pipeline = "run 'source sql --url sqlite:a.db --table log --column id --body body --position-file position \
                    --batch-size 500 | channel file spool --put'";
    for round in 0..8 {
        let running = Pipe::new(pipeline).dir(directory.path()).start();
        // Somewhere in the middle of it: there is no event that a kill should wait for.
        std::thread::sleep(Duration::from_millis(30 + 40 * round));
        running.kill(0, Signal::KILL);
        running.wait();
    }
    Pipe::new(pipeline).dir(directory.path()).run().expect_status([0]);
    let text = bash(&format!("{FLUME} cat spool"), directory.path(), &[]).stdout;
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(text).unwrap().lines() {
        *counts.entry(line.parse::<u32>().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), rows);
    // What was accepted in the second before a kill may come again; all of it again would be no position at all.
    assert!(
        counts.values().sum::<usize>() < 5 * rows,
        "everything came again and again"
    );
}
