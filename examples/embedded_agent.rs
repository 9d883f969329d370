//! An embedded agent: this program's own events into a channel in memory, and on to one of two Avro sources, such as
//! `flume source avro` or a Flume agent; if one of them is away, to the other.
//!
//!     embedded_agent HOST:PORT HOST:PORT < lines

use flume::agent::embedded::EmbeddedAgent;
use flume::event::Event;
use std::io::BufRead;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts: Vec<String> = std::env::args().skip(1).collect();
    let mut properties = vec![
        ("channel.type".to_string(), "memory".to_string()),
        ("channel.capacity".into(), "10000".into()),
        ("source.interceptors".into(), "i1".into()),
        ("source.interceptors.i1.type".into(), "static".into()),
        ("source.interceptors.i1.key".into(), "program".into()),
        ("source.interceptors.i1.value".into(), "example".into()),
        ("processor.type".into(), "failover".into()),
    ];
    let mut names = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let (host, port) = host.rsplit_once(':').ok_or("give HOST:PORT")?;
        let name = format!("k{number}");
        properties.push((format!("{name}.type"), "avro".into()));
        properties.push((format!("{name}.hostname"), host.into()));
        properties.push((format!("{name}.port"), port.into()));
        properties.push((format!("processor.priority.{name}"), (100 - number).to_string()));
        names.push(name);
    }
    properties.push(("sinks".into(), names.join(" ")));
    let mut agent = EmbeddedAgent::new("example")?;
    agent.configure(properties)?;
    agent.start()?;
    for line in std::io::stdin().lock().lines() {
        // When this returns, the event is in the channel.
        agent.put(&Event::new(line?))?;
    }
    agent.stop()?;
    Ok(())
}
