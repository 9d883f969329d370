//! A client: events to an address, such as that of `flume source avro`, `flume source stream` or a Flume agent,
//! with what its developer guide calls append and appendBatch.

use flume::client::{Client, ClientError, Settings};
use flume::event::{Batch, BatchBuilder, Event};
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let addresses = std::env::args().skip(1);
    let hosts: Vec<_> = addresses
        .map(|word| word.parse())
        .collect::<Result<_, String>>()?;
    // Several addresses: the next one is used when one fails.
    let mut client = Client::open(Settings::to(hosts))?;

    client.append(&Event::new("one event").with_header("from", "example"))?;
    let mut events = BatchBuilder::new();
    for number in 0..1000 {
        events.push_event(&Event::new(format!("event {number}")));
    }
    send(&mut client, &events.finish())?;
    client.close();
    writeln!(std::io::stdout(), "accepted: 1001 events")?;
    Ok(())
}

/// Once more over another connection, if the first one fails: what was not accepted may have arrived, so some
/// may come twice.
fn send(client: &mut Client, batch: &Batch) -> Result<(), ClientError> {
    match client.append_batch(batch) {
        Err(ClientError::Delivery(_)) => {
            *client = client.again()?;
            client.append_batch(batch)
        }
        other => other,
    }
}
