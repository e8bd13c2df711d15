//! Results of macros that depend on nothing but their arguments: an engine calculates them once for all renders.
//!
//! Whether a call is such a one is seen while it runs. What comes from outside of the macros and may be something else
//! in another render (`this`, `ref`, `execute`, `adapter`, a random item) calls [`depend`]. A call during which nothing
//! did so gives the same wherever it stands, for the macros of an engine stay the same. Only plain arguments and plain
//! results are kept, which nobody can change.

use super::definition::MacroDefinition;
use super::registry::PackageNamespace;
use super::render_context::RenderContext;
use super::runtime::MacroValue;
use minijinja::value::{Value, ValueKind};
use rustc_hash::FxHashMap;
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is kept in a phase, in bytes; what comes later is calculated each time.
const ROOM: usize = 16 << 20;
/// What one entry takes beside its texts, in bytes, about.
const ENTRY: usize = 100;
/// The longest arguments and the longest result that are kept, in bytes.
const LONGEST: usize = 4096;
/// How many locks share the entries, so that threads seldom wait for each other.
const PARTS: usize = 16;

thread_local! {
    /// Whether what this thread runs has asked for something from outside since [`Watch::start`].
    static DEPENDS: Cell<bool> = const { Cell::new(false) };
}

/// The macro calls that run now depend on more than their arguments.
pub(super) fn depend() {
    DEPENDS.set(true);
}

/// What an engine has once, and nobody can change.
const SHARED: [&str; 4] = ["api", "target", "project_name", "dbt_version"];

/// Whether a name that a body looks up means the same in every render of a package: a macro, a package, what the engine
/// has once, or something that minijinja makes anew.
pub(super) fn is_fixed(name: &str, found: Option<&Value>, context: &RenderContext) -> bool {
    let is_macro = |value: &Value| value.downcast_object_ref::<MacroValue>().is_some();
    let is_package = |value: &Value| value.downcast_object_ref::<PackageNamespace>().is_some();
    match found {
        Some(value) => is_macro(value) || is_package(value) || SHARED.contains(&name) && !context.is_own(name),
        None => matches!(name, "loop" | "range" | "dict" | "namespace" | "cycler" | "joiner"),
    }
}

/// Whether the results of a macro are worth keeping: not if they depend on more than its arguments, nor if the macro is
/// hardly ever called with the same ones again.
pub(super) struct Worth(AtomicI32);

impl Worth {
    /// So many calls in a row may be like none before.
    const PATIENCE: i32 = 64;
    /// What a call that was like another one is worth in such calls.
    const FOUND: i32 = 4;
    /// More is not counted: threads that call the same macro would wait for each other to count.
    const ENOUGH: i32 = 1024;

    pub fn is_kept(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// A call was like one before.
    pub fn found(&self) {
        if self.0.load(Ordering::Relaxed) < Self::ENOUGH {
            self.0.fetch_add(Self::FOUND, Ordering::Relaxed);
        }
    }

    /// A call was like none before; `is_fixed` says whether it depends on its arguments alone.
    pub fn missed(&self, is_fixed: bool) {
        if is_fixed {
            self.0.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.0.store(i32::MIN / 2, Ordering::Relaxed);
        }
    }
}

impl Default for Worth {
    fn default() -> Self {
        Self(AtomicI32::new(Self::PATIENCE))
    }
}

/// Sees whether a call depends on something from outside.
pub(super) struct Watch {
    outer: bool,
}

impl Watch {
    pub fn start() -> Self {
        Self { outer: DEPENDS.replace(false) }
    }

    /// Whether nothing did; what surrounds the call depends on what the call did.
    pub fn end(self) -> bool {
        let depends = DEPENDS.get();
        DEPENDS.set(self.outer || depends);
        !depends
    }
}

/// Which macro is called with which arguments, by nodes of which package.
pub(super) struct Key {
    part: usize,
    text: Vec<u8>,
}

impl Key {
    /// None where an argument is more than a plain value, or too long.
    pub fn of(definition: &Arc<MacroDefinition>, context: &RenderContext, arguments: &[Option<Value>]) -> Option<Self> {
        // The engine keeps the macro, and so its address, as long as it keeps the key.
        let address = Arc::as_ptr(definition) as usize;
        let mut text = Vec::with_capacity(64);
        text.extend(address.to_le_bytes());
        write_text(&mut text, context.package());
        for argument in arguments {
            match argument {
                None => text.push(b'-'),
                Some(value) => write_plain(&mut text, value)?,
            }
            if text.len() > LONGEST {
                return None;
            }
        }
        Some(Self { part: (address >> 6) % PARTS, text })
    }
}

fn write_text(key: &mut Vec<u8>, text: &str) {
    key.extend(text.len().to_le_bytes());
    key.extend(text.as_bytes());
}

fn write_plain(key: &mut Vec<u8>, value: &Value) -> Option<()> {
    match value.kind() {
        ValueKind::None => key.push(b'n'),
        ValueKind::Bool => key.push(if value.is_true() { b't' } else { b'f' }),
        ValueKind::Number if value.is_integer() => {
            key.push(b'i');
            key.extend(value.as_i64()?.to_le_bytes());
        }
        ValueKind::String => {
            key.push(if value.is_safe() { b'm' } else { b's' });
            write_text(key, value.as_str()?);
        }
        _ => return None,
    }
    Some(())
}

/// The results that are kept of one phase.
#[derive(Default)]
pub(super) struct Memo {
    parts: [Mutex<FxHashMap<Vec<u8>, Value>>; PARTS],
    used: AtomicUsize,
}

impl Memo {
    /// What the call gave before.
    pub fn get(&self, key: &Key) -> Option<Value> {
        self.parts[key.part].lock().unwrap_or_else(PoisonError::into_inner).get(&key.text).cloned()
    }

    /// Keeps what a call gave, if that is plain and there is room for it.
    pub fn keep(&self, key: Key, result: &Value) {
        let length = match result.kind() {
            ValueKind::String => result.as_str().map_or(usize::MAX, str::len),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => 0,
            _ => return,
        };
        if length > LONGEST {
            return;
        }
        let size = length + key.text.len() + ENTRY;
        if self.used.fetch_add(size, Ordering::Relaxed) + size > ROOM {
            self.used.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        self.parts[key.part].lock().unwrap_or_else(PoisonError::into_inner).insert(key.text, result.clone());
    }
}
