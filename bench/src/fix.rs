//! From an order handed to our FIX session to its execution report handed to the application: two sessions over loopback, both with
//! a durable journal. One order at a time (p50, p99), and with a window of orders under way (orders a second).
//!
//! The journals lie in the working directory, because a temporary folder may be in memory, where a sync costs nothing.

use anyhow::{Context, Result};
use serde_json::json;
use squareoff_fix::message::{ExecutionReport, NewOrderSingle, OrdType, OutboundMessage, Side};
use squareoff_fix::{
    AppMessage, Application, DriverError, Endpoint, Inbound, Journal, NotRecorded, PriceE4, Record,
    Registry, Resend, Role, SentRecord, SessionConfig, SessionState, Timestamp, UserDefined,
    Validation, accept_loop, connect_loop,
};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const ORDERS_ONE_AT_A_TIME: usize = 2_000;
const ORDERS_IN_WINDOW: usize = 200_000;
const WINDOW: usize = 100;
const RUNS: usize = 3;
/// More than any window.
const QUEUE: usize = 4096;

/// Prints one JSON line. `args`: orders in the window runs, runs (defaults: 200,000, 3).
pub fn run(args: &[String]) -> Result<()> {
    let number =
        |index: usize, default: usize| args.get(index).map_or(Ok(default), |arg| arg.parse());
    let orders = number(0, ORDERS_IN_WINDOW).context("number of orders")?;
    let runs = number(1, RUNS).context("number of runs")?;
    let runtime = tokio::runtime::Runtime::new()?;
    for (name, validation) in [
        ("basic", Validation::Basic),
        ("full", Validation::Full(UserDefined::Taken)),
    ] {
        let mut singles = Vec::new();
        let mut rates = Vec::new();
        for _ in 0..runs {
            let folder = tempfile::tempdir_in(".")?;
            let single = measure(folder.path(), validation, ORDERS_ONE_AT_A_TIME, 1);
            singles.push(runtime.block_on(single)?);
            let folder = tempfile::tempdir_in(".")?;
            let many = measure(folder.path(), validation, orders, WINDOW);
            rates.push(runtime.block_on(many)?);
        }
        singles.sort_by(|a, b| a.p50_ms.total_cmp(&b.p50_ms));
        rates.sort_by(|a, b| a.orders_per_s.total_cmp(&b.orders_per_s));
        let (single, rate) = (&singles[runs / 2], &rates[runs / 2]);
        println!(
            "{}",
            json!({
                "bench": "fix", "validation": name, "runs": runs,
                "one_at_a_time": { "p50_ms": single.p50_ms, "p99_ms": single.p99_ms },
                "window": WINDOW, "orders": orders, "orders_per_s": rate.orders_per_s.round(), "window_p50_ms": rate.p50_ms,
            })
        );
    }
    Ok(())
}

/// What one run came to.
pub struct Run {
    pub orders_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Ours on both ends, with journals in `folder`.
pub async fn measure(
    folder: &Path,
    validation: Validation,
    orders: usize,
    window: usize,
) -> Result<Run> {
    let exchange = Exchange::start(folder, validation).await?;
    let (initiator, mut reported) = Initiator::start(folder, exchange.address, validation)?;
    let send = async |number: usize| initiator.order(number).await;
    let run = closed_loop(orders, window, send, &mut reported).await?;
    initiator.stop().await?;
    exchange.stop().await?;
    Ok(run)
}

/// Sends `orders` orders by `send`, which is told the number of each, so that `window` are without a report. `reported` says how many
/// reports have come.
pub async fn closed_loop(
    orders: usize,
    window: usize,
    send: impl AsyncFn(usize) -> Result<()>,
    reported: &mut mpsc::UnboundedReceiver<usize>,
) -> Result<Run> {
    // The log-on is not measured: a first order waits for it.
    send(0).await?;
    reported.recv().await.context("the first report")?;
    let mut sent_at = Vec::with_capacity(orders);
    let mut latencies = Vec::with_capacity(orders);
    let start = Instant::now();
    while latencies.len() < orders {
        while sent_at.len() < orders && sent_at.len() - latencies.len() < window {
            sent_at.push(Instant::now());
            send(sent_at.len()).await?;
        }
        let mut count: usize = reported.recv().await.context("a report")?;
        while let Ok(more) = reported.try_recv() {
            count += more;
        }
        for _ in 0..count {
            latencies.push(sent_at[latencies.len()].elapsed());
        }
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    let ms = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1e3;
    Ok(Run {
        orders_per_s: orders as f64 / elapsed.as_secs_f64(),
        p50_ms: ms(50),
        p99_ms: ms(99),
    })
}

/// Our acceptor as `EXCH`, which acknowledges every order of `GATE`.
pub struct Exchange {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<Result<(), DriverError>>,
}

impl Exchange {
    pub async fn start(folder: &Path, validation: Validation) -> Result<Exchange> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (answers, outbound) = mpsc::channel(QUEUE);
        let mut registry = Registry::new();
        registry.add(Endpoint::new(
            config(validation, Role::Acceptor, "EXCH", "GATE"),
            journal(folder, "exchange", "EXCH", "GATE")?,
            outbound,
            End::Exchange {
                answers,
                executions: 0,
            },
            Timestamp::now,
        ));
        let (stop, stopping) = watch::channel(false);
        Ok(Exchange {
            address,
            stop,
            accepting: tokio::spawn(accept_loop(listener, registry, stopping)),
        })
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        Ok(self.accepting.await??)
    }
}

/// Our initiator as `GATE`.
pub struct Initiator {
    queue: mpsc::Sender<OutboundMessage>,
    stop: watch::Sender<bool>,
    connecting: JoinHandle<Result<(), DriverError>>,
}

impl Initiator {
    /// Tells how many reports have come.
    pub fn start(
        folder: &Path,
        address: SocketAddr,
        validation: Validation,
    ) -> Result<(Initiator, mpsc::UnboundedReceiver<usize>)> {
        let (queue, outbound) = mpsc::channel(QUEUE);
        let (reports, reported) = mpsc::unbounded_channel();
        let mut gateway = Endpoint::new(
            config(validation, Role::Initiator, "GATE", "EXCH"),
            journal(folder, "gateway", "GATE", "EXCH")?,
            outbound,
            End::Gateway { reports },
            Timestamp::now,
        );
        let (stop, stopping) = watch::channel(false);
        let connecting = tokio::spawn(async move {
            connect_loop(&address.to_string(), &mut gateway, stopping).await
        });
        let initiator = Initiator {
            queue,
            stop,
            connecting,
        };
        Ok((initiator, reported))
    }

    pub async fn order(&self, number: usize) -> Result<()> {
        Ok(self.queue.send(order(number)?).await?)
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        Ok(self.connecting.await??)
    }
}

fn config(validation: Validation, role: Role, sender: &str, target: &str) -> SessionConfig {
    SessionConfig {
        validation,
        ..SessionConfig::new(role, sender, target)
    }
}

fn journal(folder: &Path, name: &str, sender: &str, target: &str) -> Result<Journal> {
    let journal = Journal::open(folder.join(name), sender, target, Timestamp::now());
    Ok(journal?)
}

fn order(number: usize) -> Result<OutboundMessage> {
    let cl_ord_id = format!("C{number:018}");
    let order = AppMessage::NewOrderSingle(NewOrderSingle {
        cl_ord_id: cl_ord_id.clone(),
        account: Some("CL0001".to_owned()),
        symbol: "NIFTY26DECFUT".to_owned(),
        security_exchange: Some("NSE".to_owned()),
        side: Side::Sell,
        order_qty: 65,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(245_000_500)),
        time_in_force: None,
        transact_time: Timestamp::now(),
        text: None,
    });
    Ok(OutboundMessage::new(cl_ord_id, number as u64, &order)?)
}

/// The two applications.
enum End {
    Gateway {
        reports: mpsc::UnboundedSender<usize>,
    },
    Exchange {
        answers: mpsc::Sender<OutboundMessage>,
        executions: u64,
    },
}

impl Application for End {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let failed = |why: String| NotRecorded(why);
        match self {
            End::Gateway { reports } => {
                reports.send(batch.len()).map_err(|e| failed(e.to_string()))
            }
            End::Exchange {
                answers,
                executions,
            } => {
                for inbound in &batch {
                    let AppMessage::NewOrderSingle(order) = &inbound.message else {
                        continue;
                    };
                    *executions += 1;
                    let exec_id = format!("E{executions}");
                    let accepted =
                        ExecutionReport::accepted(order, executions.to_string(), exec_id);
                    let report = AppMessage::ExecutionReport(Box::new(accepted));
                    let report =
                        OutboundMessage::new("", 0, &report).map_err(|e| failed(e.to_string()))?;
                    answers
                        .try_send(report)
                        .map_err(|e| failed(e.to_string()))?;
                }
                Ok(())
            }
        }
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, _: SessionState) -> Result<(), NotRecorded> {
        Ok(())
    }
}
