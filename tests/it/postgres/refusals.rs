//! Reasons for which the server does not start, and their messages.

use std::net::TcpListener;

use private_postgres::binaries::{Binaries, Search};

use super::*;

#[tokio::test]
async fn data_of_another_version_is_refused() {
    let folder = folder("other-version");
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("data/PG_VERSION"), "11\n").unwrap();

    let line = refusal(settings(&folder)).await;

    for part in [
        "written by PostgreSQL 11",
        "are PostgreSQL 1",
        "PG_BIN_DIR",
        "--fresh",
    ] {
        assert!(line.contains(part), "no {part} in: {line}");
    }
    assert!(!line.contains('\n'), "{line}");
}

#[tokio::test]
async fn foreign_files_are_kept_even_by_a_fresh_start() {
    let folder = folder("not-data");
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("data/thesis.tex"), "dear").unwrap();

    for fresh in [false, true] {
        let settings = Settings {
            fresh,
            ..settings(&folder)
        };
        let line = refusal(settings).await;
        assert!(
            line.contains("holds files but no PostgreSQL data"),
            "{line}"
        );
    }
    assert!(folder.join("data/thesis.tex").exists());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = folder("taken-port");
    let settings = Settings {
        port: Some(port),
        ..settings(&folder)
    };

    let line = refusal(settings).await;

    assert!(
        line.starts_with(&format!("port {port} on 127.0.0.1 is taken")),
        "{line}"
    );
    assert!(!folder.join("data").exists(), "it says so before any work");
}

#[tokio::test]
async fn the_output_of_a_server_that_fails_is_quoted() {
    let folder = folder("broken");
    start(settings(&folder)).await.stop().await.unwrap();
    let data = folder.join("data");
    fs::write(data.join("postgresql.conf"), "nonsense = 1\n").unwrap();

    let text = refusal(settings(&folder)).await;

    assert!(
        text.contains("unrecognized configuration parameter \"nonsense\""),
        "{text}"
    );
    assert!(text.contains("data.log"), "{text}");
    wait_until_nothing_runs_on(&data).await;
}

#[tokio::test]
async fn missing_binaries_are_reported_with_install_hints() {
    let line = Binaries::find(&Search::default(), None, &|_: &str| {})
        .await
        .expect_err("nothing to find")
        .to_string();

    for part in ["apt install", "dnf install", "brew install", "PG_BIN_DIR"] {
        assert!(line.contains(part), "no {part} in: {line}");
    }
    assert!(!line.contains('\n'), "{line}");
}

#[tokio::test]
async fn a_wrong_binary_folder_is_named() {
    let folder = folder("no-binaries");
    let search = Search {
        bin_dir: Some(folder.to_path_buf()),
        ..Search::default()
    };

    let line = Binaries::find(&search, None, &|_: &str| {})
        .await
        .expect_err("nothing to find")
        .to_string();

    assert!(
        line.starts_with("PG_BIN_DIR is ") && line.contains("no-binaries"),
        "{line}"
    );
}
