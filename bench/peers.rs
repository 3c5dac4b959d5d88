//! Peers that accept every request at once and keep no state, so that the benchmark measures the service.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Result;

/// Starts Inventory, Payment and Shipping at one address, in a thread that ends with the process.
pub fn start() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    std::thread::spawn(move || runtime.block_on(serve(listener)));
    Ok(address)
}

async fn serve(listener: std::net::TcpListener) -> Result {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let request: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    let told = match head.uri.path().trim_end_matches('/') {
        "/v1/inventory/reserve" => reserved(&request),
        "/v1/inventory/ship" => json!({"success": true, "shipped_items": 1}),
        "/v1/payments/charge" => json!({
            "payment_id": request["order_id"],
            "status": "SUCCESS",
            "reference": "PAY",
        }),
        "/v1/shipments" => json!({
            "shipment_id": request["order_id"],
            "order_id": request["order_id"],
            "carrier": request["carrier"],
            "status": "PENDING",
            "tracking_no": format!("TRK{}", request["order_id"]),
        }),
        other => return Err(format!("no peer serves {other}").into()),
    };
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(told.to_string()))?)
}

/// Reserves all requested lines.
fn reserved(request: &Value) -> Value {
    let allocations = request["items"].as_array().into_iter().flatten().map(|item| {
        json!({"sku": item["sku"], "product_id": item["product_id"], "warehouse": "BENCH", "quantity": item["quantity"]})
    });
    json!({
        "success": true,
        "reservation_id": request["reservation_id"],
        "allocations": allocations.collect::<Vec<_>>(),
    })
}
