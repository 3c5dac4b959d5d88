//! Settings of logs and traces.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{SettingsReader, parse_url};
use crate::telemetry::{LogFormat, Sampling, TelemetrySettings, TracesSettings};

/// Reads the settings of logs and traces.
pub fn telemetry(reader: &mut SettingsReader<'_>) -> Option<TelemetrySettings> {
    let filter = reader.value("RUST_LOG", |text| Ok(text.to_owned()));
    let format = reader.value("LOG_FORMAT", |text| {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(LogFormat::Json),
            "pretty" => Ok(LogFormat::Pretty),
            _ => Err("must be json or pretty".to_owned()),
        }
    });
    let traces = traces(reader);
    Some(TelemetrySettings {
        filter: filter?,
        format: format?,
        traces: traces?,
    })
}

/// `Some(None)`: traces are off.
fn traces(reader: &mut SettingsReader<'_>) -> Option<Option<TracesSettings>> {
    let endpoint = endpoint(reader);
    let headers = headers(reader);
    let service_name = reader.value("OTEL_SERVICE_NAME", |text| Ok(text.to_owned()));
    let share = reader.value("OTEL_TRACES_SAMPLER_ARG", |text| {
        text.parse::<f64>()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or("must be a share from 0 to 1, such as 0.1".to_owned())
    });
    let sampling = reader.value("OTEL_TRACES_SAMPLER", |text| {
        Sampling::of(text, share.unwrap_or_default()).ok_or(
            "must be always_on, always_off, traceidratio, or one of these behind parentbased_"
                .to_owned(),
        )
    });
    let (headers, service_name, sampling) = (headers?, service_name?, sampling?);
    share?;
    Some(endpoint?.map(|endpoint| TracesSettings {
        endpoint,
        headers,
        service_name,
        sampling,
    }))
}

fn endpoint(reader: &mut SettingsReader<'_>) -> Option<Option<Url>> {
    let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some(text) = reader.text(name) else {
        return Some(None);
    };
    // The exporter prints the URL in its errors, so it must not contain credentials.
    let plain = |url: &Url| {
        url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match parse_url(&text).ok().filter(plain) {
        Some(url) => Some(Some(url)),
        None => {
            let expected = "must be a URL such as http://localhost:4318, without user and query";
            reader.reject(name, expected);
            None
        }
    }
}

/// Pairs in the format of W3C `baggage`: `name=value,name=value`, values percent-encoded.
fn headers(reader: &mut SettingsReader<'_>) -> Option<Vec<(String, SecretString)>> {
    let name = "OTEL_EXPORTER_OTLP_HEADERS";
    let text = reader.text(name).unwrap_or_default();
    let pairs = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let headers: Option<Vec<_>> = pairs.map(header).collect();
    if headers.is_none() {
        reader.reject(name, "must be name=value pairs, separated by commas");
    }
    headers
}

fn header(pair: &str) -> Option<(String, SecretString)> {
    let (name, value) = pair.split_once('=')?;
    let name = name.trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let fits = !name.is_empty()
        && name.bytes().all(is_token)
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    fits.then(|| (name.to_owned(), SecretString::from(value.into_owned())))
}
