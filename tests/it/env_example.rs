//! `.env.example`, the manual and the settings that the program reads agree.

use std::collections::{BTreeMap, BTreeSet};

use order_service::config::{self, Config, Environment, SettingsReader, VARIABLES};

const EXAMPLE: &str = include_str!("../../.env.example");

/// A variable of the file.
#[derive(Debug)]
struct Entry {
    value: &'static str,
    /// Whether it is commented out.
    commented: bool,
    /// The comment above it.
    meaning: &'static str,
}

/// The variables of the file by name, each of which occurs once.
fn entries() -> BTreeMap<&'static str, Entry> {
    let mut entries = BTreeMap::new();
    let mut meaning = "";
    for line in EXAMPLE.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            meaning = comment;
            continue;
        }
        let (commented, line) = match line.strip_prefix('#') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let Some((name, value)) = line.split_once('=') else {
            assert!(line.is_empty(), "neither comment nor variable: {line}");
            continue;
        };
        let entry = Entry {
            value,
            commented,
            meaning,
        };
        assert!(entries.insert(name, entry).is_none(), "{name} occurs twice");
    }
    entries
}

#[test]
fn env_example_manual_and_program_have_the_same_variables() {
    let nothing = |_: &str| None;
    let mut reader = SettingsReader::new(&nothing);
    let _ = Config::read(&mut reader);
    let _ = config::telemetry(&mut reader);
    let read: BTreeSet<&str> = reader.variables_read().iter().copied().collect();
    let documented: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    let shown: BTreeSet<&str> = entries().into_keys().collect();
    assert_eq!(documented, read);
    assert_eq!(shown, documented);
}

#[test]
fn env_example_explains_every_variable_and_its_default() {
    let entries = entries();
    for variable in VARIABLES {
        let entry = &entries[variable.name];
        assert_eq!(entry.meaning, variable.meaning, "{}", variable.name);
        if let Some(default) = variable.default {
            assert!(entry.commented, "{} has a default", variable.name);
            assert_eq!(entry.value, default, "{}", variable.name);
        }
    }
}

#[test]
fn the_unedited_env_example_is_refused() {
    let mut environment = Environment::default();
    for (name, entry) in entries() {
        if !entry.commented {
            environment.set(name, entry.value);
        }
    }
    let faults = environment.read(Config::read).err().unwrap().to_string();
    for name in ["DATABASE_URL", "SECRET_KEY"] {
        assert!(faults.contains(name), "{faults}");
    }
    assert!(!environment.has_database(), "`dev` would not bring its own");
}

#[test]
fn the_manifests_set_known_variables_to_valid_values() {
    let manifest = include_str!("../../k8s/config.yaml");
    let manifest: serde_json::Value = serde_yaml_ng::from_str(manifest).unwrap();
    let known: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    let mut environment = Environment::default();
    for (name, value) in manifest["data"].as_object().unwrap() {
        assert!(known.contains(name.as_str()), "{name} is no variable");
        environment.set(name, value.as_str().unwrap());
    }
    // These come from Kubernetes Secrets.
    for (name, value) in [
        ("DB_USER", "orders"),
        ("DB_PASSWORD", "of the database"),
        ("SECRET_KEY", "a secret of at least thirty-two bytes"),
    ] {
        environment.set(name, value);
    }
    environment.read(Config::read).unwrap();
}
