//! Templates with what dbt makes of them: the cases of `tests/jinja/cases/`.
//!
//! `tests/jinja/make_expected.py` says how a case is written and fills in what dbt gives. Where strata gives something
//! else, the case says what, and which sentence of `docs/differences.md` says why; both fail in their own words.
//! `INSTA_UPDATE=always cargo test jinja` writes what strata gives; the reasons are written by people.

use crate::support::silent_host::SilentHost;
use chrono::DateTime;
use serde_json::{Map, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strata::adapter::{self, RelationCache};
use strata::compile::{Compiler, NodeHost, Surroundings};
use strata::diagnostic::{Diagnostic, SourceFile};
use strata::jinja::context::{NodeContext, NodeHandle, node_values};
use strata::jinja::host::{Phase, Session};
use strata::jinja::value::repr;
use strata::jinja::{RenderContext, Template};
use strata::manifest::Node;
use strata::parse::{ParseOptions, parse};
use strata::project::{Environment, LoadOptions, Project, load};
use strata::run::WorkerSession;

/// The environment variables that `make_expected.py` sets.
const ENVIRONMENT: [(&str, &str); 3] = [("CASES_CITY", "Oslo"), ("CASES_NUMBER", "42"), ("CASES_EMPTY", "")];

/// What came out of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Text(String),
    Fails(String),
}

/// A case as it stands in its file.
#[derive(Debug)]
struct Case {
    title: String,
    phase: String,
    template: String,
    /// What dbt gives.
    dbt: Outcome,
    /// What strata gives, where it is not that.
    strata: Option<Outcome>,
    /// The sentence of `docs/differences.md`.
    because: Option<String>,
}

/// A file of cases: what stands before the first one, and the cases.
struct File {
    path: PathBuf,
    head: String,
    cases: Vec<Case>,
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a text");
        let mut blocks = text.split("\n=== ");
        let head = blocks.next().unwrap_or_default().to_owned();
        let cases = blocks.map(Case::read).collect();
        Self { path, head, cases }
    }

    fn write(&self) {
        let mut text = self.head.clone();
        for case in &self.cases {
            text.push_str("\n=== ");
            case.write(&mut text);
        }
        fs::write(&self.path, text).expect("the file can be written");
    }
}

impl Case {
    fn read(block: &str) -> Self {
        let (header, rest) = block.split_once('\n').expect("a template below the title");
        let marked = header.strip_suffix(']').and_then(|header| header.rsplit_once(" ["));
        let (title, phase) = marked.filter(|(_, phase)| PHASES.contains(phase)).unwrap_or((header, "run"));
        let mut starts: Vec<usize> =
            ["dbt", "strata", "because"].iter().flat_map(|name| sections(rest, name)).collect();
        starts.sort_unstable();
        let mut case = Self {
            title: title.to_owned(),
            phase: phase.to_owned(),
            template: rest[..starts.first().map_or(rest.len(), |at| at.saturating_sub(1))].to_owned(),
            dbt: Outcome::Fails("make_expected.py was not run".to_owned()),
            strata: None,
            because: None,
        };
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(rest.len(), |next| *next);
            let section = rest[*start..end].strip_suffix('\n').unwrap_or(&rest[*start..end]);
            let (name, text) = section.split_once('\n').unwrap_or((section, ""));
            let text = text.to_owned();
            match name {
                "--- dbt" => case.dbt = Outcome::Text(text),
                "--- dbt fails" => case.dbt = Outcome::Fails(text),
                "--- strata" => case.strata = Some(Outcome::Text(text)),
                "--- strata fails" => case.strata = Some(Outcome::Fails(text)),
                "--- because" => case.because = Some(text),
                other => panic!("{title}: what is `{other}`?"),
            }
        }
        case
    }

    fn write(&self, text: &mut String) {
        let mark = if self.phase == "run" { String::new() } else { format!(" [{}]", self.phase) };
        writeln!(text, "{}{mark}\n{}", self.title, self.template).expect("a String takes everything");
        let mut section = |name: &str, outcome: &Outcome| {
            let (fails, content) = match outcome {
                Outcome::Text(content) => ("", content),
                Outcome::Fails(content) => (" fails", content),
            };
            writeln!(text, "--- {name}{fails}\n{content}").expect("a String takes everything");
        };
        section("dbt", &self.dbt);
        if let Some(strata) = &self.strata {
            section("strata", strata);
        }
        if let Some(because) = &self.because {
            writeln!(text, "--- because\n{because}").expect("a String takes everything");
        }
    }
}

const PHASES: [&str; 3] = ["run", "parse", "native"];

/// Where the sections of a name start.
fn sections(text: &str, name: &str) -> Vec<usize> {
    let line = format!("--- {name}");
    text.match_indices(&line).map(|(at, _)| at).filter(|at| *at == 0 || text[..*at].ends_with('\n')).collect()
}

/// The project of the cases, loaded and connected to a database of its own.
struct Renderer {
    compiler: Compiler,
    subject: Arc<Node>,
    surroundings: Surroundings,
    _directory: tempfile::TempDir,
}

impl Renderer {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        copy(&cases_directory().join("../project"), directory.path());
        let project = loaded(directory.path());
        let options = ParseOptions {
            flags: json!({"FULL_REFRESH": false, "STORE_FAILURES": false, "EMPTY": false, "WHICH": "compile"})
                .as_object()
                .cloned()
                .unwrap_or_default(),
            invocation_args: Map::default(),
            invocation_id: "an-id".to_owned(),
            strict: false,
        };
        let parsed = parse(&project, &options).unwrap_or_else(|found| panic!("the project of the cases: {found:?}")).0;
        let subject = parsed.manifest.nodes.get("model.cases.subject").expect("the subject").clone();
        let selected = vec![subject.unique_id.clone()];
        let compiler = Compiler::new(&project, &parsed.manifest, &parsed.engine, selected, Arc::new(|_, _| ()));
        let database = adapter::open(&project.target, false, &project.environment).expect("a database");
        let connection = database.connect("cases").expect("a connection");
        let session = WorkerSession::new(connection, Arc::new(RelationCache::default()), Arc::new(|_| ()));
        let surroundings = Surroundings {
            session: Some(session as Arc<dyn Session>),
            thread: "Thread-1".to_owned(),
            ..Surroundings::default()
        };
        Self { compiler, subject: Arc::new(subject), surroundings, _directory: directory }
    }

    fn render(&self, case: &Case) -> Outcome {
        match self.try_render(case) {
            Ok(text) => Outcome::Text(text),
            Err(found) => Outcome::Fails(found.message().to_owned()),
        }
    }

    fn try_render(&self, case: &Case) -> Result<String, Diagnostic> {
        let file = SourceFile::new("models/subject.sql", case.template.as_str());
        let template = Template::whole(&file)?;
        let engine = self.compiler.engine();
        if case.phase == "parse" {
            let handle = NodeHandle::Single(Arc::clone(&self.subject));
            let values =
                node_values(self.compiler.warehouse(), NodeContext { node: Some(handle), ..NodeContext::default() });
            let host = SilentHost::new(Phase::Parse).of(&self.subject);
            let context = RenderContext::new(engine, "cases", values, Arc::new(host));
            return Ok(engine.render(&template, &context)?.text);
        }
        let host = Arc::new(NodeHost::new(&self.compiler, Some(&self.subject), &self.surroundings));
        let context =
            self.compiler.context(Some(&self.subject), None, &self.surroundings, &host).expect("a model has a context");
        match case.phase.as_str() {
            "native" => Ok(repr(&engine.evaluate(&template, &context)?)),
            _ => Ok(engine.render(&template, &context)?.text),
        }
    }
}

fn cases_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jinja/cases")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn loaded(root: &Path) -> Arc<Project> {
    let variables = ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = LoadOptions {
        profiles_dir: None,
        profile: None,
        target: None,
        variables: Map::default(),
        target_path: None,
        environment: Arc::new(Environment { variables: Arc::new(variables), home: None, now: DateTime::UNIX_EPOCH }),
    };
    Arc::new(load(root, &options).unwrap_or_else(|found| panic!("the project of the cases: {found:?}")).0)
}

/// What is wrong with a case, given what strata makes of it now.
fn judge(case: &Case, now: &Outcome, differences: &str) -> Option<String> {
    let differs = match (&case.dbt, now) {
        (Outcome::Fails(_), Outcome::Fails(_)) => false,
        (dbt, now) => dbt != now,
    };
    let expected = case.strata.as_ref().unwrap_or(&case.dbt);
    match &case.because {
        _ if now != expected => Some(format!("expected {expected:?}\n  got      {now:?}")),
        None if differs => Some("it differs from dbt without a reason".to_owned()),
        Some(_) if !differs => Some("it does not differ any more: remove the reason, here and in the docs".to_owned()),
        Some(reason) if !differences.contains(reason.as_str()) => {
            Some(format!("docs/differences.md does not say: {reason}"))
        }
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "the switch of the snapshot library")]
fn is_updating() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always")
}

#[test]
fn templates_give_what_dbt_gives() {
    let renderer = Renderer::new();
    // The page breaks its lines where it likes.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md")).expect("the page");
    let differences = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(cases_directory()).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (mut count, mut wrong) = (0, String::new());
    for path in paths {
        let mut file = File::read(path);
        for case in &mut file.cases {
            count += 1;
            let now = renderer.render(case);
            if is_updating() {
                case.strata = (now != case.dbt).then(|| now.clone());
            }
            if let Some(problem) = judge(case, &now, &differences) {
                let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                writeln!(wrong, "{name}: {}\n  {}\n  {problem}", case.title, case.template).expect("a String");
            }
        }
        if is_updating() {
            file.write();
        }
    }
    assert!(count > 300, "only {count} cases are read");
    assert!(wrong.is_empty(), "{} problems in {count} cases:\n{wrong}", wrong.matches("\n  ").count() / 2);
}
