//! Tracing switched off, an unavailable collector, and invalid settings.

use std::time::Duration;

use order_service::config::{self, Environment};

use super::{CALLER, TRACE, TracedService, place};
use crate::support::client::Client;
use crate::support::collector::Collector;
use crate::support::service::{Service, eventually};

#[tokio::test]
async fn an_always_off_sampler_exports_nothing_and_tells_peers() {
    let collector = Collector::start().await;
    let mut fixture = TracedService::sending_to(&collector.url).await;
    fixture.environment.set("OTEL_TRACES_SAMPLER", "always_off");
    let mut service = Service::start(&fixture.environment).await;
    let order_id = place(&service, &[]).await;
    service.stop().await;
    assert!(collector.headers().is_empty(), "{:?}", collector.spans());
    let identity = fixture.identity(order_id).await;
    for traceparent in fixture.payment.traceparents() {
        assert!(traceparent.starts_with(&format!("00-{identity}-")));
        assert!(traceparent.ends_with("-00"), "{traceparent}");
    }
}

/// Whether the process has an exporter thread.
fn sends(service: &Service) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", service.pid())).unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks
        .filter_map(|task| name(task.unwrap()))
        .any(|name| name.starts_with("OpenTelemetry"))
}

#[tokio::test]
async fn without_a_collector_only_the_trace_header_is_sent() {
    let fixture = TracedService::new().await;
    let mut service = Service::start(&fixture.environment).await;
    let order_id = place(
        &service,
        &[("traceparent", &format!("00-{TRACE}-{CALLER}-01"))],
    )
    .await;
    let identity = fixture.identity(order_id).await;
    assert!(!sends(&service));
    service.stop().await;
    let [traceparent] = &fixture.payment.traceparents()[..] else {
        panic!("payment was asked more than once");
    };
    assert!(traceparent.starts_with(&format!("00-{identity}-")) && traceparent.ends_with("-01"));
    let log = service.log();
    assert!(log.iter().any(|line| line["message"] == "request"));
    assert!(log.iter().all(|line| line.get("trace_id").is_none()));
}

#[tokio::test]
async fn a_collector_outage_logs_one_warning() {
    // The port is closed.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let fixture = TracedService::sending_to(&gone).await;
    let mut service = Service::start(&fixture.environment).await;
    assert!(sends(&service));
    let anonymous = Client::anonymous(&service.base);
    let failed = async || {
        let text = anonymous.get("/metrics").await.text;
        let line = |line: &str| {
            line.strip_prefix("trace_spans_total{result=\"failed\"} ")
                .map(str::to_owned)
        };
        text.lines().find_map(line).unwrap().parse::<u64>().unwrap()
    };
    let mut lost = 0;
    for _ in 0..2 {
        place(&service, &[]).await;
        lost = eventually("a batch is lost", async || {
            let now = failed().await;
            (now > lost).then_some(now)
        })
        .await;
    }
    service.stop().await;
    let log = service.log();
    let warnings = log
        .iter()
        .filter(|line| line["message"] == "traces are lost");
    assert_eq!(warnings.count(), 1, "{log:#?}");
}

#[tokio::test]
async fn a_silent_collector_does_not_delay_a_shutdown() {
    let collector = Collector::silent().await;
    let mut fixture = TracedService::sending_to(&collector.url).await;
    fixture.environment.set("SHUTDOWN_GRACE_S", "1");
    let mut service = Service::start(&fixture.environment).await;
    place(&service, &[]).await;
    let took = service.stop().await;
    // Less than the export timeout.
    assert!(took < Duration::from_millis(4500), "{took:?}");
}

#[test]
fn invalid_trace_settings_are_reported_without_values() {
    let mut environment = Environment::default();
    for (name, value) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://user:hunter2@collector:4318",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization hunter2"),
        ("OTEL_TRACES_SAMPLER", "hunter2"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ] {
        environment.set(name, value);
    }
    let faults = environment.read(config::telemetry).unwrap_err().to_string();
    assert!(faults.contains("4 error(s)"), "{faults}");
    assert!(!faults.contains("hunter2"), "{faults}");

    environment.set("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/otlp");
    environment.set(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=hunter2%20x, b=",
    );
    environment.set("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    environment.set("OTEL_TRACES_SAMPLER_ARG", "0.25");
    let settings = environment.read(config::telemetry).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let traces = settings.traces.unwrap();
    let names: Vec<&str> = traces.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["authorization", "b"]);
}
