//! Every failpoint × every fault of every operation of the peers × what the client does × whether steps
//! are written down at once or together.
//!
//! Each combination of a fault and a flow is first gone through alive, to learn which failpoints lie on
//! its way; then once for each of them, with a process that dies there and one that comes after it.
//! That takes some minutes: `TEST_CRASHES_ONE_OF=1` dies at all of them, as CI does, and without it at
//! a tenth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use order_service::failpoints::POINTS;
use sandbox::{Fault, Kind, Operation};
use tokio::runtime::{Handle, Runtime};

use super::environment::{Pace, World};
use super::process::Life;
use super::scenario::{Flow, Story};
use crate::support::ledger::{of_order, violations};

/// How many worlds there are at a time. Most of the time they wait for a peer that hangs.
const WORLDS: usize = 12;
/// How many deaths at one failpoint are few.
const FEW: usize = 4;
/// How many more lives may be needed: one that takes over, and one after a stop.
const MORE_LIVES: usize = 2;

/// A fault at one call of one operation; none is the peers' good day.
type Mishap = Option<(Operation, &'static str)>;

/// The names that the faults have in the report.
const FAULTS: [&str; 12] = [
    "refused",
    "refused for good",
    "429",
    "503",
    "500 before",
    "500 after",
    "timeout before",
    "timeout after",
    "reset after",
    "garbage",
    "partial",
    "late arrival",
];

/// The fault of that name. A partial answer is a part of the goods, or a part of the bytes.
fn fault(operation: Operation, name: &str) -> Fault {
    let kind = match name {
        // Until a person has seen to it; where none is asked, it ends by itself.
        "refused for good" => return Fault::new(operation, Kind::Refuse).times(20),
        "refused" => Kind::Refuse,
        "429" => Kind::TooMany,
        "503" => Kind::Unavailable,
        "500 before" => Kind::ErrorBefore,
        "500 after" => Kind::ErrorAfter,
        "timeout before" => Kind::HangBefore,
        "timeout after" => Kind::HangAfter,
        "reset after" => Kind::DropAfter,
        "garbage" => Kind::Garbage,
        "partial" if operation == Operation::Reserve => Kind::Partial,
        "partial" => Kind::Truncate,
        // Longer than the client waits.
        _ => return Fault::new(operation, Kind::Delay).after_ms(150).times(1),
    };
    Fault::new(operation, kind).times(1)
}

/// What there is to do, and what has come of it.
#[derive(Default)]
struct Report {
    to_do: BTreeMap<Pace, VecDeque<(Flow, Mishap)>>,
    runs: usize,
    asked: usize,
    /// At one of so many failpoints somebody dies.
    one_of: usize,
    deaths: BTreeMap<&'static str, usize>,
    befallen: BTreeMap<&'static str, usize>,
    violations: Vec<String>,
}

impl Report {
    /// Whether somebody should die there: it is the turn of one of so many, or few have died there so
    /// far.
    fn wants(&mut self, point: &'static str) -> bool {
        self.asked += 1;
        let few = self.deaths.get(point).is_none_or(|deaths| *deaths < FEW);
        few || self.asked.is_multiple_of(self.one_of)
    }
}

/// What came of one story.
#[derive(Default)]
struct Told {
    passed: BTreeSet<&'static str>,
    befallen: bool,
    died: bool,
}

#[test]
fn no_peer_fault_or_crash_loses_or_doubles_an_order() {
    // Whole where there is time, as in CI.
    let one_of = std::env::var("TEST_CRASHES_ONE_OF").map_or(10, |text| text.parse().unwrap());
    let mut report = Report {
        one_of,
        ..Report::default()
    };
    for pace in Pace::ALL {
        report.to_do.insert(pace, to_do());
    }
    let report = Mutex::new(report);
    let surroundings = Runtime::new().unwrap();
    std::thread::scope(|scope| {
        for pace in Pace::ALL.into_iter().cycle().take(WORLDS) {
            let (report, surroundings) = (&report, &surroundings);
            scope.spawn(move || walk(surroundings.handle(), report, pace));
        }
    });
    let report = report.into_inner().unwrap();
    print(&report);
    assert_eq!(report.violations, [""; 0]);
    let missed: Vec<_> = POINTS
        .into_iter()
        .filter(|point| !report.deaths.contains_key(point))
        .collect();
    assert_eq!(missed, [""; 0], "nobody died at these failpoints");
    let unmet: Vec<_> = FAULTS
        .into_iter()
        .filter(|name| !report.befallen.contains_key(name))
        .collect();
    assert_eq!(unmet, [""; 0], "these faults befell nobody");
}

/// Every fault of every flow.
fn to_do() -> VecDeque<(Flow, Mishap)> {
    let mut to_do = VecDeque::new();
    for flow in Flow::ALL {
        to_do.push_back((flow, None));
        if flow == Flow::Stop {
            // Something has to be under way when it stops.
            to_do.push_back((flow, Some((Operation::Charge, "timeout before"))));
            continue;
        }
        // No order's way leads past a list.
        let on_the_way = |operation: &Operation| !operation.name().ends_with(".list");
        let faults = Operation::ALL
            .into_iter()
            .filter(on_the_way)
            .flat_map(|operation| FAULTS.map(|name| Some((operation, name))));
        to_do.extend(faults.map(|mishap| (flow, mishap)));
    }
    to_do
}

fn print(report: &Report) {
    println!(
        "{} failpoints × {} faults × {} flows × {} paces: {} runs, {} violations",
        POINTS.len(),
        FAULTS.len() + 1,
        Flow::ALL.len(),
        Pace::ALL.len(),
        report.runs,
        report.violations.len()
    );
    for (name, runs) in &report.befallen {
        println!("{runs:6} runs with the fault {name}");
    }
    for (point, deaths) in &report.deaths {
        println!("{deaths:6} deaths at {point}");
    }
}

/// Takes one combination after the other, in a world of its own.
fn walk(surroundings: &Handle, report: &Mutex<Report>, pace: Pace) {
    let mut world = surroundings.block_on(World::new(pace));
    loop {
        let next = report
            .lock()
            .unwrap()
            .to_do
            .get_mut(&pace)
            .and_then(VecDeque::pop_front);
        let Some((flow, mishap)) = next else { break };
        let alive = run(surroundings, report, &mut world, flow, mishap, None);
        let Some(alive) = alive.filter(|told| told.befallen) else {
            continue;
        };
        for point in alive.passed {
            if report.lock().unwrap().wants(point) {
                run(surroundings, report, &mut world, flow, mishap, Some(point));
            }
        }
    }
    let judged = surroundings.block_on(judge_all(&mut world));
    report.lock().unwrap().violations.extend(judged);
}

/// What belongs to no order, or to one too many.
async fn judge_all(world: &mut World) -> Vec<String> {
    let mut wrong = Vec::new();
    let orders = world.all_orders().await;
    if i64::try_from(orders.len()) != Ok(world.keys()) {
        wrong.push(format!("{} orders for {} keys", orders.len(), world.keys()));
    }
    wrong.extend(violations(&orders, &world.ledger()));
    wrong
}

fn run(
    surroundings: &Handle,
    report: &Mutex<Report>,
    world: &mut World,
    flow: Flow,
    mishap: Mishap,
    deadly: Option<&'static str>,
) -> Option<Told> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        surroundings.block_on(tell(world, flow, mishap, deadly))
    }));
    let mut report = report.lock().unwrap();
    report.runs += 1;
    let about = |what: &str| {
        format!(
            "{:?}, {flow:?}, {mishap:?}, death at {deadly:?}: {what}",
            world.pace
        )
    };
    match told {
        Ok(Ok(told)) => {
            if let Some((_, name)) = mishap.filter(|_| told.befallen) {
                *report.befallen.entry(name).or_default() += 1;
            }
            if let Some(point) = deadly.filter(|_| told.died) {
                *report.deaths.entry(point).or_default() += 1;
            }
            Some(told)
        }
        Ok(Err(wrong)) => {
            report.violations.push(about(&wrong));
            None
        }
        Err(panic) => {
            let why = panic
                .downcast_ref::<String>()
                .map_or("panic", String::as_str);
            report.violations.push(about(why));
            None
        }
    }
}

/// Tells a whole story: with one life that may die, and one that takes over.
async fn tell(
    world: &mut World,
    flow: Flow,
    mishap: Mishap,
    deadly: Option<&'static str>,
) -> Result<Told, String> {
    world.sandbox.clear_faults();
    let fault = mishap.map(|(operation, name)| fault(operation, name));
    let key = world.new_key();
    let mut story = Story::new(flow, key, fault);
    let mut told = Told::default();
    let mut ended = false;
    if deadly.is_some() {
        let mut life = Life::new(&world.config, deadly);
        life.start();
        ended = live(world, &mut story, &mut life, &mut told).await;
    }
    let mut healthy = world
        .healthy
        .take()
        .unwrap_or_else(|| Life::new(&world.config, None));
    for _ in 0..MORE_LIVES {
        if ended {
            break;
        }
        healthy.start();
        ended = live(world, &mut story, &mut healthy, &mut told).await;
        healthy.stop().await;
    }
    world.healthy = Some(healthy);
    told.befallen = match mishap {
        None => true,
        Some((operation, _)) => world.calls(Some(operation)) > story.calls_before,
    };
    let order_id = story.order_id.filter(|_| ended);
    let order_id = order_id.ok_or_else(|| "not settled".to_owned())?;
    let order = world.order(order_id).await;
    let wrong = of_order(order_id.0, &order, &world.ledger());
    if wrong.is_empty() {
        Ok(told)
    } else {
        Err(wrong.join("; "))
    }
}

/// Tells the story in one life; whether it came to its end.
async fn live(world: &World, story: &mut Story, life: &mut Life, told: &mut Told) -> bool {
    let watch = life.watch.clone();
    let ended = tokio::select! {
        ended = story.tell(world, life) => ended.is_some(),
        () = watch.died() => false,
    };
    told.passed.extend(watch.passed());
    told.died |= watch.is_dead();
    ended
}
