//! The bytes on the wire, held to `tests/golden`: every envelope there is opened for ever, and those without compression
//! are what is written, byte by byte. `EVERWARM_GOLDEN=write` writes the envelopes of the manifest that are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everwarm_core::codec::Spans;
use everwarm_core::mark::Mark;
use everwarm_core::slide::Slide;
use serde_json::Value;

use super::{
    Binding, Bytes, Codec, Compression, Config, Keyring, MasterKey, Meta, Pipeline, Salt, Suite,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn manifest() -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join("manifest.json")).unwrap()).unwrap()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn meta(row: &Value) -> Meta {
    let span = |name: &str| row[name].as_u64().map(Duration::from_nanos);
    let list = |name: &str| row[name].as_array().unwrap().clone();
    Meta {
        format: row["format"].as_u64().unwrap() as u8,
        spans: Spans {
            fresh: span("fresh"),
            quiet: span("quiet"),
            stale: span("stale").unwrap(),
            if_error: span("if_error").unwrap(),
            slide: row["slide"].as_array().map(|spans| {
                let span = |at: usize| Duration::from_nanos(spans[at].as_u64().unwrap());
                Slide {
                    by: span(0),
                    ahead: span(1),
                    most: span(2),
                }
            }),
        },
        computed_in: span("computed_in").unwrap(),
        stamps: list("stamps")
            .iter()
            .map(|stamp| Mark {
                shard: stamp[0].as_u64().unwrap() as u16,
                epoch: stamp[1].as_u64().unwrap(),
                number: stamp[2].as_u64().unwrap(),
            })
            .collect(),
        tags: list("tags")
            .iter()
            .map(|tag| tag.as_str().unwrap().into())
            .collect(),
        key: row["key"].is_string().then(|| bytes(&row["key"]).into()),
    }
}

/// The fields of a binding that are bytes.
fn raw(row: &Value) -> (Vec<u8>, Vec<u8>) {
    (
        bytes(&row["binding"]["tenant"]),
        bytes(&row["binding"]["key"]),
    )
}

fn binding<'a>(row: &'a Value, raw: &'a (Vec<u8>, Vec<u8>)) -> Binding<'a> {
    let fields = &row["binding"];
    Binding {
        tenant: &raw.0,
        namespace: text(fields, "namespace"),
        function: text(fields, "function"),
        schema: text(fields, "schema"),
        key: &raw.1,
    }
}

/// The pipeline that seals a row, with the salt of the manifest's instead of one of the operating system's.
fn pipeline(manifest: &Value, row: &Value) -> Pipeline {
    let key = MasterKey::new(&bytes(&manifest["master_key"]))
        .unwrap()
        .numbered(7)
        .unwrap();
    let mut pipeline = Pipeline::new(Config {
        compression: Compression::parse(text(row, "compression")).unwrap(),
        threshold: 0,
        suite: Suite::named(text(row, "suite")).unwrap(),
        keyring: Some(Arc::new(Keyring::new(key, []).unwrap())),
        ..Config::default()
    })
    .unwrap();
    if row["salt"].is_string() {
        let salt: Salt = bytes(&row["salt"]).try_into().unwrap();
        pipeline.salt = Box::new(move || Ok(salt));
    }
    pipeline
}

fn sealed(manifest: &Value, row: &Value) -> Bytes {
    let raw = raw(row);
    pipeline(manifest, row)
        .seal(
            &binding(row, &raw),
            &meta(&row["meta"]),
            &bytes(&row["payload"]),
        )
        .unwrap()
}

/// The bytes of a row's file. What is not there is written first where that is asked for: whole, or not at all, for other tests
/// read it at the same time.
fn golden(manifest: &Value, row: &Value) -> Bytes {
    static WRITING: Mutex<()> = Mutex::new(());
    let path = folder().join(text(row, "file"));
    if std::env::var("EVERWARM_GOLDEN").is_ok_and(|what| what == "write") {
        let _alone = WRITING.lock();
        if !path.exists() {
            let part = path.with_extension("part");
            fs::write(&part, sealed(manifest, row)).unwrap();
            fs::rename(part, &path).unwrap();
        }
    }
    Bytes::from(fs::read(path).unwrap())
}

#[test]
fn golden_envelopes_are_opened() {
    let manifest = manifest();
    for row in manifest["envelopes"].as_array().unwrap() {
        let (envelope, path) = (golden(&manifest, row), folder().join(text(row, "file")));
        let raw = raw(row);
        let opened = pipeline(&manifest, row).open(&binding(row, &raw), &envelope);
        let opened = opened.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", path.display()));
        assert_eq!(opened.meta, meta(&row["meta"]), "{}", path.display());
        assert_eq!(opened.payload, bytes(&row["payload"]), "{}", path.display());
    }
}

#[test]
fn golden_envelopes_are_what_is_written() {
    let manifest = manifest();
    for row in manifest["envelopes"].as_array().unwrap() {
        // What compressors write changes with their versions; what they read does not.
        if text(row, "compression") == "none" {
            let golden = golden(&manifest, row);
            assert_eq!(sealed(&manifest, row), golden, "{}", text(row, "file"));
        }
    }
}

#[test]
fn every_suite_and_compression_has_its_golden_envelope() {
    let manifest = manifest();
    let rows = manifest["envelopes"].as_array().unwrap();
    for suite in Suite::ALL {
        for compression in ["none", "lz4", "zstd", "gzip"] {
            let is_it = |row: &&Value| {
                text(row, "suite") == suite.name() && text(row, "compression") == compression
            };
            assert!(
                rows.iter().any(|row| is_it(&row)),
                "{suite:?} {compression}"
            );
        }
    }
}
