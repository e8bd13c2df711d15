//! A package hub on loopback that says what a test publishes, and fails as often as it is told to.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tiny_http::{Response, Server};

/// A hub that lives as long as this value.
pub struct Hub {
    server: Arc<Server>,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    packages: BTreeMap<String, Json>,
    files: BTreeMap<String, Vec<u8>>,
    /// How often a path still fails.
    failures: BTreeMap<String, usize>,
    asked: Vec<String>,
}

impl Hub {
    pub fn start() -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a free port"));
        let state: Arc<Mutex<State>> = Arc::default();
        let (serving, known) = (Arc::clone(&server), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            for request in serving.incoming_requests() {
                let mut state = known.lock().unwrap_or_else(PoisonError::into_inner);
                let (status, body) = state.answer(request.url());
                drop(state);
                // Who asked may be gone already.
                let _ = request.respond(Response::from_data(body).with_status_code(status));
            }
        });
        Self { server, state, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    /// Publishes a version of a package: what it asks for itself, and its files beside `dbt_project.yml`.
    pub fn publish(&self, package: &str, version: &str, asks: Json, files: &[(&str, &str)]) {
        let (namespace, name) = package.split_once('/').expect("namespace and name");
        let project = format!("name: {name}\nversion: '{version}'\n");
        let mut all = vec![("dbt_project.yml", project.as_str())];
        all.extend(files);
        let path = format!("/archives/{package}/{version}.tar.gz");
        self.put(&path, archive(&format!("{name}-{version}"), &all));
        let tarball = format!("{}{path}", self.url());
        let mut state = self.state();
        let document = state
            .packages
            .entry(package.to_owned())
            .or_insert_with(|| json!({"name": name, "namespace": namespace, "versions": {}}));
        document["versions"][version] = json!({
            "name": name, "version": version, "packages": asks, "require_dbt_version": [],
            "downloads": {"tarball": tarball, "format": "tgz"},
        });
    }

    /// Changes what the hub says of a package.
    pub fn edit(&self, package: &str, change: impl FnOnce(&mut Json)) {
        change(self.state().packages.get_mut(package).expect("a package that was published"));
    }

    /// Puts a file at a path.
    pub fn put(&self, path: &str, content: Vec<u8>) {
        self.state().files.insert(path.to_owned(), content);
    }

    /// Lets the next requests for a path fail.
    pub fn fail(&self, path: &str, times: usize) {
        self.state().failures.insert(path.to_owned(), times);
    }

    /// The paths that were asked for since the last call.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.server.unblock();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl State {
    fn answer(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.asked.push(path.to_owned());
        if let Some(left) = self.failures.get_mut(path).filter(|left| **left > 0) {
            *left -= 1;
            return (503, b"busy".to_vec());
        }
        let document = path.strip_prefix("/api/v1/").and_then(|path| path.strip_suffix(".json"));
        let json = match document {
            Some("index") => Some(json!(self.packages.keys().collect::<Vec<_>>())),
            Some(package) => self.packages.get(package).cloned(),
            None => None,
        };
        match (json, self.files.get(path)) {
            (Some(json), _) => (200, json.to_string().into_bytes()),
            (None, Some(file)) => (200, file.clone()),
            (None, None) => (404, b"nothing".to_vec()),
        }
    }
}

/// A `.tar.gz` with one directory at its top.
pub fn archive(top: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, format!("{top}/{name}"), text.as_bytes()).expect("in memory");
    }
    builder.into_inner().and_then(GzEncoder::finish).expect("in memory")
}
