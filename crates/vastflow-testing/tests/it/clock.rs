//! The virtual clock.

use crate::support::{Log, double, fail, lines, note, ok};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_core::{RunStatus, Timestamp};
use vastflow_sdk::{Andes, Ctx, Cycle, DurationExt, Flow, Headwaters, Node, River, RiverAttr, RiverError, TimesExt};
use vastflow_testing::{Fault, TestEngine};

#[tokio::test]
async fn a_month_of_sleeps_and_retries_takes_milliseconds() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let weak = move |ctx: Ctx, n: u32| {
        note(&noted, format!("try {} at {}", ctx.attempt(), ctx.now()));
        async move { if ctx.attempt() < 30 { fail("not yet") } else { ok(n) } }
    };
    let flow = Flow::dag("month", |dag, n: Node<u32>| {
        let slept = dag.sleep("sleep", 30.days(), n);
        dag.node("weak", weak, slept).retry(40.times().every(1.days()))
    });
    let flow = flow.unwrap();
    let began = Instant::now();
    let mut engine = TestEngine::builder().flow(&flow).now(Timestamp::from_millis(0)).build().unwrap();
    let run = engine.start(&flow, 7).unwrap();
    engine.advance(30.days() - 1.ms()).await.unwrap();
    assert_eq!(engine.calls("weak"), 0, "it sleeps to the last millisecond");
    engine.advance(1.ms()).await.unwrap();
    assert_eq!(lines(&log), [format!("try 1 at {}", Timestamp::from_millis(0).plus(30.days()))]);
    engine.advance(29.days()).await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 7);
    assert_eq!(engine.calls("weak"), 30);
    // Milliseconds; and on a busy machine still no month.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_due_comes_in_the_order_of_its_time() {
    let log = Log::default();
    let flow = Flow::dag("alarms", |dag, n: Node<u32>| {
        let alarm = |name: &'static str, wait: Duration| {
            let log = Arc::clone(&log);
            let ring = move |ctx: Ctx, n: u32| {
                note(&log, format!("{name} at {}", ctx.now().millis() / 3_600_000));
                async move { ok(n) }
            };
            dag.node(name, ring, dag.sleep(&format!("wait-{name}"), wait, n))
        };
        let all = (alarm("late", 3.hours()), alarm("early", 1.hours()), alarm("later", 2.hours()));
        dag.node("all", |(a, b, c): (u32, u32, u32)| async move { ok(a + b + c) }, all)
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::builder().flow(&flow).now(Timestamp::from_millis(0)).build().unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.advance(10.hours()).await.unwrap();
    assert_eq!(lines(&log), ["early at 1", "later at 2", "late at 3"]);
    assert_eq!(engine.output(&run).unwrap(), 3);
    assert_eq!(engine.now(), Timestamp::from_millis(0).plus(10.hours()));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Boil;

impl River for Boil {
    const NAME: &'static str = "boil";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(5, 1.mins())
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        hw.put("litres", 2);
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let tick = hw.ctx().map_or(0, Ctx::attempt);
        Ok(if tick < 3 { Cycle::Continue("cold".into()) } else { Cycle::Done })
    }
}

#[tokio::test]
async fn a_river_is_polled_by_the_virtual_clock() {
    let mut engine = TestEngine::builder().build().unwrap();
    let run = engine.draw(Andes::new("tea").stream(Boil), Headwaters::new("tea-1")).unwrap();
    let began = engine.now();
    engine.run_until_idle().await.unwrap();
    assert_eq!((engine.calls("boil"), engine.calls(vastflow_testing::Place::poll("boil"))), (1, 0));
    assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Succeeded);
    assert_eq!(engine.now().since(began), 3.mins());
    assert_eq!(engine.get::<_, u32>(&run, "litres").unwrap(), Some(2));
    assert_eq!(engine.handle::<()>("tea-1").unwrap().id(), run.id());
}

#[tokio::test]
async fn limits_of_calls_nodes_and_runs_are_virtual() {
    let flow = |timeout: Option<Duration>| {
        let drawn = Flow::dag("slow", |dag, n: Node<u32>| {
            if let Some(limit) = timeout {
                dag.timeout(limit);
            }
            dag.node("slow", |n: u32| async move { ok(n) }, n)
                .timeout(1.hours())
                .total_timeout(150.mins())
                .retry(9.times())
        });
        drawn.unwrap()
    };
    for (limit, calls, took, said) in
        [(None, 3, 150.mins(), "slow:"), (Some(90.mins()), 2, 90.mins(), "did not end within")]
    {
        let flow = flow(limit);
        let mut engine = TestEngine::new(&flow).unwrap();
        engine.inject("slow", Fault::hang().always());
        let run = engine.start(&flow, 1).unwrap();
        let began = engine.now();
        assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Failed);
        assert_eq!((engine.calls("slow"), engine.now().since(began)), (calls, took));
        let error = engine.output(&run).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_handler_that_waits_for_something_real_is_waited_for() {
    let flow = Flow::dag("real", |dag, n: Node<u32>| {
        let thread = |n: u32| async move { ok(tokio::task::spawn_blocking(move || n + 1).await?) };
        let (one, two) = (dag.node("one", thread, n), dag.node("two", thread, n));
        dag.node("sum", |(a, b): (u32, u32)| async move { ok(a + b) }, (one, two))
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 4);
}

#[tokio::test]
async fn handlers_that_wait_for_each_other_run_side_by_side() {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let flow = Flow::dag("meet", |dag, n: Node<u32>| {
        let meet = || {
            let barrier = Arc::clone(&barrier);
            move |n: u32| {
                let barrier = Arc::clone(&barrier);
                async move {
                    barrier.wait().await;
                    ok(n)
                }
            }
        };
        let (one, two) = (dag.node("one", meet(), n), dag.node("two", meet(), n));
        dag.node("sum", |(a, b): (u32, u32)| async move { ok(a + b) }, (one, two))
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 2);
}

#[tokio::test]
async fn a_handler_that_never_answers_is_named() {
    let flow = Flow::dag("mute", |dag, n: Node<u32>| {
        dag.node("mute", |_: u32| std::future::pending::<vastflow_sdk::Result<u32>>(), n)
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::builder().flow(&flow).patience(Duration::from_millis(20)).build().unwrap();
    engine.start(&flow, 1).unwrap();
    let error = engine.run_until_idle().await.unwrap_err();
    assert_eq!(error.code(), "silent-handler");
    assert!(error.to_string().contains("handler of mute") && error.to_string().contains(".waits(\"mute\")"), "{error}");
}

#[tokio::test]
async fn a_run_that_cannot_go_on_by_itself_is_told_apart() {
    let flow = Flow::dag("ask", |dag, n: Node<u32>| {
        let said: Node<u32> = dag.wait_signal("said", n);
        dag.node("add", |(a, b): (u32, u32)| async move { ok(a + b) }, (n, said))
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    let error = engine.run_to_end(&run).await.unwrap_err();
    assert_eq!(error.code(), "stuck");
    assert!(error.to_string().contains("said") && error.to_string().contains("listening"), "{error}");
    assert_eq!(engine.output(&run).unwrap_err().code(), double_error());
    engine.signal(&run, "said", 2_u32).unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 3);
}

fn double_error() -> &'static str {
    let flow = double();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.output(&run).unwrap_err().code()
}
