//! The server ends with its owner, even if either is killed.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::support::service::eventually;

/// The data folder for [`a_process_that_owns_a_server`]. Without it that test does nothing.
const FOLDER: &str = "TEST_OWNER_FOLDER";

/// Not a test by itself: other tests run it as a child process and kill it.
#[tokio::test]
async fn a_process_that_owns_a_server() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let postgres = start(settings(Path::new(&folder))).await;
    println!("url {}", postgres.url("postgres"));
    std::future::pending::<()>().await;
}

/// Starts a process that owns a server. Returns the process and the server's URL.
fn owner(folder: &Path, change: impl FnOnce(&mut Command)) -> (Child, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([
            "postgres::owner::a_process_that_owns_a_server",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped());
    change(&mut command);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("url ")?.1.to_owned()))
        .expect("a server's URL");
    (child, url)
}

/// The ids of the processes that were started on the data.
fn process_ids(data: &Path) -> BTreeSet<u32> {
    processes_on(data).into_iter().map(|(id, _)| id).collect()
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

fn kill_pid(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn a_killed_owner_takes_its_server_down() {
    let folder = folder("killed-owner");
    let (owner, _) = owner(&folder, |_| {});
    let data = folder.join("data");
    assert!(pid(&data).is_some());

    kill(owner);

    wait_until_nothing_runs_on(&data).await;
    assert_eq!(pid(&data), None, "it shut down, so it removed its file");
}

#[tokio::test]
async fn a_start_right_after_a_killed_owner_gets_a_new_server() {
    let folder = folder("killed-and-started");
    let data = folder.join("data");
    let (owner, _) = owner(&folder, |_| {});
    let of_the_owner = process_ids(&data);
    assert!(!of_the_owner.is_empty());
    kill(owner);

    let postgres = start(settings(&folder)).await;

    eventually("the processes of the killed owner end", async || {
        let left = process_ids(&data);
        of_the_owner.is_disjoint(&left).then_some(())
    })
    .await;
    answer(&postgres, "select 'here'").await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_shuts_down() {
    let folder = folder("dropped");
    drop(start(settings(&folder)).await);
    wait_until_nothing_runs_on(&folder.join("data")).await;
}

#[tokio::test]
async fn a_killed_server_leaves_no_watcher_and_can_restart() {
    let folder = folder("killed-server");
    let data = folder.join("data");
    let postgres = start(settings(&folder)).await;

    kill_pid(pid(&data).unwrap());

    // The owner still holds the server's handle and its pipe.
    wait_until_nothing_runs_on(&data).await;
    let text = postgres
        .stop()
        .await
        .expect_err("it did not end well")
        .to_string();
    assert!(text.contains("PostgreSQL ended with"), "{text}");
    assert!(pid(&data).is_some(), "a killed server leaves its file");
    let postgres = start(settings(&folder)).await;
    answer(&postgres, "select 'recovered'").await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_of_a_live_process_is_ignored() {
    let folder = folder("stale-pid");
    let data = folder.join("data");
    start(settings(&folder)).await.stop().await.unwrap();
    let us = std::process::id();
    let text = format!("{us}\n{}\n1700000000\n1\n\n127.0.0.1\n", data.display());
    fs::write(data.join("postmaster.pid"), text).unwrap();

    start(settings(&folder)).await.stop().await.unwrap();
}

/// Hides `unshare` from the process, so that root has to switch to another account.
#[tokio::test]
async fn root_without_user_namespaces_switches_the_account() {
    let folder = folder("account");
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    for program in ["sh", "id", "postgres", "initdb"] {
        let paths = env::var_os("PATH").unwrap();
        let found = env::split_paths(&paths)
            .map(|path| path.join(program))
            .find(|path| path.exists());
        if let Some(found) = found {
            symlink(found, programs.join(program)).unwrap();
        }
    }
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() != b"0" {
        return;
    }

    let (owner, url) = owner(&folder, |command| {
        command.env("PATH", &programs);
    });
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let data: String = sqlx::query_scalar("show data_directory")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    let data = PathBuf::from(data);
    assert!(data.starts_with("/var/tmp"), "{}", data.display());
    assert!(!folder.join("data").exists());
    kill(owner);
    wait_until_nothing_runs_on(&data).await;
    fs::remove_dir_all(data.parent().unwrap()).unwrap();
}
