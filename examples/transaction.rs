//! Transactions over a channel: begin, put or take, commit or roll back.

use flume::channel;
use flume::channel::transaction::Transactional;
use flume::component::find;
use flume::event::Event;
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let memory = find(channel::ALL, "memory")
        .ok_or("there is no memory")?
        .from_flags(&[])?;
    let (memory, _) = memory.open("channel memory")?;
    let channel = Transactional::over(memory);

    let mut put = channel.transaction();
    put.begin()?;
    for body in ["one", "two", "three"] {
        put.put(&Event::new(body).with_header("from", "example"))?;
    }
    put.commit()?;
    put.close()?;

    // What a transaction took and rolled back comes again, in its old order.
    say(&format!("rolled back: {}", take(&channel, 2, false)?))?;
    say(&format!("committed: {}", take(&channel, 2, true)?))?;
    say(&format!("left: {}", take(&channel, 9, true)?))?;
    Ok(())
}

/// Take up to `count` events and end the transaction.
fn take(channel: &Transactional, count: usize, commit: bool) -> Result<String, Box<dyn Error>> {
    let mut bodies = Vec::new();
    let mut transaction = channel.transaction();
    transaction.begin()?;
    while bodies.len() < count
        && let Some(event) = transaction.take()?
    {
        bodies.push(String::from_utf8_lossy(event.body()).into_owned());
    }
    match commit {
        true => transaction.commit()?,
        false => transaction.rollback()?,
    }
    transaction.close()?;
    Ok(bodies.join(" "))
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
