//! The load: clients that each append to a stream of their own and wait for every answer, as our desks' processes do.

use crate::event::{Event, stream};
use crate::peer::Client;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Appends before this are not counted: connections, caches and files get warm.
const WARM_UP: Duration = Duration::from_millis(500);

pub struct Run {
    pub events_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

pub async fn closed_loop(clients: Vec<Client>, length: Duration) -> Result<Run> {
    let counted_from = Instant::now() + WARM_UP;
    let until = counted_from + length;
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| tokio::spawn(append(client, number, counted_from, until)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at).map(|latency| latency.as_secs_f64() * 1e3)
    };
    let nothing = "not one append was answered";
    Ok(Run {
        events_per_s: latencies.len() as f64 / length.as_secs_f64(),
        p50_ms: quantile(0.50).context(nothing)?,
        p99_ms: quantile(0.99).context(nothing)?,
    })
}

/// Latencies of the appends that were asked and answered in the counted time.
async fn append(
    mut client: Client,
    number: usize,
    counted_from: Instant,
    until: Instant,
) -> Result<Vec<Duration>> {
    let stream = stream(number);
    let mut latencies = Vec::new();
    for version in 1.. {
        let event = Event::new();
        let asked = Instant::now();
        if asked >= until {
            break;
        }
        client.append(&stream, version, event).await?;
        let answered = Instant::now();
        if asked >= counted_from && answered <= until {
            latencies.push(answered - asked);
        }
    }
    Ok(latencies)
}
