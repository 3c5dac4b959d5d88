//! Many slow clients beside one normal client.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{authorization, connect, ended, metric};
use crate::support::app::TestApp;
use crate::support::client::cart;
use crate::support::service::eventually;

/// The number of slow clients.
const SLOW: usize = 500;

#[tokio::test]
async fn slow_clients_do_not_delay_others() {
    let limits = [
        ("MAX_REQUESTS", "20"),
        ("HEADER_TIMEOUT_MS", "120000"),
        ("BODY_TIMEOUT_MS", "120000"),
    ];
    let app = TestApp::with(&limits).await;
    let token = authorization(&app.customer(6));
    let body = format!(
        "POST /v1/orders/create/ HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\
            content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
    );
    let kinds = ["", "GET /v1/orders/ HTTP/1.1\r\nhost: x\r\n", &body];
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = connect(&app.base).await;
        stream
            .write_all(kinds[number % kinds.len()].as_bytes())
            .await
            .unwrap();
        slow.push(stream);
    }
    eventually("all there", async || {
        (metric(&app, "http_connections").await > i64::try_from(SLOW).unwrap()).then_some(())
    })
    .await;
    let customer = app.customer(5);
    let work = async {
        for _ in 0..20 {
            let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
            assert_eq!(placed.status, 201, "{placed:?}");
            assert_eq!(customer.details(placed.order_id()).await.status, 200);
        }
    };
    let done = timeout(Duration::from_secs(60), work).await;
    done.expect("hindered");
    assert_eq!(
        ended(&app, "header_timeout").await,
        0,
        "they have left before"
    );
    assert!(metric(&app, "http_connections").await > i64::try_from(SLOW).unwrap());
}
