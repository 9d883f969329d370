//! An agent's configuration in a real ZooKeeper ensemble, whose members are killed.

use super::{agent, agent_of, end};
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zookeeper_client::{Acls, Client, CreateMode};

/// How long an ensemble may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn launcher() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/zookeeper/member")
}

/// Three members, which do not outlive the test.
struct Ensemble {
    directory: TempDir,
    /// With the ports of their clients.
    members: Vec<(Option<Child>, u16)>,
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for (child, _) in &mut self.members {
            if let Some(mut child) = child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Ensemble {
    /// None where it cannot run, which is said.
    fn start() -> Option<Ensemble> {
        let prepared = Command::new(launcher()).arg("--prepare").output().unwrap();
        if !prepared.status.success() {
            skipped(&format!(
                "ZooKeeper: {}",
                String::from_utf8_lossy(&prepared.stderr)
            ));
            return None;
        }
        // Free for now; ZooKeeper does not say which ports it has.
        let listeners: Vec<_> = (0..9)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|own| own.local_addr().unwrap().port())
            .collect();
        drop(listeners);
        let mut own = Ensemble {
            directory: tempfile::tempdir().unwrap(),
            members: ports[..3].iter().map(|port| (None, *port)).collect(),
        };
        let servers: Vec<_> = (0..3)
            .map(|i| format!("server.{}=127.0.0.1:{}:{}\n", i + 1, ports[3 + i], ports[6 + i]))
            .collect();
        for (i, port) in ports[..3].iter().enumerate() {
            let at = own.directory.path().join(format!("m{}", i + 1));
            std::fs::create_dir_all(at.join("data")).unwrap();
            std::fs::write(at.join("data/myid"), (i + 1).to_string()).unwrap();
            let config = format!(
                "tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir={}\nclientPort={port}\n\
                 clientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{}",
                at.join("data").display(),
                servers.concat()
            );
            std::fs::write(at.join("zoo.cfg"), config).unwrap();
            own.run(i);
        }
        own.wait_roles(3);
        Some(own)
    }

    fn run(&mut self, member: usize) {
        let at = self.directory.path().join(format!("m{}", member + 1));
        let log = File::options()
            .create(true)
            .append(true)
            .open(at.join("log"))
            .unwrap();
        let child = Command::new(launcher())
            .arg(at.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.members[member].0 = Some(child.unwrap());
    }

    /// SIGKILL.
    fn kill(&mut self, member: usize) {
        let mut child = self.members[member].0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn role(&self, member: usize) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.members[member].1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(b"srvr").ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        let role = said.lines().find_map(|line| line.strip_prefix("Mode: "))?;
        Some(role.to_string())
    }

    /// Until so many have a role, and one of them leads: which one.
    fn wait_roles(&self, members: usize) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let roles: Vec<_> = (0..3).map(|member| self.role(member)).collect();
            let leader = roles.iter().position(|role| role.as_deref() == Some("leader"));
            match leader {
                Some(leader) if roles.iter().flatten().count() == members => return leader,
                _ => assert!(Instant::now() < deadline, "the members are {roles:?}"),
            }
            // ZooKeeper tells nobody of its elections.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn hosts(&self) -> String {
        let hosts: Vec<_> = self
            .members
            .iter()
            .map(|(_, port)| format!("127.0.0.1:{port}"))
            .collect();
        hosts.join(",")
    }

    /// Write the data of a node by a client of the test's own.
    fn put(&self, path: &str, text: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = Client::connect(&self.hosts()).await.unwrap();
            let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
            if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
                client.mkdir(parent, &options).await.unwrap();
            }
            match client.set_data(path, text.as_bytes(), None).await {
                Ok(_) => {}
                Err(zookeeper_client::Error::NoNode) => {
                    client.create(path, text.as_bytes(), &options).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        });
    }
}

#[test]
fn node_is_followed_while_members_are_killed() {
    let Some(mut ensemble) = Ensemble::start() else {
        return;
    };
    ensemble.put("/flume/a1", &agent_of(&["r1"]));
    let directory = tempfile::tempdir().unwrap();
    let running = agent(directory.path(), &format!("-z {}", ensemble.hosts()));
    ensemble.put("/flume/a1", &agent_of(&["r1", "r2"]));
    running.wait_for(0, "read again: started source r2");
    // A broken one leaves what runs alone.
    ensemble.put("/flume/a1", "a1.sources = r1\na1.sources.r1.type = \\ux");
    running.wait_for(0, "the new configuration is not taken");
    ensemble.put("/flume/a1", &agent_of(&["r1", "r2", "r3"]));
    running.wait_for(0, "read again: started source r3");
    // Each member once, the leader among them: whichever the agent is connected to, it loses it.
    for round in 4..7 {
        let leader = ensemble.wait_roles(3);
        let victim = (leader + round - 4) % 3;
        ensemble.kill(victim);
        ensemble.wait_roles(2);
        let names: Vec<_> = (1..=round).map(|number| format!("r{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        ensemble.put("/flume/a1", &agent_of(&names));
        running.wait_for(
            0,
            [
                "read again: started source r4",
                "read again: started source r5",
                "read again: started source r6",
            ][round - 4],
        );
        ensemble.run(victim);
    }
    ensemble.wait_roles(3);
    end(running);
}

#[test]
fn node_is_read_once_or_waited_for_below_another_base() {
    let Some(mut ensemble) = Ensemble::start() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let hosts = ensemble.hosts();
    Pipe::new(&format!("agent --name a1 --no-control -z {hosts}"))
        .run()
        .expect_status([1])
        .says(0, ["has no node /flume/a1"]);
    ensemble.put("/other/a1", &agent_of(&["r1"]));
    let words = format!("--zkConnString {hosts} --zkBasePath /other");
    let once = agent(directory.path(), &format!("{words} --no-reload-conf"));
    let followed = agent(directory.path(), &words);
    ensemble.put("/other/a1", &agent_of(&["r1", "r2"]));
    followed.wait_for(0, "read again: started source r2");
    // All of them: the session is lost, and made anew.
    (0..3).for_each(|member| ensemble.kill(member));
    followed.wait_for(0, "what runs goes on");
    (0..3).for_each(|member| ensemble.run(member));
    ensemble.wait_roles(3);
    ensemble.put("/other/a1", &agent_of(&["r1", "r2", "r3"]));
    followed.wait_for(0, "read again: started source r3");
    end(followed);
    let said = end(once);
    assert!(!said.contains("read again"), "{said}");
}
